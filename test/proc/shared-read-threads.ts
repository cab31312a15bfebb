/** Threads of the test of one open file that several of them read. */
import { tablesOf } from "../../src/proc/tables.ts";
import { joinKernel } from "../support/kernel.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";

/** Reads one open file from several threads; each read's bytes must be those of its offset. */
export interface SharedReadArgument {
  readonly arena: SharedArrayBuffer;
  readonly node: readonly [number, number];
  readonly handle: number;
  readonly whole: string;
  readonly seed: number;
  readonly rounds: number;
}

export function readShared({ arena, node, handle, whole, seed, rounds }: SharedReadArgument): string[] {
  const k = joinKernel(arena);
  const { fs, client } = fileSystem(k, tablesOf(TEST_HOST));
  const wrong: string[] = [];
  let offset = seed * 131;
  for (let i = 0; i < rounds; i++) {
    k.quiescent();
    const dest = Buffer.alloc(1 + ((i * 37 + seed) % 900));
    const count = fs.read(node[0], node[1], handle, offset, dest, client.caller);
    const expected = whole.slice(offset, offset + dest.length);
    const got = dest.toString("latin1", 0, Math.max(count, 0));
    // A read ends at a page's last record at the latest.
    if (count < 0 || !expected.startsWith(got) || (got === "" && expected !== "")) wrong.push(`${offset}: ${count}`);
    offset = i % 3 === 0 ? (i * 613 + seed) % whole.length : (offset + got.length) % whole.length;
  }
  k.idle();
  return wrong;
}
