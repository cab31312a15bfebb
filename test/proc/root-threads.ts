/** Thread bodies of root.test.ts. */
import type { CpuStateId } from "../../src/kernel/cpu-time.ts";
import { accountCpu } from "../../src/kernel/cpu-time.ts";
import { joinKernel } from "../support/kernel.ts";

export interface AccountJob {
  buffer: SharedArrayBuffer;
  state: CpuStateId;
  rounds: number;
  ns: number;
}

/** Accounts the same slice again and again on CPU 0. */
export function account({ buffer, state, rounds, ns }: AccountJob): number {
  const k = joinKernel(buffer);
  for (let i = 0; i < rounds; i++) accountCpu(k, 0, state, ns);
  k.idle();
  return rounds * ns;
}
