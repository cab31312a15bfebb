/** /proc/<pid>/{uid_map,gid_map,projid_map,setgroups,timens_offsets,limits,arch_status,ksm_*}. */
import { EACCES, EINVAL, EPERM } from "../../kernel/errno.ts";
import { PF_KTHREAD } from "../../kernel/flags.ts";
import { PAGE_SIZE, RLIM_NLIMITS, TASK } from "../../kernel/layout.ts";
import { rlimit } from "../../kernel/limits.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import { isZombie } from "../../kernel/task.ts";
import { latin1Text } from "../../shm/bytes.ts";
import { formatIdMap, formatLimits, formatTimensOffset } from "./base-format.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

/** Ids of the initial user namespace, the only one there is: all but the one that means "none". */
const ALL_IDS = 4294967295;
const MILLISECONDS_NEVER = -1;
const O_ACCMODE = 3;
/** Longest text that setgroups takes. */
const SETGROUPS_MAX = 7;

/** Shows /proc/<pid>/{uid_map,gid_map,projid_map}: the initial user namespace maps every id to itself. */
export function showIdMap(_c: Context, out: Text): number {
  formatIdMap(0, 0, ALL_IDS, out);
  return 0;
}

/** A user namespace's map can be written once, and the initial one has been (map_write): -EPERM. */
export function writeIdMap(_c: Context, _offset: number, _data: Uint8Array): number {
  return -EPERM;
}

/** Shows /proc/<pid>/setgroups. */
export function showSetgroups(_c: Context, out: Text): number {
  out.str("allow\n");
  return 0;
}

/** Writing needs CAP_SYS_ADMIN in the user namespace (-EACCES at open). */
export function openSetgroups(c: Context): number {
  const writes = (c.k.m.load(c.file + OPEN_FILE.flags) & O_ACCMODE) !== 0;
  return writes && !c.subject.capable(CAP_SYS_ADMIN) ? -EACCES : 0;
}

/** "allow" changes nothing; "deny" comes too late once gids are mapped (-EPERM); else -EINVAL (proc_setgroups_write). */
export function writeSetgroups(_c: Context, offset: number, data: Uint8Array): number {
  if (offset !== 0 || data.length > SETGROUPS_MAX) return -EINVAL;
  const text = latin1Text(data).trimEnd();
  if (text === "allow") return data.length;
  return text === "deny" ? -EPERM : -EINVAL;
}

/** Shows /proc/<pid>/timens_offsets: nothing after exit, else the initial time namespace's zeros. */
export function showTimensOffsets(c: Context, out: Text): number {
  if (isZombie(c.k, c.task)) return 0;
  formatTimensOffset("monotonic", 0, 0, out);
  formatTimensOffset("boottime", 0, 0, out);
  return 0;
}

/** Offsets of a time namespace that has processes can't change: -EACCES for well-formed lines, else -EINVAL. */
export function writeTimensOffsets(_c: Context, offset: number, data: Uint8Array): number {
  if (data.length >= PAGE_SIZE) return -EINVAL;
  const lines = latin1Text(data).trimEnd().split("\n");
  const good = (line: string): boolean => /^\s*(monotonic|boottime|[17])\s+-?\d+\s+\d{1,9}\s*$/.test(line);
  return offset === 0 && lines.length <= 2 && lines.every(good) ? -EACCES : -EINVAL;
}

/** Shows /proc/<pid>/limits. @pre RCU */
export function showLimits(c: Context, out: Text): number {
  const { limits } = c.scratch;
  const signal = c.k.m.load(c.task + TASK.signal);
  for (let i = 0; i < RLIM_NLIMITS; i++) {
    limits.soft[i] = rlimit(c.k, signal, i, false);
    limits.hard[i] = rlimit(c.k, signal, i, true);
  }
  formatLimits(limits, out);
  return 0;
}

/** Shows /proc/<pid>/arch_status: the simulated tasks have never used AVX-512 (avx512_status). */
export function showArchStatus(c: Context, out: Text): number {
  if ((c.k.m.load(c.task + TASK.flags) & PF_KTHREAD) !== 0) return 0;
  out.str("AVX512_elapsed_ms:\t").dec(MILLISECONDS_NEVER).byte(10);
  return 0;
}

/** Shows /proc/<pid>/ksm_merging_pages: nothing without an address space; no simulated page is ever merged. */
export function showKsmMergingPages(c: Context, out: Text): number {
  if (c.k.m.load(c.task + TASK.mm) !== 0) out.str("0\n");
  return 0;
}

/** Shows /proc/<pid>/ksm_stat: nothing without an address space; no simulated page is ever merged. */
export function showKsmStat(c: Context, out: Text): number {
  if (c.k.m.load(c.task + TASK.mm) === 0) return 0;
  out.str("ksm_rmap_items 0\nksm_zero_pages 0\nksm_merging_pages 0\nksm_process_profit 0\n");
  out.str("ksm_merge_any: no\nksm_mergeable: no\n");
  return 0;
}
