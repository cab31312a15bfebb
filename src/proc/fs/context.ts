/** What row functions work on, and who asks: one of each per thread, reused for each request. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { Subject } from "../../kernel/subject.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import type { Entries } from "./entries.ts";
import type { HostView } from "../host-view.ts";
import type { Context } from "../row.ts";
import { Scratch } from "../task/snapshots.ts";
import { Text } from "../text.ts";
import type { Caller, CallerFacts } from "../vfs.ts";

/**
 * The caller of the request in progress. Ids come with the request; the rest is asked of the real machine only when a
 * check needs it, and at most once a request.
 */
export class CallerSubject implements Subject {
  uid = 0;
  gid = 0;
  private caller: Caller = { uid: 0, gid: 0, pid: 0 };
  private readonly facts: CallerFacts;
  private effective: readonly [number, number] | null = null;
  private permitted: readonly [number, number] | null = null;
  private process = -1;

  constructor(facts: CallerFacts) {
    this.facts = facts;
  }

  /** Starts a request. The object is only read until the next one starts. */
  begin(caller: Caller): void {
    this.caller = caller;
    this.uid = caller.uid;
    this.gid = caller.gid;
    this.effective = null;
    this.permitted = null;
    this.process = -1;
  }

  /** The caller's thread, or 0 if the transport doesn't know it. */
  tid(): number {
    return this.caller.pid;
  }

  tgid(): number {
    if (this.process < 0) this.process = this.caller.pid === 0 ? 0 : this.facts.tgid(this.caller.pid);
    return this.process;
  }

  /** True if the caller's process descends from this one. */
  descendsFrom(pid: number): boolean {
    return this.caller.pid !== 0 && this.facts.descends(this.caller.pid, pid);
  }

  realIds(): readonly [uid: number, gid: number] {
    const known = this.caller.pid === 0 ? null : this.facts.realIds?.(this.caller);
    return known ?? [this.uid, this.gid];
  }

  capable(capability: number): boolean {
    const [low, high] = this.effectiveSet();
    const half = capability < 32 ? low : high;
    return ((half >>> (capability & 31)) & 1) !== 0;
  }

  inGroup(gid: number): boolean {
    return gid === this.gid || this.facts.groups(this.caller).includes(gid);
  }

  covers(low: number, high: number, effective: boolean): boolean {
    const [mineLow, mineHigh] = effective ? this.effectiveSet() : this.permittedSet();
    return (low & ~mineLow) === 0 && (high & ~mineHigh) === 0;
  }

  private effectiveSet(): readonly [number, number] {
    if (this.effective === null) this.effective = this.facts.effective(this.caller);
    return this.effective;
  }

  private permittedSet(): readonly [number, number] {
    if (this.permitted === null) this.permitted = this.facts.permitted(this.caller);
    return this.permitted;
  }
}

/** The one {@link Context} of a thread. */
export class RequestContext implements Context {
  readonly k: Kernel;
  readonly host: HostView;
  readonly scratch = new Scratch();
  readonly subject: CallerSubject;
  readonly entries: Entries;
  /** For texts that are only looked at within one call: links, names. */
  readonly text = new Text(4096);
  /** Inode number of the directory entry in progress. */
  readonly inode = { inoHi: 0, inoLo: 0 };
  task: Ptr = NULL;
  tid = 0;
  generation = 0;
  whole = true;
  index = 0;
  file: Ptr = NULL;

  constructor(k: Kernel, host: HostView, subject: CallerSubject, entries: Entries) {
    this.k = k;
    this.host = host;
    this.subject = subject;
    this.entries = entries;
  }
}
