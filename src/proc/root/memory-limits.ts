/** What follows from the size of memory alone. Numbers are pages. */
import { PAGE_SIZE } from "../../kernel/layout.ts";

const KIB_PER_PAGE = PAGE_SIZE / 1024;
const GIB_PAGES = 2 ** 30 / PAGE_SIZE;
const PAGEBLOCK = 512;

/** Zones that have memory: DMA, DMA32 and, beyond 4 GiB, Normal. */
export function populatedZones(total: number): number {
  return total > 3 * GIB_PAGES ? 3 : 2;
}

/** vm.min_free_kbytes, in pages: the square-root rule, raised for huge pages (set_recommended_min_free_kbytes). */
export function minFreePages(total: number): number {
  const kib = total * KIB_PER_PAGE;
  const rule = Math.min(Math.max(Math.floor(Math.sqrt(kib * 16)), 128), 262144);
  const recommended = populatedZones(total) * PAGEBLOCK * (2 + 9);
  return Math.max(Math.floor(rule / KIB_PER_PAGE), Math.min(recommended, Math.floor(total / 20)));
}
