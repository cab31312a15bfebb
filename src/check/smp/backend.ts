/** What transformed code calls for its accesses (see ../interleave), whatever they are priced by. */
import type { Memory, Ptr } from "../../sync/atomics.ts";
import { WordAccesses } from "../interleave/backend.ts";

/** A backend whose plain accesses are done at once, as they are. */
export abstract class Backend extends WordAccesses {
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

  /** A plain access is about to be done. */
  protected abstract plain(at: Ptr, bytes: number, writes: boolean): void;
}
