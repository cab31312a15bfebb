/**
 * Deliberate mistakes, one row each: an edit of the shipped source that breaks a protocol, and the world whose oracle must
 * report it. What is edited must stand exactly once in its file, so that a row can't silently stop to break anything.
 *
 * Some races are rare on few CPUs. `delay` makes their window wider, without being a mistake itself: the test runs the
 * world with the delay alone too, and must find nothing.
 */
import { PAUSE, after, before, removed, replaced } from "./edits.ts";
import type { Edit } from "./harness.ts";
import { MAPS_BREAKS } from "./maps-breaks.ts";
import type { Form } from "./world.ts";

export interface Break {
  /** What is done wrong. */
  readonly name: string;
  /** The world that must notice. */
  readonly world: string;
  /** The form of the paths; lockfree unless given. */
  readonly form?: Form;
  readonly edits: readonly Edit[];
  readonly delay?: readonly Edit[];
  /** How long the run is if the oracle can only tell at its end; else it ends with the first violation. */
  readonly milliseconds?: number;
  /** A part of what the oracle must say, where several things could be reported. */
  readonly says?: RegExp;
  /** A part of the failure that must be reported, where no single read can show the mistake: a leak, a deadlock. */
  readonly fails?: RegExp;
  /** Checks of lock order would notice first, and hide whether the oracle does. */
  readonly withoutLockdep?: boolean;
}

const EXEC_UPDATE = "src/kernel/exec-update.ts";
const EXEC = "src/kernel/exec.ts";
const IO = "src/kernel/io-accounting.ts";
const GUARDED = "src/kernel/guarded.ts";
const MM_ACCESS = "src/kernel/mm-access.ts";
const EXIT = "src/kernel/exit.ts";

const READ_LOOP = "  for (let lock = false; ; lock = true) {\n";

/** exec_update_seq becomes odd only when the write section is over. */
const LATE_BUMP = [
  removed(EXEC_UPDATE, "  writeSeqcountBegin(k.m, signal + SIGNAL.execUpdateSeq);\n"),
  before(
    EXEC_UPDATE,
    "  writeSeqcountEnd(k.m, signal + SIGNAL.execUpdateSeq);\n",
    "  writeSeqcountBegin(k.m, signal + SIGNAL.execUpdateSeq);\n",
  ),
];

/** Who falls back, or reads in the previous form, takes no lock. */
const NO_LOCK = [
  after(
    EXEC_UPDATE,
    "function lockForRead(k: Kernel, path: PathId, signal: Ptr): number {\n",
    "  return EXEC_UPDATE_LOCKED;\n",
  ),
  removed(
    EXEC_UPDATE,
    "  if (token === EXEC_UPDATE_LOCKED) upRead(k.t, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);\n",
  ),
];

/** The write section ends before the new credentials are there. */
const EARLY_END = [
  removed(EXEC, "  commitCreds(k, task, cred);\n"),
  before(
    EXEC,
    "  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);\n  return true;\n",
    "  commitCreds(k, task, cred);\n",
  ),
];

/** The new address space is there before the write section begins. */
const LATE_BEGIN = [before(EXEC, "  execUpdateWriteBegin(k, signal);\n", "  m.store(task + TASK.mm, mm);\n")];

export const BREAKS: readonly Break[] = [
  {
    name: "io: no revalidation",
    world: "io",
    edits: [removed(IO, "    if (execUpdateReadNeedsRetry(k, Path.io, signal, token)) continue;\n")],
  },
  {
    name: "io: access is checked before the section begins",
    world: "io",
    edits: [
      replaced(IO, "    const allowed = ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject);\n", ""),
      before(IO, READ_LOOP, "  const allowed = ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject);\n"),
    ],
  },
  { name: "io: the odd bump comes too late", world: "io", edits: LATE_BUMP },
  { name: "io: the fallback takes no lock", world: "io", edits: NO_LOCK },
  { name: "io: the previous form takes no lock", world: "io", form: "locked", edits: NO_LOCK },
  { name: "io: exec ends its section before the credentials change", world: "io", edits: EARLY_END },
  {
    name: "io: no second look at stats_lock",
    world: "io",
    edits: [replaced(IO, "if (!readSeqretry(k.m, statsLock, sequence)) return;", "return;")],
  },
  {
    name: "io: a dead thread is folded without stats_lock",
    world: "io",
    edits: [
      removed(EXIT, "  writeSeqlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);\n"),
      removed(EXIT, "  writeSequnlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);\n"),
    ],
    delay: [after(EXIT, "  foldIo(m, signal, task);\n", `  ${PAUSE}\n`)],
    says: /group/,
  },
  {
    name: "io: a dead thread's counters are lost",
    world: "io",
    edits: [removed(EXIT, "  foldIo(m, signal, task);\n")],
    says: /group/,
  },
  {
    name: "stack, syscall, personality: no revalidation",
    world: "identity",
    edits: [removed(GUARDED, "    if (execUpdateReadNeedsRetry(k, path, signal, token)) continue;\n")],
    says: /stack|syscall|personality/,
  },
  {
    name: "stack, syscall, personality: sampled before the section begins",
    world: "identity",
    edits: [
      removed(GUARDED, "    if (allowed) sampleTrace(k, task, out);\n"),
      before(GUARDED, READ_LOOP, "  sampleTrace(k, task, out);\n"),
    ],
    says: /stack|syscall|personality/,
  },
  {
    name: "mm_access: no revalidation",
    world: "identity",
    edits: [replaced(MM_ACCESS, "if (execUpdateReadNeedsRetry(k, Path.mm_access, signal, token)) {", "if (false) {")],
    says: /mm_access/,
  },
  {
    name: "mm_access: a spoilt pass keeps its address space",
    world: "identity",
    edits: [removed(MM_ACCESS, "      if (mm !== 0) mmput(k, mm);\n")],
    fails: /mm: .* objects at the start/,
    milliseconds: 2000,
  },
  { name: "identity: the odd bump comes too late", world: "identity", edits: LATE_BUMP },
  { name: "identity: the fallback takes no lock", world: "identity", edits: NO_LOCK },
  { name: "identity: the previous form takes no lock", world: "identity", form: "locked", edits: NO_LOCK },
  { name: "identity: exec ends its section before the credentials change", world: "identity", edits: EARLY_END },
  { name: "identity: exec begins its section after the new image shows", world: "identity", edits: LATE_BEGIN },
  ...MAPS_BREAKS,
];
