/** From a line of a sysctl table to the row that shows it and takes writes. */
import { EINVAL, EPERM } from "../../kernel/errno.ts";
import { baseName } from "../../kernel/path.ts";
import { latin1Text } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Context, RawRow } from "../row.ts";
import type { Leaf } from "../root/tree.ts";
import type { Convert } from "./parse.ts";
import { parseString, parseVector, toInt, toUnsigned } from "./parse.ts";
import type { Rule, SysctlSpec } from "./spec.ts";
import { writeValue, writtenValue } from "./values.ts";

/** Where a sysctl's value is. */
export interface Store {
  /** The present value, without a newline. */
  get(c: Context): string;
  /** Takes a checked value. @returns 0 or a negated errno */
  set(c: Context, value: string): number;
}

/** A value kept as text under its slot; before the first write it is what `initial` says. */
export function slotStore(slot: number, initial: (c: Context) => string): Store {
  return {
    get: (c) => writtenValue(c.k, slot) ?? initial(c),
    set: (c, value) => {
      writeValue(c.k, slot, value);
      return 0;
    },
  };
}

/** A value that is never written. */
export function fixedStore(initial: (c: Context) => string): Store {
  return { get: initial, set: () => -EINVAL };
}

/** A word of the arena. */
export function wordStore(at: Ptr): Store {
  return {
    get: (c) => String(c.k.m.load(at)),
    set: (c, value) => {
      c.k.m.store(at, Number(value));
      return 0;
    },
  };
}

/** A row at sys/<path>. Numbers are read from offset 0 only, in one go, as the kernel has it; text at any offset. */
export function sysctlLeaf(spec: SysctlSpec, store: Store): Leaf {
  const [path, mode, rule, , needs] = spec;
  const textual = rule.kind === "string" || rule.kind === "word";
  const row: RawRow = {
    type: "raw",
    name: baseName(path),
    mode,
    doc: `sysctl ${path.replaceAll("/", ".")}`,
    strictMode: true,
    read: (c, offset, dest) => {
      const value = store.get(c);
      // Numbers that are only there to be written have no text at all.
      if (value === "" && !textual) return 0;
      return readValue(`${value}\n`, textual || isText(rule, value), offset, dest);
    },
    write: (c, offset, data) => {
      if (needs !== undefined && !c.subject.capable(needs)) return -EPERM;
      return writeChecked(c, rule, store, offset, data);
    },
  };
  return { path: `sys/${path}`, row };
}

/** Read-only values that aren't numbers are text. */
function isText(rule: Rule, value: string): boolean {
  return rule.kind === "fixed" && !/^[-\d\s]+$/.test(value);
}

function readValue(text: string, textual: boolean, offset: number, dest: Uint8Array): number {
  if (offset > 0 && !textual) return 0;
  const length = Math.max(0, Math.min(text.length - offset, dest.length));
  for (let i = 0; i < length; i++) dest[i] = text.charCodeAt(offset + i);
  return length;
}

function writeChecked(c: Context, rule: Rule, store: Store, offset: number, data: Uint8Array): number {
  if (data.length === 0) return 0;
  const text = latin1Text(data);
  if (rule.kind === "string") {
    const result = store.set(c, parseString(text, offset, store.get(c), rule.size));
    return result < 0 ? result : data.length;
  }
  // With kernel.sysctl_writes_strict a number that isn't written at the start is taken and ignored.
  if (offset > 0) return data.length;
  switch (rule.kind) {
    case "word":
      return writeWord(c, rule.words, rule.error, store, text);
    case "int":
      return writeNumbers(c, store, text, toInt(rule.min, rule.max));
    case "uint":
      return writeSingle(c, store, text, toUnsigned(rule.min, rule.max));
    case "ulong":
      return writeNumbers(c, store, text, toUnsigned(rule.min, rule.max));
    case "range":
      return writeRange(c, store, text, toInt(rule.min, rule.max));
    default:
      return -EINVAL;
  }
}

function writeWord(c: Context, words: readonly string[], error: number, store: Store, text: string): number {
  const word = parseString(text, 0, "", 64).trim();
  if (!words.includes(word)) return -error;
  const result = store.set(c, word);
  return result < 0 ? result : text.length;
}

/** Numbers before the one that is wrong are taken all the same, as the kernel does. */
function writeNumbers(c: Context, store: Store, text: string, convert: Convert): number {
  const { values, taken, failed } = parseVector(text, store.get(c).split(/\s+/), convert);
  const result = store.set(c, values.join("\t"));
  if (result < 0) return result;
  return failed ? -EINVAL : taken;
}

/** proc_douintvec takes the whole text, whatever follows its number. */
function writeSingle(c: Context, store: Store, text: string, convert: Convert): number {
  const { values, failed } = parseVector(text, [store.get(c)], convert);
  if (failed) return -EINVAL;
  const result = store.set(c, values[0]!);
  return result < 0 ? result : text.length;
}

function writeRange(c: Context, store: Store, text: string, convert: Convert): number {
  const { values, taken, failed } = parseVector(text, store.get(c).split(/\s+/), convert);
  if (failed || Number(values[1]) < Number(values[0])) return -EINVAL;
  const result = store.set(c, values.join("\t"));
  return result < 0 ? result : taken;
}
