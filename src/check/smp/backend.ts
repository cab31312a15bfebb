/** What transformed code calls for its accesses (see ../interleave), whatever they are priced by. */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import type { OpId } from "./cpu.ts";
import { Op } from "./cpu.ts";

/** What an access gives if it could be done at once. */
export type Result = number | boolean | undefined;

export abstract class Backend {
  load(site: number, m: Memory, at: Ptr): Result {
    return this.step(site, m, Op.load, at, 0, 0);
  }

  loadU32(site: number, m: Memory, at: Ptr): Result {
    return this.step(site, m, Op.loadU32, at, 0, 0);
  }

  store(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.step(site, m, Op.store, at, value, 0);
  }

  add(site: number, m: Memory, at: Ptr, delta: number): Result {
    return this.step(site, m, Op.add, at, delta, 0);
  }

  or(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.step(site, m, Op.or, at, bits, 0);
  }

  and(site: number, m: Memory, at: Ptr, bits: number): Result {
    return this.step(site, m, Op.and, at, bits, 0);
  }

  exchange(site: number, m: Memory, at: Ptr, value: number): Result {
    return this.step(site, m, Op.exchange, at, value, 0);
  }

  compareExchange(site: number, m: Memory, at: Ptr, expected: number, desired: number): Result {
    return this.step(site, m, Op.compareExchange, at, expected, desired);
  }

  wait(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.step(site, m, Op.wait, at, expected, timeoutMs);
  }

  nap(site: number, m: Memory, at: Ptr, expected: number, timeoutMs: number): Result {
    return this.step(site, m, Op.nap, at, expected, timeoutMs);
  }

  notify(site: number, m: Memory, at: Ptr, count: number): Result {
    return this.step(site, m, Op.notify, at, count, 0);
  }

  plainStore(_site: number, m: Memory, at: Ptr, value: number): void {
    this.plain(at, 4, true);
    m.plainStore(at, value);
  }

  plainStore64(_site: number, m: Memory, at: Ptr, value: number): void {
    this.plain(at, 8, true);
    m.plainStore64(at, value);
  }

  plainZero(_site: number, m: Memory, at: Ptr, count: number): void {
    this.plain(at, 4 * count, true);
    m.plainZero(at, count);
  }

  copyIn(_site: number, m: Memory, at: Ptr, byteOffset: number, source: Uint8Array): void {
    this.plain(at + (byteOffset >> 2), source.length, true);
    m.copyIn(at, byteOffset, source);
  }

  copyOut(
    _site: number,
    m: Memory,
    at: Ptr,
    byteOffset: number,
    target: Uint8Array,
    targetOffset: number,
    length: number,
  ): void {
    this.plain(at + (byteOffset >> 2), length, false);
    m.copyOut(at, byteOffset, target, targetOffset, length);
  }

  byteAt(_site: number, m: Memory, at: Ptr, byteOffset: number): number {
    this.plain(at + (byteOffset >> 2), 1, false);
    return m.byteAt(at, byteOffset);
  }

  latin1(_site: number, m: Memory, at: Ptr, byteOffset: number, length: number): string {
    this.plain(at + (byteOffset >> 2), length, false);
    return m.latin1(at, byteOffset, length);
  }

  noteObject(): void {
    // What becomes of objects costs nothing.
  }

  /** An access. @returns its result, or undefined if the thread has to yield */
  protected abstract step(site: number, m: Memory, op: OpId, at: Ptr, a: number, b: number): Result;

  /** A plain access is about to be done. */
  protected abstract plain(at: Ptr, bytes: number, writes: boolean): void;
}
