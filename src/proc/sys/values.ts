/**
 * What sysctls are set to. A value that was written is kept as text, in the arena, under a number that follows from the
 * sysctl's place in the tables: each thread builds the same tables.
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MAX_SYSCTLS } from "../../kernel/layout.ts";
import { bytesPut, bytesText, latin1Bytes } from "../../shm/bytes.ts";
import { NULL } from "../../sync/atomics.ts";
import { FS_SYSCTLS } from "./fs-table.ts";
import { KERNEL_SYSCTLS } from "./kernel-table.ts";
import { MISC_SYSCTLS } from "./misc-table.ts";
import { NET_SYSCTLS } from "./net-table.ts";
import type { SysctlSpec } from "./spec.ts";
import { VM_SYSCTLS } from "./vm-table.ts";

/** All sysctls but those of interfaces and of synthproc itself. */
export const SYSCTLS: readonly SysctlSpec[] = [
  ...KERNEL_SYSCTLS,
  ...VM_SYSCTLS,
  ...FS_SYSCTLS,
  ...MISC_SYSCTLS,
  ...NET_SYSCTLS,
];

const SLOTS: ReadonlyMap<string, number> = new Map(SYSCTLS.map(([path], slot) => [path, slot]));

/** The slot of a path below /proc/sys. @throws RangeError if the tables don't have it */
function sysctlSlot(path: string): number {
  const slot = SLOTS.get(path);
  if (slot === undefined) throw new RangeError(`no sysctl ${path}`);
  return slot;
}

/** The text that was written, without a newline, or null if nothing was. */
export function writtenValue(k: Kernel, slot: number): string | null {
  const bytes = k.m.load(HOST.sysctlValues + slot);
  return bytes === NULL ? null : bytesText(k.m, bytes);
}

/** Sets a value. Two writers at once: one of them wins. */
export function writeValue(k: Kernel, slot: number, text: string): void {
  if (slot >= MAX_SYSCTLS) throw new RangeError(`sysctl slot ${slot}`);
  const fresh = k.bytes(latin1Bytes(text));
  bytesPut(k.m, k.slab, k.m.exchange(HOST.sysctlValues + slot, fresh));
}

/** A sysctl as a number, as the kernel model reads it: what was written, or else `initial`. */
export function sysctlNumber(k: Kernel, path: string, initial: number): number {
  const text = writtenValue(k, sysctlSlot(path));
  return text === null ? initial : Number(text);
}
