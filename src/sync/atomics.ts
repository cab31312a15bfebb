/**
 * The one module that touches shared memory.
 *
 * A pointer is the index of a 32-bit word in the arena; 0 is NULL. `load` … `notify` are sequentially consistent
 * (JavaScript Atomics), so exploring interleavings at each of these calls is complete. The `plain*` accessors are for
 * memory that no other thread can see: freshly allocated and not yet published, or owned by the calling thread.
 */

/** Index of a 32-bit word in the arena; 0 is NULL. */
export type Ptr = number;

/** The NULL pointer. */
export const NULL: Ptr = 0;

const TWO_32 = 4294967296;

/**
 * A typed array has at most 2^32 elements, fewer than a large arena has bytes. Bytes are therefore reached through
 * windows that start every 2 GiB and are 3 GiB long, so that a string which starts in the first 2 GiB of one ends there.
 */
const WINDOW_STEP = 2 ** 31;
const WINDOW_LENGTH = 3 * 2 ** 30;
/** A pointer's window is the pointer shifted right by this. */
const WINDOW_SHIFT = 29;

/** What has become of an object's memory; see {@link Memory.noteObject}. */
export const ObjectState = {
  /** In use: its owner alone sees it until it publishes it. */
  allocated: 1,
  /** Nobody finds it any more; who found it before may look at it until a grace period is over. */
  retired: 2,
  /** Anybody's; only type-stable memory may still be looked at. */
  freed: 3,
} as const;

export type ObjectState = (typeof ObjectState)[keyof typeof ObjectState];

/** A view of the arena; one per thread. */
export class Memory {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly windows: Uint8Array[] = [];
  /** How often a spinning wait looks before it naps or sleeps: writers are short, but may have no CPU. */
  spins = 200;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    for (let from = 0; from < buffer.byteLength; from += WINDOW_STEP) {
      this.windows.push(new Uint8Array(buffer, from, Math.min(WINDOW_LENGTH, buffer.byteLength - from)));
    }
  }

  /** A view of new memory, all zero: `bytes` are reserved, and committed by the system as they are touched. */
  static reserve(bytes: number): Memory {
    return new Memory(new SharedArrayBuffer(bytes));
  }

  /** Number of 32-bit words. */
  size(): number {
    return this.words.length;
  }

  load(at: Ptr): number {
    return Atomics.load(this.words, at);
  }

  /** Loads a word as an unsigned number. */
  loadU32(at: Ptr): number {
    return Atomics.load(this.words, at) >>> 0;
  }

  store(at: Ptr, value: number): void {
    Atomics.store(this.words, at, value);
  }

  /** @returns the value before the addition. */
  add(at: Ptr, delta: number): number {
    return Atomics.add(this.words, at, delta);
  }

  /** @returns the value before. */
  or(at: Ptr, bits: number): number {
    return Atomics.or(this.words, at, bits);
  }

  /** @returns the value before. */
  and(at: Ptr, bits: number): number {
    return Atomics.and(this.words, at, bits);
  }

  exchange(at: Ptr, value: number): number {
    return Atomics.exchange(this.words, at, value);
  }

  /** @returns the value found; the swap happened if it equals `expected`. */
  compareExchange(at: Ptr, expected: number, desired: number): number {
    return Atomics.compareExchange(this.words, at, expected, desired);
  }

  /**
   * Sleeps while the word holds `expected`, at most `timeoutMs` milliseconds.
   * @returns false if the time ran out.
   */
  wait(at: Ptr, expected: number, timeoutMs: number): boolean {
    return Atomics.wait(this.words, at, expected, timeoutMs) !== "timed-out";
  }

  /**
   * Sleeps at most `timeoutMs` milliseconds while the word holds `expected`: for spinning waits that give up their CPU
   * and then look again. Unlike with {@link Memory.wait}, nobody has to wake the sleeper.
   */
  nap(at: Ptr, expected: number, timeoutMs: number): void {
    Atomics.wait(this.words, at, expected, timeoutMs);
  }

  /** Wakes up to `count` sleepers; @returns how many were woken. */
  notify(at: Ptr, count: number): number {
    return Atomics.notify(this.words, at, count);
  }

  /**
   * Loads an unsigned 64-bit value from two words, low word first. The halves are two accesses: something else (a lock,
   * a sequence count) must keep a writer away, or the value must be one whose tearing is harmless. Exact below 2^53.
   */
  load64(at: Ptr): number {
    return this.loadU32(at) + this.load(at + 1) * TWO_32;
  }

  /** Stores a non-negative integer below 2^53 into two words. Writers must exclude each other. */
  store64(at: Ptr, value: number): void {
    this.store(at, value | 0);
    this.store(at + 1, (value / TWO_32) | 0);
  }

  /** Adds to a 64-bit value; writers must exclude each other. @returns the new value. */
  add64(at: Ptr, delta: number): number {
    const value = this.load64(at) + delta;
    this.store64(at, value);
    return value;
  }

  /** Adds to a 64-bit counter that several threads raise at once, by carrying out of the low word. `delta` < 2^31. */
  addShared64(at: Ptr, delta: number): void {
    const before = this.add(at, delta) >>> 0;
    if (before + delta >= TWO_32) this.add(at + 1, 1);
  }

  /** Writes a word of memory that only this thread can see. */
  plainStore(at: Ptr, value: number): void {
    this.words[at] = value;
  }

  /** Writes a 64-bit value to memory that only this thread can see. */
  plainStore64(at: Ptr, value: number): void {
    this.words[at] = value | 0;
    this.words[at + 1] = (value / TWO_32) | 0;
  }

  /** Zeroes `count` words of memory that only this thread can see. */
  plainZero(at: Ptr, count: number): void {
    this.words.fill(0, at, at + count);
  }

  /** Copies bytes into memory that only this thread can see, or whose tearing the caller excludes by a lock. */
  copyIn(at: Ptr, byteOffset: number, source: Uint8Array): void {
    this.windowOf(at).set(source, offsetOf(at) + byteOffset);
  }

  /** Copies bytes out of memory that is immutable while the caller holds it. */
  copyOut(at: Ptr, byteOffset: number, target: Uint8Array, targetOffset: number, length: number): void {
    const from = offsetOf(at) + byteOffset;
    target.set(this.windowOf(at).subarray(from, from + length), targetOffset);
  }

  /** One byte of memory that is immutable while the caller holds it. */
  byteAt(at: Ptr, byteOffset: number): number {
    return this.windowOf(at)[offsetOf(at) + byteOffset] as number;
  }

  /** A latin1 string of memory that is immutable while the caller holds it. */
  latin1(at: Ptr, byteOffset: number, length: number): string {
    const from = offsetOf(at) + byteOffset;
    const octets = this.windowOf(at);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(octets[from + i] as number);
    return text;
  }

  /**
   * Says what has become of the memory of an object: does nothing here; the explorer, which puts its own in the place of
   * these accesses, finds use after free by it (as KASAN does by kasan_slab_alloc and kasan_slab_free).
   */
  noteObject(_at: Ptr, _cache: number, _state: ObjectState): void {
    // Nothing to do.
  }

  private windowOf(at: Ptr): Uint8Array {
    return this.windows[at >>> WINDOW_SHIFT] as Uint8Array;
  }
}

/** Byte offset of a pointer within its window. */
function offsetOf(at: Ptr): number {
  return (at & ((1 << WINDOW_SHIFT) - 1)) * 4;
}
