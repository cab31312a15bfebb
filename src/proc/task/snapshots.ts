/**
 * What the per-process formatters print: plain values of one moment, as they stand in the file. One set per thread,
 * reused for each request; a gather function overwrites every field before a formatter sees it.
 */
import { TraceSnapshot } from "../../kernel/guarded.ts";
import { IoSnapshot } from "../../kernel/io-accounting.ts";
import { MapsWalk } from "../../mm/maps-walk.ts";
import { SmapsNumbers } from "../../mm/smaps.ts";
import { MmStat } from "../../mm/stat.ts";
import { TimerSnapshot, TimersWalk } from "../../time/posix-timers.ts";
import { Parsed } from "./base-parse.ts";

/** A task's name. */
export class Comm {
  readonly bytes = new Uint8Array(64);
  length = 0;
}

/** The 52 fields of /proc/<pid>/stat; times in clock ticks, sizes in the file's own units. */
export class StatSnapshot {
  pid = 0;
  readonly comm = new Comm();
  /** Character code of the state letter. */
  state = 0;
  ppid = 0;
  pgrp = 0;
  session = 0;
  ttyNr = 0;
  tpgid = 0;
  flags = 0;
  minFlt = 0;
  cminFlt = 0;
  majFlt = 0;
  cmajFlt = 0;
  utime = 0;
  stime = 0;
  cutime = 0;
  cstime = 0;
  priority = 0;
  nice = 0;
  numThreads = 0;
  startTime = 0;
  vsize = 0;
  rss = 0;
  /** RLIM_INFINITY prints as the largest unsigned 64-bit number. */
  rsslim = 0;
  startCode = 0;
  endCode = 0;
  startStack = 0;
  kstkEsp = 0;
  kstkEip = 0;
  /** The low 31 bits of the signal sets. */
  pending = 0;
  blocked = 0;
  ignored = 0;
  caught = 0;
  wchan = 0;
  exitSignal = 0;
  processor = 0;
  rtPriority = 0;
  policy = 0;
  delayacctBlkioTicks = 0;
  guestTime = 0;
  cguestTime = 0;
  startData = 0;
  endData = 0;
  startBrk = 0;
  argStart = 0;
  argEnd = 0;
  envStart = 0;
  envEnd = 0;
  exitCode = 0;
}

/** /proc/<pid>/statm, in pages. */
export class StatmSnapshot {
  size = 0;
  resident = 0;
  shared = 0;
  text = 0;
  data = 0;
}

/** The memory lines of /proc/<pid>/status, in kB. */
export class StatusMemory {
  peak = 0;
  size = 0;
  locked = 0;
  pinned = 0;
  hwm = 0;
  rss = 0;
  anon = 0;
  file = 0;
  shmem = 0;
  data = 0;
  stack = 0;
  exe = 0;
  lib = 0;
  pageTables = 0;
  swap = 0;
  hugetlb = 0;
}

/** A 64-bit mask as two unsigned halves. */
export class Mask64 {
  low = 0;
  high = 0;
}

/** /proc/<pid>/status. */
export class StatusSnapshot {
  readonly comm = new Comm();
  /** -1 if the task has no fs_struct any more. */
  umask = -1;
  /** Index into the table of states. */
  state = 0;
  tgid = 0;
  ngid = 0;
  pid = 0;
  ppid = 0;
  tracer = 0;
  uid = 0;
  euid = 0;
  suid = 0;
  fsuid = 0;
  gid = 0;
  egid = 0;
  sgid = 0;
  fsgid = 0;
  fdSize = 0;
  /** Supplementary groups: 32-bit little-endian gids, `groupCount` of them. */
  groups = new Uint8Array(256);
  groupCount = 0;
  pgrp = 0;
  session = 0;
  kthread = false;
  hasMm = false;
  readonly memory = new StatusMemory();
  coreDumping = false;
  thpEnabled = false;
  threads = 0;
  sigQueued = 0;
  sigLimit = 0;
  readonly pending = new Mask64();
  readonly sharedPending = new Mask64();
  readonly blocked = new Mask64();
  readonly ignored = new Mask64();
  readonly caught = new Mask64();
  readonly capInheritable = new Mask64();
  readonly capPermitted = new Mask64();
  readonly capEffective = new Mask64();
  readonly capBounding = new Mask64();
  readonly capAmbient = new Mask64();
  noNewPrivs = 0;
  seccomp = 0;
  seccompFilters = 0;
  /** CPUs that can exist, and those of the first 64 that are allowed. */
  cpus = 0;
  readonly cpusAllowed = new Mask64();
  voluntary = 0;
  nonvoluntary = 0;
}

/** /proc/<pid>/limits: soft and hard limit of each RLIMIT_*; RLIM_INFINITY prints as "unlimited". */
export class LimitsSnapshot {
  readonly soft = new Float64Array(16);
  readonly hard = new Float64Array(16);
}

/** /proc/<pid>/schedstat and sched: nanoseconds and counts of one thread. */
export class SchedSnapshot {
  readonly comm = new Comm();
  pid = 0;
  threads = 0;
  /** Nanoseconds. */
  execStart = 0;
  vruntime = 0;
  sumExecRuntime = 0;
  runDelay = 0;
  migrations = 0;
  voluntary = 0;
  nonvoluntary = 0;
  pcount = 0;
  policy = 0;
  prio = 0;
  /** True for policies of the fair class. */
  fair = true;
  loadWeight = 0;
  /** 1 for a task that runs, 0 for one that sleeps: the running averages, which are not simulated, at rest. */
  runningShare = 0;
  /** Nanoseconds, a multiple of 1024. */
  lastUpdate = 0;
  /** Nanoseconds: the scheduler's time slice, and how long reading its clock takes. */
  slice = 0;
  clockDelta = 0;
  hasMm = false;
}

/** /proc/<pid>/syscall: registers of a sleeping task. */
export class RegistersSnapshot {
  running = false;
  /** System call number, or -1. */
  syscall = -1;
  readonly args = [0, 0, 0, 0, 0, 0];
  sp = 0;
  pc = 0;
}

/** /proc/<pid>/fdinfo/<fd>. */
export class FdinfoSnapshot {
  /** FileKind. */
  kind = 0;
  pos = 0;
  flags = 0;
  mntId = 0;
  ino = 0;
  /** FILE.data in two unsigned halves: what it means depends on the kind. */
  dataLow = 0;
  dataHigh = 0;
}

/** What a line of maps shows before the name. */
export class VmaHeader {
  /** Bytes. */
  start = 0;
  end = 0;
  /** VM_* */
  flags = 0;
  /** Bytes. */
  offset = 0;
  /** major << 20 | minor */
  dev = 0;
  ino = 0;
}

/** Pages of one line of numa_maps. */
export class NumaPages {
  pages = 0;
  anon = 0;
  dirty = 0;
  /** How many map the most shared page. */
  mapCountMax = 1;
  swapCache = 0;
  active = 0;
  writeback = 0;
}

/** What one thread needs of each; see Context.scratch. */
export class Scratch {
  readonly mm = new MmStat();
  readonly walk = new MapsWalk();
  readonly smaps = new SmapsNumbers();
  readonly numa = new NumaPages();
  readonly rollup = new VmaHeader();
  readonly io = new IoSnapshot();
  readonly trace = new TraceSnapshot();
  readonly timer = new TimerSnapshot();
  readonly timersWalk = new TimersWalk();
  readonly parsed = new Parsed();
  readonly stat = new StatSnapshot();
  readonly statm = new StatmSnapshot();
  readonly status = new StatusSnapshot();
  readonly limits = new LimitsSnapshot();
  readonly sched = new SchedSnapshot();
  auxv = new Uint8Array(512);
  readonly fdinfo = new FdinfoSnapshot();
  readonly registers = new RegistersSnapshot();
  readonly comm = new Comm();
}
