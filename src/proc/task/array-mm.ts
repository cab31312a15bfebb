/** The address space behind stat, statm and status: numbers of one moment of one image. */
import { PF_KTHREAD } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { MM, TASK } from "../../kernel/layout.ts";
import type { MmStat } from "../../mm/stat.ts";
import { mmStat } from "../../mm/stat.ts";
import type { Ptr } from "../../sync/atomics.ts";

/**
 * Reads a task's address space in the manner of get_task_mm, without the reference: the numbers count only if the mm
 * still had users after they were read, since it is torn down only after that.
 * @returns the mm, or NULL if the task has none (kernel threads, zombies)
 * @pre RCU
 */
export function taskMmStat(k: Kernel, task: Ptr, out: MmStat): Ptr {
  const { m } = k;
  if ((m.load(task + TASK.flags) & PF_KTHREAD) !== 0) return 0;
  for (;;) {
    const mm = m.load(task + TASK.mm);
    if (mm === 0) return 0;
    mmStat(k, mm, out);
    if (m.load(mm + MM.mmUsers) !== 0) return mm;
    // Its last user left: exec has brought a new mm, or exit is on its way.
    if (m.load(task + TASK.mm) === mm) return 0;
  }
}
