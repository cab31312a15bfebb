/** What exec makes of an address space, compared with a real process of this machine. */
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import type { ImageFile, KernelConfig, Program } from "../../src/kernel/config.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { MM, VMA } from "../../src/kernel/layout.ts";
import { Random } from "../../src/kernel/random.ts";
import { auxvLength, auxvRead } from "../../src/mm/auxv.ts";
import type { CapturedVma } from "../../src/mm/captured.ts";
import { TASK_SIZE, vmFlagsText } from "../../src/mm/flags.ts";
import { loadImage } from "../../src/mm/image.ts";
import { allVmas, dupMm, mmAlloc, mmdrop, mmgrab, mmput } from "../../src/mm/mm.ts";
import { vmaEnd, vmaStart } from "../../src/mm/vma.ts";
import { testKernel } from "../support/kernel.ts";
import { mapsText, parseSmaps } from "./shown.ts";

const PAGE = 4096;
const ARGV = "sleep\x001000\x00";
const encoder = new TextEncoder();

const sleeper = spawn("sleep", ["1000"], { env: { HOME: "/root", LANG: "C" } });
let smaps = "";
let stat: number[] = [];

beforeAll(async () => {
  await sleep(300);
  smaps = readFileSync(`/proc/${sleeper.pid}/smaps`, "latin1");
  stat = readFileSync(`/proc/${sleeper.pid}/stat`, "latin1").split(" ").map(Number);
});

afterAll(() => {
  sleeper.kill();
});

/** The files that the real process maps as programs and libraries, as a configuration has them. */
function filesOf(records: readonly CapturedVma[]): ImageFile[] {
  const files = new Map<string, ImageFile & { segments: ImageFile["segments"][number][] }>();
  for (const { path, inode, major, minor, start, end, perms, offset } of records) {
    if (!/\/s?bin\/|\.so/.test(path)) continue;
    const file = files.get(path) ?? {
      path,
      devMajor: major,
      devMinor: minor,
      ino: inode,
      mode: 0o100755,
      size: 0,
      segments: [],
    };
    files.set(path, file);
    file.segments.push({ size: end - start, perms, offset });
  }
  return [...files.values()];
}

function configFromReal(): Partial<KernelConfig> {
  const files = filesOf(parseSmaps(smaps));
  const linker = files.findIndex(({ path }) => path.includes("/ld-linux"));
  const libraries = files.map((_, i) => i).filter((i) => i > 0 && i !== linker);
  const program = { path: (files[0] as ImageFile).path, file: 0, libraries: [...libraries, linker] };
  return { files, programs: [{ ...program, bss: 0, heap: 0x21000, anonymous: [0x2000, 0x3000], setuid: -1 }] };
}

function load(k: Kernel, seed: number, program = k.config.programs[0] as Program): number {
  const mm = mmAlloc(k);
  const envp = encoder.encode("HOME=/root\0LANG=C\0");
  loadImage(k, mm, program, encoder.encode(ARGV), envp, new Random(seed));
  return mm;
}

function names(records: readonly CapturedVma[]): string[] {
  return [...new Set(records.map(({ path }) => path))].filter((path) => path !== "");
}

describe("a program like the real one", () => {
  test("is laid out in the same order, with the same sizes and permissions", () => {
    const k = testKernel(configFromReal());
    const ours = parseSmaps(mapsText(k, load(k, 1)));
    const theirs = parseSmaps(smaps).filter(({ path }) => names(ours).includes(path));
    expect(names(ours)).toEqual(names(theirs));
    const shape = (records: readonly CapturedVma[]): unknown[] =>
      records
        .filter(({ path }) => path !== "" && path !== "[heap]" && path !== "[stack]")
        .map(({ path, perms, offset, start, end }) => [path, perms, offset, end - start]);
    expect(shape(ours)).toEqual(shape(theirs));
    const size = (records: readonly CapturedVma[], name: string): number =>
      records.filter(({ path }) => path === name).reduce((sum, { start, end }) => sum + end - start, 0);
    expect(size(ours, "[heap]")).toBe(size(theirs, "[heap]"));
    expect(Math.abs(size(ours, "[stack]") - size(theirs, "[stack]"))).toBeLessThanOrEqual(2 * PAGE);
  });

  test("has the same VmFlags", () => {
    const k = testKernel(configFromReal());
    const mm = load(k, 1);
    const records = parseSmaps(mapsText(k, mm));
    const vmas = allVmas(k, mm);
    for (const real of parseSmaps(smaps)) {
      const at = records.findIndex(({ path, offset, perms }) => {
        return path === real.path && offset === real.offset && perms === real.perms;
      });
      if (at < 0 || real.path === "") continue;
      const vma = vmas[at] as number;
      const flags = vmFlagsText(k.m.load(vma + VMA.vmFlags), k.m.load(vma + VMA.vmFlags2));
      expect([real.path, real.perms, flags.trim()]).toEqual([real.path, real.perms, real.vmFlags?.join(" ")]);
    }
  });

  test("keeps its strings at the top of the stack, as the real one does", () => {
    const k = testKernel(configFromReal());
    const mm = load(k, 1);
    const field = (at: number): number => k.m.load64(mm + at);
    const stack = allVmas(k, mm).at(-1) as number;
    const execfn = (k.config.programs[0] as Program).path;
    expect(field(MM.envEnd) + execfn.length + 1 + 8).toBe(vmaEnd(k.m, stack));
    expect(field(MM.argEnd) - field(MM.argStart)).toBe(ARGV.length);
    expect(field(MM.envStart)).toBe(field(MM.argEnd));
    expect(field(MM.startStack)).toBeGreaterThan(vmaStart(k.m, stack));
    expect(field(MM.startStack)).toBeLessThan(field(MM.argStart));
    // Fields of stat: 28 startstack, 48 arg_start, 49 arg_end, 50 env_start, 51 env_end.
    const [argStart, argEnd, envStart, envEnd] = [47, 48, 49, 50].map((i) => stat[i] as number);
    const top = parseSmaps(smaps).find(({ path }) => path === "[stack]")?.end as number;
    const real = readlinkSync(`/proc/${sleeper.pid}/exe`);
    expect(argEnd).toBe((argStart as number) + ARGV.length);
    expect(envStart).toBe(argEnd);
    // What the real one was started as may be a link to the file that it is.
    expect(top - 8 - (envEnd as number)).toBeLessThanOrEqual(Math.max(real.length, "/usr/bin/sleep".length) + 1);
    expect((stat[27] as number) % 16).toBe(field(MM.startStack) % 16);
  });
});

test("auxv has the real one's entries in the real one's order", () => {
  const entries = (bytes: Uint8Array): [number, bigint][] => {
    const view = new DataView(Uint8Array.from(bytes).buffer);
    return Array.from({ length: bytes.length / 16 }, (_, i) => [
      Number(view.getBigUint64(i * 16, true)),
      view.getBigUint64(i * 16 + 8, true),
    ]);
  };
  const real = entries(execFileSync("cat", ["/proc/self/auxv"]));
  const k = testKernel();
  const mm = load(k, 1);
  const bytes = new Uint8Array(auxvLength(k, mm));
  expect(auxvRead(k, mm, bytes)).toBe(bytes.length);
  const ours = entries(bytes);
  const known = new Set(real.map(([type]) => type));
  const types = ours.map(([type]) => type);
  expect(types.filter((type) => known.has(type))).toEqual(real.map(([type]) => type).filter((t) => types.includes(t)));
  const value = (list: [number, bigint][], type: number): bigint | undefined => list.find(([t]) => t === type)?.[1];
  for (const type of [0, 4, 6, 8, 17]) expect(value(ours, type)).toBe(value(real, type));
  expect(value(ours, 33)).toBe(BigInt(k.m.load64(mm + MM.vdso)));
  expect(value(ours, 15)).toBe((value(ours, 25) as bigint) + 16n);
  expect(value(real, 15)).toBe((value(real, 25) as bigint) + 16n);
  expect(value(ours, 31)).toBe(BigInt(k.m.load64(mm + MM.envEnd)));
});

describe("places", () => {
  test("lie where x86-64 puts them, in order, and differ from seed to seed", () => {
    const k = testKernel();
    const bases = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const mm = load(k, seed);
      const records = parseSmaps(mapsText(k, mm));
      const [first, stack] = [records[0] as CapturedVma, records.at(-1) as CapturedVma];
      expect(first.start).toBeGreaterThanOrEqual(0x555555554000);
      expect(first.start).toBeLessThan(0x655555554000);
      expect(stack.path).toBe("[stack]");
      expect(stack.end).toBeLessThanOrEqual(TASK_SIZE);
      expect(stack.end).toBeGreaterThan(0x7ffb00000000);
      expect(k.m.load64(mm + MM.mmapBase)).toBeLessThan(stack.start - 8 * 2 ** 20);
      expect(k.m.load64(mm + MM.mmapBase)).toBeGreaterThan(0x7ef000000000);
      for (let i = 1; i < records.length; i++) {
        expect((records[i] as CapturedVma).start).toBeGreaterThanOrEqual((records[i - 1] as CapturedVma).end);
      }
      bases.add(first.start);
      mmput(k, mm);
    }
    expect(bases.size).toBe(300);
  });

  test("are the same for the same seed", () => {
    const k = testKernel();
    expect(mapsText(k, load(k, 7))).toBe(mapsText(k, load(k, 7)));
  });

  test("a static program is loaded where it was linked to", () => {
    const k = testKernel();
    const mm = load(k, 1, { ...(k.config.programs[0] as Program), libraries: [] });
    expect(vmaStart(k.m, allVmas(k, mm)[0] as number)).toBe(0x400000);
    expect(mapsText(k, mm)).not.toContain("ld-linux");
  });
});

test("fork copies the layout; the last user takes the mappings along, the last reference the rest", () => {
  const k = testKernel();
  const mm = load(k, 3);
  const copy = dupMm(k, mm);
  expect(mapsText(k, copy)).toBe(mapsText(k, mm));
  const bytes = k.slab.live(Cache.vma);
  mmgrab(k, copy);
  mmput(k, copy);
  expect(k.slab.live(Cache.vma)).toBe(bytes / 2);
  expect(auxvLength(k, copy)).toBeGreaterThan(300);
  expect(k.m.load(copy + MM.argv)).toBe(0);
  mmdrop(k, copy);
  mmput(k, mm);
  while (k.slab.reclaiming()) {
    k.slab.reclaim();
    k.quiescent();
  }
  for (const cache of [Cache.mm, Cache.vma, Cache.vmaNode]) expect(k.slab.live(cache)).toBe(0);
});
