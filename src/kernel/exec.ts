/**
 * exec (bprm_execve, begin_new_exec, exec_mmap, setup_new_exec: fs/exec.c of 6.18), in the kernel's order:
 *
 *     prepare_bprm_creds       cred_guard_mutex, the new credentials
 *     bprm_mm_init             the new mm, which nobody else can see yet
 *     -- point of no return --
 *     de_thread                the other threads die, the calling one leads
 *     unshare_files            a table shared with other processes becomes its own
 *     exec_mmap                robust list dropped; exec_update_lock for write, exec_update_seq odd; the new mm; the old
 *                              one is put
 *     exit_itimers             timers go
 *     unshare_sighand          handlers shared with other processes become its own
 *     do_close_on_exec
 *     set_dumpable             by the *old* credentials and the file; until here the new mm has what the old one had
 *     __set_task_comm, flush_signal_handlers
 *     set_cred_ucounts         the last step that can fail
 *     commit_creds             may take dumpable away
 *     setup_new_exec           exec_update_seq even, exec_update_lock and cred_guard_mutex released
 *
 * What comes before the point of no return is {@link execPrepare}: nobody sees anything of it but that cred_guard_mutex is
 * held. {@link execCommit} goes on to exec_mmap, and {@link execBegin} is both. The part that readers must not see halfway,
 * new address space with old credentials, lies between them and {@link execFinish}: exec_update_lock is held for write and
 * exec_update_seq is odd. The calls may be seconds apart (a slow exec on purpose) and need not come from the same thread.
 *
 * What differs, and why:
 * - The new mm is complete when exec_mmap makes it visible; in the kernel it has a stack alone then, and is filled after
 *   setup_new_exec. A program's mappings here are the result of exec, no events of their own.
 * - exec_update_lock and mmap_lock of the old mm are not waited for killably: nobody kills who acts as a process.
 * - de_thread ends the other threads itself, instead of waiting until they have ended.
 * - A failed exec dies at once, under the eyes of who called {@link execFinish}; in the kernel a SIGSEGV is on its way.
 */
import type { ExecIdentity } from "../mm/image.ts";
import { loadImage } from "../mm/image.ts";
import { mmAlloc, mmput, reserveMm } from "../mm/mm.ts";
import { byteClassOf, latin1Bytes } from "../shm/bytes.ts";
import { ArenaFullError } from "../shm/slab.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downRead, downWrite, upRead, upWrite } from "../sync/rwsem.ts";
import { writeSeqlock, writeSequnlock } from "../sync/seqlock.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { exitTimers } from "../time/posix-timers.ts";
import { Cache, FIRST_BYTES_CACHE } from "./caches.ts";
import type { ImageFile, Program } from "./config.ts";
import { commitCreds, prepareCreds, putCred, setCapabilities } from "./cred.ts";
import { EACCES, ENOEXEC } from "./errno.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "./exec-update.ts";
import { exitGroup, killOtherThreads, putSighand, releaseTask } from "./exit.ts";
import { closeOnExec, dupFiles, putFiles, reserveDupFiles } from "./files.ts";
import { PF_FORKNOEXEC, PF_RANDOMIZE, SIGSEGV, SUID_DUMP_DISABLE, SUID_DUMP_USER } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { CRED, FILES, HOST, MM, SIGHAND, SIGNAL, TASK } from "./layout.ts";
import { baseName } from "./path.ts";
import type { Random } from "./random.ts";
import { hashPid } from "./pid.ts";
import { setRobustList } from "./robust-list.ts";
import { isZombie, lockTasklist, setTaskComm, unlockTasklist } from "./task.ts";

/** What is executed. */
export interface ExecSpec {
  readonly program: Program;
  /** NUL-terminated strings, one after the other. */
  readonly argv: Uint8Array;
  readonly envp: Uint8Array;
  /** New comm; the last component of the program's path if absent. */
  readonly comm?: Uint8Array;
  /** The new image is not dumpable, though it is not set-user-ID: its file may not be read (would_dump). */
  readonly nonDumpable?: boolean;
  /** It fails behind the point of no return, when all is done but the credentials: SIGSEGV. */
  readonly failsHalfway?: boolean;
  readonly random: Random;
}

/** An exec before its point of no return. */
export interface ExecPrepared extends ExecInFlight {
  /** The new address space, which nobody else can see. */
  readonly mm: Ptr;
}

/** An exec between its two halves: all that the second one needs. */
export interface ExecInFlight {
  readonly task: Ptr;
  /** The credentials to be installed; a reference. */
  readonly cred: Ptr;
  readonly comm: Uint8Array;
  readonly nonDumpable: boolean;
  readonly fails: boolean;
}

/**
 * Replaces a process's image, from whichever thread calls.
 * @returns as {@link execFinish}
 * @pre the caller acts as the process; {@link execRefused} has nothing against it
 */
export function execTask(k: Kernel, task: Ptr, spec: ExecSpec): boolean {
  return execFinish(k, execBegin(k, task, spec));
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const ANY_MAY_EXECUTE = 0o111;
const OTHERS_MAY_EXECUTE = 0o001;

/**
 * What an exec would fail with before the point of no return, for which nothing has to be undone.
 * @returns 0; -EACCES if the task may not execute the file, which belongs to root (do_open_execat); -ENOEXEC if it is no
 *   program (exec_binprm)
 */
export function execRefused(k: Kernel, task: Ptr, program: Program): number {
  const { mode, segments } = imageOf(k, program);
  const fsuid = k.m.load(k.m.load(task + TASK.cred) + CRED.fsuid);
  if ((mode & S_IFMT) !== S_IFREG) return -EACCES;
  if ((mode & (fsuid === 0 ? ANY_MAY_EXECUTE : OTHERS_MAY_EXECUTE)) === 0) return -EACCES;
  return segments.length === 0 ? -ENOEXEC : 0;
}

function imageOf(k: Kernel, program: Program): ImageFile {
  return program.image ?? (k.config.files[program.file] as ImageFile);
}

/**
 * The first half, up to exec_mmap: other threads have died, the calling one leads, the new address space is there; the
 * credentials are still the old ones. Holds cred_guard_mutex and exec_update_lock when it returns.
 * @throws ArenaFullError; nothing has happened then, and nothing more is held than before
 */
export function execBegin(k: Kernel, task: Ptr, spec: ExecSpec): ExecInFlight {
  return execCommit(k, execPrepare(k, task, spec));
}

/**
 * All that comes before the point of no return. Holds cred_guard_mutex when it returns; what it has made is given to
 * {@link execCommit}, which needs memory besides that this thread now has for certain.
 * @throws ArenaFullError; nothing has happened then, and nothing more is held than before
 */
export function execPrepare(k: Kernel, task: Ptr, spec: ExecSpec): ExecPrepared {
  const signal = k.m.load(task + TASK.signal);
  if (!reserveAll(k, task, spec)) throw new ArenaFullError("no memory for an exec");
  downWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
  const cred = execCreds(k, task, spec.program);
  const mm = newMm(k, task, spec, cred);
  const comm = spec.comm ?? latin1Bytes(baseName(spec.program.path));
  return { task, cred, mm, comm, nonDumpable: spec.nonDumpable === true, fails: spec.failsHalfway === true };
}

/** From the point of no return up to exec_mmap. Takes exec_update_lock, and holds it when it returns. */
export function execCommit(k: Kernel, exec: ExecPrepared): ExecInFlight {
  const signal = k.m.load(exec.task + TASK.signal);
  deThread(k, exec.task, signal);
  unshareFiles(k, exec.task);
  execMmap(k, exec.task, signal, exec.mm);
  return exec;
}

/** Mappings of every program: special ones, heap, stack, bss. */
const USUAL_MAPPINGS = 8;

/** Memory for all that the first half makes: after its first step there is no way back. */
function reserveAll(k: Kernel, task: Ptr, { program, argv, envp }: ExecSpec): boolean {
  const { slab } = k;
  // Large anonymous mappings are stacks of threads, which have a guard page each.
  let mappings = USUAL_MAPPINGS + 2 * program.anonymous.length + imageOf(k, program).segments.length;
  for (const library of program.libraries) mappings += k.config.files[library]?.segments.length ?? 0;
  return (
    reserveMm(k, mappings) &&
    slab.reserve(FIRST_BYTES_CACHE + byteClassOf(argv.length), 2) &&
    slab.reserve(FIRST_BYTES_CACHE + byteClassOf(envp.length), 2) &&
    slab.reserve(Cache.cred, 1) &&
    reserveDupFiles(k, k.m.load(task + TASK.files))
  );
}

/**
 * The second half: timers, handlers, files, name and credentials; then the locks are released.
 * @returns false if the exec has failed halfway: the process is dead then, by SIGSEGV
 */
export function execFinish(k: Kernel, exec: ExecInFlight): boolean {
  const { m } = k;
  const { task, cred } = exec;
  const signal = m.load(task + TASK.signal);
  exitTimers(k, signal, m.load(task + TASK.sighand));
  if (!unshareSighand(k, task)) return failHalfway(k, task, signal, cred);
  m.and(task + TASK.flags, ~PF_FORKNOEXEC);
  m.or(task + TASK.flags, PF_RANDOMIZE);
  closeOnExec(k, m.load(task + TASK.files));
  setNewDumpable(k, task, exec.nonDumpable);
  setTaskComm(k, task, exec.comm);
  resetHandlers(k, task);
  if (exec.fails) return failHalfway(k, task, signal, cred);
  commitCreds(k, task, cred);
  setRobustList(k, task);
  execUpdateWriteEnd(k, signal);
  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
  return true;
}

/** An error behind the point of no return: the locks are released, the credentials stay, and nobody goes on. */
function failHalfway(k: Kernel, task: Ptr, signal: Ptr, cred: Ptr): false {
  execUpdateWriteEnd(k, signal);
  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
  putCred(k, cred);
  exitGroup(k, task, SIGSEGV);
  return false;
}

/** The credentials that the process will have: set-user-ID, unless it has no_new_privs (bprm_creds_from_file). */
function execCreds(k: Kernel, task: Ptr, program: Program): Ptr {
  const { m } = k;
  const old = m.load(task + TASK.cred);
  const cred = prepareCreds(k, old);
  const owner = m.load(task + TASK.noNewPrivs) !== 0 ? -1 : program.setuid;
  if (owner >= 0 && owner !== m.load(old + CRED.euid)) {
    for (const field of [CRED.euid, CRED.suid, CRED.fsuid]) m.plainStore(cred + field, owner);
    setCapabilities(k, cred, owner === 0);
  }
  return cred;
}

/** The new address space, which nobody else can see yet; the old one's dumpability and filter hold for now (mm_init). */
function newMm(k: Kernel, task: Ptr, spec: ExecSpec, cred: Ptr): Ptr {
  const { m } = k;
  const mm = mmAlloc(k);
  const old = m.load(task + TASK.mm);
  m.plainStore(mm + MM.dumpable, old === 0 ? SUID_DUMP_DISABLE : m.load(old + MM.dumpable));
  m.plainStore(mm + MM.flags, old === 0 ? 0 : m.load(old + MM.flags));
  loadImage(k, mm, spec.program, spec.argv, spec.envp, spec.random, identityOf(k, cred));
  return mm;
}

/** Whose ids the new image finds in its auxiliary vector: those that it will have when the exec is over. */
function identityOf(k: Kernel, cred: Ptr): ExecIdentity {
  const { m } = k;
  return {
    uid: m.load(cred + CRED.uid),
    euid: m.load(cred + CRED.euid),
    gid: m.load(cred + CRED.gid),
    egid: m.load(cred + CRED.egid),
  };
}

/** exec_mmap: from here on readers find the new address space, those that speculate or lock only after the end. */
function execMmap(k: Kernel, task: Ptr, signal: Ptr, mm: Ptr): void {
  const { m } = k;
  const old = m.load(task + TASK.mm);
  // exec_mm_release: the list lies in the old address space.
  m.store64(task + TASK.robustList, 0);
  execUpdateWriteBegin(k, signal);
  // Whoever shares the old address space may be in the middle of changing it.
  if (old !== 0) downRead(k.t, old + MM.mmapLock, LockClass.mmap);
  m.store(task + TASK.mm, mm);
  if (old === 0) return;
  upRead(k.t, old + MM.mmapLock, LockClass.mmap);
  mmput(k, old);
}

/** The thread that execs survives alone, and leads (de_thread). */
function deThread(k: Kernel, task: Ptr, signal: Ptr): void {
  killOtherThreads(k, task, 9);
  const leader = k.m.load(signal + SIGNAL.leader);
  if (leader !== task) takeOverLeadership(k, task, leader, signal);
}

/** exchange_tids and the rest of de_thread: the new leader gets the old one's pid and start time. */
function takeOverLeadership(k: Kernel, task: Ptr, leader: Ptr, signal: Ptr): void {
  if (!isZombie(k, leader)) throw new Error("de_thread: the old leader is still alive");
  const { m } = k;
  const pid = m.load(task + TASK.pid);
  const tgid = m.load(leader + TASK.pid);
  lockTasklist(k);
  writeSeqlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
  m.store64(task + TASK.startTime, m.load64(leader + TASK.startTime));
  writeSequnlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
  m.store(task + TASK.pid, tgid);
  m.store(signal + SIGNAL.leader, task);
  hashPid(k, tgid, task, true);
  m.store(leader + TASK.pid, pid);
  hashPid(k, pid, leader, false);
  releaseTask(k, leader);
  unlockTasklist(k);
}

/**
 * Handlers that are shared with another process become this one's own (unshare_sighand). They change under the old ones'
 * siglock: who has locked those, and found them to be the task's, relies on it (lock_task_sighand).
 * @returns false: no memory
 */
function unshareSighand(k: Kernel, task: Ptr): boolean {
  const { t, m } = k;
  const old = m.load(task + TASK.sighand);
  if (m.load(old + SIGHAND.count) === 1) return true;
  if (!k.slab.reserve(Cache.sighand, 1)) return false;
  const sighand = k.slab.alloc(Cache.sighand);
  m.plainStore(sighand + SIGHAND.count, 1);
  spinLock(t, old + SIGHAND.siglock, LockClass.sighand);
  m.plainStore(sighand + SIGHAND.ignored, m.load(old + SIGHAND.ignored));
  m.plainStore(sighand + SIGHAND.ignored + 1, m.load(old + SIGHAND.ignored + 1));
  m.store(task + TASK.sighand, sighand);
  spinUnlock(t, old + SIGHAND.siglock, LockClass.sighand);
  putSighand(k, old);
  return true;
}

/** Handlers point into the old image; what is ignored stays ignored (flush_signal_handlers). */
function resetHandlers(k: Kernel, task: Ptr): void {
  k.m.store64(k.m.load(task + TASK.sighand) + SIGHAND.caught, 0);
}

/** A table shared with others (CLONE_FILES) becomes this task's own (unshare_files). */
function unshareFiles(k: Kernel, task: Ptr): void {
  const { m } = k;
  const files = m.load(task + TASK.files);
  if (m.load(files + FILES.count) === 1) return;
  m.store(task + TASK.files, dupFiles(k, files));
  putFiles(k, files);
}

/** What the old credentials and the file say of dumpability; commit_creds may still take it away. */
function setNewDumpable(k: Kernel, task: Ptr, nonDumpable: boolean): void {
  const { m } = k;
  const cred = m.load(task + TASK.cred);
  const same =
    m.load(cred + CRED.euid) === m.load(cred + CRED.uid) && m.load(cred + CRED.egid) === m.load(cred + CRED.gid);
  m.store(m.load(task + TASK.mm) + MM.dumpable, same && !nonDumpable ? SUID_DUMP_USER : SUID_DUMP_DISABLE);
}

/** The next seed for the layout of an address space, from the simulation's own sequence. */
export function nextMmSeed(k: Kernel): number {
  return k.m.add(HOST.nextMmSeed, 0x9e3779b9 | 0);
}
