/** Captured address spaces: every real maps file of this machine comes back byte by byte. */
import { spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { MM } from "../../src/kernel/layout.ts";
import type { CapturedPaths, CapturedVma } from "../../src/mm/captured.ts";
import { loadCaptured, releasePaths } from "../../src/mm/captured.ts";
import { mmAlloc, mmput } from "../../src/mm/mm.ts";
import { SmapsNumbers, smapsAdd, smapsClear } from "../../src/mm/smaps.ts";
import { testKernel } from "../support/kernel.ts";
import { mapsText, parseSmaps, vmFlagsLines, walk } from "./shown.ts";

interface Real {
  pid: string;
  maps: string;
  smaps: string;
  status: string;
  statm: string;
}

function read(pid: string, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, "latin1");
}

/** A process that holds still while it is read; null if it is gone, has no memory or moves. */
function capture(pid: string): Real | null {
  try {
    const maps = read(pid, "maps");
    const real = { pid, maps, smaps: read(pid, "smaps"), status: read(pid, "status"), statm: read(pid, "statm") };
    const still = maps !== "" && read(pid, "maps") === maps && read(pid, "statm") === real.statm;
    return still && parseSmaps(real.smaps).length === parseSmaps(maps).length ? real : null;
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
    throw error;
  }
}

const sleeper = spawn("sleep", ["1000"]);
let reals: Real[] = [];

beforeAll(async () => {
  await sleep(300);
  reals = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(capture)
    .filter((real) => real !== null);
});

afterAll(() => {
  sleeper.kill();
});

test("maps of all processes", () => {
  const k = testKernel();
  const paths: CapturedPaths = new Map();
  expect(reals.map(({ pid }) => pid)).toContain(String(sleeper.pid));
  for (const real of reals) {
    const mm = mmAlloc(k);
    loadCaptured(k, mm, parseSmaps(real.smaps), paths);
    expect(mapsText(k, mm)).toBe(real.maps);
    mmput(k, mm);
  }
  releasePaths(k, paths);
});

test("VmFlags of smaps, and sizes as in status and statm", () => {
  const k = testKernel();
  for (const real of reals) {
    const mm = mmAlloc(k);
    const records = parseSmaps(real.smaps);
    loadCaptured(k, mm, records);
    const flags = [...real.smaps.matchAll(/^VmFlags: (.*)$/gm)].map((match) => match[1]);
    expect(vmFlagsLines(k, mm)).toEqual(flags);
    const value = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(real.status)?.[1]);
    const { m } = k;
    expect(4 * m.load64(mm + MM.totalVm)).toBe(value("VmSize"));
    expect(4 * m.load64(mm + MM.dataVm)).toBe(value("VmData"));
    expect(4 * m.load(mm + MM.stackVm)).toBe(value("VmStk"));
    expect(4 * m.load(mm + MM.execVm)).toBe(value("VmExe") + value("VmLib"));
    expect(4 * m.load(mm + MM.lockedVm)).toBe(value("VmLck"));
    const rss = records.reduce((sum, { smaps }) => sum + (smaps?.["Rss"] ?? 0), 0);
    const numbers = new SmapsNumbers();
    smapsClear(numbers);
    walk(k, mm, (v) => smapsAdd(v, numbers), Path.smaps);
    expect(numbers.rss).toBe(rss);
    mmput(k, mm);
  }
});

const NONE = { smaps: {}, vmFlags: [] };
const STRANGE: CapturedVma[] = [
  {
    start: 0x1000,
    end: 0x3000,
    perms: "r--p",
    offset: 0,
    major: 8,
    minor: 1,
    inode: 9007199254740991,
    path: "/a b\\012c",
    ...NONE,
  },
  {
    start: 0x3000,
    end: 0x4000,
    perms: "rw-s",
    offset: 0x7000,
    major: 0,
    minor: 5,
    inode: 12,
    path: "/memfd:x (deleted)",
    ...NONE,
  },
  {
    start: 0x4000,
    end: 0x5000,
    perms: "rw-s",
    offset: 0,
    major: 0,
    minor: 1,
    inode: 13,
    path: "[anon_shmem:pool]",
    ...NONE,
  },
  { start: 0x5000, end: 0x6000, perms: "rw-p", offset: 0, major: 0, minor: 0, inode: 0, path: "[anon:a]b]", ...NONE },
  { start: 0x6000, end: 0x7000, perms: "rw-p", offset: 0, major: 0, minor: 0, inode: 0, path: "[heap]", ...NONE },
  { start: 0x7000, end: 0x8000, perms: "---p", offset: 0, major: 0, minor: 0, inode: 0, path: "[heap]", ...NONE },
  { start: 0x8000, end: 0x9000, perms: "--xp", offset: 0, major: 0, minor: 0, inode: 0, path: "[uprobes]", ...NONE },
  { start: 0x9000, end: 0xa000, perms: "rw-p", offset: 0, major: 0, minor: 0, inode: 0, path: "", ...NONE },
  {
    start: 0xa000,
    end: 0xb000,
    perms: "rw-s",
    offset: 0,
    major: 0,
    minor: 15,
    inode: 77,
    path: "anon_inode:[perf_event]",
    ...NONE,
  },
  {
    start: 0x7ffff0000000,
    end: 0x7ffff0021000,
    perms: "rw-p",
    offset: 0,
    major: 0,
    minor: 0,
    inode: 0,
    path: "[stack]",
    ...NONE,
  },
];

describe("unusual mappings", () => {
  test("names of all kinds", () => {
    const k = testKernel();
    const mm = mmAlloc(k);
    const pathsBefore = k.slab.live(Cache.path);
    loadCaptured(k, mm, STRANGE);
    expect(parseSmaps(mapsText(k, mm))).toEqual(STRANGE);
    mmput(k, mm);
    while (k.slab.reclaiming()) {
      k.slab.reclaim();
      k.quiescent();
    }
    expect(k.slab.live(Cache.path)).toBe(pathsBefore);
  });

  test("no heap, no stack: no labels", () => {
    const k = testKernel();
    const mm = mmAlloc(k);
    const plain = [...STRANGE.slice(0, 1), ...STRANGE.slice(7, 8)];
    loadCaptured(k, mm, plain);
    expect(parseSmaps(mapsText(k, mm))).toEqual(plain);
  });

  test.each([
    [
      "overlap",
      [
        { start: 0x1000, end: 0x3000 },
        { start: 0x2000, end: 0x4000 },
      ],
    ],
    [
      "descend",
      [
        { start: 0x4000, end: 0x5000 },
        { start: 0x1000, end: 0x2000 },
      ],
    ],
    ["are empty", [{ start: 0x4000, end: 0x4000 }]],
    ["are no whole pages", [{ start: 0x4000, end: 0x4100 }]],
    ["lie beyond user space", [{ start: 0xffff800000000000, end: 0xffff800000001000 }]],
  ])("records that %s are refused", (_, ranges) => {
    const k = testKernel();
    const records = ranges.map((range) => ({ ...(STRANGE[7] as CapturedVma), ...range }));
    expect(() => loadCaptured(k, mmAlloc(k), records)).toThrow(RangeError);
  });
});
