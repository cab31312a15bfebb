/** Operations on the address space. */
import { EINVAL, ENOMEM } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { MM, PAGE_SIZE, SIGNAL, TASK } from "../../kernel/layout.ts";
import { pathNew, pathPut } from "../../kernel/path.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE } from "../../mm/flags.ts";
import { mmBrk } from "../../mm/mm.ts";
import { mmap, munmap } from "../../mm/mmap.ts";
import { mprotect } from "../../mm/mprotect.ts";
import { brk, mremap } from "../../mm/mremap.ts";
import { touch } from "../../mm/resident.ts";
import { LockClass } from "../../sync/lockdep.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { writeSeqlock, writeSequnlock } from "../../sync/seqlock.ts";
import type { Operation } from "./operations.ts";

type MemoryOperation = Extract<Operation, { kind: "mmap" | "munmap" | "mprotect" | "mremap" | "brk" }>;

export function applyMemory(k: Kernel, task: Ptr, operation: MemoryOperation): number {
  const mm = k.m.load(task + TASK.mm);
  // A kernel thread.
  if (mm === 0) return -EINVAL;
  switch (operation.kind) {
    case "mmap":
      return map(k, task, mm, operation);
    case "munmap":
      return munmap(k, mm, operation.address, operation.length);
    case "mprotect":
      return mprotect(k, mm, operation.address, operation.length, protection(operation.writable));
    case "mremap":
      return mremap(k, mm, operation.address, operation.oldLength, operation.newLength, MREMAP_MAYMOVE, 0);
    case "brk":
      return moveBreak(k, task, mm, operation.grow);
  }
}

function protection(writable: boolean): number {
  return writable ? PROT_READ | PROT_WRITE : PROT_READ;
}

function map(k: Kernel, task: Ptr, mm: Ptr, operation: Extract<Operation, { kind: "mmap" }>): number {
  const { length, path, touched, writable } = operation;
  const prot = protection(writable);
  const file = path === "" ? 0 : pathNew(k, { name: path, size: length });
  const flags = file === 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE;
  const address = mmap(k, mm, 0, length, prot, flags, file, 0);
  pathPut(k, file);
  if (address >= 0) faultIn(k, task, mm, address, touched);
  return address;
}

/** Moves the end of the heap, and uses what is new. @returns the size of the heap */
function moveBreak(k: Kernel, task: Ptr, mm: Ptr, grow: number): number {
  const { m } = k;
  const old = mmBrk(m, mm);
  const start = m.load64(mm + MM.startBrk);
  const wanted = Math.max(start, old + grow);
  const now = brk(k, mm, wanted);
  if (now < 0) return now;
  if (now !== wanted) return -ENOMEM;
  if (grow > 0) faultIn(k, task, mm, Math.floor(old / PAGE_SIZE) * PAGE_SIZE, Math.floor(grow / PAGE_SIZE));
  return now - start;
}

/** Touches pages, which costs the thread as many minor faults. */
function faultIn(k: Kernel, task: Ptr, mm: Ptr, address: number, pages: number): void {
  if (pages <= 0) return;
  const touched = touch(k, mm, address, pages);
  if (touched <= 0) return;
  const statsLock = k.m.load(task + TASK.signal) + SIGNAL.statsLock;
  writeSeqlock(k.t, statsLock, LockClass.stats);
  k.m.add(task + TASK.minFlt, touched);
  writeSequnlock(k.t, statsLock, LockClass.stats);
}
