/** Where lists of robust futexes begin: in memory of their own process, each thread's somewhere else. */
import { ESRCH } from "../../../kernel/errno.ts";
import { exitThread } from "../../../kernel/exit.ts";
import { CLONE_PTHREAD, CLONE_VM } from "../../../kernel/flags.ts";
import type { CloneOptions } from "../../../kernel/fork.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { MM, PAGE_SIZE, TASK, VMA } from "../../../kernel/layout.ts";
import { RobustList, getRobustList, setRobustList } from "../../../kernel/robust-list.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  VM_WRITE,
} from "../../../mm/flags.ts";
import { mmap } from "../../../mm/mmap.ts";
import { findVma } from "../../../mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../../mm/vma.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { caller, makeOwned } from "./exec-images.ts";
import { start, taskOfPid } from "./pid-kit.ts";

const READ_WRITE = PROT_READ | PROT_WRITE;
/** Bytes of the stacks. */
const STACK = 2 ** 20;
/** Where they are mapped. */
const BASE = 0x10000000;

/** Maps anonymous memory. @returns where it ends */
function map(k: Kernel, task: Ptr, at: number, bytes: number, permissions: number): number {
  const mm = k.m.load(task + TASK.mm);
  const result = mmap(k, mm, at, bytes, permissions, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0, 0);
  if (result !== at) throw new Error(`mmap answers ${result}`);
  return at + bytes;
}

/** Maps a thread's stack on a page that nobody may touch. @returns where it ends */
function mapStack(k: Kernel, task: Ptr, at: number): number {
  return map(k, task, map(k, task, at, PAGE_SIZE, PROT_NONE), STACK, READ_WRITE);
}

/** What get_robust_list says of a thread. @returns the address; or a negative errno */
function headOf(k: Kernel, pid: number): number {
  const list = new RobustList();
  const error = getRobustList(k, pid, caller(0), list);
  return error === 0 ? list.head : error;
}

/** The end of the private memory that a list lies in, or 0: it may be written to, and holds all of the list's head. */
function homeOf(k: Kernel, task: Ptr, head: number): number {
  const vma = findVma(k, k.m.load(task + TASK.mm), head);
  if (vma === 0 || vmaStart(k.m, vma) > head || (k.m.load(vma + VMA.vmFlags) & VM_WRITE) === 0) return 0;
  const end = vmaEnd(k.m, vma);
  return head + new RobustList().length <= end ? end : 0;
}

/** What is wrong with a list that should lie in the memory that ends at an address. */
function liesBelow(k: Kernel, what: string, task: Ptr, end: number): string | null {
  const head = headOf(k, k.m.load(task + TASK.pid));
  const home = homeOf(k, task, head);
  if (home === 0) return `${what}'s list is at ${head.toString(16)}, which is no memory of its own`;
  return home === end ? null : `${what}'s list is below ${home.toString(16)}, not ${end.toString(16)}`;
}

/** Where the main thread's stack ends. */
function mainStackEnd(k: Kernel, task: Ptr): number {
  const mm = k.m.load(task + TASK.mm);
  const vma = findVma(k, mm, k.m.load64(mm + MM.startStack));
  return vmaEnd(k.m, vma);
}

/** A process of the owner whose C library has just registered its list. @param dress maps what it shall find */
function makeImage(k: Kernel, dress: (task: Ptr, mm: Ptr) => number): { task: Ptr; end: number } {
  const { task } = makeOwned(k);
  const end = dress(task, k.m.load(task + TASK.mm));
  setRobustList(k, task);
  return { task, end };
}

/** The special mappings below [vdso]. */
const SPECIAL_BYTES = 6 * PAGE_SIZE;

export const images = scenario({
  name: "robust_list/images",
  about:
    "lists of new images and forked processes are in memory of theirs that can be written; of others there is none",
  paths: [Path.get_robust_list],
  quick: true,
  setup: (k) => {
    const { m } = k;
    const page = (task: Ptr, at: number): number => map(k, task, at, PAGE_SIZE, READ_WRITE);
    const linked = makeImage(k, (task, mm) => page(task, m.load64(mm + MM.vdso) - SPECIAL_BYTES - PAGE_SIZE));
    const heaped = makeImage(k, (task, mm) => page(task, m.load64(mm + MM.startBrk)));
    // What is mapped above the places where memory is expected is none of them.
    const bare = makeImage(k, (task, mm) => {
      page(task, m.load64(mm + MM.startBrk) + PAGE_SIZE);
      return mainStackEnd(k, task);
    });
    const sharing = start(k, m.load(linked.task + TASK.pid), CLONE_VM, {});
    const kthread = start(k, 1, 0, { kernelThread: true });
    setRobustList(k, taskOfPid(k, kthread));
    return { linked, heaped, bare, without: [sharing, kthread], pid: m.load(linked.task + TASK.pid) };
  },
  threads: {
    reader: (k, { pid }): number => headOf(k, pid),
    parent: (k, { pid }): number => start(k, pid, 0, {}),
  },
  check: (k, { linked, heaped, bare, without, pid }, { reader, parent }) => {
    if (reader !== headOf(k, pid)) return `the reader got ${reader}, not ${headOf(k, pid)}`;
    if (headOf(k, parent) !== reader) return `the child's list is at ${headOf(k, parent)}, not ${reader}`;
    for (const other of without) {
      if (headOf(k, other) !== 0) return `task ${other} has a list at ${headOf(k, other)}`;
    }
    return (
      liesBelow(k, "the linked image", linked.task, linked.end) ??
      liesBelow(k, "the image with a heap", heaped.task, heaped.end) ??
      liesBelow(k, "the bare image", bare.task, bare.end) ??
      liesBelow(k, "the child", taskOfPid(k, parent), linked.end)
    );
  },
});

/** What looks like a stack at a first glance: each lacks something. */
function mapDecoys(k: Kernel, task: Ptr): void {
  const first = BASE / 2;
  // On a page that may be touched; too small; on nothing at all.
  map(k, task, map(k, task, first, PAGE_SIZE, PROT_READ | PROT_EXEC), STACK, READ_WRITE);
  map(k, task, map(k, task, first + 4 * STACK, PAGE_SIZE, PROT_NONE), PAGE_SIZE, READ_WRITE);
  map(k, task, first + 8 * STACK, STACK, READ_WRITE);
}

/** A new thread of a process. @returns its task */
function clone(k: Kernel, pid: number, options: CloneOptions = {}): Ptr {
  return taskOfPid(k, start(k, pid, CLONE_PTHREAD, options));
}

/** Threads without a stack whose numbers differ by this begin to look for a place at the same one. */
const SAME_PLACE = 1024;

/** A process with two stacks for its four threads, in this order. */
function makeThreads(k: Kernel): { pid: number; task: Ptr; threads: Ptr[]; stacks: [number, number] } {
  const { pid, task } = makeOwned(k);
  setRobustList(k, task);
  mapDecoys(k, task);
  const stacks: [number, number] = [mapStack(k, task, BASE), mapStack(k, task, BASE + 4 * STACK)];
  const threads = [clone(k, pid), clone(k, pid), clone(k, pid)];
  const last = k.m.load((threads[2] as Ptr) + TASK.pid);
  threads.push(clone(k, pid, { pid: last + SAME_PLACE }));
  return { pid, task, threads, stacks };
}

/** No two of these threads have their lists at the same place. */
function allDiffer(k: Kernel, tasks: readonly Ptr[]): string | null {
  const heads: number[] = [];
  for (let i = 0; i < tasks.length; i++) heads.push(headOf(k, k.m.load((tasks[i] as Ptr) + TASK.pid)));
  return new Set(heads).size === heads.length ? null : `the lists are at ${heads.join(" ")}`;
}

export const threads = scenario({
  name: "robust_list/threads",
  about:
    "lists of threads are at the tops of stacks, new ones first, then those of the dead; else they share the main one",
  paths: [Path.get_robust_list],
  quick: true,
  setup: (k) => {
    const made = makeThreads(k);
    const first = k.m.load((made.threads[0] as Ptr) + TASK.pid);
    return { ...made, first, head: headOf(k, first) };
  },
  threads: {
    reader: (k, { first }): number => headOf(k, first),
    process: (k, { pid, task, threads: [dying] }): { stack: number; added: Ptr[] } => {
      exitThread(k, dying as Ptr, 0);
      const stack = mapStack(k, task, BASE + 8 * STACK);
      return { stack, added: [clone(k, pid), clone(k, pid), clone(k, pid)] };
    },
  },
  check: (k, { task, threads: [, second, third, fourth], stacks, head }, { reader, process: { stack, added } }) => {
    if (homeOf(k, task, head) !== stacks[0]) return `the first thread's list is at ${head.toString(16)}`;
    if (reader !== head && reader !== 0 && reader !== -ESRCH) return `the reader got ${reader}, not ${head}`;
    const [fresh, left, last] = added as [Ptr, Ptr, Ptr];
    const main = mainStackEnd(k, task);
    return (
      liesBelow(k, "the second thread", second as Ptr, stacks[1]) ??
      liesBelow(k, "the third thread", third as Ptr, main) ??
      liesBelow(k, "the fourth thread", fourth as Ptr, main) ??
      liesBelow(k, "who comes when there is a new stack", fresh, stack) ??
      liesBelow(k, "who comes when one has ended", left, stacks[0]) ??
      liesBelow(k, "who comes last", last, main) ??
      allDiffer(k, [task, second as Ptr, third as Ptr, fourth as Ptr, fresh, left, last])
    );
  },
});
