/** Programs for the explorer, made of the sources as they are, or with deliberate mistakes. */
import { rmSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ProgramBuilder } from "../../src/check/interleave/build.ts";
import { applyEdits } from "../stress/harness.ts";
import type { Edit } from "../stress/harness.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A folder with a transformed program. */
export interface TestProgram {
  readonly dir: string;
  remove(): void;
}

/** Builds one program after another, each in a folder of its own; what they have in common is analysed once. */
export class Programs {
  private readonly builder = new ProgramBuilder(ROOT);

  /** @throws Error if a text to be replaced isn't found exactly once */
  build(edits: readonly Edit[] = []): TestProgram {
    const texts = [...applyEdits(edits)].map(([path, text]): [string, string] => [relative(ROOT, path), text]);
    const dir = this.builder.build({ edits: new Map(texts) });
    return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
  }
}
