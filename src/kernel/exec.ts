/**
 * exec (begin_new_exec and setup_new_exec, fs/exec.c).
 *
 * The part that readers must not see halfway, new address space with old credentials, lies between {@link execBegin} and
 * {@link execFinish}: exec_update_lock is held for write and exec_update_seq is odd. The two calls may be seconds apart
 * (a slow exec on purpose) and need not come from the same thread.
 */
import type { ExecIdentity } from "../mm/image.ts";
import { loadImage } from "../mm/image.ts";
import { mmAlloc, mmput, reserveMm } from "../mm/mm.ts";
import { byteClassOf, latin1Bytes } from "../shm/bytes.ts";
import { ArenaFullError } from "../shm/slab.ts";
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { downWrite, upWrite } from "../sync/rwsem.ts";
import { writeSeqlock, writeSequnlock } from "../sync/seqlock.ts";
import { exitTimers } from "../time/posix-timers.ts";
import { Cache, FIRST_BYTES_CACHE } from "./caches.ts";
import type { Program } from "./config.ts";
import { commitCreds, prepareCreds, setCapabilities } from "./cred.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "./exec-update.ts";
import { killOtherThreads, putSighand, releaseTask } from "./exit.ts";
import { closeOnExec, dupFiles, putFiles, reserveDupFiles } from "./files.ts";
import { PF_FORKNOEXEC, PF_RANDOMIZE, SUID_DUMP_DISABLE, SUID_DUMP_USER } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { CRED, FILES, HOST, MM, SIGHAND, SIGNAL, TASK } from "./layout.ts";
import { baseName } from "./path.ts";
import type { Random } from "./random.ts";
import { hashPid } from "./pid.ts";
import { isZombie, lockTasklist, setTaskComm, unlockTasklist } from "./task.ts";

/** What is executed. */
export interface ExecSpec {
  readonly program: Program;
  /** NUL-terminated strings, one after the other. */
  readonly argv: Uint8Array;
  readonly envp: Uint8Array;
  /** New comm; the last component of the program's path if absent. */
  readonly comm?: Uint8Array;
  /** The new image is not dumpable, though it is not set-user-ID. */
  readonly nonDumpable?: boolean;
  readonly random: Random;
}

/** An exec between its two halves: all that the second one needs. */
export interface ExecInFlight {
  readonly task: Ptr;
  readonly oldMm: Ptr;
  readonly comm: Uint8Array;
  /** As {@link Program.setuid}. */
  readonly setuid: number;
  readonly nonDumpable: boolean;
}

/** Replaces a process's image, from whichever thread calls. @pre the caller acts as the process */
export function execTask(k: Kernel, task: Ptr, spec: ExecSpec): void {
  execFinish(k, execBegin(k, task, spec));
}

/**
 * The first half: other threads die, the calling one becomes the leader, the new address space is there; the credentials
 * are still the old ones. Holds cred_guard_mutex and exec_update_lock when it returns.
 * @throws ArenaFullError; nothing has happened then, and nothing more is held than before
 */
export function execBegin(k: Kernel, task: Ptr, spec: ExecSpec): ExecInFlight {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  if (!reserveAll(k, task, spec)) throw new ArenaFullError("no memory for an exec");
  downWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
  const mm = mmAlloc(k);
  loadImage(k, mm, spec.program, spec.argv, spec.envp, spec.random, identityAfter(k, task, spec.program));
  deThread(k, task, signal);
  exitTimers(k, signal, m.load(task + TASK.sighand));
  execUpdateWriteBegin(k, signal);
  const oldMm = m.exchange(task + TASK.mm, mm);
  const { program } = spec;
  const comm = spec.comm ?? latin1Bytes(baseName(program.path));
  return { task, oldMm, comm, setuid: program.setuid, nonDumpable: spec.nonDumpable === true };
}

/** Mappings of every program: special ones, heap, stack, bss. */
const USUAL_MAPPINGS = 8;

/** Memory for both halves: after the first step there is no way back. */
function reserveAll(k: Kernel, task: Ptr, { program, argv, envp }: ExecSpec): boolean {
  const { slab } = k;
  // Large anonymous mappings are stacks of threads, which have a guard page each.
  let mappings = USUAL_MAPPINGS + 2 * program.anonymous.length;
  mappings += (program.image ?? k.config.files[program.file])?.segments.length ?? 0;
  for (const library of program.libraries) mappings += k.config.files[library]?.segments.length ?? 0;
  return (
    reserveMm(k, mappings) &&
    slab.reserve(FIRST_BYTES_CACHE + byteClassOf(argv.length), 2) &&
    slab.reserve(FIRST_BYTES_CACHE + byteClassOf(envp.length), 2) &&
    slab.reserve(Cache.sighand, 1) &&
    slab.reserve(Cache.cred, 1) &&
    reserveDupFiles(k, k.m.load(task + TASK.files))
  );
}

/** The second half: name, credentials, handlers; then the locks are released. */
export function execFinish(k: Kernel, exec: ExecInFlight): void {
  const { m } = k;
  const { task } = exec;
  const signal = m.load(task + TASK.signal);
  unshareFiles(k, task);
  closeOnExec(k, m.load(task + TASK.files));
  setTaskComm(k, task, exec.comm);
  resetHandlers(k, task);
  m.and(task + TASK.flags, ~PF_FORKNOEXEC);
  m.or(task + TASK.flags, PF_RANDOMIZE);
  installCredentials(k, task, exec);
  execUpdateWriteEnd(k, signal);
  if (exec.oldMm !== 0) mmput(k, exec.oldMm);
  upWrite(k.t, signal + SIGNAL.credGuardMutex, LockClass.credGuard);
}

/** Whose ids the new image finds in its auxiliary vector: those that it will have when the exec is over. */
function identityAfter(k: Kernel, task: Ptr, program: Program): ExecIdentity {
  const { m } = k;
  const cred = m.load(task + TASK.cred);
  return {
    uid: m.load(cred + CRED.uid),
    euid: program.setuid >= 0 ? program.setuid : m.load(cred + CRED.euid),
    gid: m.load(cred + CRED.gid),
    egid: m.load(cred + CRED.egid),
  };
}

/** The thread that execs survives alone, and leads (de_thread). */
function deThread(k: Kernel, task: Ptr, signal: Ptr): void {
  const { m } = k;
  killOtherThreads(k, task, 9);
  const leader = m.load(signal + SIGNAL.leader);
  if (leader !== task) takeOverLeadership(k, task, leader, signal);
  if (m.load(m.load(task + TASK.sighand) + SIGHAND.count) > 1) unshareSighand(k, task);
}

/** exchange_tids and the rest of de_thread: the new leader gets the old one's pid and start time. */
function takeOverLeadership(k: Kernel, task: Ptr, leader: Ptr, signal: Ptr): void {
  if (!isZombie(k, leader)) throw new Error("de_thread: the old leader is still alive");
  const { m } = k;
  const pid = m.load(task + TASK.pid);
  const tgid = m.load(leader + TASK.pid);
  const generation = m.load(task + TASK.pidGeneration);
  lockTasklist(k);
  writeSeqlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
  m.store64(task + TASK.startTime, m.load64(leader + TASK.startTime));
  writeSequnlock(k.t, signal + SIGNAL.statsLock, LockClass.stats);
  m.store(task + TASK.pidGeneration, m.load(leader + TASK.pidGeneration));
  m.store(task + TASK.pid, tgid);
  m.store(signal + SIGNAL.leader, task);
  hashPid(k, tgid, task, true);
  m.store(leader + TASK.pidGeneration, generation);
  m.store(leader + TASK.pid, pid);
  hashPid(k, pid, leader, false);
  releaseTask(k, leader);
  unlockTasklist(k);
}

function unshareSighand(k: Kernel, task: Ptr): void {
  const { m } = k;
  const old = m.load(task + TASK.sighand);
  const sighand = k.slab.alloc(Cache.sighand);
  m.plainStore(sighand + SIGHAND.count, 1);
  m.plainStore(sighand + SIGHAND.ignored, m.load(old + SIGHAND.ignored));
  m.plainStore(sighand + SIGHAND.ignored + 1, m.load(old + SIGHAND.ignored + 1));
  m.store(task + TASK.sighand, sighand);
  putSighand(k, old);
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

/** Set-user-ID, and what it does to dumpability; the order is the kernel's: dumpable falls before credentials rise. */
function installCredentials(k: Kernel, task: Ptr, exec: ExecInFlight): void {
  const { m } = k;
  const old = m.load(task + TASK.cred);
  const cred = prepareCreds(k, old);
  const owner = exec.setuid;
  if (owner >= 0 && owner !== m.load(old + CRED.euid)) {
    for (const field of [CRED.euid, CRED.suid, CRED.fsuid]) m.plainStore(cred + field, owner);
    setCapabilities(k, cred, owner === 0);
  }
  const changed = m.load(cred + CRED.euid) !== m.load(cred + CRED.uid);
  const mm = m.load(task + TASK.mm);
  m.store(mm + MM.dumpable, changed || exec.nonDumpable ? SUID_DUMP_DISABLE : SUID_DUMP_USER);
  commitCreds(k, task, cred);
}

/** The next seed for the layout of an address space, from the simulation's own sequence. */
export function nextMmSeed(k: Kernel): number {
  return k.m.add(HOST.nextMmSeed, 0x9e3779b9 | 0);
}
