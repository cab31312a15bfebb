/** Commands on address spaces. */
import { EAGAIN, EFAULT, EINVAL } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { TASK, VMA } from "../../kernel/layout.ts";
import { pathPut } from "../../kernel/path.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  VM_ACCESS_FLAGS,
} from "../../mm/flags.ts";
import { mmapReadLockKillable, mmapReadUnlock } from "../../mm/lock.ts";
import { mmBrk } from "../../mm/mm.ts";
import { mmap, munmap } from "../../mm/mmap.ts";
import { madviseName, mlock, mprotect } from "../../mm/mprotect.ts";
import { brk, mremap } from "../../mm/mremap.ts";
import { touch } from "../../mm/resident.ts";
import { findVma } from "../../mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../mm/vma.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Command } from "./command.ts";
import { actAsBoth, actOnMemory, addressed, numbered, outcome } from "./command.ts";
import type { Words } from "./words.ts";
import { UsageError } from "./words.ts";
import type { World } from "./world.ts";
import { fileAt } from "./world.ts";

const MOST_PAGES = 2 ** 31;

export const MEMORY_COMMANDS: readonly Command[] = [
  {
    name: "mmap",
    usage: "PID LENGTH [--prot rwx] [--file PATH] [--offset BYTES] [--shared] [--addr ADDR]",
    doc: "maps memory or a file (--addr replaces what is there); prints the address",
    options: { prot: true, file: true, offset: true, shared: false, addr: true },
    run: map,
  },
  { name: "munmap", usage: "PID ADDR LENGTH", doc: "unmaps a range", run: unmap },
  {
    name: "mprotect",
    usage: "PID ADDR LENGTH PROT",
    doc: 'changes the protection; PROT is like "r-x" or "none"',
    run: protect,
  },
  {
    name: "mremap",
    usage: "PID ADDR OLD-LENGTH NEW-LENGTH [--to ADDR]",
    doc: "resizes or moves a mapping; prints its address",
    options: { to: true },
    run: remap,
  },
  {
    name: "split",
    usage: "PID ADDR",
    doc: "splits the mapping around ADDR there, by mprotect of its upper part",
    run: split,
  },
  {
    name: "reuse-vma",
    usage: "PID ADDR OTHER-PID",
    doc:
      "unmaps the mapping at ADDR and at once maps as much, shared and anonymous, for OTHER-PID, which gets the freed VMA: " +
      "readers of PID may still stand on it; prints the new address",
    run: reuseVma,
  },
  { name: "brk", usage: "PID [-]BYTES", doc: "grows or shrinks the heap; prints its end", run: moveBrk },
  {
    name: "madvise-name",
    usage: "PID ADDR LENGTH [NAME]",
    doc: "names anonymous memory, or takes its name away (PR_SET_VMA_ANON_NAME)",
    run: nameMemory,
  },
  {
    name: "touch",
    usage: "PID ADDR PAGES",
    doc: "makes pages of a mapping resident; prints how many",
    run: touchPages,
  },
  { name: "mlock", usage: "PID ADDR LENGTH", doc: "locks memory", run: (k, words) => lock(k, words, true) },
  { name: "munlock", usage: "PID ADDR LENGTH", doc: "unlocks memory", run: (k, words) => lock(k, words, false) },
];

/** PROT_* of "rw-", "rx" or "none". */
function protection(text: string): number {
  if (text !== "none" && !/^[r-]?[w-]?[x-]?$/.test(text))
    throw new UsageError(`a protection is like "rw-", not "${text}"`);
  const has = (letter: string): boolean => text !== "none" && text.includes(letter);
  return (has("r") ? PROT_READ : 0) | (has("w") ? PROT_WRITE : 0) | (has("x") ? PROT_EXEC : 0);
}

function map(k: Kernel, words: Words, world: World): ControlResult {
  const pid = words.pid();
  const length = words.size("LENGTH");
  const prot = protection(words.option("prot") ?? "rw-");
  const name = words.option("file");
  const offset = words.optionSize("offset") ?? 0;
  const address = words.optionAddress("addr");
  words.end();
  if (name !== undefined && !name.startsWith("/")) throw new UsageError(`--file is an absolute path, not "${name}"`);
  const flags =
    (words.flag("shared") ? MAP_SHARED : MAP_PRIVATE) |
    (name === undefined ? MAP_ANONYMOUS : 0) |
    (address === undefined ? 0 : MAP_FIXED);
  const file = name === undefined ? 0 : fileAt(k, world, name);
  if (file < 0) return outcome(file);
  const result = actOnMemory(k, pid, (mm) => addressed(mmap(k, mm, address ?? 0, length, prot, flags, file, offset)));
  pathPut(k, file);
  return result;
}

function unmap(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const length = words.size("LENGTH");
  words.end();
  return actOnMemory(k, pid, (mm) => outcome(munmap(k, mm, address, length)));
}

function protect(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const length = words.size("LENGTH");
  const prot = protection(words.text("PROT"));
  words.end();
  return actOnMemory(k, pid, (mm) => outcome(mprotect(k, mm, address, length, prot)));
}

function remap(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const oldLength = words.size("OLD-LENGTH");
  const newLength = words.size("NEW-LENGTH");
  const to = words.optionAddress("to");
  words.end();
  const flags = MREMAP_MAYMOVE | (to === undefined ? 0 : MREMAP_FIXED);
  return actOnMemory(k, pid, (mm) => addressed(mremap(k, mm, address, oldLength, newLength, flags, to ?? 0)));
}

function split(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  words.end();
  return actOnMemory(k, pid, (mm) => {
    const found = rangeAround(k, mm, address);
    if (typeof found === "number") return outcome(found);
    if (found.start === address) return { errno: EINVAL, text: "a mapping begins there already" };
    // The protection that differs least: without the right to write, or with it.
    return outcome(mprotect(k, mm, address, found.end - address, found.prot ^ PROT_WRITE));
  });
}

function reuseVma(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const other = words.pid("OTHER-PID");
  words.end();
  return actAsBoth(k, pid, other, (task, otherTask) => {
    const [mm, otherMm] = [k.m.load(task + TASK.mm), k.m.load(otherTask + TASK.mm)];
    if (mm === 0 || otherMm === 0) return { errno: EINVAL, text: "one of them has no address space" };
    if (mm === otherMm) return { errno: EINVAL, text: "they share one address space" };
    return handOver(k, mm, address, otherMm);
  });
}

/** Unmaps from one address space and maps in another: this thread's next VMA is the one that it has freed last. */
function handOver(k: Kernel, mm: Ptr, address: number, otherMm: Ptr): ControlResult {
  const found = rangeAround(k, mm, address);
  if (typeof found === "number") return outcome(found);
  const { start, end, prot, vma } = found;
  const unmapped = munmap(k, mm, start, end - start);
  if (unmapped < 0) return outcome(unmapped);
  // There is no way back: the other one's mmap_lock, which nobody holds for long, is waited for.
  const { maySleep } = k.t;
  k.t.maySleep = true;
  let mapped;
  let used;
  try {
    mapped = mmap(k, otherMm, start, end - start, prot, MAP_SHARED | MAP_ANONYMOUS, 0, 0);
    used = mapped < 0 ? 0 : rangeAround(k, otherMm, mapped);
  } finally {
    k.t.maySleep = maySleep;
  }
  if (mapped < 0) return outcome(mapped);
  const same = typeof used !== "number" && used.vma === vma;
  return same ? addressed(mapped) : { errno: EAGAIN, text: `${mapped.toString(16)} got another VMA; once more` };
}

interface Range {
  vma: Ptr;
  start: number;
  end: number;
  prot: number;
}

/** The mapping that holds an address; or -EFAULT, or what the wait for mmap_lock answers. */
function rangeAround(k: Kernel, mm: Ptr, address: number): Range | number {
  const error = mmapReadLockKillable(k, mm);
  if (error !== 0) return error;
  const vma = findVma(k, mm, address);
  const found = vma !== 0 && vmaStart(k.m, vma) <= address;
  const range = found
    ? { vma, start: vmaStart(k.m, vma), end: vmaEnd(k.m, vma), prot: k.m.load(vma + VMA.vmFlags) & VM_ACCESS_FLAGS }
    : -EFAULT;
  mmapReadUnlock(k, mm);
  return range;
}

function moveBrk(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const bytes = words.size("BYTES", true);
  words.end();
  return actOnMemory(k, pid, (mm) => {
    const wanted = mmBrk(k.m, mm) + bytes;
    const end = brk(k, mm, wanted);
    return end < 0 || end === wanted ? addressed(end) : { errno: EINVAL, text: "the heap can't end there" };
  });
}

function nameMemory(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const length = words.size("LENGTH");
  const name = words.more() ? latin1Bytes(words.text("NAME")) : null;
  words.end();
  return actOnMemory(k, pid, (mm) => outcome(madviseName(k, mm, address, length, name)));
}

function touchPages(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const pages = words.integer("PAGES", 1, MOST_PAGES);
  words.end();
  return actOnMemory(k, pid, (mm) => numbered(touch(k, mm, address, pages)));
}

function lock(k: Kernel, words: Words, on: boolean): ControlResult {
  const pid = words.pid();
  const address = words.address();
  const length = words.size("LENGTH");
  words.end();
  return actOnMemory(k, pid, (mm) => outcome(mlock(k, mm, address, length, on)));
}
