/** From a node id to what it stands for: the entry, its task, and whether the caller may have it. */
import { ESTALE } from "../../kernel/errno.ts";
import { HOST } from "../../kernel/layout.ts";
import { getTask, putTask } from "../../kernel/task.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import type { RequestContext } from "./context.ts";
import type { Entry } from "./entries.ts";
import { Scope } from "./entries.ts";
import { NodeId, Tag, decodeNode } from "./node-id.ts";
import {
  HIDEPID_OFF,
  genericPermission,
  pidPermission,
  rootOwner,
  strictPermission,
  taskDumpOwner,
} from "./permission.ts";
import { ANY_GENERATION, taskOf, walkToTask } from "./revalidate.ts";
import { isOwn } from "./self.ts";
import type { Caller } from "../vfs.ts";

/** Where entries that directories make up are found: by tag of the node id. */
export type Templates = readonly (Entry | undefined)[];

/** One per thread. Holds what the request in progress has arrived at; the rest is in the context. */
export class Walker {
  readonly c: RequestContext;
  readonly node = new NodeId();
  /** Set by {@link Walker.byPath} and {@link Walker.byHandle}; null for targets of links, and for own pids. */
  entry: Entry | null = null;
  private readonly templates: Templates;
  private readonly owner = { uid: 0, gid: 0 };
  private held: Ptr = NULL;

  constructor(c: RequestContext, templates: Templates) {
    this.c = c;
    this.templates = templates;
  }

  begin(caller: Caller): void {
    this.c.subject.begin(caller);
    this.entry = null;
  }

  /** Ends a request; @returns its argument. */
  end(result: number): number {
    if (this.held !== NULL) {
      putTask(this.c.k, this.held);
      this.held = NULL;
    }
    this.c.task = NULL;
    this.c.file = NULL;
    return result;
  }

  /**
   * Walks to a node, as a path does.
   * @returns 0; -ESTALE if the node is none, or its process is gone (`entry` is set then); hidepid's errno
   */
  byPath(hi: number, lo: number): number {
    if (!this.decode(hi, lo)) return -ESTALE;
    const { c, node, entry } = this;
    if (node.tag === Tag.own) return isOwn(c, node.index) ? 0 : -ESTALE;
    if (node.tag === Tag.target) {
      this.walkTo(node.tid, 0, ANY_GENERATION);
      return 0;
    }
    if (entry === null) return -ESTALE;
    if (entry.scope === Scope.root) return 0;
    this.walkTo(node.tid, node.generation, node.generationMask);
    if (c.task === NULL) return -ESTALE;
    return this.hidden(entry);
  }

  /** Finds the entry and, if it is still there, the task of an open file. */
  byHandle(hi: number, lo: number): Entry | null {
    if (!this.decode(hi, lo)) return null;
    const { c, node, entry } = this;
    if (entry !== null && entry.scope !== Scope.root) {
      while (!this.hold(taskOf(c.k, node.tid, node.generation, node.generationMask)));
    }
    return entry;
  }

  /** May the caller do this with the entry that was arrived at? @param mask MAY_*. @returns 0 or a negated errno */
  may(entry: Entry, mask: number): number {
    const { c } = this;
    if (entry.row.strictMode === true) return strictPermission(c.subject, entry.mode, mask);
    if ((entry.kind === "dir" || entry.kind === "dynamic") && entry.row.permission !== undefined) {
      const refused = entry.row.permission(c, mask);
      if (refused !== 0) return refused;
    }
    const everybody = entry.mode & (entry.mode >>> 3) & (entry.mode >>> 6);
    if ((mask & ~everybody) === 0) return 0;
    this.ownerOf(entry);
    return genericPermission(c.subject, entry.mode, this.owner, mask);
  }

  /** True if the caller owns the entry that was arrived at. */
  owns(entry: Entry): boolean {
    this.ownerOf(entry);
    return this.owner.uid === this.c.subject.uid;
  }

  private ownerOf(entry: Entry): void {
    if (entry.rootOwned || this.c.task === NULL) rootOwner(this.owner);
    else taskDumpOwner(this.c.k, this.c.task, entry.mode, this.owner);
  }

  private decode(hi: number, lo: number): boolean {
    const { c, node } = this;
    this.entry = null;
    if (!decodeNode(hi, lo, node)) return false;
    const entry = (node.tag === Tag.row ? c.entries.all[node.row] : this.templates[node.tag]) ?? null;
    if (entry !== null && (entry.scope === Scope.root) !== (node.tid === 0)) return false;
    this.entry = entry;
    c.task = NULL;
    c.file = NULL;
    c.tid = node.tid;
    c.generation = node.generation;
    c.index = node.index;
    c.whole = entry === null || entry.scope !== Scope.thread;
    return true;
  }

  private walkTo(tid: number, generation: number, mask: number): void {
    while (!this.hold(walkToTask(this.c.k, tid, generation, mask)));
  }

  /**
   * A thread that may sleep keeps the task by a reference; others by not becoming quiescent.
   * @returns false if the task has just been released. Another may have its pid, even with the same generation, after an
   *   exec of another thread: look again
   */
  private hold(task: Ptr): boolean {
    const { c } = this;
    c.task = task;
    if (task === NULL || !c.k.t.maySleep) return true;
    if (!getTask(c.k, task)) return false;
    this.held = task;
    return true;
  }

  /** With hidepid, what lies below /proc/<pid> is as closed as the directory itself, however the name was kept. */
  private hidden(entry: Entry): number {
    const { c } = this;
    if (c.k.m.load(HOST.hidepid) === HIDEPID_OFF || entry === c.entries.process) return 0;
    return pidPermission(c.k, c.task, c.subject);
  }
}
