/** The beginning: the idle task, from which 1 and 2 are forked. */
import type { Ptr } from "../sync/atomics.ts";
import { Cache } from "./caches.ts";
import { rootCred } from "./cred.ts";
import { filesNew } from "./files.ts";
import { PF_KTHREAD, SIGNAL_UNKILLABLE } from "./flags.ts";
import { fsNew } from "./fs-struct.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, NSPROXY, SIGHAND, SIGNAL, TASK } from "./layout.ts";
import { rlimitsNew } from "./limits.ts";
import { pathGet, pathNew, registerFiles } from "./path.ts";
import { linkThread, setTaskComm } from "./task.ts";

/** Inode numbers of the initial namespaces, in the order of NSPROXY's fields (include/linux/proc_ns.h and this kernel). */
const INITIAL_NAMESPACES = [
  4026531833, 4026531838, 4026531839, 4026531836, 4026531836, 4026531837, 4026531832, 4026531835, 4026531834,
  4026531834,
] as const;

const UNSET_ID = 0xffffffff | 0;
const DEFAULT_TIMER_SLACK = 50_000;
const S_IFDIR_0755 = 0o40755;

/**
 * Makes the idle task and the files of the configuration. Called once, by the thread that created the arena, before any
 * other task exists.
 */
export function bootKernel(k: Kernel): void {
  registerFiles(k);
  k.m.store(HOST.idleTask, idleTask(k));
}

/** The process that inherits orphans, and that no signal kills. @pre it has just been forked */
export function adoptInit(k: Kernel, task: Ptr): void {
  const signal = k.m.load(task + TASK.signal);
  k.m.or(signal + SIGNAL.flags, SIGNAL_UNKILLABLE);
  k.m.store(HOST.initSignal, signal);
}

function idleTask(k: Kernel): Ptr {
  const { m } = k;
  const task = k.slab.alloc(Cache.task);
  m.plainStore(task + TASK.usage, 1);
  m.plainStore(task + TASK.flags, PF_KTHREAD);
  m.plainStore(task + TASK.cred, rootCred(k));
  m.plainStore(task + TASK.nsproxy, initialNamespaces(k));
  m.plainStore(task + TASK.files, filesNew(k));
  m.plainStore(task + TASK.fs, rootDirectory(k));
  m.plainStore(task + TASK.loginuid, UNSET_ID);
  m.plainStore(task + TASK.sessionid, UNSET_ID);
  m.plainStore64(task + TASK.timerSlack, DEFAULT_TIMER_SLACK);
  setAllCpus(k, task);
  const sighand = k.slab.alloc(Cache.sighand);
  m.plainStore(sighand + SIGHAND.count, 1);
  m.plainStore(task + TASK.sighand, sighand);
  m.plainStore(task + TASK.signal, idleSignal(k, task));
  linkThread(k, m.load(task + TASK.signal), task);
  setTaskComm(k, task, new TextEncoder().encode("swapper/0"));
  return task;
}

function idleSignal(k: Kernel, task: Ptr): Ptr {
  const signal = k.slab.alloc(Cache.signal);
  k.m.plainStore(signal + SIGNAL.sigcnt, 1);
  k.m.plainStore(signal + SIGNAL.live, 1);
  k.m.plainStore(signal + SIGNAL.leader, task);
  k.m.plainStore(signal + SIGNAL.rlimits, rlimitsNew(k));
  k.m.store(HOST.initSignal, signal);
  return signal;
}

function initialNamespaces(k: Kernel): Ptr {
  const nsproxy = k.slab.alloc(Cache.nsproxy);
  k.m.plainStore(nsproxy + NSPROXY.count, 1);
  for (let i = 0; i < INITIAL_NAMESPACES.length; i++) {
    k.m.plainStore(nsproxy + NSPROXY.net + i, INITIAL_NAMESPACES[i] as number);
  }
  return nsproxy;
}

function rootDirectory(k: Kernel): Ptr {
  const root = pathNew(k, { name: "/", mode: S_IFDIR_0755, ino: 2 });
  return fsNew(k, root, pathGet(k, root), 0o022);
}

/** One bit for each of the machine's first 64 CPUs. */
function setAllCpus(k: Kernel, task: Ptr): void {
  const cpus = Math.min(k.config.cpus, 64);
  k.m.plainStore(task + TASK.cpusAllowed, cpus >= 32 ? -1 : (1 << cpus) - 1);
  k.m.plainStore(task + TASK.cpusAllowed + 1, cpus >= 64 ? -1 : cpus > 32 ? (1 << (cpus - 32)) - 1 : 0);
}
