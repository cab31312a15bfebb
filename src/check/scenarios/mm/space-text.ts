/**
 * An address space as a line of text, for scenarios in which one thread does one call after another and each time looks at
 * all that there is: "0-4 rw-p ac #1 a4; 8-9 r--p" is pages 0 to 4, accounted, faulted in, four anonymous pages resident,
 * and page 8, of which nothing is.
 */
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import {
  VM2_SHMEM,
  VM_ACCESS_FLAGS,
  VM_MAYALL,
  VM_MAYSHARE,
  VM_SHARED,
  permsText,
  vmFlagsText,
} from "../../../mm/flags.ts";
import { allVmas, mmAlloc, mmput } from "../../../mm/mm.ts";
import { bytesText } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import type { PageCounts } from "../../oracles/maps.ts";
import { at } from "./maps-space.ts";
import type { Ledger } from "./mm-kit.ts";
import { judgeLedger, judgeRegions, regionsOf, takeLedger } from "./mm-kit.ts";

/** Where the kernel looks for free addresses from, downwards; in pages. */
export const TOP = 2048;

/** An address space of the scenario's own, and what is taken besides it. */
export interface OwnSpace {
  readonly mm: Ptr;
  readonly before: Ledger;
}

/** Makes an empty one. */
export function ownSpace(k: Kernel): OwnSpace {
  const before = takeLedger(k);
  const mm = mmAlloc(k);
  k.m.store64(mm + MM.mmapBase, at(TOP));
  return { mm, before };
}

/** It goes, and all that belonged to it is given back. */
export function judgeGone(k: Kernel, { mm, before }: OwnSpace): string | null {
  mmput(k, mm);
  return judgeLedger(k, before);
}

/**
 * Compares what a call answers, and what there is then, with what it should be. The totals must fit in any case.
 * @param text see {@link spaceText}
 */
export function expectSpace(k: Kernel, mm: Ptr, answer: number, wanted: number, text: string): void {
  const found = spaceText(k, mm);
  if (answer !== wanted) throw new Error(`it answers ${answer}, not ${wanted}, and there is ${found}`);
  if (found !== text) throw new Error(`there is ${found}, not ${text}`);
  const wrong = judgeRegions(k, mm, regionsOf(k, mm), null);
  if (wrong !== null) throw new Error(wrong);
}

/** What is mapped, by pages: place, permissions, further flags, contents, resident pages. @pre nobody changes it */
export function spaceText(k: Kernel, mm: Ptr): string {
  const vmas = allVmas(k, mm);
  const texts: string[] = [];
  for (let i = 0; i < vmas.length; i++) texts.push(vmaText(k, vmas[i] as Ptr));
  return texts.join("; ");
}

function vmaText(k: Kernel, vma: Ptr): string {
  const { m } = k;
  const start = m.load64(vma + VMA.vmStart);
  const flags = m.load(vma + VMA.vmFlags);
  const plain = VM_ACCESS_FLAGS | VM_MAYALL | VM_SHARED | VM_MAYSHARE;
  let text = `${page(start)}-${page(m.load64(vma + VMA.vmEnd))} ${permsText(flags)} ${vmFlagsText(flags & ~plain, 0)}`;
  text += contentsText(k, vma, start);
  const anonVma = m.load(vma + VMA.anonVma);
  if (anonVma !== 0) text += `#${anonVma} `;
  text += countText("a", m.load(vma + VMA.nrAnon)) + countText("f", m.load(vma + VMA.nrFile));
  text += countText("s", m.load(vma + VMA.nrSwap)) + countText("d", m.load(vma + VMA.nrDirty));
  const name = bytesText(m, m.load(vma + VMA.anonName));
  return name === "" ? text.trimEnd() : `${text}'${name}'`;
}

/** A file's pages, shared memory, or what was mapped elsewhere once; nothing for anonymous memory at its place. */
function contentsText(k: Kernel, vma: Ptr, start: number): string {
  const { m } = k;
  const offset = m.load64(vma + VMA.vmPgoff);
  if (m.load(vma + VMA.vmFile) === NULL) return offset === start ? "" : `@${page(offset)} `;
  const kind = (m.load(vma + VMA.vmFlags2) & VM2_SHMEM) !== 0 ? "shm" : "file";
  return `${kind}+${offset / PAGE_SIZE} `;
}

function countText(kind: string, pages: number): string {
  return pages === 0 ? "" : `${kind}${pages} `;
}

/** The number of a page, as {@link at} counts. */
function page(address: number): number {
  return (address - at(0)) / PAGE_SIZE;
}

/** So many anonymous pages, resident. */
export function resident(pages: number): PageCounts {
  return { anon: pages, file: 0, swap: 0 };
}

/** From now on there is no room in the arena for anything that needs more than what is at hand. @returns its end */
export function fillArena(k: Kernel): number {
  const limit = k.m.load(HOST.limit);
  k.m.store(HOST.limit, k.m.load(HOST.breakAt));
  return limit;
}
