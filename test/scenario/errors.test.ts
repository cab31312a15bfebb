/** Every complaint about a scenario names the place: file, line and column, counted from 1. */
import { describe, expect, test } from "vitest";
import { parseScenario, ScenarioError } from "../../src/mutate/scenario.ts";

function complaint(text: string): ScenarioError {
  try {
    parseScenario(text, "box.yaml");
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    return error as ScenarioError;
  }
  throw new Error("the scenario was accepted");
}

const SLEEP = "processes: [/usr/bin/sleep 9]\n";

const CASES: [what: string, text: string, code: string, message: RegExp][] = [
  ["an open bracket", "processes: [a\n", "ESCENARIO_SYNTAX", /^box\.yaml:2:1: /],
  ["a key twice", `${SLEEP}processes: []\n`, "ESCENARIO_SYNTAX", /^box\.yaml:2:1: Map keys must be unique/],
  ["an alias to nothing", "processes: *none\n", "ESCENARIO_SYNTAX", /^box\.yaml:\d+:\d+: .*none/],
  ["nothing at all", "", "ESCENARIO_VALUE", /^box\.yaml:1:1: the scenario must be a map/],
  ["no processes", "host: {}\n", "ESCENARIO_MISSING_KEY", /^box\.yaml:1:1: the scenario lacks "processes"/],
  [
    "an unknown key at the top",
    `${SLEEP}hots: {}\n`,
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:2:1: unknown key "hots" \(did you mean "host"\?\)$/,
  ],
  [
    "a key that is needed, misspelt",
    "proceses:\n  - exe: /bin/a\n",
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:1:1: unknown key "proceses" \(did you mean "processes"\?\)$/,
  ],
  [
    "an unknown key of a process",
    "processes:\n  - exe: /bin/a\n    thread: 3\n",
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:3:5: unknown key "thread" \(did you mean "threads"\?\)$/,
  ],
  [
    "an unknown behaviour, with a hyphen for an underscore",
    "processes: [{exe: /bin/a, rates: {frok: 1}}]\n",
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:1:35: unknown key "frok" \(did you mean "fork"\?\)$/,
  ],
  [
    "a key nothing is like",
    "processes:\n  - exe: /bin/a\n    zebra: 3\n",
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:3:5: unknown key "zebra"$/,
  ],
  [
    "an impossible rate",
    "processes:\n  - exe: /bin/a\n    rates:\n      io: 9000000/s\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:4:11: "io": "9000000\/s" is an impossible rate/,
  ],
  [
    "a negative rate",
    "processes: [{exe: /bin/a, rates: {io: -1}}]\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:1:39: "io": -1 is not a rate/,
  ],
  [
    "a rate in the details",
    "processes:\n  - exe: /bin/a\n    rates:\n      fork: { rate: 2/parsec }\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:4:21: "rate": "2\/parsec" is not a rate/,
  ],
  [
    "a bad size",
    `host: { memory: lots }\n${SLEEP}`,
    "ESCENARIO_VALUE",
    /^box\.yaml:1:17: "memory": "lots" is not a size/,
  ],
  ["a wrong type", `host: { cpus: many }\n${SLEEP}`, "ESCENARIO_VALUE", /^box\.yaml:1:15: "cpus" must be an integer/],
  ["too few CPUs", `host: { cpus: 0 }\n${SLEEP}`, "ESCENARIO_VALUE", /^box\.yaml:1:15: "cpus" must be >= 1/],
  [
    "an unknown user",
    "processes: [{exe: /bin/a, user: nooby}]\n",
    "ESCENARIO_REFERENCE",
    /:1:33: unknown user "nooby"/,
  ],
  ["a relative program", "processes: [sleep 9]\n", "ESCENARIO_VALUE", /:1:13: "sleep" is not an absolute path/],
  ["a process without anything", "processes: [{count: 2}]\n", "ESCENARIO_MISSING_KEY", /^box\.yaml:1:13: /],
  [
    "an unknown group in a phase",
    `${SLEEP}phases:\n  - { at: 3s, restart: nginx }\n`,
    "ESCENARIO_REFERENCE",
    /^box\.yaml:3:24: there is no group "nginx"$/,
  ],
  ["a phase without a time", `${SLEEP}phases: [{restart: sleep}]\n`, "ESCENARIO_MISSING_KEY", /"at" or "every"/],
  ["a phase that does nothing", `${SLEEP}phases: [{at: 3}]\n`, "ESCENARIO_VALUE", /needs something to do/],
  [
    "a pid twice",
    "processes: [{exe: /a, pid: 9}, {exe: /b, pid: 9}]\n",
    "ESCENARIO_VALUE",
    /:1:47: pid 9 is used twice/,
  ],
  [
    "a missing parent",
    "processes: [{exe: /a, pid: 9, ppid: 8}]\n",
    "ESCENARIO_REFERENCE",
    /:1:37: no process has the pid 8/,
  ],
  [
    "too many processes",
    "processes: [{exe: /a, count: 4000000, threads: 2}]\n",
    "ESCENARIO_VALUE",
    /don't fit below pid_max/,
  ],
  ["a file outside /proc", `host: {files: {../x: y}}\n${SLEEP}`, "ESCENARIO_VALUE", /:1:16: "\.\.\/x" must be a path/],
  ["a limit upside down", "processes: [{exe: /a, limits: {nofile: 9:3}}]\n", "ESCENARIO_VALUE", /SOFT:HARD/],
  [
    "a descriptor of no kind",
    "processes: [{exe: /a, fds: [sprocket]}]\n",
    "ESCENARIO_VALUE",
    /:1:29: "sprocket" is no kind/,
  ],
  [
    "an unknown capability",
    "processes: [{exe: /a, caps: [fly]}]\n",
    "ESCENARIO_VALUE",
    /:1:30: unknown capability "fly"/,
  ],
  [
    "more failing execs than execs",
    "processes:\n  - exe: /a\n    rates:\n      exec: { rate: 1, fail_before: 60%, fail_halfway: 50% }\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:4:56: "fail_halfway" and "fail_before" are more than 100% together$/,
  ],
  [
    "more failing execs of children than execs",
    "processes: [{exe: /a, rates: {fork: {rate: 1, exec: /b, exec_fail_before: 110%}}}]\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:1:75: "exec_fail_before": "110%"/,
  ],
  [
    "a TSYNC that takes no time that there is",
    "processes: [{exe: /a, rates: {tsync: {rate: 1, duration: soon}}}]\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:1:58: "duration": "soon"/,
  ],
  [
    "a key of another behaviour",
    "processes: [{exe: /a, rates: {tsync: {rate: 1, fail_halfway: 1%}}}]\n",
    "ESCENARIO_UNKNOWN_KEY",
    /^box\.yaml:1:48: unknown key "fail_halfway"/,
  ],
  ["a fault without meaning", `${SLEEP}faults: {eintr: 300%}\n`, "ESCENARIO_VALUE", /^box\.yaml:2:17: "eintr": "300%"/],
  [
    "a capture that is no single process",
    "processes: [{name: a, ppid: 0, exact: {cmdline: a, threads: [{tid: 3}]}}]\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:1:32: "exact" needs a "pid"/,
  ],
  [
    "overlapping mappings",
    "processes:\n  - name: a\n    pid: 3\n    ppid: 0\n    exact:\n      cmdline: a\n      threads: [{ tid: 3 }]\n      maps:\n" +
      "        - vma: 1000-3000 r--p 00000000 00:00 0\n        - vma: 2000-4000 r--p 00000000 00:00 0\n",
    "ESCENARIO_VALUE",
    /^box\.yaml:10:11: mappings must ascend/,
  ],
];

describe("a scenario is refused with its place for", () => {
  test.each(CASES)("%s", (_, text, code, message) => {
    const error = complaint(text);
    expect(error.message).toMatch(message);
    expect(error.code).toBe(code);
    expect(error.message.startsWith(`${error.file}:${error.line}:${error.column}: `)).toBe(true);
    expect(error.message).not.toContain("\n");
  });

  test("a place that an alias leads to", () => {
    const error = complaint(
      "definitions:\n  quick: &quick { io: 1/parsec }\nprocesses: [{ exe: /bin/a, rates: *quick }]\n",
    );
    expect([error.line, error.column]).toEqual([2, 23]);
  });
});
