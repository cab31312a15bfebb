/** Which calls are accesses to shared memory: those of methods of class Memory. */
import ts from "typescript";

/** The one module that touches shared memory. */
export const MEMORY_FILE = "src/sync/atomics.ts";
const MEMORY_CLASS = "Memory";

/** Accesses that the scheduler may delay: the call becomes a step. */
const STEPS: ReadonlySet<string> = new Set([
  "load",
  "loadU32",
  "store",
  "add",
  "or",
  "and",
  "exchange",
  "compareExchange",
  "wait",
  "nap",
  "notify",
]);

/** Accesses that are done at once, and only watched. */
const PLAIN: ReadonlySet<string> = new Set([
  "plainStore",
  "plainStore64",
  "plainZero",
  "copyIn",
  "copyOut",
  "byteAt",
  "latin1",
  "noteObject",
]);

export type AccessKind = "step" | "plain";

/** True within the class whose methods are the accesses: what they do themselves is not looked at. */
export function isMemoryClass(node: ts.Node, isMemoryFile: (file: ts.SourceFile) => boolean): boolean {
  return ts.isClassDeclaration(node) && node.name?.text === MEMORY_CLASS && isMemoryFile(node.getSourceFile());
}

/** The kind of access that a method of class Memory is; undefined for its ordinary methods. */
export function accessKind(name: string): AccessKind | undefined {
  return STEPS.has(name) ? "step" : PLAIN.has(name) ? "plain" : undefined;
}
