/** Machine-wide counters. */
import type { Kernel } from "../../kernel/kernel.ts";
import type { Ptr } from "../../sync/atomics.ts";

/** A 64-bit counter that others raise meanwhile: reads again when the high half moved. */
export function readCounter64(k: Kernel, at: Ptr): number {
  for (;;) {
    const high = k.m.load(at + 1);
    const value = k.m.load64(at);
    if (k.m.load(at + 1) === high) return value;
  }
}
