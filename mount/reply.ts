/**
 * One reply: encoders into a buffer that is made once per thread. Nothing here allocates for the messages of
 * open-read-close. Each encoder returns the reply's length in bytes.
 */
import { Buffer } from "node:buffer";
import type { Attr, OpenFile } from "../src/proc/vfs.ts";
import * as abi from "./abi.ts";

const TWO_32 = 4294967296;
/** Read windows that are kept: programs use few different sizes. */
const WINDOWS = 16;

export class Reply {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  /** Longest time for which the kernel may keep a name, in seconds. */
  maxEntryValid = 0x7fffffff;
  private readonly windows: Uint8Array[] = [];
  /** State of the directory listing that is being written. */
  private position = 0;
  private limit = 0;

  constructor() {
    const memory = new ArrayBuffer(abi.REPLY_BUFFER_SIZE);
    this.bytes = Buffer.from(memory);
    this.words = new Int32Array(memory);
  }

  /** Addresses the reply; every encoder below keeps the address. */
  address(uniqueLo: number, uniqueHi: number): void {
    this.words[abi.W_OUT_UNIQUE] = uniqueLo;
    this.words[abi.W_OUT_UNIQUE + 1] = uniqueHi;
  }

  /** A reply of `size` bytes which already lie behind the header. */
  data(size: number): number {
    this.words[abi.W_OUT_LEN] = abi.OUT_HEADER_SIZE + size;
    this.words[abi.W_OUT_ERROR] = 0;
    return abi.OUT_HEADER_SIZE + size;
  }

  /** `result` is a negated errno, or 0 for plain success. */
  status(result: number): number {
    this.words[abi.W_OUT_LEN] = abi.OUT_HEADER_SIZE;
    this.words[abi.W_OUT_ERROR] = result;
    return abi.OUT_HEADER_SIZE;
  }

  /** Where a file system puts `size` bytes of data, behind the header. The views are kept and used again. */
  window(size: number): Uint8Array {
    const windows = this.windows;
    for (let i = 0; i < windows.length; i++) {
      const window = windows[i] as Uint8Array;
      if (window.length === size) return window;
    }
    const window = this.bytes.subarray(abi.OUT_HEADER_SIZE, abi.OUT_HEADER_SIZE + size);
    if (windows.length === WINDOWS) windows.shift();
    windows.push(window);
    return window;
  }

  entry(attr: Attr): number {
    this.putEntry(abi.W_OUT, attr);
    return this.data(abi.ENTRY_OUT_SIZE);
  }

  /** Attributes are never valid for longer than the call that asked: attr_valid 0. */
  attributes(attr: Attr): number {
    this.words.fill(0, abi.W_OUT, abi.W_OUT + 4);
    this.putAttr(abi.W_OUT + 4, attr);
    return this.data(abi.ATTR_OUT_SIZE);
  }

  open(file: OpenFile, regular: boolean): number {
    const words = this.words;
    let flags = regular && file.directIo ? abi.FOPEN_DIRECT_IO | abi.FOPEN_PARALLEL_DIRECT_WRITES : 0;
    if (file.nonSeekable) flags |= abi.FOPEN_NONSEEKABLE;
    words[abi.W_OUT] = file.handle;
    words[abi.W_OUT + 1] = file.handle / TWO_32;
    words[abi.W_OUT + 2] = flags;
    words[abi.W_OUT + 3] = 0;
    return this.data(abi.OPEN_OUT_SIZE);
  }

  written(size: number): number {
    this.words[abi.W_OUT] = size;
    this.words[abi.W_OUT + 1] = 0;
    return this.data(abi.WRITE_OUT_SIZE);
  }

  /** As statfs(2) on the real /proc: 4096-byte blocks, none of them, names up to 255 bytes. */
  statfs(): number {
    const words = this.words;
    words.fill(0, abi.W_OUT, abi.W_OUT + abi.STATFS_OUT_SIZE / 4);
    words[abi.W_OUT + 10] = abi.PAGE_SIZE;
    words[abi.W_OUT + 11] = abi.NAME_MAX;
    words[abi.W_OUT + 12] = abi.PAGE_SIZE;
    return this.data(abi.STATFS_OUT_SIZE);
  }

  /** LISTXATTR: an empty list; its size, if only that was asked for. */
  noXattrs(sizeOnly: boolean): number {
    if (!sizeOnly) return this.data(0);
    this.words.fill(0, abi.W_OUT, abi.W_OUT + 2);
    return this.data(abi.GETXATTR_OUT_SIZE);
  }

  ioctl(result: number): number {
    this.words.fill(0, abi.W_OUT, abi.W_OUT + 4);
    this.words[abi.W_OUT] = result;
    return this.data(abi.IOCTL_OUT_SIZE);
  }

  /** The INIT reply. `flags` are those that both sides know. */
  init(minor: number, maxReadahead: number, flags: number): number {
    const words = this.words;
    words.fill(0, abi.W_OUT, abi.W_OUT + abi.INIT_OUT_SIZE / 4);
    words[abi.W_OUT] = abi.FUSE_MAJOR;
    words[abi.W_OUT + 1] = minor;
    words[abi.W_OUT + 2] = maxReadahead;
    words[abi.W_OUT + 3] = flags;
    // max_background (64) and congestion_threshold (48), 16 bits each.
    words[abi.W_OUT + 4] = 64 | (48 << 16);
    words[abi.W_OUT + 5] = abi.MAX_WRITE;
    words[abi.W_OUT + 6] = 1;
    words[abi.W_OUT + 7] = abi.MAX_PAGES;
    return this.data(abi.INIT_OUT_SIZE);
  }

  /** Starts a directory listing of at most `size` bytes. */
  beginEntries(size: number): void {
    this.position = abi.OUT_HEADER_SIZE;
    this.limit = abi.OUT_HEADER_SIZE + size;
  }

  endEntries(): number {
    return this.data(this.position - abi.OUT_HEADER_SIZE);
  }

  entriesEmpty(): boolean {
    return this.position === abi.OUT_HEADER_SIZE;
  }

  /**
   * Adds one entry, with attributes if `plus` is set (a null `attr` then stands for "look it up yourself").
   * @returns false if it did not fit
   */
  addEntry(
    name: string,
    inoHi: number,
    inoLo: number,
    type: number,
    next: number,
    plus: boolean,
    attr: Attr | null,
  ): boolean {
    const fixed = (plus ? abi.ENTRY_OUT_SIZE : 0) + abi.DIRENT_SIZE;
    const size = (fixed + name.length + 7) & ~7;
    const start = this.position;
    if (start + size > this.limit) return false;
    const words = this.words;
    let at = start >> 2;
    if (plus) {
      if (attr === null) words.fill(0, at, at + abi.ENTRY_OUT_WORDS);
      else this.putEntry(at, attr);
      at += abi.ENTRY_OUT_WORDS;
    }
    words[at] = inoLo;
    words[at + 1] = inoHi;
    words[at + 2] = next;
    words[at + 3] = next / TWO_32;
    words[at + 4] = name.length;
    words[at + 5] = type;
    this.putName(start + fixed, start + size, name);
    this.position = start + size;
    return true;
  }

  private putName(from: number, to: number, name: string): void {
    const bytes = this.bytes;
    const length = name.length;
    for (let i = 0; i < length; i++) bytes[from + i] = name.charCodeAt(i);
    for (let i = from + length; i < to; i++) bytes[i] = 0;
  }

  /** struct fuse_entry_out: generation and attr_valid stay 0. */
  private putEntry(at: number, attr: Attr): void {
    const words = this.words;
    words[at] = attr.nodeLo;
    words[at + 1] = attr.nodeHi;
    words[at + 2] = 0;
    words[at + 3] = 0;
    words[at + 4] = attr.entryValid < this.maxEntryValid ? attr.entryValid : this.maxEntryValid;
    for (let i = 5; i < 10; i++) words[at + i] = 0;
    this.putAttr(at + 10, attr);
  }

  /** struct fuse_attr */
  private putAttr(at: number, attr: Attr): void {
    const words = this.words;
    words[at] = attr.inoLo;
    words[at + 1] = attr.inoHi;
    words[at + 2] = attr.size;
    words[at + 3] = attr.size / TWO_32;
    words[at + 4] = 0;
    words[at + 5] = 0;
    const high = Math.floor(attr.timeSec / TWO_32);
    for (let i = 6; i < 12; i += 2) {
      words[at + i] = attr.timeSec;
      words[at + i + 1] = high;
    }
    for (let i = 12; i < 15; i++) words[at + i] = attr.timeNsec;
    words[at + 15] = attr.mode;
    words[at + 16] = attr.nlink;
    words[at + 17] = attr.uid;
    words[at + 18] = attr.gid;
    words[at + 19] = attr.rdev;
    // st_blksize of every node on the real /proc.
    words[at + 20] = 1024;
    words[at + 21] = 0;
  }
}
