/** What reading CPUs do: the shipped functions behind the files and system calls. */
import { ESRCH } from "../../../kernel/errno.ts";
import { filePut } from "../../../kernel/files.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../../kernel/flags.ts";
import { readPersonality, readStack, readSyscall, TraceSnapshot } from "../../../kernel/guarded.ts";
import { doIoAccounting, IoSnapshot } from "../../../kernel/io-accounting.ts";
import { kcmp, KcmpType } from "../../../kernel/kcmp.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { PathId } from "../../../kernel/knobs.ts";
import { Path } from "../../../kernel/knobs.ts";
import { mmAccess } from "../../../kernel/mm-access.ts";
import { findTask } from "../../../kernel/pid.ts";
import { pidfdGetfd } from "../../../kernel/pidfd-getfd.ts";
import { getRobustList, RobustList } from "../../../kernel/robust-list.ts";
import type { Subject } from "../../../kernel/subject.ts";
import { MapsWalk } from "../../../mm/maps-walk.ts";
import { mmput } from "../../../mm/mm.ts";
import type { RollupBounds } from "../../../mm/smaps-rollup.ts";
import { smapsRollup } from "../../../mm/smaps-rollup.ts";
import { SmapsNumbers } from "../../../mm/smaps.ts";
import type { Owner } from "../../../proc/fs/permission.ts";
import { taskDumpOwner } from "../../../proc/fs/permission.ts";
import { ANY_GENERATION, walkToTask } from "../../../proc/fs/revalidate.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { readTimer, TimerSnapshot, TimersWalk } from "../../../time/posix-timers.ts";
import type { ReadKind } from "../kinds.ts";
import type { Table } from "./table.ts";

/** Records that fit into the 4096 bytes of one read. */
const MAPS_RECORDS = 50;
const SMAPS_RECORDS = 4;
const TIMER_RECORDS = 50;

const SAME_GENERATION = -1;
const DIRECTORY = 0o40555;

const ROOT: Subject = {
  uid: 0,
  gid: 0,
  tgid: () => 0,
  capable: () => true,
  inGroup: (group) => group === 0,
  covers: () => true,
};

/** What one CPU reads into. */
export interface Scratch {
  readonly io: IoSnapshot;
  readonly trace: TraceSnapshot;
  readonly walk: MapsWalk;
  readonly smaps: SmapsNumbers;
  readonly bounds: RollupBounds;
  readonly timers: TimersWalk;
  readonly timer: TimerSnapshot;
  readonly owner: Owner;
  readonly robust: RobustList;
}

export function newScratch(): Scratch {
  return {
    io: new IoSnapshot(),
    trace: new TraceSnapshot(),
    walk: new MapsWalk(),
    smaps: new SmapsNumbers(),
    bounds: { start: 0, end: 0 },
    timers: new TimersWalk(),
    timer: new TimerSnapshot(),
    owner: { uid: 0, gid: 0 },
    robust: new RobustList(),
  };
}

/**
 * One read.
 * @param turn numbers the reads of a CPU: which of several processes it is
 * @returns 0 or more, or a negated errno
 */
export function read(k: Kernel, kind: ReadKind, table: Table, scratch: Scratch, turn: number): number {
  switch (kind) {
    case "io":
      return doIoAccounting(k, findTask(k, table.pid), true, ROOT, scratch.io);
    case "stack":
      return readStack(k, findTask(k, table.pid), ROOT, scratch.trace);
    case "syscall":
      return readSyscall(k, findTask(k, table.pid), ROOT, scratch.trace);
    case "personality":
      return readPersonality(k, findTask(k, table.pid), ROOT, scratch.trace);
    case "mm_access":
      return openMm(k, findTask(k, table.pid));
    case "maps":
      return readRecords(k, table.mm, Path.maps, MAPS_RECORDS, scratch.walk);
    case "smaps":
      return readRecords(k, table.mm, Path.smaps, SMAPS_RECORDS, scratch.walk);
    case "numa_maps":
      return readRecords(k, table.mm, Path.numa_maps, MAPS_RECORDS, scratch.walk);
    case "smaps_rollup":
      return smapsRollup(k, scratch.walk, table.mm, scratch.smaps, scratch.bounds);
    case "timers":
      return readTimers(k, table.pid, scratch);
    case "revalidate":
      return walkTo(k, table.pid, table.generation, SAME_GENERATION, scratch.owner);
    case "ps":
      return walkTo(k, table.pids[turn % table.pids.length] as number, 0, ANY_GENERATION, scratch.owner);
    case "kcmp":
      return kcmp(k, table.pid, table.other, KcmpType.VM, 0, 0, ROOT);
    case "pidfd_getfd":
      return getFile(k, table.pid);
    case "get_robust_list":
      return getRobustList(k, table.pid, ROOT, scratch.robust);
  }
}

/** Between two reads nothing is held. */
export function afterRead(k: Kernel): void {
  k.quiescent();
}

function openMm(k: Kernel, task: Ptr): number {
  const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, ROOT);
  if (mm > 0) mmput(k, mm);
  return mm;
}

function getFile(k: Kernel, pid: number): number {
  const file = pidfdGetfd(k, pid, 0, 0, ROOT);
  if (file > 0) filePut(k, file);
  return file;
}

/** A path walk to a process, and whose it is. */
function walkTo(k: Kernel, pid: number, generation: number, mask: number, owner: Owner): number {
  const task = walkToTask(k, pid, generation, mask);
  if (task === NULL) return -ESRCH;
  taskDumpOwner(k, task, DIRECTORY, owner);
  return 0;
}

/** A file of mappings from its start to its end, so many records at a time. */
function readRecords(k: Kernel, mm: Ptr, path: PathId, most: number, walk: MapsWalk): number {
  let result = walk.start(k, mm, path, 0, 0);
  for (;;) {
    for (let count = 1; result > 0 && walk.vma.vma !== NULL && count <= most; count++) result = walk.next(k);
    walk.stop(k);
    if (result <= 0 || walk.vma.vma === NULL) return Math.min(result, 0);
    k.quiescent();
    // The record found last had no room: it comes first now.
    result = walk.start(k, mm, path, walk.position, walk.lastPosition);
  }
}

/** The list of timers from its start to its end, so many at a time. */
function readTimers(k: Kernel, pid: number, { timers, timer: snapshot }: Scratch): number {
  let index = 0;
  for (;;) {
    rcuReadLock(k.t);
    let timer = timers.start(k, findTask(k, pid), index);
    for (let count = 0; timer > 0 && count < TIMER_RECORDS; count++, index++) {
      readTimer(k, timer, snapshot);
      timer = timers.next(k, timer);
    }
    timers.stop(k);
    rcuReadUnlock(k.t);
    if (timer <= 0) return timer;
    k.quiescent();
  }
}
