/** Call stacks of transformed code: its lines are those of the sources. */
import type { Site } from "./report.ts";

/** `at name (file:///.../src/sync/rwsem.js:12:34)`, with or without name, URL or path. */
const FRAME = /^\s*at (?:(.*?) \()?(?:file:\/\/)?([^()]*?):(\d+):(\d+)\)?$/;
/** The part of a script's path that it shares with its source. */
const SOURCE = /(?:^|\/)(src\/.*)\.[jt]s(?:\?.*)?$/;
/** Throws for what its callers do. */
const CHECKER = "src/sync/lockdep.ts";
/** Code of the explorer itself. */
const OWN = /^src\/check\/(?:explore|interleave)\//;

/**
 * The calls that led to an access, innermost first, without the access itself.
 * @param stack of an Error made during the access
 */
export function callers(stack: string, access: Site): Site[] {
  const frames = framesOf(stack);
  const own = frames.findIndex(({ file, line }) => file === access.file && line === access.line);
  return frames.slice(own + 1);
}

/** Where a stack has calls of transformed code, innermost first. */
export function framesOf(stack: string): Site[] {
  return stack
    .split("\n")
    .map(frameOf)
    .filter((site) => site !== null);
}

/** Where an error comes from: who called the checker that threw it; undefined if that is not in the sources. */
export function originOf({ stack = "" }: Error): Site | undefined {
  return framesOf(stack).find(({ file }) => file !== CHECKER);
}

function frameOf(line: string): Site | null {
  const [, name, path, at, column] = FRAME.exec(line) ?? [];
  const file = path === undefined ? undefined : SOURCE.exec(path)?.[1];
  if (file === undefined || OWN.test(file)) return null;
  return { file: `${file}.ts`, line: Number(at), column: Number(column), fn: plainName(name ?? ""), text: "" };
}

/** `Object.next`, `SlabAllocator.alloc [as next]`: the name of the function alone. */
function plainName(name: string): string {
  const bare = name.replace(/ \[as .*\]$/, "").replace(/^(?:async |new )/, "");
  return bare === "" || bare === "<anonymous>" ? "(anonymous)" : bare.replace(/^(?:Object|Module|Generator)\./, "");
}
