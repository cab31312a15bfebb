/** Resource limits: shared between processes until one changes its own, then replaced. */
import { HEADER_WORDS } from "../shm/struct.ts";
import type { Ptr } from "../sync/atomics.ts";
import { refcountDecAndTest, refcountInc } from "../sync/refcount.ts";
import { Cache } from "./caches.ts";
import { EINVAL } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { RLIMITS, RLIM_INFINITY, RLIM_NLIMITS, SIGNAL } from "./layout.ts";

/** RLIMIT_* (asm-generic/resource.h). */
export const RLIMIT_NOFILE = 7;
export const RLIMIT_SIGPENDING = 11;

const MIB = 1024 * 1024;

/** Soft and hard defaults of init, by resource. */
function defaults(threadsMax: number): readonly (readonly [number, number])[] {
  const U = RLIM_INFINITY;
  const processes = Math.floor(threadsMax / 2);
  return [
    [U, U],
    [U, U],
    [U, U],
    [8 * MIB, U],
    [0, U],
    [U, U],
    [processes, processes],
    [1024, 524288],
    [8 * MIB, 8 * MIB],
    [U, U],
    [U, U],
    [processes, processes],
    [819200, 819200],
    [0, 0],
    [0, 0],
    [U, U],
  ];
}

/** New limits with the defaults; one reference. */
export function rlimitsNew(k: Kernel): Ptr {
  const limits = k.slab.alloc(Cache.rlimits);
  k.m.plainStore(limits + RLIMITS.usage, 1);
  const values = defaults(k.config.threadsMax);
  for (let i = 0; i < RLIM_NLIMITS; i++) {
    const [soft, hard] = values[i] as readonly [number, number];
    k.m.plainStore64(limits + RLIMITS.limits + 4 * i, soft);
    k.m.plainStore64(limits + RLIMITS.limits + 4 * i + 2, hard);
  }
  return limits;
}

/** Takes a reference. @returns its argument. */
export function rlimitsGet(k: Kernel, limits: Ptr): Ptr {
  refcountInc(k.m, limits + RLIMITS.usage);
  return limits;
}

export function rlimitsPut(k: Kernel, limits: Ptr): void {
  if (refcountDecAndTest(k.m, limits + RLIMITS.usage)) k.slab.freeRcu(limits);
}

/** A soft (`hard` false) or hard limit of a process. @pre RCU */
export function rlimit(k: Kernel, signal: Ptr, resource: number, hard: boolean): number {
  return k.m.load64(k.m.load(signal + SIGNAL.rlimits) + RLIMITS.limits + 4 * resource + (hard ? 2 : 0));
}

/** Sets a limit of a process (do_prlimit without the permission checks). @returns 0 or -EINVAL */
export function setRlimit(k: Kernel, signal: Ptr, resource: number, soft: number, hard: number): number {
  const { m } = k;
  if (resource < 0 || resource >= RLIM_NLIMITS || soft > hard) return -EINVAL;
  const old = m.load(signal + SIGNAL.rlimits);
  const limits = k.slab.alloc(Cache.rlimits);
  for (let i = HEADER_WORDS; i < RLIMITS.words; i++) m.plainStore(limits + i, m.load(old + i));
  m.plainStore(limits + RLIMITS.usage, 1);
  m.plainStore64(limits + RLIMITS.limits + 4 * resource, soft);
  m.plainStore64(limits + RLIMITS.limits + 4 * resource + 2, hard);
  m.store(signal + SIGNAL.rlimits, limits);
  rlimitsPut(k, old);
  return 0;
}
