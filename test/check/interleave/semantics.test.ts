/** Transformed code, delayed at each access, does what the source does: results, memory, and accesses in their order. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Steps } from "../../../src/check/interleave/load.ts";
import type { Memory } from "../../../src/sync/atomics.ts";
import { PROBE, transformProbe } from "./probe.ts";

const STEPS = "load store add or and exchange compareExchange".split(" ") as (keyof Memory)[];

/** What a function of memory `m` does, by its body; and what stands around them. */
const OUTSIDE = `
const { words, ...nothing } = { words: 4, none: 0 };
type F = () => number;
interface Goes { go(m: Memory): number }
class First implements Goes { x = 3; go(m: Memory): number { const f = (): number => m.add(1, 1) + this.x; return f() + f(); } }
class Second extends First { override go(m: Memory): number { return super.go(m) + 10 * super.go(m); } }
class Third { readonly f: F; #y = 2; constructor(m: Memory) { this.f = () => m.load(1) + this.#y; } go(m: Memory): number { return this.f() + this.#z(m); } #z(m: Memory): number { return m.add(1, 1); } }
class Box<T> { readonly t: T; constructor(t: T) { this.t = t; } get(): T { return this.t; } }
function goAll(all: readonly Goes[], m: Memory): number { let sum = 0; for (const one of all) sum += one.go(m); return sum; }
function sum(...fs: F[]): number { let all = 0; for (const f of fs) all += f(); return all; }
function given({ f = () => 3 }: { f?: F }, g: F = () => 4): number { return f() + g(); }
function counted(m: Memory, a: number, b = a + 1, ...rest: number[]): number { m.load(1); return arguments.length * 100 + a + b + rest.length; }
function over(m: Memory, x: number): number;
function over(m: Memory, x: string): string;
function over(m: Memory, x: number | string): number | string { return typeof x === "number" ? m.load(x) : x; }
function wrap<A extends unknown[], R>(f: (...args: A) => R): (...args: A) => R { return (...args) => f(...args); }
function fib(m: Memory, n: number): number { m.add(1, 1); return n < 2 ? n : fib(m, n - 1) + fib(m, n - 2); }
function fails(m: Memory): number { m.add(1, 1); throw new Error("fails"); }
`;

const BODIES: Readonly<Record<string, string>> = {
  "the target of += is read first": "const x = [1, 2]; let i = 0; x[i++] += m.add(1, 5); x[i] += m.load(1); return x;",
  "operands are read from left to right":
    "let a = 1; const f = (): number => ((a = 10), m.load(1)); return a + f() + a;",
  "the place of an assignment is found first":
    "const one = { c: 1 }, two = { c: 2 }, a = { b: one }; const f = (): number => ((a.b = two), m.load(1) + 9); a.b.c = f(); return [one, two];",
  "precedence of operators":
    "m.store(1, 3); return [2 ** m.load(1) ** 2, -m.load(1), ~m.load(1), typeof m.load(1), !m.load(1)];",
  "a store gives nothing":
    "return [m.store(1, 1), m.load(1) ? m.store(1, 2) : 0, (0, m.store(2, 2)), m.store(1, 1) ?? 4];",
  "arrows that give a store": "const f = (): void => m.store(1, 1); return [f(), m.load(1)];",
  "choices are lazy":
    "let q: number | undefined; q ??= m.load(1); q ||= m.add(1, 1) + 2; q &&= m.add(1, 1); return [q, m.load(9) || m.load(1), m.load(1) && m.add(1, 1)];",
  "switches fall through":
    "m.store(1, 2); let s = 0; switch (m.load(1)) { case m.load(1) - 1: s = 1; case m.load(1): s += 10; case 77: s += m.load(1); break; default: s = 9; } return s;",
  labels:
    "let s = 0; outer: for (let i = 0; i < 3; i++) for (let j = m.load(1); j < 3; j++) { if (m.add(1, 1) === 2) continue outer; if (i === 2) break outer; s += j; } return s;",
  "conditions of loops":
    "let n = 0; while (m.add(1, 1) < 3) n++; do n++; while (m.add(1, 1) < 6); for (; m.load(1) < 9; m.add(1, 1)) n++; return n;",
  finally:
    "const f = (): number => { try { return fails(m); } catch { return m.load(1); } finally { m.add(1, 10); } }; return [f(), m.load(1)];",
  "finally that breaks out": "for (;;) { try { return fails(m); } finally { m.add(1, 1); break; } } return m.load(1);",
  "templates, literals and keys":
    "return [`${m.add(1, 1)}-${m.add(1, 1)}`, { a: m.add(1, 1), [m.add(1, 1)]: m.add(1, 1), ...{ z: m.load(1) } }];",
  "defaults of patterns":
    "const [a = m.add(1, 1), b = m.add(1, 1)] = [3] as (number | undefined)[]; const { x = m.load(1), ...r } = { y: 3 } as { x?: number; y: number }; return [a, b, x, r];",
  "arguments and defaults": "return [counted(m, 1), counted(m, 1, 2, 3, 4), words, nothing];",
  "overridden methods": "return goAll([new First(), new Second(), { go: () => 5 }], m);",
  "private members": "return goAll([new Third(m), new Third(m)], m);",
  "objects with this": "const o = { x: 4, f(): number { return m.load(1) + this.x; } }; return o.f();",
  "functions in tables":
    "const t: Record<string, F> = { a: () => m.add(1, 1), b: () => 3 }; let s = 0; for (const [, f] of Object.entries(t)) s += f(); return s + t['a']!();",
  "functions in lists":
    "const t: F[] = [() => 1]; t.push(() => m.load(1)); return [t[0]!(), t.concat([() => 4]).pop()!(), t.at(-1)!()];",
  "functions in generic places":
    "return [new Box((): number => m.load(1)).get()(), wrap((x: number) => m.load(x))(1), wrap((x: number) => x)(4)];",
  "functions by default":
    "let f: F = () => 3; const t: { f?: F } = {}; ({ f = () => m.load(1) + 10 } = t); return [f(), given({}), given({ f: () => m.load(1) }, () => 5)];",
  "functions that change place":
    "let f = (): number => 3; const a = f(); ({ a: f } = { a: () => m.load(1) + 10 }); return [a, f(), (f = () => m.load(2))()];",
  "functions that generators give":
    "function* all(): Generator<F> { yield () => m.load(1); yield () => 2; } let s = 0; for (const f of all()) s += f(); return s;",
  "functions by condition":
    "const a = (): number => m.load(1), t: { f?: F } = {}; return [(m.load(1) ? () => 8 : a)(), (t.f ?? a)(), (0, a)()];",
  overloads: "return [over(m, 1), over(m, 'a')];",
  recursion: "return fib(m, 6);",
  "hoisting, and functions with names":
    "const f = function g(n: number): number { return n === 0 ? later() : g(n - 1) + 1; }; return f(3); function later(): number { return m.add(1, 1); }",
  "closures of loops":
    "const fs: F[] = []; for (let i = 0; i < 3; i++) fs.push(() => i * 10 + m.add(1, 1)); let s = 0; for (const f of fs) s += f(); return s + sum(() => m.load(1), () => 2);",
  "receivers that are expressions":
    "const o = { a: { m } }; const f = (): Memory => (m.add(1, 1), m); return f().load(f().load(0) + 1) + o\n .a.m!\n .load(\n 1,\n ) + (o.a.m).load(1) + (m as Memory).load(1) + (m satisfies Memory).load(1);",
  "accesses within accesses":
    "m.store(m.load(1) + 1, m.add(m.load(2), 3) + 2); return m.exchange(m.load(0), m.compareExchange(/* at */ 1, // from\n m.load(1), 5,));",
  "branches without blocks":
    "if (m.load(1)) m.store(1, 1); else m.store(1, 2); for (const x of [1]) m.store(2, x); return m.load(1);",
  "optional chains":
    "const o: { a?: { f(x: number): number }; b?: number[] } = { b: [1, 2] }; return [o.a?.f(m.add(1, 1)) ?? m.load(1), o.b?.[m.add(1, 1)]];",
};

let dir: string;
let source: Record<string, (m: Memory) => unknown>;
let transformed: Record<string, (m: Memory) => Steps<unknown>>;
/** Accesses of the run at hand, and those that nobody could have delayed. */
let made: string[] = [];
let unseen: string[] = [];
let pending: (() => unknown) | null = null;
let inside = false;

const bodies = Object.entries(BODIES);
const nameOf = (i: number): string => `body${i}`;

beforeAll(async () => {
  const functions = bodies.map(
    ([, body], i) => `export function ${nameOf(i)}(m: Memory): unknown { m.load(0); ${body} }`,
  );
  const { outputs } = transformProbe(`export const make = Memory; ${OUTSIDE}\n${functions.join("\n")}`);
  dir = mkdtempSync(join(tmpdir(), "synthproc-semantics-"));
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
  for (const [file, { text, blanked }] of outputs) {
    for (const [folder, script] of [
      ["source", blanked],
      ["transformed", text],
    ] as const) {
      const path = join(dir, folder, file.replace(/ts$/, "js"));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, script);
    }
  }
  installBackend();
  source = await load("source");
  transformed = await load("transformed");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function load<T>(folder: string): Promise<Record<string, (m: Memory) => T>> {
  const module = (await import(pathToFileURL(join(dir, folder, PROBE.replace(/ts$/, "js"))).href)) as object;
  const { make, ...functions } = module as { make: { prototype: Record<string, unknown> } };
  for (const name of STEPS) watch(make.prototype, name);
  return { ...functions, make: make as never };
}

/** Each access of the class is written down. */
function watch(prototype: Record<string, unknown>, name: string): void {
  const access = prototype[name] as (...args: unknown[]) => unknown;
  prototype[name] = function (...args: unknown[]) {
    made.push(`${name} ${args.join()}`);
    if (!inside) unseen.push(name);
    return access.apply(this, args);
  };
}

/** A backend that delays each access. */
function installBackend(): void {
  const backend: Record<string, unknown> = {};
  for (const name of STEPS) {
    backend[name] = (_site: number, m: Memory, ...args: unknown[]) => {
      pending = () => (m[name] as (...args: unknown[]) => unknown).apply(m, args) ?? 0;
    };
  }
  (globalThis as Record<symbol, unknown>)[Symbol.for("synthproc.interleave")] = backend;
}

function finish(steps: Steps<unknown>): unknown {
  let next = steps.next();
  for (; !next.done; next = steps.next(answer())) expect(pending).not.toBeNull();
  expect(pending).toBeNull();
  return next.value;
}

function answer(): never {
  inside = true;
  const result = pending?.();
  inside = false;
  pending = null;
  return result as never;
}

test.each(bodies.map(([name], i) => [name, nameOf(i)] as const))("%s", (_, name) => {
  const run = (functions: typeof source, end: (returned: unknown) => unknown): object => {
    made = [];
    unseen = [];
    const memory = (functions["make"] as unknown as typeof Memory).reserve(64);
    const result = end((functions[name] as (m: Memory) => unknown)(memory));
    return { result, made, words: [...new Int32Array(memory.buffer)] };
  };
  const expected = run(source, (result) => result);
  expect(made.length).toBeGreaterThan(1);
  expect(run(transformed, (steps) => finish(steps as Steps<unknown>))).toEqual(expected);
  expect(unseen).toEqual([]);
});
