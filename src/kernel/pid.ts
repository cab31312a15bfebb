/**
 * Process ids: a table from pid to task, and two bitmaps with summary levels: pids in use, and pids of thread-group
 * leaders (what readdir of /proc lists). Lookup is one load; the next process from a cursor takes a few.
 *
 * A pid that is handed out again gets a new generation; node ids and open files keep the generation, so a reused pid is
 * never taken for the old process (the kernel keeps a reference to struct pid instead).
 */
import type { Ptr } from "../sync/atomics.ts";
import { LockClass } from "../sync/lockdep.ts";
import { spinLock, spinUnlock } from "../sync/spinlock.ts";
import { EAGAIN, EEXIST, EINVAL } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, PID_MAX_LIMIT } from "./layout.ts";

/** Pids below this are not handed out again after the first wrap (RESERVED_PIDS). */
const RESERVED_PIDS = 300;

/** Word offsets of the summary levels of a bitmap over PID_MAX_LIMIT bits. */
const LEVEL1 = PID_MAX_LIMIT / 32;
const LEVEL2 = LEVEL1 + PID_MAX_LIMIT / 1024;
const LEVELS = [0, LEVEL1, LEVEL2] as const;
const TOP = LEVELS.length - 1;

/** Words of a bitmap with its summaries. */
export const PID_BITMAP_WORDS = LEVEL2 + PID_MAX_LIMIT / 32768;

/**
 * Hands out the next free pid, cyclically (alloc_pid), or the one asked for.
 * @param wanted a pid, or 0 for the next free one
 * @returns the pid, -EAGAIN if none is free, -EEXIST if the wanted one is taken, -EINVAL if it is out of range
 */
export function allocPid(k: Kernel, wanted = 0): number {
  const { t, m } = k;
  spinLock(t, HOST.pidLock, LockClass.registry);
  const pid = wanted === 0 ? nextFreePid(k) : checkWanted(k, wanted);
  if (pid > 0) {
    setBit(k, m.load(HOST.pidUsed), pid, true);
    m.add(m.load(HOST.pidGeneration) + pid, 1);
    if (wanted === 0) m.store(HOST.pidCursor, pid + 1);
    m.store(HOST.lastPid, pid);
  }
  spinUnlock(t, HOST.pidLock, LockClass.registry);
  return pid;
}

/** Takes a pid off the table, and makes it free (free_pid). @pre tasklist lock held */
export function freePid(k: Kernel, pid: number): void {
  const { t, m } = k;
  m.store(m.load(HOST.pidTask) + pid, 0);
  clearLeaderBit(k, pid);
  spinLock(t, HOST.pidLock, LockClass.registry);
  clearUsedBit(k, pid);
  spinUnlock(t, HOST.pidLock, LockClass.registry);
}

/**
 * Publishes a task under its pid (attach_pid). It is listed before it is found, and still when it no longer is: whom a
 * look-up finds, no listing after it misses. @pre tasklist lock held; the task is complete
 */
export function hashPid(k: Kernel, pid: number, task: Ptr, leader: boolean): void {
  const { m } = k;
  if (leader) setBit(k, m.load(HOST.pidLeaders), pid, false);
  m.store(m.load(HOST.pidTask) + pid, task);
}

/** A thread or zombie by pid, or NULL. @pre RCU */
export function findTask(k: Kernel, pid: number): Ptr {
  if (pid <= 0 || pid >= PID_MAX_LIMIT) return 0;
  return k.m.load(k.m.load(HOST.pidTask) + pid);
}

/** As {@link findTask}, but only while it is still the same use of the pid. @pre RCU */
export function findTaskOf(k: Kernel, pid: number, generation: number): Ptr {
  return findTaskMatching(k, pid, generation, -1);
}

/**
 * As {@link findTaskOf}, where only the bits of `mask` of the generation are known.
 *
 * The task is looked up first: the caller knows of this use of the pid, so that what is found belongs to it or to a later
 * one, and the use that is seen afterwards says which. An exec of another thread hands pids over, but ends no use.
 */
export function findTaskMatching(k: Kernel, pid: number, generation: number, mask: number): Ptr {
  const task = findTask(k, pid);
  if (task === 0) return 0;
  return ((pidGeneration(k, pid) ^ generation) & mask) === 0 ? task : 0;
}

/** The generation of a pid's present (or last) use. */
export function pidGeneration(k: Kernel, pid: number): number {
  return k.m.load(k.m.load(HOST.pidGeneration) + pid);
}

/** generationOf: the pid names another task by now, or none. */
export const NO_GENERATION = 0;

/**
 * Which use of a pid it was that {@link findTask} gave this task for.
 * @returns the generation; NO_GENERATION if the pid no longer names the task: look again
 * @pre RCU since findTask
 */
export function generationOf(k: Kernel, pid: number, task: Ptr): number {
  const generation = pidGeneration(k, pid);
  const current = findTask(k, pid) === task && pidGeneration(k, pid) === generation;
  return current ? generation : NO_GENERATION;
}

/** The smallest pid ≥ `from` that leads a process (next_tgid), or -1. */
export function nextTgid(k: Kernel, from: number): number {
  return nextBit(k, k.m.load(HOST.pidLeaders), 0, Math.max(from, 0));
}

/** The first set bit of a level from `from` on, or -1. What is empty for 32 bits is passed by the level above. */
function nextBit(k: Kernel, bitmap: Ptr, level: number, from: number): number {
  let bit = from;
  while (bit >= 0 && bit < PID_MAX_LIMIT >>> (5 * level)) {
    const found = nextBitInWord(k.m.load(bitmap + (LEVELS[level] as number) + (bit >>> 5)), bit);
    if (found >= 0) return found;
    const word = (bit >>> 5) + 1;
    bit = (level === TOP ? word : nextBit(k, bitmap, level + 1, word)) << 5;
  }
  return -1;
}

/** The first set bit of `word` from `bit` on, where `word` holds the 32 bits around it; or -1. */
function nextBitInWord(word: number, bit: number): number {
  const rest = word & (-1 << (bit & 31));
  if (rest === 0) return -1;
  return (bit & ~31) + (31 - Math.clz32(rest & -rest));
}

function checkWanted(k: Kernel, pid: number): number {
  if (pid <= 0 || pid >= PID_MAX_LIMIT) return -EINVAL;
  return bitIsSet(k, k.m.load(HOST.pidUsed), pid) ? -EEXIST : pid;
}

/** From the cursor on, then from the beginning; the cursor may be above pid_max, if that has been lowered. */
function nextFreePid(k: Kernel): number {
  const { m } = k;
  const max = m.load(HOST.pidMax);
  const cursor = m.load(HOST.pidCursor);
  const found = freePidBetween(k, cursor, max);
  if (found > 0) return found;
  const wrapped = freePidBetween(k, cursor > RESERVED_PIDS ? RESERVED_PIDS : 1, max);
  return wrapped > 0 ? wrapped : -EAGAIN;
}

/** The first free pid of [from, to), outside of the range to avoid; full words of 32 are skipped by the summary. */
function freePidBetween(k: Kernel, from: number, to: number): number {
  const { m } = k;
  const used = m.load(HOST.pidUsed);
  const low = m.load(HOST.pidAvoidLow);
  const high = m.load(HOST.pidAvoidHigh);
  let pid = Math.max(from, 1);
  while (pid < to) {
    if (pid >= low && pid < high) pid = high;
    else if ((pid & 31) === 0 && bitIsSet(k, used + LEVEL1, pid >>> 5)) pid += 32;
    else if (bitIsSet(k, used, pid)) pid++;
    else return pid;
  }
  return -1;
}

function bitIsSet(k: Kernel, bitmap: Ptr, bit: number): boolean {
  return ((k.m.load(bitmap + (bit >>> 5)) >>> (bit & 31)) & 1) !== 0;
}

/**
 * Sets a bit, and the summaries: `full` summaries say that all 32 bits below are set, else that any is.
 * @pre pidLock held for the pids in use, tasklist lock for the leaders
 */
function setBit(k: Kernel, bitmap: Ptr, pid: number, full: boolean): void {
  let bit = pid;
  for (let level = 0; level < LEVELS.length; level++) {
    const at = bitmap + (LEVELS[level] as number) + (bit >>> 5);
    const word = k.m.or(at, 1 << (bit & 31)) | (1 << (bit & 31));
    if (full && word !== -1) return;
    bit >>>= 5;
  }
}

/** @pre tasklist lock held */
function clearLeaderBit(k: Kernel, pid: number): void {
  const bitmap = k.m.load(HOST.pidLeaders);
  let bit = pid;
  for (let level = 0; level < LEVELS.length; level++) {
    const at = bitmap + (LEVELS[level] as number) + (bit >>> 5);
    const word = k.m.and(at, ~(1 << (bit & 31))) & ~(1 << (bit & 31));
    if (word !== 0) return;
    bit >>>= 5;
  }
}

/** @pre pidLock held */
function clearUsedBit(k: Kernel, pid: number): void {
  const bitmap = k.m.load(HOST.pidUsed);
  let bit = pid;
  for (let level = 0; level < LEVELS.length; level++) {
    k.m.and(bitmap + (LEVELS[level] as number) + (bit >>> 5), ~(1 << (bit & 31)));
    bit >>>= 5;
  }
}
