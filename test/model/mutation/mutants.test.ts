/** Each mutant does what its text says, and nothing else changes. */
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { instrument } from "./mutants.ts";

const SOURCE = `function run(log, more) {
  const begin = log("load");
  log(begin);
  log("store");
  unlock(log);
  log("end");
  if (more) log("more");
  else log("less");
  return more ? 1 : 2;
}
function unlock(log) { log("unlock"); noteObject(log); }
function noteObject(log) { log.count += 1; }
`;

/** What a mutant of the source logs, and returns. */
function outcome(active: number, more: boolean): string {
  const { text } = instrument("x.ts", SOURCE, 0);
  const code = ts.transpile(text, { target: ts.ScriptTarget.ES2022 });
  const said: string[] = [];
  const log = Object.assign((what: string) => said.push(what) && "loaded", { count: 0 });
  const run = new Function("$", "log", "more", `${code} return run(log, more);`) as (...all: unknown[]) => number;
  const result = run({ mutant: (number: number) => number === active }, log, more);
  return [...said, result].join(" ");
}

function numberOf(id: string): number {
  const found = instrument("x.ts", SOURCE, 0).mutants.find((mutant) => mutant.id === `x.ts ${id}`);
  if (found === undefined) throw new Error(`no mutant ${id}`);
  return found.number;
}

describe("mutants of a source file", () => {
  it("change nothing while none is switched on", () => {
    expect(outcome(-1, true)).toBe("load loaded store unlock end more 1");
    expect(outcome(-1, false)).toBe("load loaded store unlock end less 2");
  });

  it.each([
    ['run: delete: log("store");', "load loaded unlock end more 1"],
    ['run: swap: log("store");', "load store loaded unlock end more 1"],
    ["run: early: unlock(log);", "load loaded unlock store end more 1"],
    ["run: late: unlock(log);", "load loaded store end unlock more 1"],
    ["run: force false: more", "load loaded store unlock end less 1"],
    ["run: force false: more #2", "load loaded store unlock end more 2"],
    ['run: delete: log("more");', "load loaded store unlock end 1"],
  ])("%s", (id, logged) => {
    expect(outcome(numberOf(id), true)).toBe(logged);
  });

  it("force a condition that does not hold", () => {
    expect(outcome(numberOf("run: force true: more"), false)).toBe("load loaded store unlock end more 2");
    expect(outcome(numberOf("run: force true: more #2"), false)).toBe("load loaded store unlock end less 1");
  });

  it("pass no declaration of what they need, and no word to checkers", () => {
    const ids = instrument("x.ts", SOURCE, 0).mutants.map(({ id }) => id);
    expect(ids).not.toContain("x.ts run: swap: log(begin);");
    expect(ids.filter((id) => id.includes("noteObject"))).toEqual([]);
  });

  it("stand on the lines of the source, under names that are unique", () => {
    const { text, mutants } = instrument("x.ts", SOURCE, 10);
    expect(text.split("\n")).toHaveLength(SOURCE.split("\n").length);
    expect(new Set(mutants.map(({ id }) => id)).size).toBe(mutants.length);
    expect(mutants.map(({ number }) => number)).toEqual(mutants.map((_, index) => 10 + index));
    for (const { line, text: what } of mutants) expect(SOURCE.split("\n")[line - 1]).toContain(what);
  });
});
