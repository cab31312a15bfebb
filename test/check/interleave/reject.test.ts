/** What cannot be treated soundly is rejected, at the line where it stands. */
import { describe, expect, test } from "vitest";
import { TransformError } from "../../../src/check/interleave/problem.ts";
import { rejections, transformProbe } from "./probe.ts";

/** Name, source, and what is said of it: the number of the line and a part of the sentence. */
type Case = readonly [name: string, source: string, says: RegExp];

const CLASSES: Case[] = [
  [
    "a constructor",
    `
export class A {
  constructor(m: Memory) {
    m.store(1, 1);
  }
}`,
    /^4: shared access in a constructor/,
  ],
  [
    "a constructor that calls",
    `
function init(m: Memory): void { m.store(1, 1); }
export class A {
  constructor(m: Memory) {
    init(m);
  }
}`,
    /^5: call that reaches shared memory in a constructor/,
  ],
  [
    "a getter",
    `
export class A {
  readonly m: Memory;
  constructor(m: Memory) { this.m = m; }
  get x(): number { return this.m.load(1); }
}`,
    /^5: shared access in a getter/,
  ],
  [
    "a setter",
    `
export class A {
  readonly m: Memory;
  constructor(m: Memory) { this.m = m; }
  set x(value: number) { this.m.store(1, value); }
}`,
    /^5: shared access in a setter/,
  ],
  [
    "an accessor of an object",
    `
export function f(m: Memory): object {
  return { get x() { return m.load(1); } };
}`,
    /^3: shared access in a getter/,
  ],
  [
    "a field's initialiser",
    `
const M = Memory.reserve(64);
export class A {
  x = M.load(1);
}`,
    /^4: shared access in a field's initialiser/,
  ],
  [
    "a static block",
    `
const M = Memory.reserve(64);
export class A {
  static { M.store(1, 1); }
}`,
    /^4: shared access in a static block/,
  ],
  [
    "a member with a computed name",
    `
const NAME = "x";
export class A {
  [NAME](m: Memory): number { return m.load(1); }
}`,
    /^4: shared access in a method with a computed name/,
  ],
  [
    "iteration",
    `
export class A {
  [Symbol.iterator](): Iterator<number> { return [1].values(); }
}`,
    /^3: \[Symbol.iterator\], which is called unseen/,
  ],
  [
    "toString",
    `
export class A {
  readonly m: Memory;
  constructor(m: Memory) { this.m = m; }
  toString(): string { return String(this.m.load(1)); }
}`,
    /^5: shared access in toString\(\), which may be called unseen/,
  ],
  [
    "valueOf",
    `
export function f(m: Memory): number {
  const box = { valueOf() { return m.load(1); } };
  return +box;
}`,
    /^3: shared access in valueOf\(\)/,
  ],
  [
    "toString in quotes",
    `
export function f(m: Memory): string {
  return "" + { "toString": () => String(m.load(1)) };
}`,
    /^3: shared access in toString\(\)/,
  ],
  [
    "valueOf by its variable",
    `
export function f(m: Memory): number {
  const valueOf = (): number => m.load(1);
  return +{ valueOf };
}`,
    /^4: reaches shared memory in valueOf\(\)/,
  ],
  [
    "toJSON that is added",
    `
export function f(m: Memory, o: { toJSON?: () => number }): string {
  o.toJSON = () => m.load(1);
  return JSON.stringify(o);
}`,
    /^3: reaches shared memory in toJSON\(\)/,
  ],
  ["a symbol taken out", `\nexport const { iterator } = Symbol;`, /^2: a symbol of the language's/],
  ["a symbol under another name", `\nexport const KEY: symbol = Symbol.iterator;`, /^2: a symbol of the language's/],
  [
    "an override of an access",
    `
export class Mine extends Memory {
  override load(at: number): number { return at; }
}`,
    /^2: Memory under another type/,
  ],
];

const FUNCTIONS: Case[] = [
  [
    "the top of a module",
    `\nconst M = Memory.reserve(64);\nM.store(1, 1);`,
    /^3: shared access at the top of a module/,
  ],
  [
    "a default of a parameter",
    `
const M = Memory.reserve(64);
export function f(x = M.load(1)): number { return x; }`,
    /^3: shared access in a default of a parameter/,
  ],
  [
    "a default within a pattern of a parameter",
    `
export function f(m: Memory, { x = m.load(1) }: { x?: number }): number { return x; }`,
    /^2: shared access in a default of a parameter/,
  ],
  [
    "an async function",
    `
export async function f(m: Memory): Promise<number> { return m.load(1); }`,
    /^2: shared access in an async function/,
  ],
  [
    "a generator",
    `
export function* f(m: Memory): Generator<number> { yield m.load(1); }`,
    /^2: shared access in a generator/,
  ],
  [
    "super in an arrow function",
    `
class A { x(m: Memory): number { return m.load(1); } }
export class B extends A {
  override x(m: Memory): number {
    const f = (): number => super.x(m);
    return f();
  }
}`,
    /^5: super in an arrow function/,
  ],
  [
    "arguments in an arrow function",
    `
export function f(m: Memory): number {
  const g = (): number => m.load(arguments.length);
  return g();
}`,
    /^3: arguments in an arrow function/,
  ],
];

const CALLS: Case[] = [
  [
    "a callback of a built-in function",
    `
export function f(m: Memory): number[] {
  return [1, 2].map((at) => m.load(at));
}`,
    /^3: handed to code that cannot be delayed/,
  ],
  [
    "a callback that reaches shared memory by another function",
    `
function g(m: Memory, at: number): number { return m.load(at); }
export function f(m: Memory): number[] {
  return [1, 2].map((at) => g(m, at));
}`,
    /^4: handed to code that cannot be delayed/,
  ],
  [
    "a function by its name",
    `
const M = Memory.reserve(64);
function g(at: number): number { return M.load(at); }
export const f = (): number[] => [1, 2].map(g);`,
    /^4: handed to code that cannot be delayed/,
  ],
  [
    "a callback in a variable",
    `
export function f(m: Memory): number[] {
  const g = (at: number): number => m.load(at);
  const h = g;
  return [1, 2].map(h);
}`,
    /^5: handed to code that cannot be delayed/,
  ],
  [
    "a function that is bound",
    `
function g(m: Memory): number { return m.load(1); }
export const f = (m: Memory): number => g.call(null, m);`,
    /^3: handed to code that cannot be delayed/,
  ],
  [
    "an object's method for the language to call",
    `
export function f(m: Memory): string {
  return JSON.stringify({ toJSON: () => m.load(1) });
}`,
    /^3: shared access in toJSON\(\), which may be called unseen/,
  ],
  [
    "a function as unknown",
    `
export function f(m: Memory): unknown {
  const g: unknown = (): number => m.load(1);
  return g;
}`,
    /^3: gets to a place of type any or unknown/,
  ],
  [
    "an untyped callee",
    `
export function f(m: Memory, o: any): number {
  m.load(1);
  return o.g();
}`,
    /^4: cannot tell what o.g is/,
  ],
  [
    "a foreign function among others",
    `
interface Row { readonly show: (x: number) => number }
export function f(m: Memory): number {
  const rows: Row[] = [{ show: (x) => m.load(x) }, { show: Math.abs }];
  let sum = 0;
  for (const row of rows) sum += row.show(1);
  return sum;
}`,
    /^4: a function from elsewhere/,
  ],
  [
    "an optional call",
    `
class A { x(m: Memory): number { return m.load(1); } }
export function f(m: Memory, a?: A): number | undefined { return a?.x(m); }`,
    /^3: an optional call that reaches shared memory/,
  ],
  [
    "an optional call of an optional member",
    `
interface Row { readonly open?: (m: Memory) => number }
const ROW: Row = { open: (m) => m.load(1) };
export function f(m: Memory): number | undefined { return ROW.open?.(m); }`,
    /^4: an optional call that reaches shared memory/,
  ],
  [
    "a tagged template",
    `
const M = Memory.reserve(64);
function tag(parts: TemplateStringsArray): number { return M.load(parts.length); }
export const f = (): number => tag\`x\`;`,
    /^4: a tag that reaches shared memory/,
  ],
  [
    "an async function among others",
    `
type Job = (m: Memory) => unknown;
export const JOBS: readonly Job[] = [(m) => m.load(1), async () => 2];
export function f(m: Memory): unknown { for (const job of JOBS) job(m); return 0; }`,
    /^3: may be called where shared memory is reached in an async function/,
  ],
];

const RAW: Case[] = [
  ["Atomics", `\nexport const f = (a: Int32Array): number => Atomics.load(a, 0);`, /^2: Atomics: only class Memory/],
  [
    "an alias of Atomics",
    `\nconst { load } = Atomics;\nexport const f = (a: Int32Array): number => load(a, 0);`,
    /^2: Atomics/,
  ],
  [
    "a buffer",
    `\nexport const f = (): unknown => new SharedArrayBuffer(8);`,
    /^2: SharedArrayBuffer: only class Memory/,
  ],
  ["a view", `\nexport const f = (m: Memory): unknown => new Int32Array(m.buffer);`, /^2: a view of shared memory/],
  [
    "a view of a view",
    `\nexport const f = (a: Uint8Array): unknown => new DataView(a.buffer);`,
    /^2: a view of shared memory/,
  ],
  ["an access as a value", `\nexport const f = (m: Memory): unknown => m.load;`, /^2: an access used as a value/],
  [
    "an access by another name",
    `\nexport const f = (m: Memory): number => m["load"](1);`,
    /^2: an access has to be a plain call/,
  ],
  [
    "an access taken out",
    `\nexport function f(m: Memory): number { const { load } = m; return load(1); }`,
    /^2: an access has to be a plain call/,
  ],
  [
    "an optional access",
    `\nexport const f = (m?: Memory): unknown => m?.load(1);`,
    /^2: an access has to be a plain call/,
  ],
  [
    "arguments that are spread",
    `\nexport const f = (m: Memory, a: [number, number]): unknown => m.store(...a);`,
    /^2: an access has to name its arguments/,
  ],
  [
    "Memory under an interface",
    `
interface Words { load(at: number): number }
const g = (words: Words): number => words.load(1);
export const f = (m: Memory): number => g(m);`,
    /^4: Memory under another type/,
  ],
  ["a proxy", `\nexport const f = (x: object): object => new Proxy(x, {});`, /^2: Proxy hides/],
  ["reflection", `\nexport const f = (m: Memory): unknown => Reflect.get(m, "words");`, /^2: Reflect hides/],
  ["code as text", `\nexport const f = new Function("m", "m.load(1)");`, /^2: Function hides/],
  ["the global object", `\nexport const f = globalThis;`, /^2: globalThis hides/],
  ["bytes of a buffer", `\nexport const f = (m: Memory): unknown => Buffer.from(m.buffer);`, /^2: Buffer: only/],
  [
    "a private field",
    `\nexport const f = (m: Memory): unknown => m["words"];`,
    /^2: a member of memory by another way/,
  ],
  [
    "a view under another name",
    `\nconst View = Int32Array;\nexport const f = View;`,
    /^2: Int32Array under another name/,
  ],
  ["a view of who knows what", `\nexport const f = (b: any): unknown => new Int32Array(b);`, /^2: a view of shared/],
  [
    "a view of some kind of buffer",
    `\nexport const f = <B extends ArrayBufferLike>(b: B): unknown => new Int32Array(b);`,
    /^2: a view of shared/,
  ],
];

/** Values of which more is claimed than their types say. */
const CLAIMS: Case[] = [
  [
    "Memory out of an unknown value",
    `
interface Words { load(at: number): number }
export function f(m: Memory): number {
  const value: unknown = m;
  return (value as Words).load(1);
}`,
    /^5: claimed of something/,
  ],
  [
    "Memory out of a list",
    `
interface Words { load(at: number): number }
export function f(m: Memory): number {
  const values: object[] = [m];
  return (values as Words[])[0]!.load(1);
}`,
    /^5: claimed of something/,
  ],
  [
    "Memory's methods out of an any",
    `
interface Words { load(this: Memory, at: number): number }
export function f(m: Memory): number {
  const words: Words = Object.getPrototypeOf(m);
  return words.load.call(m, 1);
}`,
    /^4: claimed of something/,
  ],
  [
    "a method that the type doesn't have",
    `
interface Thing { readonly x: number }
interface Opens extends Thing { open(): number }
function make(m: Memory): Thing {
  const opens = { x: 1, open: () => m.load(1) };
  return opens;
}
export const f = (m: Memory): number => (make(m) as Opens).open();`,
    /^8: claimed of something/,
  ],
  [
    "a guard",
    `
interface Thing { readonly x: number }
interface Opens extends Thing { open(): number }
const opens = (thing: Thing): thing is Opens => "open" in thing;
export const f = (thing: Thing): number => (opens(thing) ? thing.open() : 0);`,
    /^4: claimed of something/,
  ],
  [
    "what was thrown",
    `
export function f(m: Memory): number {
  try {
    throw () => m.load(1);
  } catch (thrown) {
    return (thrown as () => number)();
  }
}`,
    /^6: claimed of something/,
  ],
];

const STATE: Case[] = [
  ["a variable", `\nlet n = 0;\nexport const f = (): number => n++;`, /^2: module-level variable/],
  ["a static field", `\nexport class A { static n = 0; }`, /^2: static field/],
  [
    "an array that grows",
    `\nconst seen: number[] = [];\nexport function f(): void { seen.push(1); }`,
    /^3: seen is changed/,
  ],
  [
    "a map",
    `\nconst seen = new Map<number, number>();\nexport const f = (): unknown => seen.set(1, 2);`,
    /^3: seen is changed/,
  ],
  [
    "a field of an object",
    `\nconst state = { n: 0 };\nexport function f(): void { state.n++; }`,
    /^3: state is changed/,
  ],
  ["an element", `\nconst table = [1];\nexport function f(): void { table[0] = 2; }`, /^3: table is changed/],
  [
    "an assignment that computes",
    `\nconst state = { n: 0 };\nexport function f(): void { state.n += 1; }`,
    /^3: state/,
  ],
  ["a deletion", `\nconst state: { n?: number } = {};\nexport function f(): void { delete state.n; }`, /^3: state/],
  [
    "scratch memory",
    `\nconst scratch = new Uint8Array(8);\nexport const f = (): void => scratch.set([1]);`,
    /^3: scratch/,
  ],
  [
    "a table that is handed to who may change it",
    `
const table = [1, 2];
function grow(list: number[]): void { list.push(1); }
export function f(): void { grow(table); }`,
    /^4: table is changed/,
  ],
];

const SYNTAX: Case[] = [
  [
    "an import of a package",
    `\nimport { readFileSync } from "node:fs";\nexport const f = readFileSync;`,
    /^2: imports node:fs/,
  ],
  ["an import in a function", `\nexport const f = (): unknown => import("./sync/rcu.ts");`, /^2: import\(\)/],
  [
    "a loop over a variable from outside",
    `\nexport function f(list: number[]): number { let x = 0; for (x of list) break; return x; }`,
    /^2: a loop over a variable/,
  ],
  [
    "no semicolon",
    `\nexport function f(m: Memory): void {\n  let x = 1\n  m.store(1, x)\n}`,
    /^3: a statement without/,
  ],
  ["the scheduler's name", `\nexport const f = ($: number): number => $;`, /^2: the name \$/],
];

describe.each([
  ["classes", CLASSES],
  ["functions", FUNCTIONS],
  ["calls", CALLS],
  ["raw memory", RAW],
  ["claims", CLAIMS],
  ["state of modules", STATE],
  ["syntax", SYNTAX],
])("%s", (_, cases) => {
  test.each(cases)("%s", (_name, source, says) => {
    expect(rejections(source)).toContainEqual(expect.stringMatching(says));
  });
});

test("the error has file, line and column of everything that is wrong", () => {
  const source = `\nlet a = 0;\nexport class B {\n  constructor(m: Memory) { a = m.load(1); }\n}`;
  expect(() => transformProbe(source)).toThrow(TransformError);
  expect(() => transformProbe(source)).toThrow(/:2:1 module-level.*\n {2}src\/probe.ts:4:32 shared access/);
});
