/** What the exec_update series is for: who reads while nobody execs takes no lock. */
import { EBADF } from "../../../kernel/errno.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../../kernel/flags.ts";
import { TraceSnapshot, readPersonality, readStack, readSyscall } from "../../../kernel/guarded.ts";
import { IoSnapshot, doIoAccounting } from "../../../kernel/io-accounting.ts";
import { KcmpType, kcmp } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathCounts } from "../../../kernel/counters.ts";
import { Event, readCounters, totalCounts } from "../../../kernel/counters.ts";
import { PATH_NAMES, Path } from "../../../kernel/knobs.ts";
import { mmAccess } from "../../../kernel/mm-access.ts";
import { pidfdGetfd } from "../../../kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../../kernel/robust-list.ts";
import { mmput } from "../../../mm/mm.ts";
import { CLASS_NAMES, LockClass } from "../../../sync/lockdep.ts";
import type { Form } from "../../scenario.ts";
import { scenario } from "../../scenario.ts";
import type { Owned } from "../kernel/exec-images.ts";
import { OWNER, caller, execsAreOver, makeOwned, ownsAlone } from "../kernel/exec-images.ts";

/** The paths of the series. */
const PATHS = [
  Path.io,
  Path.stack,
  Path.syscall,
  Path.personality,
  Path.mm_access,
  Path.kcmp,
  Path.pidfd_getfd,
  Path.get_robust_list,
] as const;

/** A descriptor that no process has. */
const NONE = 3;

/** What the owner is answered on each of the paths. @returns 0 for each but pidfd_getfd, which finds no such file */
function readAll(k: Kernel, { pid, task }: Owned): number[] {
  const owner = caller(OWNER);
  const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, owner);
  if (mm > 0) mmput(k, mm);
  return [
    doIoAccounting(k, task, false, owner, new IoSnapshot()),
    readStack(k, task, owner, new TraceSnapshot()),
    readSyscall(k, task, owner, new TraceSnapshot()),
    readPersonality(k, task, owner, new TraceSnapshot()),
    Math.min(mm, 0),
    kcmp(k, pid, pid, KcmpType.VM, 0, 0, owner),
    pidfdGetfd(k, pid, NONE, 0, owner),
    getRobustList(k, pid, owner, new RobustList()),
  ];
}

interface Reader {
  /** What is wrong with an answer. */
  readonly wrong: string | null;
  /** How often locks were taken, by class. */
  readonly taken: readonly number[];
}

/** Reads on all paths. */
function reader(k: Kernel, owned: Owned): Reader {
  const before = [...k.t.lockdep.taken];
  const answers = readAll(k, owned);
  const taken = k.t.lockdep.taken.map((count, lockClass) => count - (before[lockClass] as number));
  const refused = answers.findIndex((answer, i) => answer !== (PATHS[i] === Path.pidfd_getfd ? -EBADF : 0));
  const wrong = refused < 0 ? null : `${PATH_NAMES[PATHS[refused] as number]} answered ${answers[refused]}`;
  return { wrong, taken };
}

/** One lock for each path that is locked, and no other. */
function judgeReader({ wrong, taken }: Reader, form: Form): string | null {
  const ownLock = form === "locked" ? PATHS.length : 0;
  const odd = taken.findIndex((count, lockClass) => count !== (lockClass === LockClass.execUpdate ? ownLock : 0));
  return wrong ?? (odd < 0 ? null : `${CLASS_NAMES[odd]} was taken ${taken[odd]} times`);
}

/** The two readers' only events on each path. */
function judgeEvents(counts: readonly PathCounts[], event: number): string | null {
  for (const path of PATHS) {
    const { events } = counts[path] as PathCounts;
    const others = events.some((count, i) => i !== event && count !== 0);
    if (events[event] !== 2 || others) return `${PATH_NAMES[path]} has counted ${events.join(", ")}`;
  }
  return null;
}

export const fastPath = scenario({
  name: "exec_update/fast-path",
  about: "two readers of a process each, on each path, and no exec: neither takes a lock, unless the path is locked",
  paths: PATHS,
  quick: true,
  setup: (k) => [makeOwned(k), makeOwned(k)] as const,
  threads: { first: (k, [owned]) => reader(k, owned), second: (k, [, owned]) => reader(k, owned) },
  check: (k, processes, { first, second }, form) => {
    const wrong = judgeReader(first, form) ?? judgeReader(second, form);
    if (wrong !== null) return wrong;
    for (const owned of processes) {
      const left = execsAreOver(k, owned, 0) ?? ownsAlone(k, owned.task);
      if (left !== null) return left;
    }
    return judgeEvents(totalCounts(readCounters(k)), form === "locked" ? Event.fellBack : Event.speculated);
  },
});
