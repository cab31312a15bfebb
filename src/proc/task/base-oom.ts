/** /proc/<pid>/{oom_score,oom_score_adj,oom_adj} (fs/proc/base.c, mm/oom_kill.c). */
import { EACCES, EINVAL } from "../../kernel/errno.ts";
import { PF_KTHREAD } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { PAGE_SIZE, SIGNAL, TASK } from "../../kernel/layout.ts";
import { CAP_SYS_RESOURCE } from "../../kernel/subject.ts";
import { firstThread, nextThread } from "../../kernel/task.ts";
import type { MmStat } from "../../mm/stat.ts";
import { mmStat } from "../../mm/stat.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { parseInteger } from "./base-parse.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";

const OOM_SCORE_ADJ_MIN = -1000;
const OOM_SCORE_ADJ_MAX = 1000;
/** The older scale: -17 means never, 15 first. */
const OOM_DISABLE = -17;
const OOM_ADJUST_MAX = 15;
const INT_MIN = -0x80000000;
const INT_MAX = 0x7fffffff;

/** Shows /proc/<pid>/oom_score (proc_oom_score): 0 for what can't be killed, else 0…2000 scaled by two thirds. */
export function showOomScore(c: Context, out: Text): number {
  const { k } = c;
  const total = Math.floor((k.config.memTotal + k.config.swapTotal) / PAGE_SIZE);
  const points = badness(k, c.task, total, c.scratch.mm);
  const scaled = points === null ? 0 : Math.trunc(((OOM_SCORE_ADJ_MAX + Math.trunc((points * 1000) / total)) * 2) / 3);
  out.dec(scaled).byte(10);
  return 0;
}

/** oom_badness: pages that killing the process would free, moved by its adjustment; null if it must not be killed. */
function badness(k: Kernel, task: Ptr, total: number, v: MmStat): number | null {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const kernelThread = (m.load(task + TASK.flags) & PF_KTHREAD) !== 0;
  if (kernelThread || m.load(signal + SIGNAL.tgid) === 1) return null;
  const mm = mmOfGroup(k, task);
  const adjustment = m.load(signal + SIGNAL.oomScoreAdj);
  if (mm === 0 || adjustment === OOM_SCORE_ADJ_MIN) return null;
  mmStat(k, mm, v);
  const tables = Math.floor(v.pgtablesBytes / PAGE_SIZE);
  const pages = v.rssAnon + v.rssFile + v.rssShmem + v.swapEnts + tables;
  return pages + adjustment * Math.floor(total / 1000);
}

/** The address space of any thread that still has one (find_lock_task_mm). */
function mmOfGroup(k: Kernel, task: Ptr): Ptr {
  for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) {
    const mm = k.m.load(t + TASK.mm);
    if (mm !== 0) return mm;
  }
  return 0;
}

/** Shows /proc/<pid>/oom_score_adj. */
export function showOomScoreAdj(c: Context, out: Text): number {
  out.dec(adjustmentOf(c)).byte(10);
  return 0;
}

/** Shows /proc/<pid>/oom_adj: the adjustment on the older scale (oom_adj_read). */
export function showOomAdj(c: Context, out: Text): number {
  const adjustment = adjustmentOf(c);
  const scaled = Math.trunc((adjustment * -OOM_DISABLE) / OOM_SCORE_ADJ_MAX);
  out.dec(adjustment === OOM_SCORE_ADJ_MAX ? OOM_ADJUST_MAX : Math.min(scaled, OOM_ADJUST_MAX)).byte(10);
  return 0;
}

function adjustmentOf(c: Context): number {
  return c.k.m.load(c.k.m.load(c.task + TASK.signal) + SIGNAL.oomScoreAdj);
}

/**
 * Writes /proc/<pid>/oom_score_adj: -1000…1000 (-EINVAL). Below the least value that a privileged writer has set needs
 * CAP_SYS_RESOURCE (-EACCES).
 */
export function writeOomScoreAdj(c: Context, _offset: number, data: Uint8Array): number {
  const { parsed } = c.scratch;
  parseInteger(data, INT_MIN, INT_MAX, parsed);
  if (parsed.error !== 0) return parsed.error;
  if (parsed.value < OOM_SCORE_ADJ_MIN || parsed.value > OOM_SCORE_ADJ_MAX) return -EINVAL;
  const signal = c.k.m.load(c.task + TASK.signal);
  const privileged = c.subject.capable(CAP_SYS_RESOURCE);
  if (parsed.value < c.k.m.load(signal + SIGNAL.oomScoreAdjMin) && !privileged) return -EACCES;
  setAdjustment(c.k, signal, parsed.value, privileged);
  return data.length;
}

/** Writes /proc/<pid>/oom_adj: -17…15 (-EINVAL); lowering it needs CAP_SYS_RESOURCE (-EACCES). */
export function writeOomAdj(c: Context, _offset: number, data: Uint8Array): number {
  const { parsed } = c.scratch;
  parseInteger(data, INT_MIN, INT_MAX, parsed);
  if (parsed.error !== 0) return parsed.error;
  if (parsed.value < OOM_DISABLE || parsed.value > OOM_ADJUST_MAX) return -EINVAL;
  const scaled = Math.trunc((parsed.value * OOM_SCORE_ADJ_MAX) / -OOM_DISABLE);
  const adjustment = parsed.value === OOM_ADJUST_MAX ? OOM_SCORE_ADJ_MAX : scaled;
  const signal = c.k.m.load(c.task + TASK.signal);
  if (adjustment < c.k.m.load(signal + SIGNAL.oomScoreAdj) && !c.subject.capable(CAP_SYS_RESOURCE)) return -EACCES;
  setAdjustment(c.k, signal, adjustment, false);
  return data.length;
}

function setAdjustment(k: Kernel, signal: Ptr, adjustment: number, remember: boolean): void {
  k.m.store(signal + SIGNAL.oomScoreAdj, adjustment);
  if (remember) k.m.store(signal + SIGNAL.oomScoreAdjMin, adjustment);
}
