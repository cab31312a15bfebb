/**
 * The parking lot: requests that have to wait for a lock, in shared memory.
 *
 * A serving thread that gets WOULD_WAIT copies the request into a free slot and goes on serving; the slow lane (one
 * thread) tries parked requests again whenever the wake word is raised, and answers them. An INTERRUPT may arrive at
 * any serving thread; whoever takes a slot out of the state PARKED answers its request, so that each is answered once.
 *
 *   FREE -> FILLING -> PARKED -> RUNNING -> FREE          answered by the slow lane
 *                        |  ^       |  |
 *                        |  '-------'  '-> INTERRUPTED -> FREE   the slow lane answers EINTR if it still has to wait
 *                        '-> FREE                         the interrupting thread answers EINTR
 *
 * The state word carries a generation above its three state bits, so that a slot which was freed and filled again
 * between a look and a swap is never mistaken for the one looked at.
 *
 * An INTERRUPT that finds no slot came too early (the request is about to be parked) or too late (it was answered).
 * Nobody here can tell which, but the kernel can: answered with EAGAIN it sends the INTERRUPT again as long as the
 * request lives. So the kernel remembers early interrupts, and no table of ours can overflow.
 */
import * as abi from "./abi.ts";
import type { LockWait } from "../src/sync/thread.ts";
import { SharedWords, allocateShared } from "./shared.ts";

const FREE = 0;
const FILLING = 1;
const PARKED = 2;
const RUNNING = 3;
const INTERRUPTED = 4;
const STATE_MASK = 7;
const GENERATION = 8;

// Words of a slot.
const STATE = 0;
const UNIQUE_LO = 1;
const UNIQUE_HI = 2;
const LENGTH = 3;
/** What the request waits for: see LockWait. */
const WAIT_PATH = 4;
const WAIT_LOCK = 5;
const WAIT_SINCE = 6;
const SLOT_HEADER_WORDS = 8;

// Words of the lot.
const OCCUPIED = 0;
/** One more than the highest slot that was ever used: bounds every search. */
const USED = 1;
const PARKED_EVER = 3;
const REFUSED = 4;
/** Raised by every parking: the slow lane sleeps here while nothing waits, so that lock releases do not disturb it. */
const ARRIVALS = 5;
/** Where the wake word is if nobody brings one; the word after it counts requests that wait. */
const WAKE = 8;
const LOT_HEADER_WORDS = 16;

/** Small slots hold every request but long writes: the longest has a 40-byte header, a small body and two names. */
const SMALL_SLOTS = 4096;
const SMALL_BYTES = 640;
/** Large slots hold a write of any size. */
const LARGE_SLOTS = 64;
const LARGE_BYTES = abi.REQUEST_BUFFER_SIZE;
const SLOTS = SMALL_SLOTS + LARGE_SLOTS;

const SMALL_WORDS = SLOT_HEADER_WORDS + SMALL_BYTES / 4;
const LARGE_WORDS = SLOT_HEADER_WORDS + LARGE_BYTES / 4;
const LARGE_START = LOT_HEADER_WORDS + SMALL_SLOTS * SMALL_WORDS;

const TWO_32 = 4294967296;

/** Longest sleep of a slow lane with nothing to do; a safety net only. */
const IDLE_MS = 1000;

/** {@link ParkingLot.interrupt}: no such request is parked. */
export const NOT_PARKED = 0;
/** The caller has taken the request out and must answer it with EINTR. */
export const TAKEN_OUT = 1;
/** The slow lane is trying the request right now and will answer it. */
export const LEFT_TO_SLOW_LANE = 2;

/** The word whose raising makes the slow lane look again. Lock releases raise it; by default it is one of the lot's. */
export interface WakeWord {
  readonly buffer: SharedArrayBuffer;
  /**
   * Index in 32-bit words. The lot counts the requests that wait in the word after it: who releases a lock need only
   * raise the wake word while that is not 0.
   */
  readonly index: number;
}

/** Shared memory for a parking lot: about 7 MiB, of which only what is used gets committed. */
export function allocateParkingLot(): SharedArrayBuffer {
  return allocateShared(LARGE_START + LARGE_SLOTS * LARGE_WORDS);
}

/** One thread's view of the lot. */
export class ParkingLot {
  /** Raise and notify this word when something may have become free. */
  readonly wakeWord: WakeWord;
  private readonly lot: SharedWords;
  private readonly wake: SharedWords;
  private hint = 0;

  constructor(buffer: SharedArrayBuffer, wakeWord?: WakeWord) {
    this.lot = new SharedWords(buffer);
    this.wakeWord = wakeWord ?? { buffer, index: WAKE };
    this.wake = new SharedWords(this.wakeWord.buffer);
  }

  /**
   * Parks a request and wakes the slow lane.
   * @param wait what it waits for; moved into the lot
   * @returns false if every slot that could hold it is taken; the caller must answer it (ENOMEM)
   */
  park(request: Uint8Array, length: number, uniqueLo: number, uniqueHi: number, wait: LockWait): boolean {
    const slot = length <= SMALL_BYTES ? this.claim(0, SLOTS) : this.claim(SMALL_SLOTS, SLOTS);
    if (slot < 0) {
      this.lot.add(REFUSED, 1);
      return false;
    }
    const lot = this.lot;
    const at = addressOf(slot);
    lot.copyIn((at + SLOT_HEADER_WORDS) * 4, request, length);
    lot.store(at + UNIQUE_LO, uniqueLo);
    lot.store(at + UNIQUE_HI, uniqueHi);
    lot.store(at + LENGTH, length);
    this.storeWait(at, wait);
    wait.clear();
    lot.store(at + STATE, (lot.load(at + STATE) & ~STATE_MASK) | PARKED);
    lot.add(PARKED_EVER, 1);
    // What was waited for may have become free just before the request was in its slot.
    this.raise();
    return true;
  }

  /**
   * An INTERRUPT for this request has arrived.
   * @param wait becomes the request's if it is taken out
   * @returns NOT_PARKED, TAKEN_OUT or LEFT_TO_SLOW_LANE
   */
  interrupt(uniqueLo: number, uniqueHi: number, wait: LockWait): number {
    const lot = this.lot;
    if (lot.load(OCCUPIED) === 0) return NOT_PARKED;
    const used = lot.load(USED);
    for (let slot = 0; slot < used; slot++) {
      const result = this.interruptSlot(addressOf(slot), uniqueLo, uniqueHi, wait);
      if (result !== NOT_PARKED) return result;
    }
    return NOT_PARKED;
  }

  /**
   * Takes a parked request for another try.
   * @param wait becomes the request's
   * @returns its length in bytes, now in `target`; 0 if the slot holds no parked request
   */
  take(slot: number, target: Uint8Array, wait: LockWait): number {
    const lot = this.lot;
    const at = addressOf(slot);
    const state = lot.load(at + STATE);
    if ((state & STATE_MASK) !== PARKED) return 0;
    if (!lot.swap(at + STATE, state, (state & ~STATE_MASK) | RUNNING)) return 0;
    const length = lot.load(at + LENGTH);
    lot.copyOut((at + SLOT_HEADER_WORDS) * 4, target, length);
    this.loadWait(at, wait);
    return length;
  }

  /** The lock that the request in a slot waits for, or 0 if that isn't known; or anything, if none is parked there. */
  lockOf(slot: number): number {
    return this.lot.load(addressOf(slot) + WAIT_LOCK);
  }

  /**
   * The try was in vain.
   * @param wait what it waits for now; moved into the lot
   * @returns false if the request was interrupted meanwhile: answer it, then finish(); `wait` stays the caller's
   */
  putBack(slot: number, wait: LockWait): boolean {
    const at = addressOf(slot);
    const state = this.lot.load(at + STATE);
    if ((state & STATE_MASK) !== RUNNING) return false;
    this.storeWait(at, wait);
    if (!this.lot.swap(at + STATE, state, (state & ~STATE_MASK) | PARKED)) return false;
    wait.clear();
    return true;
  }

  /** The request that was taken has been answered. */
  finish(slot: number): void {
    this.release(addressOf(slot));
  }

  /** Slots to look at: all requests lie below. */
  used(): number {
    return this.lot.load(USED);
  }

  /** Requests that wait now. */
  waiting(): number {
    return this.lot.load(OCCUPIED);
  }

  /** Requests that were ever parked, and those for which no slot was free. */
  totals(): { parked: number; refused: number } {
    return { parked: this.lot.load(PARKED_EVER), refused: this.lot.load(REFUSED) };
  }

  /** The wake word's value, to be taken before looking through the slots. */
  ticket(): number {
    return this.wake.load(this.wakeWord.index);
  }

  /** Sleeps until the wake word differs from `ticket`, at most `timeoutMs`. @returns false if the time ran out */
  sleep(ticket: number, timeoutMs: number): boolean {
    return this.wake.wait(this.wakeWord.index, ticket, timeoutMs);
  }

  /** The number of arrivals, to be taken before looking whether anything waits. */
  arrivals(): number {
    return this.lot.load(ARRIVALS);
  }

  /** Sleeps until a request is parked or raise() is called, at most `timeoutMs`. */
  sleepUntilArrival(seen: number, timeoutMs = IDLE_MS): void {
    this.lot.wait(ARRIVALS, seen, timeoutMs);
  }

  /** Makes the slow lane look again. */
  raise(): void {
    this.lot.raise(ARRIVALS);
    this.wake.raise(this.wakeWord.index);
  }

  private storeWait(at: number, wait: LockWait): void {
    const { lot } = this;
    lot.store(at + WAIT_PATH, wait.path);
    lot.store(at + WAIT_LOCK, wait.lock);
    lot.store(at + WAIT_SINCE, wait.since | 0);
    lot.store(at + WAIT_SINCE + 1, (wait.since / TWO_32) | 0);
  }

  private loadWait(at: number, wait: LockWait): void {
    const { lot } = this;
    wait.path = lot.load(at + WAIT_PATH);
    wait.lock = lot.load(at + WAIT_LOCK);
    // Only waits that are counted get here.
    wait.counted = true;
    wait.since = lot.load(at + WAIT_SINCE + 1) * TWO_32 + (lot.load(at + WAIT_SINCE) >>> 0);
  }

  private interruptSlot(at: number, uniqueLo: number, uniqueHi: number, wait: LockWait): number {
    const lot = this.lot;
    for (;;) {
      const state = lot.load(at + STATE);
      const kind = state & STATE_MASK;
      if (kind !== PARKED && kind !== RUNNING) return NOT_PARKED;
      if (lot.load(at + UNIQUE_LO) !== uniqueLo || lot.load(at + UNIQUE_HI) !== uniqueHi) return NOT_PARKED;
      if (kind === RUNNING) {
        if (lot.swap(at + STATE, state, (state & ~STATE_MASK) | INTERRUPTED)) return LEFT_TO_SLOW_LANE;
      } else if (lot.swap(at + STATE, state, (state & ~STATE_MASK) | FILLING)) {
        this.loadWait(at, wait);
        this.release(at);
        return TAKEN_OUT;
      }
    }
  }

  private claim(from: number, to: number): number {
    const lot = this.lot;
    const start = this.hint >= from && this.hint < to ? this.hint : from;
    for (let i = 0, slot = start; i < to - from; i++) {
      const at = addressOf(slot) + STATE;
      const state = lot.load(at);
      if ((state & STATE_MASK) === FREE && lot.swap(at, state, ((state + GENERATION) & ~STATE_MASK) | FILLING)) {
        this.hint = slot;
        this.markUsed(slot);
        return slot;
      }
      slot = slot + 1 === to ? from : slot + 1;
    }
    return -1;
  }

  private markUsed(slot: number): void {
    const lot = this.lot;
    lot.add(OCCUPIED, 1);
    this.wake.add(this.wakeWord.index + 1, 1);
    for (let used = lot.load(USED); used <= slot; used = lot.load(USED)) {
      if (lot.swap(USED, used, slot + 1)) return;
    }
  }

  private release(at: number): void {
    this.lot.store(at + STATE, this.lot.load(at + STATE) & ~STATE_MASK);
    this.lot.add(OCCUPIED, -1);
    this.wake.add(this.wakeWord.index + 1, -1);
  }
}

function addressOf(slot: number): number {
  if (slot < SMALL_SLOTS) return LOT_HEADER_WORDS + slot * SMALL_WORDS;
  return LARGE_START + (slot - SMALL_SLOTS) * LARGE_WORDS;
}
