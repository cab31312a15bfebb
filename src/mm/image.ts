/**
 * What exec puts into a fresh address space: the program, its libraries as the dynamic linker would have mapped them, the
 * special mappings, heap and stack, at random places as on x86-64 (fs/binfmt_elf.c, arch/x86/mm/mmap.c).
 */
import type { ImageFile, Program } from "../kernel/config.ts";
import type { Kernel } from "../kernel/kernel.ts";
import { MM, PAGE_SIZE, VMA } from "../kernel/layout.ts";
import { configPath, pathGet } from "../kernel/path.ts";
import type { Random } from "../kernel/random.ts";
import type { Ptr } from "../sync/atomics.ts";
import { NULL } from "../sync/atomics.ts";
import { AT_RANDOM_BYTES, AUXV_BYTES } from "./auxv.ts";
import {
  SPECIAL_VDSO,
  SPECIAL_VVAR,
  SPECIAL_VVAR_VCLOCK,
  TASK_SIZE,
  VM2_SPECIAL_SHIFT,
  VM_ACCOUNT,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_IO,
  VM_MAYALL,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYWRITE,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
  flagsOfPerms,
} from "./flags.ts";
import { vmaMarkAttached } from "./lock.ts";
import { pageAlign } from "./mmap.ts";
import { treeBuild } from "./vma-tree.ts";
import { Tally, VmaSpec, raiseCachedPages, tallyApply, tallyVma, vmaNew } from "./vma.ts";

/** Who the program runs as at the time of exec, for the auxiliary vector. */
export interface ExecIdentity {
  readonly uid: number;
  readonly euid: number;
  readonly gid: number;
  readonly egid: number;
}

const ROOT: ExecIdentity = { uid: 0, euid: 0, gid: 0, egid: 0 };

/** Where position-independent programs are loaded at least (ELF_ET_DYN_BASE), and where others are linked to. */
const DYN_BASE = 0x555555554000;
const FIXED_BASE = 0x400000;
/** Pages of randomness: of program and mmap_base (28 bits), of the stack's top (22 bits), of the heap (1 GiB). */
const MMAP_RANDOM = 1 << 28;
const STACK_RANDOM = 0x3fffff;
const BRK_RANDOM = 1 << 18;
/** Below the top of the stack kept free for it: RLIMIT_STACK, guard gap, and its randomness. */
const STACK_GAP = 8 * 1024 * 1024 + 0x100000 + STACK_RANDOM * PAGE_SIZE;
/** Room that exec adds below what it has written. */
const STACK_EXPAND = 128 * 1024;
/** How far exec moves the stack pointer at random, in bytes. */
const STACK_JITTER = 8192;
const PLATFORM_BYTES = 7;
const ELF_HEADER_BYTES = 64;

const VVAR_PAGES = 4;
const VVAR_VCLOCK_PAGES = 2;
const VDSO_PAGES = 2;
const SPECIAL_BYTES = (VVAR_PAGES + VVAR_VCLOCK_PAGES + VDSO_PAGES) * PAGE_SIZE;

const ANON_FLAGS = VM_READ | VM_WRITE | VM_MAYALL | VM_ACCOUNT;
/** An anonymous mapping from this size on is a thread's stack, which has a guard page below. */
const THREAD_STACK_BYTES = 1024 * 1024;

/** Shares of a mapping that are resident after start, in parts of 256. */
const RESIDENT_TEXT = 150;
const RESIDENT_DATA = 200;
const RESIDENT_ANON = 64;

/** A VMA that is planned. */
interface Plan {
  start: number;
  readonly bytes: number;
  readonly spec: VmaSpec;
  anon: number;
  file: number;
}

/** What is being put together for one address space. */
interface Layout {
  readonly k: Kernel;
  readonly random: Random;
  /** Descending from mmap_base. */
  readonly high: Plan[];
  /** The end of the lowest planned mapping below mmap_base. */
  cursor: number;
}

/**
 * Loads a program into an empty address space that nobody else can see yet (load_elf_binary).
 * @param argv arguments, each ended by a NUL
 * @param envp environment, each entry ended by a NUL
 * @returns 0
 */
export function loadImage(
  k: Kernel,
  mm: Ptr,
  program: Program,
  argv: Uint8Array,
  envp: Uint8Array,
  random: Random,
  identity: ExecIdentity = ROOT,
): number {
  const { m } = k;
  const mmapBase = TASK_SIZE - pageAlign(STACK_GAP) - random.below(MMAP_RANDOM) * PAGE_SIZE;
  m.store64(mm + MM.mmapBase, mmapBase);
  m.store(mm + MM.exeFile, pathGet(k, configPath(k, program.file)));
  const low = planProgram(k, mm, program, random);
  const layout: Layout = { k, random, high: [], cursor: mmapBase };
  planLibraries(layout, mm, program);
  const stack = planStack(k, mm, program, argv, envp, random);
  const plans = low;
  for (let i = layout.high.length - 1; i >= 0; i--) plans.push(layout.high[i] as Plan);
  plans.push(stack);
  build(k, mm, plans);
  m.store(mm + MM.argv, k.bytes(argv));
  m.store(mm + MM.envp, k.bytes(envp));
  m.store(mm + MM.execUid, identity.uid);
  m.store(mm + MM.execEuid, identity.euid);
  m.store(mm + MM.execGid, identity.gid);
  m.store(mm + MM.execEgid, identity.egid);
  return 0;
}

function newPlan(start: number, bytes: number, flags: number, file: Ptr, offset: number): Plan {
  const spec = new VmaSpec();
  spec.start = start;
  spec.flags = flags;
  spec.file = file;
  spec.pgoff = file === NULL ? start : offset;
  return { start, bytes, spec, anon: 0, file: 0 };
}

function anonymousPlan(start: number, bytes: number, flags: number, parts: number): Plan {
  const plan = newPlan(start, bytes, flags, NULL, 0);
  plan.anon = share(bytes, parts);
  return plan;
}

/** Pages of a mapping that are resident: at least one. */
function share(bytes: number, parts: number): number {
  return Math.max(1, Math.floor(((bytes / PAGE_SIZE) * parts) / 256));
}

/** The segments of a file one after another from `start` on, ascending. @returns where they end */
function planSegments(k: Kernel, index: number, file: ImageFile, start: number, out: Plan[]): number {
  const path = configPath(k, index);
  let at = start;
  let cached = 0;
  for (let i = 0; i < file.segments.length; i++) {
    const segment = file.segments[i] as ImageFile["segments"][number];
    const plan = newPlan(at, segment.size, flagsOfPerms(segment.perms, true), path, segment.offset);
    const written = segment.perms[1] === "w" || isRelro(file, i);
    if (written) {
      plan.spec.flags |= VM_ACCOUNT;
      plan.anon = segment.size / PAGE_SIZE;
    } else {
      plan.file = share(segment.size, segment.perms[2] === "x" ? RESIDENT_TEXT : RESIDENT_DATA);
      cached = Math.max(cached, segment.offset / PAGE_SIZE + plan.file);
    }
    out.push(plan);
    at += segment.size;
  }
  raiseCachedPages(k, path, cached);
  return at;
}

/** A read-only segment between a read-only and a writable one was written to by the linker, then protected. */
function isRelro(file: ImageFile, index: number): boolean {
  const perms = file.segments[index]?.perms;
  const before = file.segments[index - 1]?.perms;
  const after = file.segments[index + 1]?.perms;
  return perms === "r--p" && before === "r--p" && after === "rw-p";
}

/** Program, bss and heap, ascending. */
function planProgram(k: Kernel, mm: Ptr, program: Program, random: Random): Plan[] {
  const { m } = k;
  const file = program.image ?? (k.config.files[program.file] as ImageFile);
  const dynamic = program.libraries.length > 0;
  const base = dynamic ? DYN_BASE + random.below(MMAP_RANDOM) * PAGE_SIZE : FIXED_BASE;
  const plans: Plan[] = [];
  let end = planSegments(k, program.file, file, base, plans);
  setCodeRange(k, mm, file, plans);
  m.store64(mm + MM.phdr, base + ELF_HEADER_BYTES);
  const bss = pageAlign(program.bss);
  if (bss > 0) plans.push(anonymousPlan(end, bss, ANON_FLAGS, RESIDENT_ANON));
  end += bss;
  const brk = end + random.below(BRK_RANDOM) * PAGE_SIZE;
  const heap = pageAlign(program.heap);
  if (heap > 0) plans.push(anonymousPlan(brk, heap, ANON_FLAGS, RESIDENT_ANON));
  m.store64(mm + MM.startBrk, brk);
  m.store64(mm + MM.brk, brk + heap);
  return plans;
}

/** Code and data of the program as its headers would say: from the first byte to the last, which is within a page. */
function setCodeRange(k: Kernel, mm: Ptr, file: ImageFile, plans: readonly Plan[]): void {
  const { m } = k;
  let code = plans[0];
  for (let i = plans.length - 1; i >= 0; i--) if ((plans[i] as Plan).spec.flags & VM_EXEC) code = plans[i];
  const data = plans[plans.length - 1];
  if (code === undefined || data === undefined) return;
  const within = 1 + ((Math.imul(file.ino, 0x9e3779b1) >>> 20) % (PAGE_SIZE - 16));
  m.store64(mm + MM.startCode, code.start);
  m.store64(mm + MM.endCode, code.start + code.bytes - within);
  m.store64(mm + MM.startData, data.start + (within & ~15));
  m.store64(mm + MM.endData, data.start + data.bytes - 8);
  m.store64(mm + MM.entry, code.start + (within & ~15));
}

/** The dynamic linker, the special mappings, libraries and anonymous memory, from mmap_base downwards. */
function planLibraries(layout: Layout, mm: Ptr, program: Program): void {
  const { k } = layout;
  const libraries = program.libraries;
  const linker = libraries[libraries.length - 1];
  if (linker !== undefined) k.m.store64(mm + MM.interpBase, placeFile(layout, linker));
  k.m.store64(mm + MM.vdso, placeSpecial(layout));
  let next = 0;
  for (let i = 0; i < libraries.length - 1; i++) {
    if (next < program.anonymous.length) placeAnonymous(layout, program.anonymous[next++] as number);
    placeFile(layout, libraries[i] as number);
  }
  while (next < program.anonymous.length) placeAnonymous(layout, program.anonymous[next++] as number);
}

function placeFile(layout: Layout, index: number): number {
  const { k } = layout;
  const file = k.config.files[index] as ImageFile;
  let bytes = 0;
  for (const segment of file.segments) bytes += segment.size;
  const start = layout.cursor - bytes;
  const plans: Plan[] = [];
  planSegments(k, index, file, start, plans);
  for (let i = plans.length - 1; i >= 0; i--) layout.high.push(plans[i] as Plan);
  layout.cursor = start;
  return start;
}

/** [vvar], [vvar_vclock] and [vdso], ascending; @returns the address of the last. */
function placeSpecial(layout: Layout): number {
  const start = layout.cursor - SPECIAL_BYTES;
  const vclock = start + VVAR_PAGES * PAGE_SIZE;
  const vdso = vclock + VVAR_VCLOCK_PAGES * PAGE_SIZE;
  const vvarFlags = VM_READ | VM_MAYREAD | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
  const vdsoFlags = VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_DONTEXPAND;
  const code = specialPlan(vdso, VDSO_PAGES, vdsoFlags, SPECIAL_VDSO);
  code.file = 1;
  layout.high.push(
    code,
    specialPlan(vclock, VVAR_VCLOCK_PAGES, vvarFlags, SPECIAL_VVAR_VCLOCK),
    specialPlan(start, VVAR_PAGES, vvarFlags, SPECIAL_VVAR),
  );
  layout.cursor = start;
  return vdso;
}

function specialPlan(start: number, pages: number, flags: number, special: number): Plan {
  const plan = newPlan(start, pages * PAGE_SIZE, flags, NULL, 0);
  plan.spec.flags2 = special << VM2_SPECIAL_SHIFT;
  return plan;
}

function placeAnonymous(layout: Layout, size: number): void {
  const bytes = pageAlign(size);
  if (bytes === 0) return;
  const start = layout.cursor - bytes;
  const above = layout.high[layout.high.length - 1];
  layout.cursor = start;
  if (above !== undefined && bytes < THREAD_STACK_BYTES && isPlainAnonymous(above)) {
    layout.high[layout.high.length - 1] = anonymousPlan(start, above.bytes + bytes, ANON_FLAGS, RESIDENT_ANON);
    return;
  }
  layout.high.push(anonymousPlan(start, bytes, ANON_FLAGS, bytes < THREAD_STACK_BYTES ? RESIDENT_ANON : 1));
  if (bytes < THREAD_STACK_BYTES) return;
  layout.cursor -= PAGE_SIZE;
  layout.high.push(newPlan(layout.cursor, PAGE_SIZE, VM_MAYALL, NULL, 0));
}

function isPlainAnonymous(plan: Plan): boolean {
  return plan.spec.file === NULL && plan.spec.flags === ANON_FLAGS && plan.spec.flags2 === 0;
}

/** The stack, with the strings at its top, and the pointers to them below (create_elf_tables). */
function planStack(k: Kernel, mm: Ptr, program: Program, argv: Uint8Array, envp: Uint8Array, random: Random): Plan {
  const { m } = k;
  const top = TASK_SIZE - random.below(STACK_RANDOM + 1) * PAGE_SIZE;
  const envEnd = top - 8 - (program.path.length + 1);
  const envStart = envEnd - envp.length;
  const argStart = envStart - argv.length;
  const aligned = floor16(argStart - random.below(STACK_JITTER));
  const platform = aligned - PLATFORM_BYTES;
  const pointers = 8 * (countStrings(argv) + 1 + countStrings(envp) + 1 + 1);
  const startStack = floor16(floor16(platform - AT_RANDOM_BYTES) - AUXV_BYTES - pointers);
  m.store64(mm + MM.argStart, argStart);
  m.store64(mm + MM.argEnd, envStart);
  m.store64(mm + MM.envStart, envStart);
  m.store64(mm + MM.envEnd, envEnd);
  m.store64(mm + MM.platform, platform);
  m.store64(mm + MM.startStack, startStack);
  const used = top - Math.floor(startStack / PAGE_SIZE) * PAGE_SIZE;
  const written = top - Math.floor(argStart / PAGE_SIZE) * PAGE_SIZE;
  const bytes = Math.max(pageAlign(used), pageAlign(written) + STACK_EXPAND);
  const plan = anonymousPlan(top - bytes, bytes, ANON_FLAGS | VM_GROWSDOWN, 0);
  plan.anon = Math.min(used / PAGE_SIZE + 1, bytes / PAGE_SIZE);
  return plan;
}

/** The multiple of 16 at or below. */
function floor16(address: number): number {
  return Math.floor(address / 16) * 16;
}

function countStrings(text: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) if (text[i] === 0) count++;
  return count;
}

/** Makes the VMAs and the tree. @pre plans ascend and don't overlap */
function build(k: Kernel, mm: Ptr, plans: readonly Plan[]): void {
  const { m } = k;
  const tally = new Tally();
  const entries: number[] = [];
  let anonVma = 0;
  for (let i = 0; i < plans.length; i++) {
    const plan = plans[i] as Plan;
    if (plan.anon > 0) plan.spec.anonVma = ++anonVma;
    const vma = vmaNew(k, mm, plan.start, plan.start + plan.bytes, plan.spec);
    m.store(vma + VMA.nrAnon, plan.anon);
    m.store(vma + VMA.nrFile, plan.file);
    vmaMarkAttached(k, vma);
    tallyVma(m, tally, vma, 1);
    entries.push(plan.start, plan.start + plan.bytes, vma);
  }
  treeBuild(k, mm, entries);
  m.store(mm + MM.lastAnonVma, anonVma);
  m.store(mm + MM.mapCount, plans.length);
  tallyApply(k, mm, tally);
}
