/**
 * The same calls in a real process and in a simulated one: after each, the files of both have the same text, byte for byte.
 * The simulated one starts as a captured copy, so that addresses need no mask before exec: only what depends on pages
 * that happen to be resident, on time, and on inode numbers does.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { View } from "./twins.ts";
import { RealTwin, SimulatedTwin } from "./twins.ts";

const SOURCE = fileURLToPath(new URL("./twin.c", import.meta.url));
const hasCompiler = spawnSync("cc", ["--version"]).status === 0;
const why = process.getuid?.() !== 0 ? "it needs root" : hasCompiler ? "" : "there is no cc";
if (why !== "") console.warn(`differential.test.ts: skipped, because ${why}`);

/** An address where nothing is, in both. */
const AREA = 0x100000000000;
const PAGE = 4096;
const ANON = 0x22;
const FIXED = 0x10;
const SHARED = 0x1;
const PRIVATE = 0x2;
/** The descriptor of the file that is mapped. */
const DATA = 3;

/** What a process does: as twin.c is told, and as ctl is. */
type Step = readonly [real: string, simulated: string];

/** The address of a page of the area, as both read it. */
function at(page: number, bytes = 0): string {
  return `0x${(AREA + page * PAGE + bytes).toString(16)}`;
}

function anonymous(page: number, pages: number, prot: string): Step {
  const length = pages * PAGE;
  return [
    `mmap ${at(page)} ${length} ${prot} ${ANON | FIXED} -1 0`,
    `mmap PID ${length} --prot ${prot} --addr ${at(page)}`,
  ];
}

function file(page: number, pages: number, prot: string, offset: number, shared = false): Step {
  const length = pages * PAGE;
  return [
    `mmap ${at(page)} ${length} ${prot} ${(shared ? SHARED : PRIVATE) | FIXED} ${DATA} ${offset * PAGE}`,
    `mmap PID ${length} --prot ${prot} --addr ${at(page)} --file FILE --offset ${offset * PAGE}${shared ? " --shared" : ""}`,
  ];
}

function unmap(page: number, pages: number): Step {
  const range = `${at(page)} ${pages * PAGE}`;
  return [`munmap ${range}`, `munmap PID ${range}`];
}

function protect(page: number, pages: number, prot: string): Step {
  const range = `${at(page)} ${pages * PAGE} ${prot}`;
  return [`mprotect ${range}`, `mprotect PID ${range}`];
}

function same(words: string): Step {
  const [verb, ...rest] = words.split(" ");
  return [words, [verb, "PID", ...rest].join(" ")];
}

const MEMORY: readonly Step[] = [
  anonymous(0, 16, "rw-"),
  same(`touch ${at(0)} 4`),
  protect(4, 4, "r--"),
  protect(8, 2, "r-x"),
  unmap(2, 1),
  anonymous(2, 1, "rw-"),
  protect(4, 6, "rw-"),
  file(20, 8, "r--", 0),
  file(28, 4, "r--", 8),
  protect(22, 2, "rw-"),
  file(40, 4, "rw-", 2, true),
  unmap(21, 10),
  same(`mlock ${at(5)} ${3 * PAGE}`),
  same(`munlock ${at(6)} ${PAGE}`),
  [`mremap ${at(40)} ${4 * PAGE} ${2 * PAGE} 0 0`, `mremap PID ${at(40)} ${4 * PAGE} ${2 * PAGE}`],
  [
    `mremap ${at(10)} ${4 * PAGE} ${4 * PAGE} 3 ${at(60)}`,
    `mremap PID ${at(10)} ${4 * PAGE} ${4 * PAGE} --to ${at(60)}`,
  ],
  [`mmap 0 ${5 * PAGE} rw- ${ANON} -1 0`, `mmap PID ${5 * PAGE} --prot rw-`],
  [`mmap 0 ${3 * PAGE} r-- ${ANON} -1 0`, `mmap PID ${3 * PAGE} --prot r--`],
  [`mmap 0 ${3 * PAGE} r-- ${PRIVATE} ${DATA} 0`, `mmap PID ${3 * PAGE} --prot r-- --file FILE`],
  [`brk ${3 * PAGE}`, `brk PID ${3 * PAGE}`],
  [`brk ${-PAGE}`, `brk PID ${-PAGE}`],
  // Refused, with the same errno.
  protect(100, 1, "r--"),
  [`munmap ${at(0, 1)} ${PAGE}`, `munmap PID ${at(0, 1)} ${PAGE}`],
];

const REST: readonly Step[] = [
  ["timer_create 1 14 0", "timer_create PID --clock monotonic --signal 14 --notify signal"],
  ["timer_create 0 10 1", "timer_create PID --clock realtime --signal 10 --notify none"],
  ["timer_create 7 34 0", "timer_create PID --clock boottime --signal 34 --notify signal"],
  ["timer_delete 1", "timer_delete PID 1"],
  ["timer_create 1 12 0", "timer_create PID --clock monotonic --signal 12 --notify signal"],
  ["timer_delete 77", "timer_delete PID 77"],
  ["limit 7 100 200", "limit PID nofile 100 200"],
  ["limit 4 0 4096", "limit PID core 0 4096"],
  ["comm renamed", "comm PID renamed"],
  same("nice 5"),
  ["open FILE 0", "open PID FILE --mode r"],
  ["open FILE 2", "open PID FILE --mode rw"],
  ["open FILE 1025", "open PID FILE --mode a"],
  ["socket", "open PID socket"],
  same("dup 3"),
  same("close 4"),
  same("close 44"),
  ["setpgid", "setpgid PID 0"],
  same("dumpable 0"),
  same("dumpable 1"),
];

/** Lines of smaps that say where pages are. */
const RESIDENT =
  /^(Rss|Pss|Pss_Dirty|Shared_\w+|Private_\w+|Referenced|Anonymous|KSM|LazyFree|AnonHugePages|ShmemPmdMapped|FilePmdMapped|Swap|SwapPss|Locked): .*\n/gm;
/** Where maps has an inode number: that of the file is chosen by each. */
const INODE = /^(\S+ \S+ \S+ \S+) \d+ +(?=\/)/gm;
/** Lines of status that change by themselves, or follow from resident pages. */
const MOVING = /^(VmPeak|VmHWM|VmRSS|RssAnon|RssFile|RssShmem|VmPTE|SigQ|(non)?voluntary_ctxt_switches):.*\n/gm;
/** Fields of stat likewise: faults, times, rss, registers, wchan, CPU. */
const MOVING_FIELDS = [10, 11, 12, 13, 14, 15, 16, 17, 22, 24, 29, 30, 35, 39, 42];

function stat(text: string, masked: readonly number[] = []): string {
  const end = text.lastIndexOf(")") + 1;
  const fields = [
    text.slice(0, text.indexOf(" ")),
    text.slice(text.indexOf("("), end),
    ...text.slice(end + 1).split(" "),
  ];
  return fields.map((field, i) => ([...MOVING_FIELDS, ...masked].includes(i + 1) ? "*" : field)).join(" ");
}

/** Each file, as far as it must be the same. */
const FILES: Readonly<Record<string, (view: View) => string>> = {
  maps: (view) => view.cat("maps").replaceAll(INODE, "$1 N "),
  smaps: (view) => view.cat("smaps").replaceAll(INODE, "$1 N ").replaceAll(RESIDENT, ""),
  // Its form; the numbers are sums of what smaps says.
  smaps_rollup: (view) => view.cat("smaps_rollup").replaceAll(/ *\d+ kB$/gm, " N kB"),
  map_files: (view) =>
    view
      .ls("map_files")
      .map((name) => `${name} ${view.readlink(`map_files/${name}`)}\n`)
      .join(""),
  timers: (view) => view.cat("timers"),
  status: (view) => view.cat("status").replaceAll(MOVING, ""),
  // Size, text, library, data, dirty: resident pages move.
  statm: (view) => view.cat("statm").replace(/^(\d+) \d+ \d+/, "$1"),
  stat: (view) => stat(view.cat("stat")),
  cmdline: (view) => view.cat("cmdline"),
  environ: (view) => view.cat("environ"),
  auxv: (view) => view.cat("auxv"),
  comm: (view) => view.cat("comm"),
  limits: (view) => view.cat("limits"),
  io: (view) => view.cat("io").replaceAll(/\d+/g, "N"),
  personality: (view) => view.cat("personality"),
  coredump_filter: (view) => view.cat("coredump_filter"),
  oom_score_adj: (view) => view.cat("oom_score_adj"),
  fd: (view) =>
    view
      .ls("fd")
      .map((fd) => `${fd} ${view.readlink(`fd/${fd}`).replace(/\[\d+\]/, "[N]")}\n`)
      .join(""),
  fdinfo: (view) =>
    view
      .ls("fdinfo")
      .map((fd) => `${fd}\n${view.cat(`fdinfo/${fd}`).replace(/^ino:.*$/m, "ino: N")}`)
      .join(""),
};

/** Fields of stat that are addresses, or sizes of segments. */
const LAYOUT_FIELDS = [23, 26, 27, 28, 45, 46, 47, 48, 49, 50, 51];
/** What a line of maps or smaps is about: permissions, device and name, of mappings that have one. */
const NAMED = /^[0-9a-f]+-[0-9a-f]+ (\S+) [0-9a-f]+ (\S+) \d+ +(\S+)$/;
const ENTRY = 16;

/** Named mappings in their order. The heap is the C library's: it begins when that needs one. */
function named(text: string): string {
  const lines = text.split("\n").map((line) => NAMED.exec(line)?.slice(1).join(" ") ?? "");
  return lines.filter((line) => line !== "" && !line.endsWith("[heap]")).join("\n");
}

/** Types of the auxiliary vector's entries. */
function auxvTypes(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const types: number[] = [];
  for (let i = 0; i < bytes.length; i += ENTRY) types.push(bytes.readUInt32LE(i));
  return types.join(" ");
}

/**
 * After exec each has addresses of its own, and the sizes of what is mapped stand in the program's file, which the
 * simulation doesn't read.
 */
const AFTER_EXEC: typeof FILES = {
  maps: (view) => named(view.cat("maps")),
  smaps: (view) => named(view.cat("smaps")),
  smaps_rollup: (view) => (FILES["smaps_rollup"] as (view: View) => string)(view).replace(/^\S+/, "RANGE"),
  map_files: (view) =>
    view
      .ls("map_files")
      .map((name) => `${view.readlink(`map_files/${name}`)}\n`)
      .join(""),
  status: (view) =>
    view
      .cat("status")
      .replaceAll(MOVING, "")
      .replaceAll(/^Vm.*\n/gm, ""),
  statm: (view) => view.cat("statm").replaceAll(/\d+/g, "N"),
  stat: (view) => stat(view.cat("stat"), LAYOUT_FIELDS),
  auxv: (view) => auxvTypes(view.cat("auxv")),
};

describe.skipIf(why !== "")("a real process and its simulated copy", () => {
  const folder = mkdtempSync(join(tmpdir(), "synthproc-twin-"));
  const program = join(folder, "twin");
  const data = join(folder, "data");
  let real: RealTwin;
  let simulated: SimulatedTwin;

  beforeAll(() => {
    execFileSync("cc", ["-O1", "-o", program, SOURCE]);
    writeFileSync(data, Buffer.alloc(64 * PAGE));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeEach(async () => {
    real = await RealTwin.start(program);
    expect(await real.call(`open ${data} 2`)).toBe(DATA);
    // There is a heap when the copy is made.
    expect(await real.call(`brk ${PAGE}`)).toBe(0);
    simulated = await SimulatedTwin.of(real.pid);
  });
  afterEach(() => real.end());

  function expectSame(what: string): void {
    for (const [name, text] of Object.entries(FILES)) {
      expect.soft(`${what}\n${name}:\n${text(simulated)}`).toBe(`${what}\n${name}:\n${text(real)}`);
    }
  }

  async function run(steps: readonly Step[]): Promise<void> {
    expectSame("at the start");
    for (const [call, command] of steps) {
      const theirs = await real.call(call.replace("FILE", data));
      const ours = simulated.call(command.replace("FILE", data));
      expect.soft(`${call}: ${ours}`).toBe(`${call}: ${theirs}`);
      expectSame(`after ${call}`);
    }
  }

  test("memory: mapped, unmapped, protected, moved, locked", async () => {
    await run(MEMORY);
  });

  test("timers, limits, names, descriptors", async () => {
    await run(REST);
  });

  test("exec: what it replaces, and what stays", async () => {
    await run([
      ["timer_create 1 14 0", "timer_create PID --clock monotonic --signal 14"],
      ["limit 7 100 200", "limit PID nofile 100 200"],
      ["comm before", "comm PID before"],
      same("nice 5"),
    ]);
    const call = `exec ${program} one --two three`;
    expect(await real.call(call)).toBe(0);
    expect(simulated.call(`exec PID ${program} --env TWIN=after -- one --two three`)).toBe(0);
    for (const [name, text] of Object.entries({ ...FILES, ...AFTER_EXEC })) {
      expect.soft(`after ${call}\n${name}:\n${text(simulated)}`).toBe(`after ${call}\n${name}:\n${text(real)}`);
    }
  });
});
