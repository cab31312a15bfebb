/**
 * News of reaped tasks, for whoever keeps names of them (the real kernel, behind a mount).
 *
 * A bounded ring: any thread puts in, under whatever locks it holds, without waiting; one thread takes out. If nobody
 * does, or not fast enough, entries are lost and counted, and the reader is told so.
 */
import type { Ptr } from "../sync/atomics.ts";
import type { Kernel } from "./kernel.ts";
import { HOST, REAPED, REAPED_ENTRIES } from "./layout.ts";

/** Takes one piece of news: the process `tgid` is gone if `pid` equals it, else its thread `pid`. */
export type ReapedSink = (tgid: number, pid: number) => void;

/** Wakes every sleeper. */
const ALL = 0x7fffffff;

function entryOf(position: number): Ptr {
  return HOST.reaped + (position & (REAPED_ENTRIES - 1)) * REAPED.words;
}

/** Entry `i` is free for position `i` of the first round. @pre no other thread can see the arena yet */
export function initReaped(m: Kernel["m"]): void {
  for (let i = 0; i < REAPED_ENTRIES; i++) m.plainStore(entryOf(i) + REAPED.sequence, i);
}

/** Remembers that a thread, or with it its process, has been reaped. Never waits. */
export function noteReaped(k: Kernel, tgid: number, pid: number): void {
  const { m } = k;
  const position = claim(k);
  if (position < 0) {
    m.add(HOST.reapedLost, 1);
  } else {
    const at = entryOf(position);
    m.store(at + REAPED.tgid, tgid);
    m.store(at + REAPED.pid, pid);
    m.store(at + REAPED.sequence, (position + 1) & POSITION_MASK);
  }
  if (m.load(HOST.reapedSleeping) !== 0) rouseReapedReader(k);
}

/** Positions count up to here and start again: a multiple of the ring's size, and never negative. */
const POSITION_MASK = 0x3fffffff;

/** The position of a free entry that now belongs to this thread, or -1. */
function claim(k: Kernel): number {
  const { m } = k;
  for (;;) {
    const position = m.load(HOST.reapedTail);
    const sequence = m.load(entryOf(position) + REAPED.sequence);
    if (sequence === position) {
      if (m.compareExchange(HOST.reapedTail, position, (position + 1) & POSITION_MASK) === position) return position;
    } else if (m.load(HOST.reapedTail) === position) {
      return -1;
    }
  }
}

/**
 * Hands over what has been reaped since the last call, oldest first, at most `most` entries. Only one thread may do so.
 * @returns how many there were; below 0 if older ones were lost since the last call: every name is doubtful then
 */
export function drainReaped(k: Kernel, sink: ReapedSink, most: number): number {
  const { m } = k;
  const lost = m.load(HOST.reapedLost) !== 0 && m.exchange(HOST.reapedLost, 0) !== 0;
  let position = m.load(HOST.reapedHead);
  let count = 0;
  while (count < most) {
    const at = entryOf(position);
    if (m.load(at + REAPED.sequence) !== ((position + 1) & POSITION_MASK)) break;
    const tgid = m.load(at + REAPED.tgid);
    const pid = m.load(at + REAPED.pid);
    m.store(at + REAPED.sequence, (position + REAPED_ENTRIES) & POSITION_MASK);
    position = (position + 1) & POSITION_MASK;
    m.store(HOST.reapedHead, position);
    sink(tgid, pid);
    count++;
  }
  return lost ? -1 - count : count;
}

/** Sleeps until something has been reaped, at most `timeoutMs`. Only the draining thread may do so. @pre RCU offline */
export function waitReaped(k: Kernel, timeoutMs: number): void {
  const { m } = k;
  const signal = m.load(HOST.reapedSignal);
  m.store(HOST.reapedSleeping, 1);
  const position = m.load(HOST.reapedHead);
  const empty = m.load(entryOf(position) + REAPED.sequence) !== ((position + 1) & POSITION_MASK);
  if (empty && m.load(HOST.reapedLost) === 0) m.wait(HOST.reapedSignal, signal, timeoutMs);
  m.store(HOST.reapedSleeping, 0);
}

/** Wakes the draining thread, as if something had been reaped. */
export function rouseReapedReader(k: Kernel): void {
  k.m.add(HOST.reapedSignal, 1);
  k.m.notify(HOST.reapedSignal, ALL);
}
