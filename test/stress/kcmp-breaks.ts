/** Deliberate mistakes in kcmp; see breaks.ts. */
import type { Break } from "./breaks.ts";
import { NAP, after, before, removed, replaced } from "./edits.ts";
import { AFTER_END, EARLY_END, LATE_BUMP } from "./exec-update-breaks.ts";

const KCMP = "src/kernel/kcmp.ts";

const REVALIDATION = "if (!execUpdateSpeculateRetry(m, sig1, seq1) && !execUpdateSpeculateRetry(m, sig2, seq2)) return";
const UNLOCK_FIRST = "  upRead(k.t, sig1 + SIGNAL.execUpdateLock, LockClass.execUpdate);\n";
const UNLOCK_SECOND = "  if (sig2 !== sig1) upRead(k.t, sig2 + SIGNAL.execUpdateLock, LockClass.execUpdate);\n";

/** What a thread says that waits for a lock for good. */
const HANGS = /makes no progress|doesn't come to its end/;

export const KCMP_BREAKS: readonly Break[] = [
  { name: "kcmp: no revalidation", world: "kcmp", edits: [replaced(KCMP, REVALIDATION, "return")] },
  {
    name: "kcmp: only the first task is revalidated",
    world: "kcmp",
    edits: [replaced(KCMP, " && !execUpdateSpeculateRetry(m, sig2, seq2)", "")],
    delay: [before(KCMP, "  switch (question.type) {\n", `  ${NAP}\n`)],
  },
  {
    name: "kcmp: access is checked before the section begins",
    world: "kcmp",
    edits: [
      removed(KCMP, "  if (!allowed) return -EPERM;\n"),
      before(
        KCMP,
        "  const sig1 = m.load(task1 + TASK.signal);\n",
        "  for (const task of [task1, task2])\n" +
          "    if (!ptraceMayAccess(k, task, PTRACE_MODE_READ_REALCREDS, subject)) return -EPERM;\n",
      ),
    ],
  },
  {
    name: "kcmp: the second count is taken when all is compared",
    world: "kcmp",
    edits: [
      replaced(KCMP, "const seq2 = seq1 < 0 ? -1 : exec", "let seq2 = seq1 < 0 ? -1 : exec"),
      before(KCMP, `      ${REVALIDATION}`, "      seq2 = execUpdateSpeculateTryBegin(m, sig2);\n"),
    ],
    delay: [before(KCMP, "  switch (question.type) {\n", `  ${NAP}\n`)],
  },
  {
    name: "kcmp: the fallback takes no locks",
    world: "kcmp",
    edits: [
      after(KCMP, "function kcmpLock(k: Kernel, sig1: Ptr, sig2: Ptr): number {\n", "  if (sig1 !== 0) return 0;\n"),
      removed(KCMP, UNLOCK_SECOND),
      replaced(KCMP, UNLOCK_FIRST, "  if (k.m.load(sig1) === k.m.load(sig2)) return;\n"),
    ],
  },
  {
    name: "kcmp: only one of the two locks is taken",
    world: "kcmp",
    form: "locked",
    edits: [
      replaced(KCMP, "const second = secondToLock(k, sig1, sig2);", "const second = Math.min(sig1, sig2);"),
      replaced(KCMP, "if (error !== 0 || first === second) return error;", "if (first !== 0) return error;"),
      removed(KCMP, UNLOCK_SECOND),
      replaced(
        KCMP,
        UNLOCK_FIRST,
        "  upRead(k.t, Math.max(sig1, sig2) + SIGNAL.execUpdateLock, LockClass.execUpdate);\n",
      ),
    ],
  },
  { name: "kcmp: the odd bump comes too late", world: "kcmp", edits: LATE_BUMP },
  {
    name: "kcmp: exec ends its section before the credentials change",
    world: "kcmp",
    edits: EARLY_END,
    delay: AFTER_END,
  },
  {
    name: "kcmp: what is not equal is always less",
    world: "kcmp",
    edits: [replaced(KCMP, "return (t1 < t2 ? 1 : 0) | (t1 > t2 ? 2 : 0);", "return t1 === t2 ? 0 : 1;")],
    says: /is less than/,
  },
  {
    name: "kcmp: the locks are taken in the order of the arguments",
    world: "kcmp",
    form: "locked",
    edits: [replaced(KCMP, "const second = secondToLock(k, sig1, sig2);", "const second = sig2;")],
    delay: [before(KCMP, "  const nestedError = lockForRead(k, second, true);\n", `  ${NAP}\n`)],
    fails: HANGS,
    withoutInterrupts: true,
  },
  {
    name: "kcmp: one of the two locks is kept",
    world: "kcmp",
    form: "locked",
    edits: [removed(KCMP, UNLOCK_SECOND)],
    fails: HANGS,
    withoutInterrupts: true,
    withoutLockdep: true,
  },
  {
    name: "kcmp: the second task keeps its reference",
    world: "kcmp",
    edits: [removed(KCMP, "  if (second) unpinTask(k, task2);\n")],
    fails: /task: .* objects at the start/,
    milliseconds: 4000,
  },
  {
    name: "kcmp: a file that was compared keeps its reference",
    world: "kcmp",
    edits: [removed(KCMP, "  if (file !== 0) filePut(k, file);\n")],
    fails: /file: .* objects at the start/,
    milliseconds: 4000,
  },
];
