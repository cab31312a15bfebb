/** Transforms one small source, which stands nowhere on disk, together with class Memory. */
import { join } from "node:path";
import { ProgramBuilder } from "../../../src/check/interleave/build.ts";
import type { Program } from "../../../src/check/interleave/build.ts";
import { TransformError } from "../../../src/check/interleave/problem.ts";

export const ROOT = join(import.meta.dirname, "../../..");
export const PROBE = "src/probe.ts";
const HEAD = 'import { Memory } from "./sync/atomics.ts"; ';

const builder = new ProgramBuilder(ROOT);

/** The program of a source, whose first line has the import of Memory before it. @throws TransformError */
export function transformProbe(source: string): Program {
  return builder.transform([PROBE], new Map([[PROBE, HEAD + source]]));
}

/** What is wrong with a source: `line: message`, in the order of the lines. */
export function rejections(source: string): string[] {
  try {
    transformProbe(source);
    return [];
  } catch (error) {
    if (!(error instanceof TransformError)) throw error;
    return error.problems.map(({ line, message }) => `${line}: ${message}`);
  }
}
