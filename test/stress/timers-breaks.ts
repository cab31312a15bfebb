/**
 * Deliberate mistakes in /proc/<pid>/timers; see breaks.ts.
 *
 * That a reader takes no it_lock is not among them: all that the file shows of a timer stays the same as long as the timer
 * lives, and what it_lock protects beside that, whether the timer is valid, is one word. No reader can see the difference.
 */
import type { Break } from "./breaks.ts";
import { LONG_PAUSE, NAP, PAUSE, SHORT_NAP, after, before, removed, replaced } from "./edits.ts";

const TIMERS = "src/time/posix-timers.ts";

const FOUND = "  spinLock(t, timer + TIMER.itLock, LockClass.timer);\n  const valid = ";
/** Time for a writer between finding a timer and reading it. */
const BEFORE_READ = before(TIMERS, FOUND, `  ${LONG_PAUSE}\n`);
/** The same without using up a CPU. */
const NAP_BEFORE_READ = before(TIMERS, FOUND, `  ${SHORT_NAP}\n`);
/** Time for a writer between looking a timer's link up and following it. */
const IN_NEXT = replaced(
  TIMERS,
  "export function timersNext(k: Kernel, timer: Ptr): Ptr {\n  return k.m.load(timer + TIMER.list);\n",
  `export function timersNext(k: Kernel, timer: Ptr): Ptr {\n  const next = k.m.load(timer + TIMER.list);\n  ${LONG_PAUSE}\n  return next;\n`,
);

/** Time for an exec between looking up a task's handlers and locking them. */
const BEFORE_LOCK = before(
  TIMERS,
  "      spinLockCounted(k, Path.timers, siglock, LockClass.sighand);\n",
  `      ${NAP}\n`,
);
const NEW_ID = "  const id = m.add(signal + SIGNAL.nextPosixTimerId, 1);\n";
/** Time for a reader while a timer is being filled in. */
const BEFORE_ID = after(TIMERS, NEW_ID, `  ${PAUSE}\n`);
/** Time for another writer before a timer is added. */
const BEFORE_ADD = after(TIMERS, "  const timer = newTimer(k, spec);\n", `  ${SHORT_NAP}\n`);
/** Time for a reader between two steps of adding a timer. */
const IN_ADD = after(TIMERS, "  const first = m.load(signal + SIGNAL.posixTimers);\n", `  ${PAUSE}\n`);

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
    name: "timers: exec and exit free them without a grace period",
    world: "timers",
    edits: [
      replaced(
        TIMERS,
        "    if (timer === 0) return;\n    k.slab.freeRcu(timer);\n",
        "    if (timer === 0) return;\n    k.slab.free(timer);\n",
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
    name: "timers: one is in the list before the others follow it",
    world: "timers",
    edits: [
      removed(TIMERS, "  m.store(signal + SIGNAL.posixTimers, timer);\n"),
      after(
        TIMERS,
        "  const first = m.load(signal + SIGNAL.posixTimers);\n",
        "  m.store(signal + SIGNAL.posixTimers, timer);\n",
      ),
    ],
    delay: [IN_ADD],
    says: /were missed/,
  },
  {
    name: "timers: one is valid before it is complete",
    world: "timers",
    edits: [
      before(TIMERS, NEW_ID, "  m.store(timer + TIMER.itSignal, signal);\n  addHead(k, signal, timer);\n"),
      removed(TIMERS, "  addHead(k, signal, timer);\n  m.store(timer + TIMER.itSignal, signal);\n"),
    ],
    delay: [BEFORE_ID],
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
    edits: [removed(TIMERS, NEW_ID), after(TIMERS, "  const timer = newTimer(k, spec);\n", NEW_ID)],
    delay: [BEFORE_ADD],
    says: /was shown after/,
  },
  {
    name: "timers: the locked form doesn't take siglock",
    world: "timers",
    form: "locked",
    edits: [removed(TIMERS, "    if (locked && !this.lockSighand(k, task)) return -ESRCH;\n")],
    delay: [BEFORE_READ],
    says: /no single moment|list was locked/,
  },
  {
    name: "timers: the locked form doesn't look whether the handlers are still the task's",
    world: "timers",
    form: "locked",
    edits: [replaced(TIMERS, "if (k.m.load(task + TASK.sighand) === sighand) {", "if (sighand !== NULL) {")],
    delay: [BEFORE_LOCK, NAP_BEFORE_READ],
    says: /no single moment|list was locked/,
  },
];
