/** Address spaces of the processes of a group: loaded, then brought to the sizes that the scenario asks for. */
import type { KernelConfig, Program } from "../../kernel/config.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { MM, PAGE_SIZE, TASK, VMA } from "../../kernel/layout.ts";
import { configPath } from "../../kernel/path.ts";
import type { Random } from "../../kernel/random.ts";
import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  VM_GROWSDOWN,
  VM_SHARED,
  VM_WRITE,
} from "../../mm/flags.ts";
import type { CapturedPaths } from "../../mm/captured.ts";
import { releasePaths } from "../../mm/captured.ts";
import { loadImage } from "../../mm/image.ts";
import { allVmas, dupMm, mmAlloc, mmput } from "../../mm/mm.ts";
import { mmap } from "../../mm/mmap.ts";
import { mlock, mprotect } from "../../mm/mprotect.ts";
import { setResident, swapOut, touch, touchFile } from "../../mm/resident.ts";
import { vmaPages, vmaStart } from "../../mm/vma.ts";
import { bytesPut } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Group, Scenario } from "../scenario-types.ts";
import { processCounts, threadsOf } from "./census.ts";
import { loadExact } from "./exact-memory.ts";
import { roundUp } from "./images.ts";
import { furtherLibraries } from "./libraries.ts";
import { fillTemplate, isTemplate, joinStrings } from "../templates.ts";

/** Scenarios with more processes than this have one address space a group, copied as by fork. */
const LOADED_ONE_BY_ONE = 20_000;
const THREAD_STACK = 8 * 1024 * 1024;
const MOST_STACKS = 15_000;
/** What a copy reads in again: mappings with less than this are left to page faults that never come. */
const FEWEST_PAGES = 8;

/** Resident pages to be made again in a copy: fork doesn't copy pages of files. */
interface Touched {
  readonly address: number;
  readonly pages: number;
}

interface Template {
  readonly mm: Ptr;
  readonly touched: readonly Touched[];
  /** Each process has arguments of its own. */
  readonly ownArguments: boolean;
}

/** Makes address spaces. End it with {@link ImageMaker.release}. */
export class ImageMaker {
  private readonly k: Kernel;
  private readonly programs = new Map<number, Program>();
  private readonly templates = new Map<number, Template>();
  private readonly indexes = new Map<string, number>();
  private readonly captured: CapturedPaths = new Map();
  private readonly copies: boolean;

  constructor(k: Kernel, scenario: Scenario) {
    this.k = k;
    this.copies = processCounts(scenario).reduce((sum, count) => sum + count, 0) > LOADED_ONE_BY_ONE;
    for (let i = 0; i < k.config.files.length; i++) this.indexes.set(k.config.files[i]!.path, i);
    for (const group of scenario.groups) {
      if (!group.kernel && group.exact === null)
        this.programs.set(group.index, programOf(k.config, group, this.indexes));
    }
  }

  /** Gives a process its address space, and drops the one that it has. */
  install(task: Ptr, group: Group, member: number, pid: number, random: Random): void {
    const { k } = this;
    const mm = group.exact === null ? this.make(group, member, pid, random) : loadExact(k, group, this.captured);
    const old = k.m.exchange(task + TASK.mm, mm);
    if (mm !== 0) k.m.store(mm + MM.dumpable, group.dumpable);
    if (old !== 0) mmput(k, old);
  }

  /** Page faults that a process of the group has had at least. */
  faults(group: Group): number {
    return Math.floor(group.memory.rss / PAGE_SIZE);
  }

  release(): void {
    for (const { mm } of this.templates.values()) mmput(this.k, mm);
    this.templates.clear();
    releasePaths(this.k, this.captured);
  }

  private make(group: Group, member: number, pid: number, random: Random): Ptr {
    if (!this.copies) return this.load(group, member, pid, random).mm;
    let template = this.templates.get(group.index);
    if (template === undefined) {
      template = this.load(group, member, pid, random);
      this.templates.set(group.index, template);
    }
    return this.copy(template, group, member, pid);
  }

  private load(group: Group, member: number, pid: number, random: Random): Template {
    const { k } = this;
    const mm = mmAlloc(k);
    const argv = joinStrings(group.args.map((text) => fillTemplate(text, member, pid)));
    const program = this.programs.get(group.index) as Program;
    const [uid, euid] = group.uids;
    const [gid, egid] = group.gids;
    loadImage(k, mm, program, argv, joinStrings(group.env), random, { uid, euid, gid, egid });
    return { mm, touched: this.shape(mm, group), ownArguments: isTemplate(group.args) };
  }

  private copy(template: Template, group: Group, member: number, pid: number): Ptr {
    const { k } = this;
    const mm = dupMm(k, template.mm);
    for (const { address, pages } of template.touched) touchFile(k, mm, address, pages);
    if (template.ownArguments) replaceArguments(k, mm, group.args, member, pid);
    return mm;
  }

  private shape(mm: Ptr, group: Group): Touched[] {
    const { k } = this;
    const { memory } = group;
    const own = allVmas(k, mm);
    const anonymous = ownAnonymous(k, own);
    this.resize(mm, anonymous, pagesOf(memory.rss) - pagesOf(memory.shmem));
    const files = resident(k, own);
    this.mapFiles(mm, group);
    if (memory.shmem > 0) files.push(this.mapShared(mm, memory.shmem));
    if (memory.locked > 0) this.mapLocked(mm, memory.locked);
    this.addMappings(mm, memory.vmas);
    if (memory.swapped > 0) this.swap(mm, anonymous, pagesOf(memory.swapped));
    return files;
  }

  private mapShared(mm: Ptr, size: number): Touched {
    const address = this.map(mm, roundUp(size), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0);
    touch(this.k, mm, address, pagesOf(size));
    return { address, pages: pagesOf(size) };
  }

  private mapFiles(mm: Ptr, group: Group): void {
    for (const file of group.memory.files) {
      const prot = protectionOf(file.perms);
      const path = configPath(this.k, this.indexes.get(file.path) as number);
      this.map(mm, roundUp(file.size), prot, file.shared ? MAP_SHARED : MAP_PRIVATE, path);
    }
  }

  private mapLocked(mm: Ptr, size: number): void {
    const address = this.map(mm, roundUp(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
    mlock(this.k, mm, address, roundUp(size), true);
  }

  /** Adds small mappings, every other one a guard, until there are as many VMAs as the scenario asks for. */
  private addMappings(mm: Ptr, wanted: number): void {
    const { k } = this;
    const missing = wanted - k.m.load(mm + MM.mapCount);
    if (missing <= 0) return;
    const pairs = Math.ceil(missing / 2);
    const start = this.map(mm, 2 * pairs * PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, 0);
    for (let i = 0; i < pairs; i++) {
      mprotect(k, mm, start + (2 * i + 1) * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE);
    }
  }

  private map(mm: Ptr, length: number, prot: number, flags: number, path: Ptr): number {
    const address = mmap(this.k, mm, 0, length, prot, flags, path, 0);
    if (address < 0) throw new RangeError(`${length} bytes can't be mapped (error ${-address})`);
    return address;
  }

  /** Grows from the smallest anonymous mapping to the largest, or shrinks, to the resident size that is wanted. */
  private resize(mm: Ptr, anonymous: readonly Ptr[], wanted: number): void {
    const { k } = this;
    const { m } = k;
    const missing = (): number => wanted - m.load(mm + MM.rssAnon) - m.load(mm + MM.rssFile) - m.load(mm + MM.rssShmem);
    for (const vma of anonymous) if (missing() > 0) touch(k, mm, vmaStart(m, vma), missing());
    if (missing() < 0) setResident(k, mm, { rss: wanted });
  }

  private swap(mm: Ptr, anonymous: readonly Ptr[], pages: number): void {
    let left = pages;
    for (const vma of anonymous) if (left > 0) left -= swapOut(this.k, mm, vmaStart(this.k.m, vma), left);
  }
}

/** A group's program: as the configuration has it, with the heap, the memory and the libraries of the group. */
function programOf(config: KernelConfig, group: Group, indexes: ReadonlyMap<string, number>): Program {
  const base = config.programs.find(({ path }) => path === group.exe) as Program;
  const { heap, anon, libs } = group.memory;
  const index = (path: string): number => indexes.get(path) as number;
  // The dynamic linker stays last.
  const linker = libs.slice(-1).map(index);
  const others = [...libs.slice(0, -1), ...furtherLibraries(group)].map(index);
  const anonymous = anon > 0 ? [...base.anonymous, roundUp(anon)] : [...base.anonymous];
  const stacks = Math.min(MOST_STACKS, threadsOf(group) - 1);
  for (let i = 0; i < stacks; i++) anonymous.push(THREAD_STACK);
  return { ...base, libraries: [...others, ...linker], heap: roundUp(heap), anonymous };
}

/** Writable private mappings, data segments among them, by size; stacks of threads come last. */
function ownAnonymous(k: Kernel, vmas: readonly Ptr[]): Ptr[] {
  const { m } = k;
  const found = vmas.filter((vma) => {
    const flags = m.load(vma + VMA.vmFlags);
    return (flags & VM_WRITE) !== 0 && (flags & (VM_SHARED | VM_GROWSDOWN)) === 0;
  });
  const rank = (vma: Ptr): number => {
    const pages = vmaPages(m, vma);
    return pages === THREAD_STACK / PAGE_SIZE ? Number.MAX_SAFE_INTEGER : pages;
  };
  return found.sort((a, b) => rank(a) - rank(b));
}

/** Pages of files that are resident, and that a copy would have to read in itself. */
function resident(k: Kernel, vmas: readonly Ptr[]): Touched[] {
  const { m } = k;
  const found: Touched[] = [];
  for (const vma of vmas) {
    const pages = m.load(vma + VMA.nrFile);
    if (pages >= FEWEST_PAGES && m.load(vma + VMA.anonVma) === 0) found.push({ address: vmaStart(m, vma), pages });
  }
  return found;
}

/** A copy gets arguments of its own; they end where those of the original do. */
function replaceArguments(k: Kernel, mm: Ptr, args: readonly string[], member: number, pid: number): void {
  const { m } = k;
  const text = joinStrings(args.map((one) => fillTemplate(one, member, pid)));
  const old = m.exchange(mm + MM.argv, k.bytes(text));
  m.store64(mm + MM.argStart, m.load64(mm + MM.argEnd) - text.length);
  bytesPut(m, k.slab, old);
}

function protectionOf(perms: string): number {
  return (perms[0] === "r" ? PROT_READ : 0) | (perms[1] === "w" ? PROT_WRITE : 0) | (perms[2] === "x" ? PROT_EXEC : 0);
}

function pagesOf(bytes: number): number {
  return Math.max(0, Math.floor(bytes / PAGE_SIZE));
}
