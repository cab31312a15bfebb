/**
 * Deliberate mistakes in /proc/<pid>/timers; see breaks.ts.
 *
 * That a reader takes no it_lock is not among them: all that the file shows of a timer stays the same as long as the timer
 * lives, and what it_lock protects beside that, whether the timer is valid, is one word. No reader can see the difference.
 */
import type { Break } from "./breaks.ts";
import { LONG_PAUSE, after, before, removed, replaced } from "./edits.ts";

const TIMERS = "src/time/posix-timers.ts";

/** Time for a writer between finding a timer and reading it. */
const BEFORE_READ = before(
  TIMERS,
  "  spinLock(t, timer + TIMER.itLock, LockClass.timer);\n  const valid = ",
  `  ${LONG_PAUSE}\n`,
);
/** Time for a writer between looking a timer's link up and following it. */
const IN_NEXT = replaced(
  TIMERS,
  "export function timersNext(k: Kernel, timer: Ptr): Ptr {\n  return k.m.load(timer + TIMER.list);\n",
  `export function timersNext(k: Kernel, timer: Ptr): Ptr {\n  const next = k.m.load(timer + TIMER.list);\n  ${LONG_PAUSE}\n  return next;\n`,
);

export const TIMERS_BREAKS: readonly Break[] = [
  {
    name: "timers: freed without a grace period",
    world: "timers",
    edits: [
      replaced(
        TIMERS,
        "  if (timer === 0) return -EINVAL;\n  k.slab.freeRcu(timer);\n",
        "  if (timer === 0) return -EINVAL;\n  k.slab.free(timer);\n",
      ),
    ],
    delay: [BEFORE_READ],
  },
  {
    name: "timers: deleted ones are shown",
    world: "timers",
    edits: [replaced(TIMERS, "const valid = m.load(timer + TIMER.itSignal) !== 0;", "const valid = true;")],
    delay: [IN_NEXT],
    says: /did not exist/,
  },
  {
    name: "timers: one is valid before it is complete",
    world: "timers",
    edits: [
      before(
        TIMERS,
        "  const id = m.add(signal + SIGNAL.nextPosixTimerId, 1);\n",
        "  m.store(timer + TIMER.itSignal, signal);\n  addHead(k, signal, timer);\n",
      ),
      removed(TIMERS, "  addHead(k, signal, timer);\n  m.store(timer + TIMER.itSignal, signal);\n"),
    ],
    says: /not whole|was shown after/,
  },
  {
    name: "timers: a deleted one leads nowhere",
    world: "timers",
    edits: [after(TIMERS, "  m.store(pprev, next);\n", "  m.store(timer + TIMER.list, NULL);\n")],
    delay: [BEFORE_READ],
    says: /were missed/,
  },
  {
    name: "timers: ids are given out before siglock is taken",
    world: "timers",
    edits: [
      replaced(
        TIMERS,
        "  spinLock(t, siglock, LockClass.sighand);\n  const id = m.add(signal + SIGNAL.nextPosixTimerId, 1);\n",
        "  const id = m.add(signal + SIGNAL.nextPosixTimerId, 1);\n  spinLock(t, siglock, LockClass.sighand);\n",
      ),
    ],
    says: /was shown after/,
  },
  {
    name: "timers: the locked form doesn't take siglock",
    world: "timers",
    form: "locked",
    edits: [removed(TIMERS, "    if (locked && !this.lockSighand(k, task)) return -ESRCH;\n")],
    says: /no single moment/,
  },
];
