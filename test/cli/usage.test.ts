/** Wrong usage gets one sentence on standard error and a documented status; help names every option. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { EXIT, EXIT_CODES } from "../../mount/cli/exit-codes.ts";
import { createProgram } from "../../mount/cli/program.ts";
import { FUSE_NATIVE_LIMITS } from "../../mount/transport/fuse-native.ts";
import { shell } from "../support/programs.ts";
import { PROGRAM, synthproc } from "./helpers.ts";

const WRONG: [args: string[], sentence: RegExp][] = [
  [[], /missing command/],
  [["frob"], /unknown command 'frob'/],
  [["mout", "x"], /unknown command 'mout' \(Did you mean mount\?\)/],
  [["mount"], /missing required argument 'dir'/],
  [["mount", "a", "b"], /too many arguments/],
  [["mount", "--sede", "3", "x"], /unknown option '--sede' \(Did you mean --seed\?\)/],
  [["mount", "--seed"], /argument missing/],
  [["mount", "--seed", "3.5", "x"], /whole number/],
  [["mount", "--seed", "-1", "x"], /whole number/],
  [["mount", "--workers", "0", "x"], /whole number from 1 to 64/],
  [["mount", "--mutators", "99", "x"], /whole number from 1 to 64/],
  [["mount", "--transport", "tcp", "x"], /Allowed choices are auto, dev, fuse-native/],
  [["mount", "--speed", "0", "x"], /above 0/],
  [["mount", "--metrics", "65536", "x"], /port from 0 to 65535, not on "65536"/],
  [["mount", "--metrics", "localhost", "x"], /PORT, HOST:PORT or \[IPV6\]:PORT/],
  [["run", "--metrics", ":9464", "--", "ps"], /PORT, HOST:PORT or \[IPV6\]:PORT/],
  [["mount", "--log-level", "loud", "x"], /Allowed choices/],
  [["umount"], /missing required argument 'dir'/],
  [["run"], /missing required argument 'command'/],
  [["run", "--frob", "--", "ps"], /unknown option '--frob'/],
  [["ctl"], /missing required argument 'dir'/],
  [["kcmp", "x", "1", "2"], /missing required argument 'type'/],
  [["kcmp", "x", "1", "2", "FRUIT"], /TYPE is a number or one of FILE, VM, .*, EPOLL_TFD, not "FRUIT"/],
  [["kcmp", "x", "1", "two", "VM"], /PID2 is a number from -?\d+ to \d+, not "two"/],
  [["kcmp", "x", "1", "2", "FILE", "0"], /IDX2 is missing/],
  [["kcmp", "x", "1", "2", "EPOLL_TFD", "0", "3:4"], /IDX2 is EFD:TFD:TOFF, not "3:4"/],
  [["capture", "--pid", "0"], /whole number from 1/],
  [["stats", "--frob", "x"], /unknown option/],
  [["check", "--form", "fast"], /Allowed choices are lockfree, locked/],
  [["check", "--bound", "2", "--sample", "100"], /'--bound <n>' cannot be used with option '--sample <runs>'/],
  [["check", "--bound", "some"], /"all" or a whole number from 0 to/],
  [["check", "--list", "--jobs", "2"], /'-l, --list' cannot be used with option '--jobs <n>'/],
  [
    ["check", "io/exec", "--replay", "a1", "--sample", "5"],
    /'--replay <schedule>' cannot be used with option '--sample/,
  ],
  [["check", "io/exec", "--replay", "a1", "--quick"], /'--replay <schedule>' cannot be used with option '--quick'/],
  [["check", "--depth", "2"], /'--depth <n>' is of use only with option '--sample <runs>'/],
  [["check", "--seed", "2"], /'--seed <n>' is of use only with option '--sample <runs>'/],
  [["check", "--html", ""], /'--html <file>' argument '' is invalid. It must be a name/],
  [["check", "--save", ""], /'--save <dir>' argument '' is invalid/],
  [["bench", "--html", ""], /'--html <file>' argument '' is invalid/],
  [["bench", "--virtual-cpus", "2", "--seconds", "1"], /'--virtual-cpus <n>' cannot be used with option '--seconds/],
  [["bench", "ps", "--local-work", "5"], /'--local-work <ns>' is of use only with option '--virtual-cpus <n>'/],
  [["bench", "--list", "--json"], /'-l, --list' cannot be used with option '--json'/],
  [["check", "--jobs", "0"], /whole number from 1 to 64/],
  [["check", "--time-limit", "soon"], /number from 0.01/],
];

describe("wrong usage", () => {
  test.each(WRONG)("%j", async (args, sentence) => {
    const outcome = await synthproc(args);
    expect(outcome.status).toBe(EXIT.usage);
    expect(outcome.stdout).toBe("");
    expect(outcome.stderr).toMatch(/^synthproc: [^\n]+; see synthproc [^\n]*--help\n$/);
    expect(outcome.stderr).toMatch(sentence);
  });
});

describe("what can't be done", () => {
  const CASES: [args: string[], status: number, sentence: RegExp][] = [
    [["mount", "/tmp", "-s", "nope"], EXIT.scenario, /^synthproc: nope: no such scenario; shipped are 10k, build/],
    [["mount", "/tmp", "-s", "/nope.yaml"], EXIT.scenario, /^synthproc: \/nope\.yaml: the scenario cannot be read/],
    [["run", "-s", "nope", "--", "true"], EXIT.runFailed, /^synthproc: nope: no such scenario/],
    [["mount", "/nope"], EXIT.mountPoint, /^synthproc: The mount point \/nope does not exist; create it first/],
    [["mount", "/proc"], EXIT.mountPoint, /^synthproc: \/proc is a mount point already \(proc, \S+\)/],
    [["mount", "/usr", "--record", "/nope/x"], EXIT.failed, /^synthproc: \/nope\/x: .* \(ENOENT\)\n/],
    [["mount", "/usr", "--daemon", "--log-file", "/nope/x"], EXIT.failed, /^synthproc: \/nope\/x: .* \(ENOENT\)\n/],
    [["mount", "/usr", "--log-file", "x"], EXIT.usage, /^synthproc: --log-file needs --daemon/],
    [["capture", "--proc", "/usr"], EXIT.usage, /^synthproc: \/usr holds no processes; it is no proc\./],
    [["capture", "--proc", "/nope"], EXIT.usage, /^synthproc: \/nope can't be read: ENOENT/],
    [["umount", "/nope"], EXIT.mountPoint, /^synthproc: \/nope cannot be reached \(ENOENT\)/],
    [["umount", "/proc"], EXIT.mountPoint, /^synthproc: \/proc holds a mount of \S+ \(proc\), not ours/],
    [["ctl", "/tmp/..", "x"], EXIT.mountPoint, /^synthproc: \/tmp\/\.\. /],
    [["stats", "/usr"], EXIT.mountPoint, /^synthproc: nothing is mounted on \/usr/],
  ];

  test.each(CASES)("%j", async (args, status, sentence) => {
    const outcome = await synthproc(args);
    expect(outcome.stderr).toMatch(sentence);
    expect(outcome.stderr.split("\n")).toHaveLength(2);
    expect(outcome.status).toBe(status);
  });

  test("a pid that is taken already", async () => {
    const taken = "processes: [{ name: x, exe: /x, pid: 5 }]";
    const outcome = await synthproc(["mount", "/usr", "-s", "-", "--log-level", "warn"], taken);
    expect(outcome.stderr).toBe(
      'synthproc: process 0 of "x" can\'t be started: the pid 5 is taken by a process that was started before\n',
    );
    expect(outcome.status).toBe(EXIT.scenario);
  });

  test("a scenario from standard input names its place", async () => {
    const outcome = await synthproc(["mount", "/tmp", "-s", "-"], "processes:\n  - exe: /bin/a\n    thred: 3\n");
    expect(outcome.status).toBe(EXIT.scenario);
    expect(outcome.stderr).toMatch(/^synthproc: \(standard input\):3:5: unknown key "thred"/);
  });

  test("the daemon's complaint reaches its starter", async () => {
    const outcome = await synthproc(["mount", "--daemon", "/tmp", "-s", "nope"]);
    expect(outcome.status).toBe(EXIT.scenario);
    expect(outcome.stderr).toMatch(/^synthproc: nope: no such scenario[^\n]*\n$/);
  });
});

describe("help", () => {
  const context = { version: "0", argv: [], limits: FUSE_NATIVE_LIMITS, finish: () => undefined };
  const commands = createProgram(context).commands.filter((command) => command.name() !== "help");
  let overview = "";

  beforeAll(async () => {
    overview = (await synthproc(["--help"])).stdout;
  });

  test("lists the commands that exist, and no others", () => {
    expect(commands.map((command) => command.name())).toEqual([
      "mount",
      "umount",
      "run",
      "ctl",
      "kcmp",
      "capture",
      "stats",
      "bench",
      "check",
    ]);
    for (const command of commands) {
      expect(overview).toMatch(new RegExp(`^  ${command.name()} `, "m"));
    }
  });

  test.each(commands.map((command) => [command.name(), command] as const))(
    "of %s is complete",
    async (name, command) => {
      const outcome = await synthproc([name, "--help"]);
      expect(outcome.status).toBe(0);
      for (const option of command.options) {
        expect(outcome.stdout).toContain(option.long);
        expect(option.description.length).toBeGreaterThan(3);
      }
      expect(outcome.stdout).toContain("\nExamples:\n");
      for (const { status, meaning } of EXIT_CODES) {
        expect(outcome.stdout).toContain(`${String(status).padStart(3)}  ${meaning}\n`);
      }
    },
  );

  test.each(["mount", "run"])("of %s says what fuse-native can't do", async (name) => {
    const { stdout } = await synthproc(["help", name]);
    for (const limit of FUSE_NATIVE_LIMITS) {
      expect(stdout).toContain(limit);
    }
  });
});

test("--version is that of the package", async () => {
  const packageJson = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(await synthproc(["--version"])).toEqual({
    status: 0,
    signal: null,
    stdout: `${packageJson.version}\n`,
    stderr: "",
  });
});

test("exit statuses are distinct and in order", () => {
  const statuses = EXIT_CODES.map((code) => code.status);
  expect(statuses).toEqual([...new Set(statuses)].sort((a, b) => a - b));
});

const PRINTING = ["--help", "--version", "ctl --list", "bench --list", "check --list", "check --list --json"];

test.each(PRINTING)("%s to a full device is one sentence", async (words) => {
  expect(await shell(`${PROGRAM} ${words} > /dev/full`)).toEqual({
    status: EXIT.failed,
    signal: null,
    stdout: "",
    stderr: "synthproc: standard output can't be written: ENOSPC: no space left on device\n",
  });
});

test("a complaint that can't be written leaves the status", async () => {
  expect(await shell(`${PROGRAM} frob 2> /dev/full`)).toMatchObject({ status: EXIT.usage, stdout: "" });
});

test("who reads no further than they like gets no complaint", async () => {
  const line = `for i in 1 2 3 4 5; do ${PROGRAM} mount --help | true; echo \${PIPESTATUS[0]}; done`;
  expect(await shell(line)).toMatchObject({ stdout: "0\n".repeat(5), stderr: "" });
});
