/**
 * The byte heap: immutable, reference-counted byte strings in size classes. A string is filled before it is published
 * and never changed after; it is freed a grace period after its last reference went.
 */
import type { Memory, Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { refcountDecAndTest, refcountInc } from "../sync/refcount.ts";
import type { SlabAllocator } from "./slab.ts";
import { HEADER_WORDS, WORD, struct } from "./struct.ts";

/** Immutable bytes with a reference count. */
export const BYTES = struct({ usage: WORD, length: WORD });

/** Longest string of each size class, in bytes. */
export const BYTE_CLASSES = [
  8, 24, 40, 56, 88, 120, 184, 248, 376, 504, 760, 1016, 2040, 4088, 8184, 16376, 32760, 65528, 131064, 262136, 524280,
  1048568, 2097144,
] as const;

/** Longest string there can be, in bytes. */
export const BYTES_MAX = 2097144;

/** Words of an object of size class `index`. */
export function byteClassWords(index: number): number {
  return HEADER_WORDS + 2 + (BYTE_CLASSES[index] as number) / 4;
}

/** Size class of a string of `length` bytes. @throws RangeError above BYTES_MAX */
export function byteClassOf(length: number): number {
  let index = 0;
  while (index < BYTE_CLASSES.length && (BYTE_CLASSES[index] as number) < length) index++;
  if (index === BYTE_CLASSES.length)
    throw new RangeError(`${length} bytes are more than a string can hold (${BYTES_MAX})`);
  return index;
}

/** A new string with one reference. `firstCache` is the slab cache of the smallest size class. */
export function bytesNew(m: Memory, slab: SlabAllocator, firstCache: number, text: Uint8Array): Ptr {
  const bytes = slab.allocDirty(firstCache + byteClassOf(text.length));
  m.store(bytes + BYTES.usage, 1);
  m.store(bytes + BYTES.length, text.length);
  m.copyIn(bytes + BYTES.words, 0, text);
  return bytes;
}

/** Takes a reference; NULL is allowed. @returns its argument. */
export function bytesGet(m: Memory, bytes: Ptr): Ptr {
  if (bytes !== NULL) refcountInc(m, bytes + BYTES.usage);
  return bytes;
}

/** Drops a reference; NULL is allowed. */
export function bytesPut(m: Memory, slab: SlabAllocator, bytes: Ptr): void {
  if (bytes !== NULL && refcountDecAndTest(m, bytes + BYTES.usage)) slab.freeRcu(bytes);
}

/** Length in bytes; 0 for NULL. @pre a reference, or RCU */
export function bytesLength(m: Memory, bytes: Ptr): number {
  return bytes === NULL ? 0 : m.load(bytes + BYTES.length);
}

/** Copies out `length` bytes from `from`. @pre a reference, or RCU; the range lies inside the string */
export function bytesCopy(m: Memory, bytes: Ptr, from: number, target: Uint8Array, at: number, length: number): void {
  m.copyOut(bytes + BYTES.words, from, target, at, length);
}

/** The whole string as latin1. @pre a reference, or RCU */
export function bytesText(m: Memory, bytes: Ptr): string {
  return bytes === NULL ? "" : m.latin1(bytes + BYTES.words, 0, m.load(bytes + BYTES.length));
}

/** Bytes as a latin1 string. */
export function latin1Text(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

/** Bytes of a latin1 string. */
export function latin1Bytes(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}
