/** A file system in which things go wrong on purpose: asks for a fault wherever a process is opened or read. */
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import type { LockWait } from "../../sync/thread.ts";
import { NO_WAIT } from "../../sync/thread.ts";
import type { FaultHooks } from "./faults.ts";
import { NodeId, decodeNode } from "./node-id.ts";
import type { Attr, Caller, DirSink, FileSystem, OpenFile } from "../vfs.ts";

export class FaultyFileSystem implements FileSystem {
  readonly wait: LockWait;
  private readonly inner: FileSystem;
  private readonly k: Kernel;
  private readonly faults: FaultHooks;
  private readonly node = new NodeId();

  constructor(inner: FileSystem, k: Kernel, faults: FaultHooks) {
    this.wait = inner.wait;
    this.inner = inner;
    this.k = k;
    this.faults = faults;
  }

  lookup(parentHi: number, parentLo: number, name: string, caller: Caller, out: Attr): number {
    return this.inner.lookup(parentHi, parentLo, name, caller, out);
  }

  getattr(hi: number, lo: number, handle: number, caller: Caller, out: Attr): number {
    return this.inner.getattr(hi, lo, handle, caller, out);
  }

  setattr(hi: number, lo: number, valid: number, caller: Caller, out: Attr): number {
    return this.inner.setattr(hi, lo, valid, caller, out);
  }

  readlink(hi: number, lo: number, caller: Caller, dest: Uint8Array): number {
    return this.inner.readlink(hi, lo, caller, dest);
  }

  access(hi: number, lo: number, mask: number, caller: Caller): number {
    return this.inner.access(hi, lo, mask, caller);
  }

  open(hi: number, lo: number, flags: number, caller: Caller, out: OpenFile): number {
    const fault = this.beforeOpen(hi, lo);
    return fault !== 0 ? fault : this.inner.open(hi, lo, flags, caller, out);
  }

  read(hi: number, lo: number, handle: number, offset: number, dest: Uint8Array, caller: Caller): number {
    const tgid = this.triedBefore() ? 0 : this.processOf(hi, lo);
    if (tgid === 0) return this.inner.read(hi, lo, handle, offset, dest, caller);
    const length = this.faults.beforeRead(tgid, offset === 0, dest.length);
    if (length < 0) return length;
    return this.inner.read(hi, lo, handle, offset, dest.subarray(0, length), caller);
  }

  write(hi: number, lo: number, handle: number, offset: number, data: Uint8Array, caller: Caller): number {
    return this.inner.write(hi, lo, handle, offset, data, caller);
  }

  release(handle: number): void {
    this.inner.release(handle);
  }

  opendir(hi: number, lo: number, caller: Caller, out: OpenFile): number {
    const fault = this.beforeOpen(hi, lo);
    return fault !== 0 ? fault : this.inner.opendir(hi, lo, caller, out);
  }

  readdir(
    hi: number,
    lo: number,
    handle: number,
    offset: number,
    plus: boolean,
    caller: Caller,
    sink: DirSink,
  ): number {
    return this.inner.readdir(hi, lo, handle, offset, plus, caller, sink);
  }

  releasedir(handle: number): void {
    this.inner.releasedir(handle);
  }

  refuse(operation: Parameters<FileSystem["refuse"]>[0]): number {
    return this.inner.refuse(operation);
  }

  ioctl(hi: number, lo: number, handle: number, command: number, caller: Caller): number {
    return this.inner.ioctl(hi, lo, handle, command, caller);
  }

  keepWait(): void {
    this.inner.keepWait();
  }

  endWait(): void {
    this.inner.endWait();
  }

  idle(): void {
    this.inner.idle();
  }

  busy(): void {
    this.inner.busy();
  }

  private beforeOpen(hi: number, lo: number): number {
    const tgid = this.triedBefore() ? 0 : this.processOf(hi, lo);
    return tgid === 0 ? 0 : this.faults.beforeOpen(tgid);
  }

  /** True for a request that has waited for a lock: it had its chance of a fault at its first try. */
  private triedBefore(): boolean {
    return this.wait.path !== NO_WAIT;
  }

  /** The process that a node belongs to, or 0. */
  private processOf(hi: number, lo: number): number {
    if (!decodeNode(hi, lo, this.node) || this.node.tid === 0) return 0;
    const task = findTask(this.k, this.node.tid);
    return task === 0 ? 0 : this.k.m.load(task + TASK.tgid);
  }
}
