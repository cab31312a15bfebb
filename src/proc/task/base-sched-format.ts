/** Pure formatter of /proc/<pid>/sched (proc_sched_show_task, kernel/sched/debug.c). */
import { commRaw } from "./array-format.ts";
import type { SchedSnapshot } from "./snapshots.ts";
import type { Text } from "../text.ts";

const RULE = "-------------------------------------------------------------------\n";
const NAME_WIDTH = 45;
/** PELT sums are averages times this, for a task that always runs (LOAD_AVG_MAX). */
const LOAD_AVG_MAX = 47742;
const SCHED_CAPACITY = 1024;

function count(out: Text, name: string, value: number): void {
  const start = out.length;
  out.str(name).padTo(start, NAME_WIDTH).byte(58).dec(value, 21).byte(10);
}

/** Nanoseconds as milliseconds with six digits. */
function time(out: Text, name: string, nanoseconds: number): void {
  const start = out.length;
  const whole = Math.trunc(nanoseconds / 1e6);
  out.str(name).padTo(start, NAME_WIDTH).byte(58);
  out
    .dec(whole, 14)
    .byte(46)
    .dec(Math.abs(nanoseconds - whole * 1e6), 6, 48)
    .byte(10);
}

/** /proc/<pid>/sched. */
export function formatSched(s: SchedSnapshot, out: Text): void {
  commRaw(out, s.comm);
  out.str(" (").dec(s.pid).str(", #threads: ").dec(s.threads).str(")\n").str(RULE);
  time(out, "se.exec_start", s.execStart);
  time(out, "se.vruntime", s.vruntime);
  time(out, "se.sum_exec_runtime", s.sumExecRuntime);
  count(out, "se.nr_migrations", s.migrations);
  count(out, "nr_switches", s.voluntary + s.nonvoluntary);
  count(out, "nr_voluntary_switches", s.voluntary);
  count(out, "nr_involuntary_switches", s.nonvoluntary);
  averages(s, out);
  count(out, "policy", s.policy);
  count(out, "prio", s.prio);
  if (s.fair) count(out, "se.slice", s.slice);
  count(out, "clock-delta", s.clockDelta);
  if (s.hasMm) count(out, "mm->numa_scan_seq", 0);
  count(out, "numa_pages_migrated", 0);
  count(out, "numa_preferred_nid", -1);
  count(out, "total_numa_faults", 0);
  out.str("current_node=0, numa_group_id=0\n");
  out.str("numa_faults node=0 task_private=0 task_shared=0 group_private=0 group_shared=0\n");
}

function averages(s: SchedSnapshot, out: Text): void {
  count(out, "se.load.weight", s.loadWeight);
  count(out, "se.avg.load_sum", s.runningShare * LOAD_AVG_MAX);
  count(out, "se.avg.runnable_sum", s.runningShare * LOAD_AVG_MAX * SCHED_CAPACITY);
  count(out, "se.avg.util_sum", s.runningShare * LOAD_AVG_MAX * SCHED_CAPACITY);
  count(out, "se.avg.load_avg", s.runningShare * (s.loadWeight / SCHED_CAPACITY));
  count(out, "se.avg.runnable_avg", s.runningShare * SCHED_CAPACITY);
  count(out, "se.avg.util_avg", s.runningShare * SCHED_CAPACITY);
  count(out, "se.avg.last_update_time", s.lastUpdate);
  count(out, "se.avg.util_est", s.runningShare * SCHED_CAPACITY);
}
