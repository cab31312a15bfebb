/** Deliberate mistakes in the paths that exec_update_seq validates, and in exec; see breaks.ts. */
import type { Break } from "./breaks.ts";
import { NAP, PAUSE, after, before, removed, replaced } from "./edits.ts";

const EXEC_UPDATE = "src/kernel/exec-update.ts";
const EXEC = "src/kernel/exec.ts";
const IO = "src/kernel/io-accounting.ts";
const GUARDED = "src/kernel/guarded.ts";
const MM_ACCESS = "src/kernel/mm-access.ts";
const PIDFD_GETFD = "src/kernel/pidfd-getfd.ts";
const ROBUST_LIST = "src/kernel/robust-list.ts";
const FILES = "src/kernel/files.ts";
const SEQCOUNT = "src/sync/seqcount.ts";
const EXIT = "src/kernel/exit.ts";

/** What an exec does when its write section is over. */
const END_OF_EXEC = "  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);\n  return true;\n";
const FAIL_HALFWAY = "function failHalfway(k: Kernel, task: Ptr, signal: Ptr, cred: Ptr): false {\n";
const READ_LOOP = "  for (let lock = false; ; lock = true) {\n";

/** Access checks, as they stand in the sections. */
const IO_ACCESS = "ptraceMayAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject)";
const TRACE_ACCESS = "ptraceMayAccess(k, task, PTRACE_MODE_ATTACH_FSCREDS, subject)";
const MM_MAY_ACCESS = "ptraceMayAccess(k, task, mode, subject)";
const FILE_ACCESS = "  if (!ptraceMayAccess(k, task, PTRACE_MODE_ATTACH_REALCREDS, subject)) return -EPERM;\n";
const LIST_ACCESS = "  const allowed = ptraceMayAccess(k, task, PTRACE_MODE_READ_REALCREDS, subject);\n";

/** exec_update_seq becomes odd only when the write section is over. */
export const LATE_BUMP = [
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
export const EARLY_END = [
  removed(EXEC, "  commitCreds(k, task, cred);\n"),
  before(EXEC, END_OF_EXEC, "  commitCreds(k, task, cred);\n"),
];

/** Time for readers after the write section. */
export const AFTER_END = [before(EXEC, END_OF_EXEC, `  ${NAP}\n`)];

/** The new address space is there before the write section begins. */
const LATE_BEGIN = [before(EXEC, "  execUpdateWriteBegin(k, signal);\n", "  m.store(task + TASK.mm, mm);\n")];

export const EXEC_UPDATE_BREAKS: readonly Break[] = [
  {
    name: "io: no revalidation",
    world: "io",
    edits: [removed(IO, "    if (execUpdateReadNeedsRetry(k, Path.io, signal, token)) continue;\n")],
  },
  {
    name: "io: access is checked before the section begins",
    world: "io",
    edits: [
      replaced(IO, `const allowed = !gone && ${IO_ACCESS};`, "const allowed = !gone && early;"),
      before(IO, READ_LOOP, `  const early = ${IO_ACCESS};\n`),
    ],
  },
  { name: "io: the odd bump comes too late", world: "io", edits: LATE_BUMP },
  { name: "io: the fallback takes no lock", world: "io", edits: NO_LOCK },
  { name: "io: the previous form takes no lock", world: "io", form: "locked", edits: NO_LOCK },
  { name: "io: exec ends its section before the credentials change", world: "io", edits: EARLY_END, delay: AFTER_END },
  {
    name: "io: a leader that is gone opens its group",
    world: "io",
    edits: [replaced(IO, "const gone = whole && k.m.load(task + TASK.sighand) === NULL;", "const gone = false;")],
    says: /owner saw/,
  },
  {
    name: "io: no second look at stats_lock",
    world: "io",
    edits: [replaced(IO, "if (!readSeqretry(k.m, statsLock, sequence)) return;", "return;")],
  },
  {
    name: "io: the second look takes no stats_lock",
    world: "io",
    edits: [
      removed(IO, "  readSeqlockExcl(k.t, statsLock, LockClass.stats);\n"),
      removed(IO, "  readSequnlockExcl(k.t, statsLock, LockClass.stats);\n"),
    ],
    says: /group/,
  },
  {
    name: "io: counters change without stats_lock",
    world: "io",
    edits: [
      removed(IO, "  writeSeqlock(k.t, statsLock, LockClass.stats);\n"),
      removed(IO, "  writeSequnlock(k.t, statsLock, LockClass.stats);\n"),
    ],
  },
  {
    name: "io: a dead thread is folded without stats_lock",
    world: "io",
    edits: [
      removed(EXIT, "  writeSeqlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);\n"),
      removed(EXIT, "  writeSequnlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);\n"),
    ],
    delay: [after(EXIT, "  foldIo(m, signal, task);\n", `  ${PAUSE}\n`)],
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
    name: "stack, syscall, personality: access is checked before the section begins",
    world: "identity",
    edits: [
      removed(GUARDED, `    const allowed = ${TRACE_ACCESS};\n`),
      before(GUARDED, READ_LOOP, `  const allowed = ${TRACE_ACCESS};\n`),
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
    name: "mm_access: access is checked before the section begins",
    world: "identity",
    edits: [
      replaced(MM_ACCESS, `const allowed = mm !== 0 && ${MM_MAY_ACCESS};`, "const allowed = mm !== 0 && early;"),
      before(MM_ACCESS, READ_LOOP, `  const early = ${MM_MAY_ACCESS};\n`),
    ],
    says: /mm_access/,
  },
  {
    name: "mm_access: a spoilt pass keeps its address space",
    world: "identity",
    edits: [removed(MM_ACCESS, "      if (mm !== 0) mmput(k, mm);\n")],
    delay: [after(MM_ACCESS, "    const mm = getTaskMm(k, task);\n", `    ${PAUSE}\n`)],
    fails: /mm: .* objects at the start/,
    milliseconds: 4000,
  },
  { name: "identity: the odd bump comes too late", world: "identity", edits: LATE_BUMP },
  { name: "identity: the fallback takes no lock", world: "identity", edits: NO_LOCK },
  { name: "identity: the previous form takes no lock", world: "identity", form: "locked", edits: NO_LOCK },
  {
    name: "identity: exec ends its section before the credentials change",
    world: "identity",
    edits: EARLY_END,
    delay: AFTER_END,
  },
  {
    name: "identity: exec ends its section before the new image may not be dumped",
    world: "identity",
    edits: [
      removed(EXEC, "  setNewDumpable(k, task, exec.nonDumpable);\n"),
      before(EXEC, END_OF_EXEC, "  setNewDumpable(k, task, exec.nonDumpable);\n"),
    ],
    delay: AFTER_END,
  },
  {
    name: "identity: only the parity is looked at again",
    world: "identity",
    edits: [replaced(SEQCOUNT, "if (m.load(seq) !== (snapshot | 0)) return true;", "return (m.load(seq) & 1) !== 0;")],
  },
  { name: "identity: exec begins its section after the new image shows", world: "identity", edits: LATE_BEGIN },
  {
    name: "identity: an exec that fails halfway leaves its count odd",
    world: "identity",
    edits: [
      replaced(
        EXEC,
        `${FAIL_HALFWAY}  execUpdateWriteEnd(k, signal);\n`,
        `${FAIL_HALFWAY}  upWrite(k.t, signal + SIGNAL.execUpdateLock, LockClass.execUpdate);\n`,
      ),
    ],
    says: /inside of its write section/,
  },
  {
    name: "mm_access: an address space is taken that nobody has any more",
    world: "identity",
    edits: [
      replaced(
        MM_ACCESS,
        "    if (mm === 0 || mmgetNotZero(k, mm)) return mm;\n",
        "    if (mm !== 0) k.m.add(mm + MM.mmUsers, 1);\n    return mm;\n",
      ),
      replaced(MM_ACCESS, "import { TASK } from", "import { MM, TASK } from"),
    ],
    delay: [before(MM_ACCESS, "    if (mm === 0 || mmgetNotZero(k, mm)) return mm;\n", `    ${NAP}\n`)],
    fails: /address space that is over/,
  },
  {
    name: "pidfd_getfd: a file is taken that nobody has any more",
    world: "identity",
    edits: [
      replaced(
        FILES,
        "    if (refcountIncNotZero(k.m, file + FILE.count)) return file;\n",
        "    refcountInc(k.m, file + FILE.count);\n    if (file > 0) return file;\n",
      ),
    ],
    delay: [before(FILES, "    if (refcountIncNotZero(k.m, file + FILE.count)) return file;\n", `    ${NAP}\n`)],
    fails: /state \d, not 1/,
  },
  {
    name: "pidfd_getfd: no revalidation",
    world: "identity",
    edits: [
      replaced(PIDFD_GETFD, "if (execUpdateReadNeedsRetry(k, Path.pidfd_getfd, signal, token)) {", "if (false) {"),
    ],
    says: /pidfd_getfd/,
  },
  {
    name: "pidfd_getfd: access is checked before the section begins",
    world: "identity",
    edits: [removed(PIDFD_GETFD, FILE_ACCESS), before(PIDFD_GETFD, READ_LOOP, FILE_ACCESS)],
    says: /pidfd_getfd/,
  },
  {
    name: "pidfd_getfd: a spoilt pass keeps its file",
    world: "identity",
    edits: [removed(PIDFD_GETFD, "      if (result > 0) filePut(k, result);\n")],
    delay: [after(PIDFD_GETFD, "    const result = fileIfAllowed(k, task, fd, subject);\n", `    ${PAUSE}\n`)],
    fails: /file: .* objects at the start/,
    milliseconds: 4000,
  },
  {
    name: "get_robust_list: no revalidation",
    world: "identity",
    edits: [
      removed(ROBUST_LIST, "    if (execUpdateReadNeedsRetry(k, Path.get_robust_list, signal, token)) continue;\n"),
    ],
    says: /get_robust_list/,
  },
  {
    name: "get_robust_list: access is checked before the section begins",
    world: "identity",
    edits: [removed(ROBUST_LIST, `  ${LIST_ACCESS}`), before(ROBUST_LIST, READ_LOOP, LIST_ACCESS)],
    says: /get_robust_list/,
  },
];
