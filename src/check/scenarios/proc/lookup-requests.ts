/** Requests about names and nodes of process directories, as the file system serves them, on the smallest tables. */
import { ENOENT, ENOTDIR, ESTALE } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { findTask } from "../../../kernel/pid.ts";
import { CallerSubject, RequestContext } from "../../../proc/fs/context.ts";
import type { Tables } from "../../../proc/fs/entries.ts";
import { Entries } from "../../../proc/fs/entries.ts";
import { fillEntry } from "../../../proc/fs/attr.ts";
import { lookupIn } from "../../../proc/fs/lookup.ts";
import { NodeId, Tag, decodeNode } from "../../../proc/fs/node-id.ts";
import { Walker } from "../../../proc/fs/walk.ts";
import { NULL } from "../../../sync/atomics.ts";
import type { HostView } from "../../../proc/host-view.ts";
import type { Row } from "../../../proc/row.ts";
import { MAY_EXEC } from "../../../proc/row.ts";
import { showStat } from "../../../proc/task/array-stat.ts";
import { FD_DIRECTORY } from "../../../proc/task/fd.ts";
import { MAP_FILES_DIRECTORY } from "../../../proc/task/map-files.ts";
import { TASK_DIRECTORY } from "../../../proc/task/task-dir.ts";
import type { Caller, CallerFacts } from "../../../proc/vfs.ts";
import { Attr } from "../../../proc/vfs.ts";
import type { Ids } from "../../oracles/revalidate.ts";

/** Root, from outside of the simulation. */
const CALLER: Caller = { uid: 0, gid: 0, pid: 0 };
const ALL_CAPABILITIES = [0xffffffff, 0x1ff] as const;

const FACTS: CallerFacts = {
  tgid: () => 0,
  descends: () => false,
  effective: () => ALL_CAPABILITIES,
  permitted: () => ALL_CAPABILITIES,
  groups: () => [],
};

export const HOST_VIEW: HostView = {
  ...{ hostname: "model", domainname: "", release: "", version: "", versionText: "", bootId: "", commandLine: "" },
  ...{ cpuModel: "", cpuMhz: 0, cpus: 1, mountinfo: [], interfaces: [], disks: [], rawFiles: {} },
  ...{ realProc: "", netOf: "self", mountsOf: "self" },
};

const PROCESS_ROWS: readonly Row[] = [
  { type: "dynamic", name: "task", mode: 0o555, doc: "", directory: TASK_DIRECTORY },
  { type: "dynamic", name: "fd", mode: 0o500, doc: "", directory: FD_DIRECTORY },
  { type: "dynamic", name: "map_files", mode: 0o500, doc: "", directory: MAP_FILES_DIRECTORY },
];
const TABLES: Tables = { root: [], process: PROCESS_ROWS, thread: [] };

/** A node, and what was told of it. */
export interface SeenNode extends Ids {
  readonly hi: number;
  readonly lo: number;
  readonly generation: number;
  /** Nanoseconds of boot time. */
  readonly start: number;
  readonly mode: number;
}

/** What is told of a process by its stat. */
export interface SeenStat {
  /** As wait(2) has it. */
  readonly exitCode: number;
  /** Bytes. */
  readonly vsize: number;
}

const GONE: ReadonlySet<number> = new Set([-ENOENT, -ESTALE]);

/** The requests of one thread. */
export class Requests {
  private readonly c: RequestContext;
  private readonly walker: Walker;
  private readonly attr = new Attr();
  private readonly id = new NodeId();

  constructor(k: Kernel) {
    this.c = new RequestContext(k, HOST_VIEW, new CallerSubject(FACTS), new Entries(TABLES));
    this.walker = new Walker(this.c, []);
  }

  /** A name in /proc. @returns null if there is none */
  process(name: string): SeenNode | null {
    return this.lookup(0, 1, name);
  }

  /** A name in a directory that has been found before. @returns null if it is gone, or the directory is */
  within({ hi, lo }: SeenNode, name: string): SeenNode | null {
    return this.lookup(hi, lo, name);
  }

  /** What is told now of a node that has been found before (getattr). @returns null if it is gone */
  again({ hi, lo }: SeenNode): SeenNode | null {
    const { c, walker, attr } = this;
    walker.begin(CALLER);
    const found = walker.byPath(hi, lo);
    if (found === 0 && walker.entry !== null) fillEntry(c, walker.entry, attr);
    walker.end(0);
    return this.seen(found);
  }

  /**
   * What is told of an open file (fstat), by a thread that may sleep and becomes quiescent meanwhile: its reference keeps
   * what it has found. @returns null if the process is gone
   */
  opened({ hi, lo }: SeenNode): SeenNode | null {
    const { c, walker, attr } = this;
    walker.begin(CALLER);
    const entry = walker.byHandle(hi, lo);
    const found = entry !== null && c.task !== NULL ? 0 : -ESTALE;
    c.k.quiescent();
    if (entry !== null && found === 0) fillEntry(c, entry, attr);
    walker.end(0);
    return this.seen(found);
  }

  /** What stat tells of a process. @returns null if there is none */
  stat(pid: number): SeenStat | null {
    const { c } = this;
    c.task = findTask(c.k, pid);
    if (c.task === NULL) return null;
    c.whole = true;
    c.subject.begin(CALLER);
    showStat(c, c.text);
    const { exitCode, vsize } = c.scratch.stat;
    return { exitCode, vsize };
  }

  private lookup(hi: number, lo: number, name: string): SeenNode | null {
    this.walker.begin(CALLER);
    const found = this.find(hi, lo, name);
    this.walker.end(0);
    return this.seen(found);
  }

  private find(hi: number, lo: number, name: string): number {
    const { c, walker, attr } = this;
    const found = walker.byPath(hi, lo);
    if (found !== 0) return found;
    const { entry } = walker;
    if (entry === null || (entry.kind !== "dir" && entry.kind !== "dynamic")) return -ENOTDIR;
    const refused = walker.may(entry, MAY_EXEC);
    return refused !== 0 ? refused : lookupIn(c, entry, name, attr);
  }

  private seen(result: number): SeenNode | null {
    if (GONE.has(result)) return null;
    if (result !== 0) throw new Error(`a request was answered with ${result}`);
    const { attr, id, c } = this;
    const { nodeHi: hi, nodeLo: lo, uid, gid, mode, timeSec, timeNsec } = attr;
    if (!decodeNode(hi, lo, id) || id.tag === Tag.own) throw new Error(`node ${hi}:${lo} is none of a process`);
    const start = (timeSec - c.k.config.realtimeAtBoot) * 1e9 + timeNsec;
    return { hi, lo, generation: id.generation, start, uid, gid, mode };
  }
}
