/**
 * Every shared struct of the simulated kernel, in one place. Field names are the kernel's, in camel case.
 *
 * Who may write a field is said where it isn't the owner of the object: `[tasklist]` under tasklist_lock,
 * `[siglock]` under sighand->siglock, `[mmap]` under mmap_lock held for write, `[atomic]` by anybody, atomically.
 */
import { RCU_THREADS, RCU_WORDS } from "../sync/rcu.ts";
import { RWSEM_WORDS } from "../sync/rwsem.ts";
import { SEQCOUNT_WORDS } from "../sync/seqcount.ts";
import { SEQLOCK_WORDS } from "../sync/seqlock.ts";
import { SPINLOCK_WORDS } from "../sync/spinlock.ts";
import { MAX_CACHES, SLAB_CACHE } from "../shm/slab.ts";
import { QUAD, WORD, record, struct } from "../shm/struct.ts";

/** Bytes of a page; all page counts are in this unit. */
export const PAGE_SIZE = 4096;
/** USER_HZ: ticks a second of every clock_t in /proc. */
export const USER_HZ = 100;
/** Largest pid + 1 (PID_MAX_LIMIT). */
export const PID_MAX_LIMIT = 4194304;
/** CPUs that one simulation can have. */
export const MAX_CPUS = 256;
/** CPU time states of one line of /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice. */
export const CPU_STATES = 10;
/** Terminals that can have a foreground process group. */
export const MAX_TTYS = 256;
/** Writable sysctls there can be. */
export const MAX_SYSCTLS = 2048;
/** Buckets of HOST.openNodes and HOST.toldStale: a power of two. */
export const OPEN_NODE_BUCKETS = 4096;
/** Words of a cache line: what all threads write has one of its own. */
const LINE = 16;
/** Words that are NULL's own: no field of NULL, of any struct, is somebody else's word. */
export const NULL_WORDS = 8 * LINE;
/** Words of each thread's block of counters; see counters.ts. */
export const COUNTER_WORDS = 256;
/** Mutators that one simulation can have. */
export const MAX_MUTATORS = 64;
/** Reaped tasks that are remembered until somebody asks; see exit-events.ts. */
export const REAPED_ENTRIES = 8192;
/** Execs that can be held open at once; see exec-hold.ts. */
export const HELD_EXECS = 64;

/** struct task_io_accounting: seven 64-bit counters, in the order of /proc/<pid>/io. */
export const IO = record({
  rchar: QUAD,
  wchar: QUAD,
  syscr: QUAD,
  syscw: QUAD,
  readBytes: QUAD,
  writeBytes: QUAD,
  cancelledWriteBytes: QUAD,
});

/** struct task_struct: one thread. */
export const TASK = struct({
  /** refcount_t: 1 while hashed, and one for each reader that sleeps. [atomic] */
  usage: WORD,
  pid: WORD,
  tgid: WORD,
  /** TASK_RUNNING 0, INTERRUPTIBLE 1, UNINTERRUPTIBLE 2, STOPPED 4, TRACED 8, EXIT_DEAD 16, EXIT_ZOMBIE 32, … */
  state: WORD,
  /** PF_* */
  flags: WORD,
  exitCode: WORD,
  signal: WORD,
  sighand: WORD,
  files: WORD,
  fs: WORD,
  /** NULL for kernel threads and after exit. */
  mm: WORD,
  /** 1 if the address space was dumpable when the task left it (user_dumpable). */
  userDumpable: WORD,
  /** RCU-protected; replaced, never changed. */
  cred: WORD,
  nsproxy: WORD,
  ioContext: WORD,
  sysvsemUndo: WORD,
  /** What set_robust_list was told: an address in the process's memory, 0 for none. */
  robustList: QUAD,
  /** Next and previous thread of the group, NULL at the ends. [tasklist, read under RCU] */
  threadNext: WORD,
  threadPrev: WORD,
  /** TASK_COMM_LEN bytes, NUL-terminated. [taskAlloc] */
  comm: 4,
  /** Kernel threads with a longer name: BYTES, shown in place of comm. RCU-protected. [taskAlloc] */
  fullName: WORD,
  allocLock: SPINLOCK_WORDS,
  /** Nanoseconds of boot time. */
  startTime: QUAD,
  /** Nanoseconds of CPU time. Written by the mutator that owns the process. */
  utime: QUAD,
  stime: QUAD,
  minFlt: WORD,
  majFlt: WORD,
  nvcsw: WORD,
  nivcsw: WORD,
  runDelay: QUAD,
  pcount: WORD,
  ioac: IO.words,
  /** SCHED_NORMAL 0, FIFO 1, RR 2, BATCH 3, IDLE 5, DEADLINE 6 */
  policy: WORD,
  rtPriority: WORD,
  nice: WORD,
  cpu: WORD,
  /** Index into the kernel's table of wait kinds: wchan, syscall, stack. See wait-kinds.ts. */
  waitKind: WORD,
  personality: WORD,
  timerSlack: QUAD,
  loginuid: WORD,
  sessionid: WORD,
  /** Pending (private) and blocked signals. [siglock] */
  pending: QUAD,
  blocked: QUAD,
  noNewPrivs: WORD,
  seccomp: WORD,
  /** Bit mask of the first 64 CPUs. */
  cpusAllowed: QUAD,
  /** Index into the table of cgroup paths. */
  cgroup: WORD,
  /** Which mutator owns the process; other threads may still act on it, under the locks. */
  owner: WORD,
  /** The mutator's own state for this process: an index into its tables. */
  behaviour: WORD,
});

/** struct signal_struct: what the threads of a process share. */
export const SIGNAL = struct({
  /** refcount_t: one for each task. [atomic] */
  sigcnt: WORD,
  /** Live threads (not yet exiting). [atomic] */
  live: WORD,
  /** Threads, dead leader included. [tasklist] */
  nrThreads: WORD,
  /** The leader task. [tasklist, read under RCU] */
  leader: WORD,
  /** Ends of the list of threads, in order of creation. [tasklist, read under RCU] */
  threadFirst: WORD,
  threadLast: WORD,
  tgid: WORD,
  pgrp: WORD,
  session: WORD,
  /** Index + 1 into the host's terminals; 0: none. */
  tty: WORD,
  /** SIGNAL_UNKILLABLE, SIGNAL_GROUP_EXIT, … */
  flags: WORD,
  groupExitCode: WORD,
  /** The parent's signal_struct; RCU-protected. [tasklist] */
  parent: WORD,
  /** Children and siblings, doubly linked by signal_struct, newest last. [tasklist, read under RCU] */
  childFirst: WORD,
  childLast: WORD,
  siblingNext: WORD,
  siblingPrev: WORD,
  isChildSubreaper: WORD,
  /** Held by whoever acts as this process: in the kernel a task is its own only actor. */
  actor: RWSEM_WORDS,
  credGuardMutex: RWSEM_WORDS,
  execUpdateLock: RWSEM_WORDS,
  /** Odd while execUpdateLock is held for write. */
  execUpdateSeq: SEQCOUNT_WORDS,
  statsLock: SEQLOCK_WORDS,
  /** What dead threads left behind. [statsLock] */
  ioac: IO.words,
  utime: QUAD,
  stime: QUAD,
  cutime: QUAD,
  cstime: QUAD,
  minFlt: WORD,
  majFlt: WORD,
  cminFlt: WORD,
  cmajFlt: WORD,
  /** First k_itimer of an RCU hlist. [siglock] */
  posixTimers: WORD,
  nextPosixTimerId: WORD,
  sharedPending: QUAD,
  /** Soft and hard limit of each RLIMIT_*, in an RLIMITS object. RCU-protected. */
  rlimits: WORD,
  oomScoreAdj: WORD,
  oomScoreAdjMin: WORD,
  autogroup: WORD,
  autogroupNice: WORD,
});

/** struct sighand_struct */
export const SIGHAND = struct({
  count: WORD,
  siglock: SPINLOCK_WORDS,
  ignored: QUAD,
  caught: QUAD,
});

/** Number of RLIMIT_* resources. */
export const RLIM_NLIMITS = 16;
/** The value that prints as "unlimited". */
export const RLIM_INFINITY = Number.MAX_SAFE_INTEGER;

/** Resource limits; shared between processes until one changes its own, then replaced. */
export const RLIMITS = struct({
  usage: WORD,
  /** For each resource: soft limit, hard limit. */
  limits: RLIM_NLIMITS * 2 * QUAD,
});

/** struct cred: immutable once a task points at it. */
export const CRED = struct({
  usage: WORD,
  uid: WORD,
  gid: WORD,
  suid: WORD,
  sgid: WORD,
  euid: WORD,
  egid: WORD,
  fsuid: WORD,
  fsgid: WORD,
  capInheritable: QUAD,
  capPermitted: QUAD,
  capEffective: QUAD,
  capBset: QUAD,
  capAmbient: QUAD,
  /** Supplementary groups: a BYTES object of 32-bit gids, or NULL. */
  groups: WORD,
  /** Signals that are queued for the user elsewhere, as captured (SigQ). */
  sigQueued: WORD,
});

/** struct files_struct */
export const FILES = struct({
  count: WORD,
  fileLock: SPINLOCK_WORDS,
  /** An FDTABLE; RCU-protected, replaced when it grows. */
  fdt: WORD,
  nextFd: WORD,
  openFds: WORD,
});

/** struct fdtable: the words after `maxFds` are the slots, two for each fd: the file, and its close-on-exec flag. */
export const FDTABLE = struct({ maxFds: WORD, slots: 0 });

/** struct fs_struct */
export const FS = struct({
  users: WORD,
  umask: WORD,
  /** PATH objects; RCU-protected. */
  pwd: WORD,
  root: WORD,
});

/** What kind of thing an open file is. */
export const FileKind = {
  regular: 0,
  directory: 1,
  charDevice: 2,
  pipe: 3,
  socket: 4,
  eventfd: 5,
  eventpoll: 6,
  timerfd: 7,
  signalfd: 8,
  inotify: 9,
  memfd: 10,
  pidfd: 11,
  anon: 12,
} as const;
export type FileKindId = (typeof FileKind)[keyof typeof FileKind];

/** struct file */
export const FILE = struct({
  count: WORD,
  kind: WORD,
  /** O_* as in fdinfo. */
  flags: WORD,
  pos: QUAD,
  /** The PATH for kinds that have one, else NULL. */
  path: WORD,
  /** Inode number of sockets, pipes and anonymous inodes. */
  ino: QUAD,
  mntId: WORD,
  /** By kind: eventfd count, timerfd clock, epoll first target, socket state index, … */
  data: QUAD,
  /** Extra fdinfo lines of a captured file: a BYTES object, or NULL. */
  extra: WORD,
});

/** A file's name and inode: dentry and inode in one. */
export const PATH = struct({
  usage: WORD,
  /** major << 20 | minor */
  dev: WORD,
  ino: QUAD,
  mode: WORD,
  size: QUAD,
  /** 1 once unlinked: the name gains " (deleted)". [atomic] */
  deleted: WORD,
  /** A BYTES object. */
  name: WORD,
  /** 1 if its pages are shared memory: tmpfs, memfd, System V, /dev/zero. */
  shmem: WORD,
  /** Mappings of its first page: how many share its pages. [atomic] */
  mappers: WORD,
  /** Pages that mappings have brought into the page cache, counted in HOST.filePages or shmemPages. [atomic] */
  cachedPages: WORD,
});

/** struct mm_struct */
export const MM = struct({
  /** Users of the address space (threads, readers that pin it); at 0 the VMAs go. [atomic] */
  mmUsers: WORD,
  /** References to the struct: one for all users together, one for each open file of /proc. [atomic] */
  mmCount: WORD,
  mmapLock: RWSEM_WORDS,
  /** mm_lock_seq: odd while mmap_lock is held for write. */
  mmLockSeq: SEQCOUNT_WORDS,
  /** Root of the VMA tree; RCU-protected, replaced as a whole path. [mmap] */
  mmMt: WORD,
  mapCount: WORD,
  flags: WORD,
  /** SUID_DUMP_DISABLE 0, USER 1, ROOT 2 */
  dumpable: WORD,
  /** Pages. [mmap] */
  totalVm: QUAD,
  lockedVm: WORD,
  pinnedVm: WORD,
  dataVm: QUAD,
  execVm: WORD,
  stackVm: WORD,
  /** Among those who have mmapLock for read: page faults, and what takes pages away. */
  pageTableLock: SPINLOCK_WORDS,
  /** Resident pages by kind. [mmap and pageTableLock] */
  rssAnon: WORD,
  rssFile: WORD,
  rssShmem: WORD,
  swapEnts: WORD,
  hiwaterRss: WORD,
  hiwaterVm: QUAD,
  /** Bytes of page tables of a captured process; 0: estimated. */
  pgtablesBytes: WORD,
  startCode: QUAD,
  endCode: QUAD,
  startData: QUAD,
  endData: QUAD,
  startBrk: QUAD,
  /** Also read without mmap_lock, by whoever finds out what is the heap: whole, by brkSeq. */
  brk: QUAD,
  brkSeq: SEQCOUNT_WORDS,
  startStack: QUAD,
  argStart: QUAD,
  argEnd: QUAD,
  envStart: QUAD,
  envEnd: QUAD,
  mmapBase: QUAD,
  vdso: QUAD,
  /** BYTES: the text between argStart and argEnd, and between envStart and envEnd. */
  argv: WORD,
  envp: WORD,
  /** BYTES: a captured /proc/<pid>/auxv, or NULL: computed from what follows. */
  auxv: WORD,
  /** What the auxiliary vector says: program headers, entry point, base of the dynamic linker, platform string, and the
   *  identity at the time of exec. */
  phdr: QUAD,
  entry: QUAD,
  interpBase: QUAD,
  platform: QUAD,
  execUid: WORD,
  execEuid: WORD,
  execGid: WORD,
  execEgid: WORD,
  /** PATH, or NULL. */
  exeFile: WORD,
  /** Last id given out to VMA.anonVma. [mmap, or atomic] */
  lastAnonVma: WORD,
  /** End of the last stack that was given to a new thread, in bytes; see robust-list.ts. */
  stackCursor: QUAD,
});

/** struct vm_area_struct. Type-stable: a freed one may be reused at once, for another mm, while a reader looks. */
export const VMA = struct({
  vmMm: WORD,
  /** Bytes. [mmap, with the VMA write-locked] */
  vmStart: QUAD,
  vmEnd: QUAD,
  /** 0 detached, 1 attached, + 1 for each reader; VMA_LOCK_OFFSET while a writer waits. [atomic] */
  vmRefcnt: WORD,
  /** Low word of mm_lock_seq when it was write-locked last. [mmap] */
  vmLockSeq: WORD,
  /** VM_*, and VM2_*: flags beyond 32 bits and the simulation's own. See mm/flags.ts. [mmap, with the VMA write-locked] */
  vmFlags: WORD,
  vmFlags2: WORD,
  /** Offset in the file, in bytes; of anonymous memory the address at which it was mapped. */
  vmPgoff: QUAD,
  /** PATH, or NULL. */
  vmFile: WORD,
  /** BYTES, or NULL: the name of prctl(PR_SET_VMA_ANON_NAME), or "[…]" of an unusual special mapping. */
  anonName: WORD,
  /** Which anon_vma it has: 0 none yet, > 0 its own, < 0 one inherited by fork. [mmap, or atomic] */
  anonVma: WORD,
  /** Resident pages: anonymous; of the file or shmem. Swapped ones; dirty ones of nrFile. [mmap and pageTableLock] */
  nrAnon: WORD,
  nrFile: WORD,
  nrSwap: WORD,
  nrDirty: WORD,
});

/** struct k_itimer */
export const TIMER = struct({
  list: WORD,
  /** Address of the word that points here (pprev). */
  pprev: WORD,
  itId: WORD,
  itLock: SPINLOCK_WORDS,
  /** The owner's signal_struct; 0 once deleted (posixtimer_valid). [siglock and itLock] */
  itSignal: WORD,
  itClock: WORD,
  /** SIGEV_SIGNAL 0, NONE 1, THREAD 2, | THREAD_ID 4 */
  itSigevNotify: WORD,
  sigSigno: WORD,
  /** sival_ptr, 64 bits. */
  sigValue: QUAD,
  /** The pid or tid that is notified. */
  itPid: WORD,
  itInterval: QUAD,
  itExpires: QUAD,
});

/** struct nsproxy: inode numbers of the namespaces, in the order of /proc/<pid>/ns. */
export const NSPROXY = struct({
  count: WORD,
  net: WORD,
  uts: WORD,
  ipc: WORD,
  pid: WORD,
  pidForChildren: WORD,
  user: WORD,
  mnt: WORD,
  cgroup: WORD,
  time: WORD,
  timeForChildren: WORD,
});

/** Something that exists only to be compared by kcmp: an io_context, a sysvsem undo list. */
export const TOKEN = struct({ count: WORD });

/** A terminal: device number, foreground process group. */
export const TTY = record({ nr: WORD, foreground: WORD });

/** A task that was reaped: its process id and its own; equal for a whole process. */
export const REAPED = record({ sequence: WORD, tgid: WORD, pid: WORD });

/** A writer of exec_update_lock between its two halves, until its time comes: see exec-hold.ts. */
export const HELD_EXEC = record({
  /** 0 free, 1 being filled or finished, 2 waiting. [atomic] */
  state: WORD,
  /** An exec, or a TSYNC. */
  kind: WORD,
  task: WORD,
  /** The credentials that it will install; a reference. */
  cred: WORD,
  /** Boot time at which it goes on, in nanoseconds. */
  until: QUAD,
  nonDumpable: WORD,
  /** 1: the exec fails halfway. */
  fails: WORD,
  comm: 4,
});

/** The fixed part of the arena: everything that exists once. */
export const HOST = record({
  /** What NULL points at: nobody reads or writes it. */
  reserved: NULL_WORDS,
  // Whole cache lines come first, so that they are just that: what all threads write, or one alone.
  /** Raised when a lock becomes free while requests are parked. [atomic] */
  parkWord: LINE,
  rcu: RCU_WORDS,
  /** lockref of the dentry of /proc itself. */
  rootDentry: LINE,
  /** What each thread has allocated less what it has freed, by cache. */
  slabLive: RCU_THREADS * MAX_CACHES,
  /** Counters by thread, then those of threads that have left; see counters.ts. */
  counters: (RCU_THREADS + 1) * COUNTER_WORDS,
  magic: WORD,
  version: WORD,
  /** First word that has not been carved yet, and the end. [atomic] */
  breakAt: WORD,
  limit: WORD,
  /** Slots of threads that are taken, a bit each [atomic]; and what each thread is, see counters.ts. */
  threads: RCU_THREADS / 32,
  threadRoles: RCU_THREADS,
  /** Objects to be freed after a grace period, linked by their second word. [atomic] */
  rcuPending: WORD,
  tasklistLock: SPINLOCK_WORDS,
  registryLock: SPINLOCK_WORDS,
  /** Next pid to try, largest pid + 1. */
  pidCursor: WORD,
  pidMax: WORD,
  pidLock: SPINLOCK_WORDS,
  /** Pids that are never handed out by themselves: [low, high). Real processes live there. */
  pidAvoidLow: WORD,
  pidAvoidHigh: WORD,
  lastPid: WORD,
  /** Tables of PID_MAX_LIMIT words; see pid.ts. */
  pidTask: WORD,
  pidGeneration: WORD,
  pidUsed: WORD,
  pidLeaders: WORD,
  /** The task with pid 0, which is nowhere listed: parent of 1 and 2. */
  idleTask: WORD,
  /** The signal_struct that inherits orphans. */
  initSignal: WORD,
  /** Live tasks and processes (zombies included). [atomic] */
  nrThreads: WORD,
  nrProcesses: WORD,
  threadsMax: WORD,
  /** Forks since boot. [atomic] */
  totalForks: QUAD,
  contextSwitches: QUAD,
  interrupts: QUAD,
  softirqs: QUAD,
  /** avenrun, 11 bits of fraction. */
  loadAverage: 3,
  /** Tasks in R and in D state. [atomic] */
  nrRunning: WORD,
  nrUninterruptible: WORD,
  /** Simulated nanoseconds since boot; raised once a tick by one thread. */
  bootTime: QUAD,
  /** CLOCK_REALTIME at boot, in seconds. */
  realtimeAtBoot: QUAD,
  tick: QUAD,
  clockSeq: SEQCOUNT_WORDS,
  /** Pages of all address spaces together. [atomic] */
  anonPages: WORD,
  filePages: WORD,
  shmemPages: WORD,
  swapPages: WORD,
  nextInode: WORD,
  nextMmSeed: WORD,
  /** 0 running, 1 paused; speed in percent. */
  mutatorPaused: WORD,
  mutatorSpeed: WORD,
  /** 1 once the mutators shall end. */
  mutatorStop: WORD,
  /** 1 once nobody moves the clock any more: what waits for a moment of simulated time would wait for ever. */
  clockEnded: WORD,
  /** What each mutator has done so far: operations applied. */
  mutatorOperations: MAX_MUTATORS,
  /** Processes that the scenario describes: a table of their pids, and which of them others have ended; see mutate/run. */
  members: WORD,
  memberCount: WORD,
  endedMembers: MAX_MUTATORS,
  /** A ring of tasks that were reaped; see exit-events.ts. */
  reapedTail: WORD,
  reapedHead: WORD,
  reapedLost: WORD,
  reapedSleeping: WORD,
  reapedSignal: WORD,
  reaped: REAPED_ENTRIES * REAPED.words,
  heldExecs: HELD_EXECS * HELD_EXEC.words,
  /** Which of the held execs exist at all: the number in use. [atomic] */
  heldExecCount: WORD,
  /** 0 lockfree, 1 locked, for each path; see knobs.ts. */
  pathMode: 16,
  /** hidepid= and gid= of the simulated mount. */
  hidepid: WORD,
  hidepidGid: WORD,
  /** CPU time by CPU and state: clock ticks, and nanoseconds that don't make a tick yet; see cpu-time.ts. */
  cpuTime: MAX_CPUS * CPU_STATES * QUAD,
  ttys: MAX_TTYS * TTY.words,
  caches: MAX_CACHES * SLAB_CACHE.words,
  /** Held while a thread's counters are added to those of the threads that have left. */
  countersLock: SEQLOCK_WORDS,
  /** Two words for each type of kcmp, by which its pointers are obfuscated (kcmp_cookies_init). */
  kcmpCookies: 16,
  /** PATH objects of the configuration, by index; see path.ts. */
  paths: WORD,
  pathCount: WORD,
  /** What has been written to each sysctl: BYTES, or NULL for its initial value. RCU-protected; see proc/sys. */
  sysctlValues: MAX_SYSCTLS,
  /** Open files of the mount, counted by a hash of their node. [atomic] */
  openNodes: OPEN_NODE_BUCKETS,
  /** Who was told last that which node is stale, by a hash of both. [atomic] */
  toldStale: OPEN_NODE_BUCKETS,
  /** Reads of /proc/sys/kernel/random/uuid so far. [atomic] */
  uuidsMade: WORD,
  /** Nodes handed out for files of which each look-up gives another. [atomic] */
  separateNodes: WORD,
});
