import { expect, test } from "vitest";
import { latin1Bytes } from "../../src/shm/bytes.ts";
import { RLIM_INFINITY } from "../../src/kernel/layout.ts";
import { stateIndex, stateLetter, stateName } from "../../src/proc/task/array-state.ts";
import { formatSchedstat, formatStat, formatStatm } from "../../src/proc/task/array-format.ts";
import { formatSched } from "../../src/proc/task/base-sched-format.ts";
import { bitmapHex, bitmapList, formatStatus } from "../../src/proc/task/array-status-format.ts";
import { Mask64, SchedSnapshot, StatSnapshot, StatmSnapshot, StatusSnapshot } from "../../src/proc/task/snapshots.ts";
import type { Comm } from "../../src/proc/task/snapshots.ts";
import { Text } from "../../src/proc/text.ts";
import { everywhere } from "./format-real.ts";

const STAT_FIELDS =
  `ppid pgrp session ttyNr tpgid flags minFlt cminFlt majFlt cmajFlt utime stime cutime cstime priority
  nice numThreads - startTime vsize rss rsslim startCode endCode startStack kstkEsp kstkEip pending blocked ignored
  caught wchan - - exitSignal processor rtPriority policy delayacctBlkioTicks guestTime cguestTime startData endData
  startBrk argStart argEnd envStart envEnd exitCode`.split(/\s+/);

function setComm(comm: Comm, text: string): void {
  comm.bytes.set(latin1Bytes(text.slice(0, 16)));
  comm.length = text.length;
}

function parseStat(text: string, s: StatSnapshot): void {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  s.pid = Number(text.slice(0, open - 1));
  setComm(s.comm, text.slice(open + 1, close));
  s.state = text.charCodeAt(close + 2);
  const values = text
    .slice(close + 4)
    .trimEnd()
    .split(" ");
  expect(values).toHaveLength(STAT_FIELDS.length);
  for (let i = 0; i < values.length; i++) {
    const name = STAT_FIELDS[i] as string;
    if (name === "-") continue;
    const value = values[i] === "18446744073709551615" ? RLIM_INFINITY : Number(values[i]);
    (s as unknown as Record<string, number>)[name] = value;
  }
}

function written(format: (out: Text) => void): string {
  const out = new Text(16);
  format(out);
  return out.toString();
}

/** Kernel threads' names can be longer than a comm: the kernel composes them, a simulated task's name is its comm. */
function longName(text: string): boolean {
  const name = /^Name:\t(.*)$/m.exec(text)?.[1] ?? /\((.*)\)/s.exec(text)?.[1] ?? "";
  return name.length > 15;
}

test("stat reproduces every stat of this machine", () => {
  const files = everywhere("stat").filter(([, text]) => !longName(text));
  expect(files.length).toBeGreaterThan(5);
  const s = new StatSnapshot();
  for (const [path, text] of files) {
    parseStat(text, s);
    expect(
      written((out) => formatStat(s, out)),
      path,
    ).toBe(text);
  }
});

test("statm reproduces every statm of this machine", () => {
  const s = new StatmSnapshot();
  for (const [path, text] of everywhere("statm")) {
    const [size, resident, shared, code, , data] = text.split(" ").map(Number);
    Object.assign(s, { size, resident, shared, text: code, data });
    expect(
      written((out) => formatStatm(s, out)),
      path,
    ).toBe(text);
  }
});

test("schedstat reproduces every schedstat of this machine", () => {
  const s = new SchedSnapshot();
  for (const [path, text] of everywhere("schedstat")) {
    const [sumExecRuntime, runDelay, pcount] = text.split(" ").map(Number);
    Object.assign(s, { sumExecRuntime, runDelay, pcount });
    expect(
      written((out) => formatSchedstat(s, out)),
      path,
    ).toBe(text);
  }
});

function parseMask(hex: string, mask: Mask64): void {
  mask.high = parseInt(hex.slice(0, 8), 16) | 0;
  mask.low = parseInt(hex.slice(8), 16) | 0;
}

function parseStatus(text: string, s: StatusSnapshot): void {
  const lines = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    const colon = line.indexOf(":\t");
    lines.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const value = (name: string): string => lines.get(name) ?? "";
  setComm(s.comm, value("Name").replaceAll("\\n", "\n").replaceAll("\\\\", "\\"));
  s.umask = lines.has("Umask") ? parseInt(value("Umask"), 8) : -1;
  s.state = [...Array(9).keys()].findIndex((index) => stateName(index) === value("State"));
  for (const [field, name] of NUMBERS) (s as unknown as Record<string, number>)[field] = Number(value(name));
  [s.uid, s.euid, s.suid, s.fsuid] = value("Uid").split("\t").map(Number) as [number, number, number, number];
  [s.gid, s.egid, s.sgid, s.fsgid] = value("Gid").split("\t").map(Number) as [number, number, number, number];
  const groups = value("Groups").trim().split(" ").filter(Boolean).map(Number);
  s.groups.set(new Uint8Array(Uint32Array.from(groups).buffer));
  s.groupCount = groups.length;
  s.kthread = value("Kthread") === "1";
  s.hasMm = lines.has("VmPeak");
  for (const [field, name] of MEMORY)
    (s.memory as unknown as Record<string, number>)[field] = parseInt(value(name), 10);
  s.coreDumping = value("CoreDumping") === "1";
  s.thpEnabled = value("THP_enabled") === "1";
  [s.sigQueued, s.sigLimit] = value("SigQ").split("/").map(Number) as [number, number];
  for (const [field, name] of MASKS) parseMask(value(name), (s as unknown as Record<string, Mask64>)[field] as Mask64);
  s.cpus = navigatorCpus();
  parseMask(value("Cpus_allowed").padStart(16, "0"), s.cpusAllowed);
}

function navigatorCpus(): number {
  const possible = everywhere("status")[0]?.[1] ?? "";
  const hex = /Cpus_allowed:\t(.*)/.exec(possible)?.[1] ?? "";
  return hex.includes(",") ? 64 : parseInt(hex, 16).toString(2).length;
}

const NUMBERS = [
  ["tgid", "Tgid"],
  ["ngid", "Ngid"],
  ["pid", "Pid"],
  ["ppid", "PPid"],
  ["tracer", "TracerPid"],
  ["fdSize", "FDSize"],
  ["pgrp", "NSpgid"],
  ["session", "NSsid"],
  ["threads", "Threads"],
  ["noNewPrivs", "NoNewPrivs"],
  ["seccomp", "Seccomp"],
  ["seccompFilters", "Seccomp_filters"],
  ["voluntary", "voluntary_ctxt_switches"],
  ["nonvoluntary", "nonvoluntary_ctxt_switches"],
] as const;

const MEMORY = [
  ["peak", "VmPeak"],
  ["size", "VmSize"],
  ["locked", "VmLck"],
  ["pinned", "VmPin"],
  ["hwm", "VmHWM"],
  ["rss", "VmRSS"],
  ["anon", "RssAnon"],
  ["file", "RssFile"],
  ["shmem", "RssShmem"],
  ["data", "VmData"],
  ["stack", "VmStk"],
  ["exe", "VmExe"],
  ["lib", "VmLib"],
  ["pageTables", "VmPTE"],
  ["swap", "VmSwap"],
  ["hugetlb", "HugetlbPages"],
] as const;

const MASKS = [
  ["pending", "SigPnd"],
  ["sharedPending", "ShdPnd"],
  ["blocked", "SigBlk"],
  ["ignored", "SigIgn"],
  ["caught", "SigCgt"],
  ["capInheritable", "CapInh"],
  ["capPermitted", "CapPrm"],
  ["capEffective", "CapEff"],
  ["capBounding", "CapBnd"],
  ["capAmbient", "CapAmb"],
] as const;

test("status reproduces every status of this machine", () => {
  const s = new StatusSnapshot();
  for (const [path, text] of everywhere("status")) {
    if (longName(text)) continue;
    parseStatus(text, s);
    expect(
      written((out) => formatStatus(s, out)),
      path,
    ).toBe(text);
  }
});

test("status escapes newlines and backslashes in names, stat doesn't", () => {
  const status = new StatusSnapshot();
  setComm(status.comm, "a\nb\\c d)");
  expect(written((out) => formatStatus(status, out)).split("\n")[0]).toBe("Name:\ta\\nb\\\\c d)");
  const stat = new StatSnapshot();
  setComm(stat.comm, "a\nb\\c d)");
  expect(written((out) => formatStat(stat, out)).startsWith("0 (a\nb\\c d)) ")).toBe(true);
});

test("states have the kernel's letters", () => {
  const cases = [
    [0, "R (running)"],
    [1, "S (sleeping)"],
    [2, "D (disk sleep)"],
    [4, "T (stopped)"],
    [8, "t (tracing stop)"],
    [16, "X (dead)"],
    [32, "Z (zombie)"],
    [64, "P (parked)"],
    [0x402, "I (idle)"],
  ] as const;
  for (const [state, name] of cases) {
    expect(stateName(stateIndex(state))).toBe(name);
    expect(String.fromCharCode(stateLetter(stateIndex(state)))).toBe(name[0]);
  }
});

test("CPU masks of many widths", () => {
  const mask = new Mask64();
  mask.low = 0b1011;
  expect(written((out) => bitmapHex(out, mask, 4))).toBe("b");
  expect(written((out) => bitmapHex(out, mask, 36))).toBe("0,0000000b");
  expect(written((out) => bitmapList(out, mask, 36))).toBe("0-1,3");
  mask.low = mask.high = -1;
  expect(written((out) => bitmapHex(out, mask, 2))).toBe("3");
  expect(written((out) => bitmapHex(out, mask, 96))).toBe("ffffffff,ffffffff,ffffffff");
  expect(written((out) => bitmapList(out, mask, 96))).toBe("0-95");
});

test("sched reproduces every sched of this machine, running averages apart", () => {
  const s = new SchedSnapshot();
  const nanoseconds = (text: string): number => Number(text.replace(".", ""));
  for (const [path, text] of everywhere("sched")) {
    const values = new Map<string, string>();
    for (const line of text.split("\n")) {
      const match = /^(\S+) *: *(-?[\d.]+)$/.exec(line);
      if (match !== null) values.set(match[1] as string, match[2] as string);
    }
    const head = /^(.*) \((\d+), #threads: (\d+)\)$/m.exec(text) as RegExpExecArray;
    if ((head[1] as string).length > 15) continue;
    setComm(s.comm, head[1] as string);
    const value = (name: string): number => Number(values.get(name));
    Object.assign(s, { pid: Number(head[2]), threads: Number(head[3]), policy: value("policy"), prio: value("prio") });
    s.execStart = nanoseconds(values.get("se.exec_start") as string);
    s.vruntime = nanoseconds(values.get("se.vruntime") as string);
    s.sumExecRuntime = nanoseconds(values.get("se.sum_exec_runtime") as string);
    s.migrations = value("se.nr_migrations");
    s.voluntary = value("nr_voluntary_switches");
    s.nonvoluntary = value("nr_involuntary_switches");
    s.loadWeight = value("se.load.weight");
    s.lastUpdate = value("se.avg.last_update_time");
    s.fair = values.has("se.slice");
    s.slice = value("se.slice");
    s.clockDelta = value("clock-delta");
    s.hasMm = values.has("mm->numa_scan_seq");
    const plain = (from: string): string => from.replace(/^(se\.avg\.(?:load|runnable|util)_\w+ +:) *\d+$/gm, "$1");
    expect(plain(written((out) => formatSched(s, out))), path).toBe(plain(text));
  }
});
