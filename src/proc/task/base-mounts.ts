/** /proc/<pid>/{mounts,mountinfo,mountstats}: the host's mount table in three forms (fs/proc_namespace.c). */
import { EINVAL } from "../../kernel/errno.ts";
import { TASK } from "../../kernel/layout.ts";
import type { Context, SeqCursor, SeqOperations } from "../row.ts";
import type { Text } from "../text.ts";

/** A task that has left its namespaces and directories, a dead one, has no mounts: -EINVAL at open (mounts_open_common). */
export function openMounts(c: Context): number {
  return c.k.m.load(c.task + TASK.fs) === 0 ? -EINVAL : 0;
}

/** The fields of a mountinfo line that the other two files show too. */
export interface MountFields {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  /** Options of the mount and of the file system, as in mounts. */
  readonly options: string;
}

/** Takes a mountinfo line apart: id parent major:minor root target options [tags] - type source superoptions. */
function parseMountinfo(line: string): MountFields {
  const separator = line.indexOf(" - ");
  const head = line.slice(0, separator).split(" ");
  const [type = "", source = "", superOptions = ""] = line.slice(separator + 3).split(" ");
  return { source, target: head[4] ?? "", type, options: mergeOptions(head[5] ?? "", superOptions) };
}

/** "rw" or "ro" of whichever is stricter, then the file system's options between, then the mount's. */
function mergeOptions(mount: string, superBlock: string): string {
  const [mountMode = "", ...mountRest] = mount.split(",");
  const [superMode = "", ...superRest] = superBlock.split(",");
  const mode = mountMode === "ro" || superMode === "ro" ? "ro" : "rw";
  const flags = superRest.filter((option) => SUPER_FLAGS.includes(option));
  const others = superRest.filter((option) => !SUPER_FLAGS.includes(option));
  return [mode, ...flags, ...mountRest, ...others].join(",");
}

/** Flags that show_sb_opts prints, before the mount's own. */
const SUPER_FLAGS = ["sync", "dirsync", "mand", "lazytime"];

/** /proc/<pid>/mounts: device, directory, type, options, two zeros (show_vfsmnt). */
export function formatMount(line: string, out: Text): void {
  const { source, target, type, options } = parseMountinfo(line);
  out.str(source).byte(32).str(target).byte(32).str(type).byte(32).str(options).str(" 0 0\n");
}

/** /proc/<pid>/mountstats (show_vfsstat). */
export function formatMountstats(line: string, out: Text): void {
  const { source, target, type } = parseMountinfo(line);
  if (source === "none" || source === "") out.str("no device");
  else out.str("device ").str(source);
  out.str(" mounted on ").str(target).str(" with fstype ").str(type).byte(10);
}

/** /proc/<pid>/mountinfo (show_mountinfo). */
export function formatMountinfo(line: string, out: Text): void {
  out.str(line).byte(10);
}

function mountTable(format: (line: string, out: Text) => void): SeqOperations {
  const at = (c: Context, cursor: SeqCursor): number => (cursor.index < c.host.mountinfo.length ? 1 : 0);
  return {
    start: at,
    next(c, cursor) {
      cursor.index++;
      return at(c, cursor);
    },
    stop(_c, cursor) {
      cursor.entry = 0;
    },
    show(c, cursor, out) {
      format(c.host.mountinfo[cursor.index] as string, out);
      return 0;
    },
  };
}

/** Iterators over the host's mounts; the position is a mount's place in the table. */
export const mountsSeq = mountTable(formatMount);
export const mountinfoSeq = mountTable(formatMountinfo);
export const mountstatsSeq = mountTable(formatMountstats);
