/**
 * Notifications: telling the kernel that a name it keeps has become wrong.
 *
 * The simulation's threads put (parent, name) into a ring in shared memory; one thread, which never serves requests,
 * drains it into the device. A notification takes the parent's lock in the kernel and so blocks while a LOOKUP in that
 * directory is under way; sent from a thread that serves, or by one that holds a lock which a serving thread needs, it
 * would deadlock. Putting into the ring never blocks.
 *
 * If the ring is full, or a name is too long for it, the kernel is told to doubt every name (INC_EPOCH). Kernels
 * before protocol 7.44 cannot be told; there names are kept for a second at most (see OLD_KERNEL_ENTRY_VALID), so that
 * what was lost heals by itself.
 */
import { Buffer } from "node:buffer";
import type { EntryNotifier } from "../src/proc/fs/notify.ts";
import * as abi from "./abi.ts";
import { SharedWords, allocateShared } from "./shared.ts";

/** Seconds for which names may be kept by kernels without INC_EPOCH. */
export const OLD_KERNEL_ENTRY_VALID = 1;

/** What to tell the kernel about a name. */
export const INVALIDATE = abi.NOTIFY_INVAL_ENTRY;
/** As INVALIDATE, and the node itself is gone: who is inside sees a deleted directory. */
export const DELETE = abi.NOTIFY_DELETE;

// Words of the ring.
const TAIL = 0;
const SLEEPING = 1;
const SIGNAL = 2;
const OVERFLOW = 3;
const DROPPED = 4;
const RING_HEADER_WORDS = 16;

/** No position: positions are 32-bit numbers. */
const FULL = 2 ** 32;

const ENTRIES = 16384;
const ENTRY_WORDS = 16;
// Words of an entry. SEQUENCE equals the position when the entry is free for it, position + 1 when it is filled.
const SEQUENCE = 0;
const KIND = 1;
const PARENT_LO = 2;
const PARENT_HI = 3;
const CHILD_LO = 4;
const CHILD_HI = 5;
const NAME_LENGTH = 6;
const NAME = 7;
/** Longest name that fits an entry: pids, descriptors and most others do. */
const RING_NAME_MAX = (ENTRY_WORDS - NAME) * 4;

export function allocateNotifyRing(): SharedArrayBuffer {
  const buffer = allocateShared(RING_HEADER_WORDS + ENTRIES * ENTRY_WORDS);
  const words = new SharedWords(buffer);
  for (let i = 0; i < ENTRIES; i++) words.store(RING_HEADER_WORDS + i * ENTRY_WORDS + SEQUENCE, i);
  return buffer;
}

/** One notification, as it comes out of the ring; reused. */
export class Notification {
  kind = 0;
  parentHi = 0;
  parentLo = 0;
  childHi = 0;
  childLo = 0;
  nameLength = 0;
  readonly name = Buffer.alloc(RING_NAME_MAX);
}

/** A bounded queue: any thread may push, one thread pops. */
export class NotifyRing implements EntryNotifier {
  private readonly words: SharedWords;
  private readonly scratch = Buffer.alloc(RING_NAME_MAX);
  /** The popping thread's position. */
  private head = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new SharedWords(buffer);
  }

  /**
   * Queues a notification; never blocks and may be called under any lock.
   * @param kind INVALIDATE or DELETE
   * @param name one byte a character (latin1)
   */
  push(kind: number, parentHi: number, parentLo: number, childHi: number, childLo: number, name: string): void {
    const position = name.length > RING_NAME_MAX ? FULL : this.claim();
    if (position === FULL) {
      this.words.add(DROPPED, 1);
      this.words.store(OVERFLOW, 1);
    } else {
      this.fill(position, kind, parentHi, parentLo, childHi, childLo, name);
    }
    this.rouse();
  }

  /** Queues the most common notification: this name, in this directory, is no longer what it was. */
  invalidate(parentHi: number, parentLo: number, name: string): void {
    this.push(INVALIDATE, parentHi, parentLo, 0, 0, name);
  }

  /** @returns false if nothing is queued */
  pop(into: Notification): boolean {
    const words = this.words;
    const at = entryAt(this.head);
    if (words.load(at + SEQUENCE) !== ((this.head + 1) | 0)) return false;
    into.kind = words.load(at + KIND);
    into.parentLo = words.load(at + PARENT_LO);
    into.parentHi = words.load(at + PARENT_HI);
    into.childLo = words.load(at + CHILD_LO);
    into.childHi = words.load(at + CHILD_HI);
    into.nameLength = words.load(at + NAME_LENGTH);
    words.copyOut((at + NAME) * 4, into.name, into.nameLength);
    words.store(at + SEQUENCE, (this.head + ENTRIES) | 0);
    this.head = (this.head + 1) | 0;
    return true;
  }

  /** True, once, if something could not be queued since the last call. */
  takeOverflow(): boolean {
    return this.words.load(OVERFLOW) !== 0 && this.words.exchange(OVERFLOW, 0) !== 0;
  }

  /** Sleeps until something is queued, at most `timeoutMs`. */
  sleep(timeoutMs: number): void {
    const words = this.words;
    const signal = words.load(SIGNAL);
    words.store(SLEEPING, 1);
    if (this.isEmpty()) words.wait(SIGNAL, signal, timeoutMs);
    words.store(SLEEPING, 0);
  }

  /** Wakes the draining thread if it sleeps. */
  rouse(): void {
    if (this.words.load(SLEEPING) !== 0) this.words.raise(SIGNAL);
  }

  /** Notifications that did not fit. */
  dropped(): number {
    return this.words.load(DROPPED);
  }

  private isEmpty(): boolean {
    if (this.words.load(OVERFLOW) !== 0) return false;
    return this.words.load(entryAt(this.head) + SEQUENCE) !== ((this.head + 1) | 0);
  }

  /** @returns the position of a free entry that now belongs to this thread, or FULL */
  private claim(): number {
    const words = this.words;
    for (;;) {
      const position = words.load(TAIL);
      const distance = (words.load(entryAt(position) + SEQUENCE) - position) | 0;
      if (distance < 0) return FULL;
      if (distance === 0 && words.swap(TAIL, position, (position + 1) | 0)) return position;
    }
  }

  private fill(
    position: number,
    kind: number,
    parentHi: number,
    parentLo: number,
    childHi: number,
    childLo: number,
    name: string,
  ): void {
    const words = this.words;
    const at = entryAt(position);
    words.store(at + KIND, kind);
    words.store(at + PARENT_LO, parentLo);
    words.store(at + PARENT_HI, parentHi);
    words.store(at + CHILD_LO, childLo);
    words.store(at + CHILD_HI, childHi);
    words.store(at + NAME_LENGTH, name.length);
    this.scratch.write(name, "latin1");
    words.copyIn((at + NAME) * 4, this.scratch, name.length);
    words.store(at + SEQUENCE, (position + 1) | 0);
  }
}

function entryAt(position: number): number {
  return RING_HEADER_WORDS + (position & (ENTRIES - 1)) * ENTRY_WORDS;
}

/** Encodes notification messages into a reused buffer. */
class NotificationEncoder {
  readonly bytes = Buffer.alloc(64 + abi.NAME_MAX);

  /** struct fuse_notify_inval_entry_out or fuse_notify_delete_out. @returns the message's length */
  entry(notification: Notification): number {
    const { bytes } = this;
    const removes = notification.kind === DELETE;
    let at = abi.OUT_HEADER_SIZE;
    bytes.writeInt32LE(notification.parentLo | 0, at);
    bytes.writeInt32LE(notification.parentHi | 0, at + 4);
    at += 8;
    if (removes) {
      bytes.writeInt32LE(notification.childLo | 0, at);
      bytes.writeInt32LE(notification.childHi | 0, at + 4);
      at += 8;
    }
    bytes.writeUInt32LE(notification.nameLength, at);
    bytes.writeUInt32LE(0, at + 4);
    at += 8;
    notification.name.copy(bytes, at, 0, notification.nameLength);
    at += notification.nameLength;
    bytes[at] = 0;
    return this.header(notification.kind, at + 1);
  }

  /** Every name that the kernel keeps has become doubtful. */
  epoch(): number {
    return this.header(abi.NOTIFY_INC_EPOCH, abi.OUT_HEADER_SIZE);
  }

  /** A notification is a reply to nobody: its `error` is the kind, its `unique` 0. */
  private header(kind: number, length: number): number {
    this.bytes.writeUInt32LE(length, 0);
    this.bytes.writeInt32LE(kind, 4);
    this.bytes.fill(0, 8, 16);
    return length;
  }
}

/** What the draining loop needs. */
export interface NotifyPort {
  /** Sends one message. @returns 0, or the negated errno */
  send(bytes: Uint8Array, length: number): number;
  stopped(): boolean;
  kernelMinor(): number;
  complain(sentence: string): void;
}

const EPERM = 1;
const ENOENT = 2;
const ENODEV = 19;
const ENOTDIR = 20;
const ENOTEMPTY = 39;
const ENOTCONN = 107;
/** How long the loop sleeps without looking for the stop sign. */
const SLEEP_MS = 250;

/** Drains the ring until the mount is gone or the stop sign is up. */
export function drainNotifications(ring: NotifyRing, port: NotifyPort): void {
  const notification = new Notification();
  const encoder = new NotificationEncoder();
  let complained = false;
  while (!port.stopped()) {
    let length: number;
    if (ring.takeOverflow()) {
      if (port.kernelMinor() < abi.FUSE_MINOR_EPOCH) continue;
      length = encoder.epoch();
    } else if (ring.pop(notification)) {
      length = encoder.entry(notification);
    } else {
      ring.sleep(SLEEP_MS);
      continue;
    }
    const error = -port.send(encoder.bytes, length);
    // EPERM is what the device says once the connection is gone.
    if (error === ENODEV || error === ENOTCONN || error === EPERM) return;
    if (complained || isHarmless(error)) continue;
    complained = true;
    port.complain(`the kernel refused a notification (errno ${error}); further refusals are not reported`);
  }
}

/** The kernel does not keep that name (any more), or a directory is still in use. */
function isHarmless(error: number): boolean {
  return error === 0 || error === ENOENT || error === ENOTDIR || error === ENOTEMPTY;
}
