/**
 * The one module of mount/ that touches shared memory, so that everything about who may touch which word can be found
 * from here. The simulation's own shared memory is not seen through this: src/sync has its own door.
 */

/** Wakes every sleeper. */
const ALL = 0x7fffffff;
/** Bytes that are reached as such, from the start. */
const MOST_OCTETS = 2 ** 31;

/** A view of a SharedArrayBuffer as 32-bit words and as bytes; one per thread. Indexes are in words unless named so. */
export class SharedWords {
  readonly buffer: SharedArrayBuffer;
  private readonly words: Int32Array;
  private readonly octets: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    // A large arena, of which only a word is wanted, has more bytes than an array can have elements.
    this.octets = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, MOST_OCTETS));
  }

  load(at: number): number {
    return Atomics.load(this.words, at);
  }

  store(at: number, value: number): void {
    Atomics.store(this.words, at, value);
  }

  /** @returns the value before the addition. */
  add(at: number, delta: number): number {
    return Atomics.add(this.words, at, delta);
  }

  exchange(at: number, value: number): number {
    return Atomics.exchange(this.words, at, value);
  }

  /** @returns true if the word held `expected` and now holds `desired`. */
  swap(at: number, expected: number, desired: number): boolean {
    return Atomics.compareExchange(this.words, at, expected, desired) === expected;
  }

  /** Sleeps while the word holds `expected`, at most `timeoutMs`. @returns false if the time ran out. */
  wait(at: number, expected: number, timeoutMs: number): boolean {
    return Atomics.wait(this.words, at, expected, timeoutMs) !== "timed-out";
  }

  /** Wakes every sleeper on the word. */
  wake(at: number): void {
    Atomics.notify(this.words, at, ALL);
  }

  /** Raises the word by one and wakes its sleepers. */
  raise(at: number): void {
    Atomics.add(this.words, at, 1);
    Atomics.notify(this.words, at, ALL);
  }

  /** Adds one to a counter that only this thread writes; readers elsewhere see it sooner or later. */
  count(at: number): void {
    this.words[at] = (this.words[at] as number) + 1;
  }

  /** Copies bytes in; the words around them must say that they belong to this thread. */
  copyIn(byteAt: number, source: Uint8Array, length: number): void {
    this.octets.set(source.subarray(0, length), byteAt);
  }

  /** Copies bytes out; the words around them must say that they belong to this thread. */
  copyOut(byteAt: number, target: Uint8Array, length: number): void {
    target.set(this.octets.subarray(byteAt, byteAt + length));
  }
}

/** Zeroed shared memory of a number of words; the system commits its pages as they are touched. */
export function allocateShared(words: number): SharedArrayBuffer {
  return new SharedArrayBuffer(words * 4);
}
