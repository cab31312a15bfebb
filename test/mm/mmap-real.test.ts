/** The mmap family against the real kernel: a child process does the same calls, and its /proc/self/smaps is compared. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { PATH, VMA } from "../../src/kernel/layout.ts";
import { pathNew } from "../../src/kernel/path.ts";
import { Random } from "../../src/kernel/random.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  VM_WRITE,
  permsText,
  vmFlagsText,
} from "../../src/mm/flags.ts";
import { allVmas, mmAlloc } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { mlock, mprotect } from "../../src/mm/mprotect.ts";
import { mremap } from "../../src/mm/mremap.ts";
import { touch } from "../../src/mm/resident.ts";
import { findVma } from "../../src/mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../src/mm/vma.ts";
import { testKernel } from "../support/kernel.ts";

const PAGE = 4096;
const BASE = 0x100000000000;
const AREA = 60;
const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

/** Name, page, pages, further arguments: as real-mappings.py reads them. */
type Op = [string, number, number, ...number[]];
/** First page, page after the last, permissions, offset in pages, kind, VmFlags. */
type Mapping = [number, number, string, number, string, string];
type Step = [number, Mapping[]];

function real(ops: readonly Op[]): Step[] {
  const script = fileURLToPath(new URL("real-mappings.py", import.meta.url));
  const child = spawnSync("python3", [script], { input: JSON.stringify(ops), maxBuffer: 2 ** 28, timeout: 60_000 });
  const lines = child.stdout.toString().split("\n").slice(0, -1);
  const steps = lines.map((line) => JSON.parse(line) as Step);
  // It dies of a signal if it touches what isn't mapped: the step before then differs from ours.
  if (child.status !== 0) steps.push([NaN, [[0, 0, "", 0, child.signal ?? child.stderr.toString(), ""]]]);
  return steps;
}

/** The simulated twin of the child. */
class Twin {
  readonly k: Kernel = testKernel();
  readonly mm = mmAlloc(this.k);
  readonly file = pathNew(this.k, { name: "/tmp/x", ino: 7 });

  run([name, at, count, ...rest]: Op): number {
    const { k, mm } = this;
    const address = BASE + at * PAGE;
    const length = count * PAGE;
    const [a = 0, b = 0, c = 0] = rest;
    if (name === "map") {
      const file = (b & MAP_ANONYMOUS) !== 0 ? 0 : this.file;
      return pages(mmap(k, mm, address, length, a, b, file, c * PAGE));
    }
    if (name === "munmap") return munmap(k, mm, address, length);
    if (name === "mprotect") return mprotect(k, mm, address, length, a);
    if (name === "mlock") return mlock(k, mm, address, length, a !== 0);
    if (name === "mremap") return pages(mremap(k, mm, address, length, a * PAGE, b, BASE + c * PAGE));
    // The child writes page by page, across borders of mappings.
    for (let page = at; page < at + count; page++) touch(k, mm, BASE + page * PAGE, 1);
    return 0;
  }

  mappings(): Mapping[] {
    const { m } = this.k;
    return allVmas(this.k, this.mm).map((vma) => {
      const flags = m.load(vma + VMA.vmFlags);
      const file = m.load(vma + VMA.vmFile);
      const shmem = file !== 0 && m.load(file + PATH.shmem) !== 0;
      return [
        (vmaStart(m, vma) - BASE) / PAGE,
        (vmaEnd(m, vma) - BASE) / PAGE,
        permsText(flags),
        file === 0 ? 0 : m.load64(vma + VMA.vmPgoff) / PAGE,
        file === 0 ? "anon" : shmem ? "zero" : "file",
        vmFlagsText(flags, m.load(vma + VMA.vmFlags2)).trim(),
      ];
    });
  }

  /** Leading pages of [at, at + count) that can be written to. */
  writable(at: number, count: number): number {
    const { m } = this.k;
    for (let page = at; page < at + count; page++) {
      const vma = findVma(this.k, this.mm, BASE + page * PAGE);
      if (vma === 0 || vmaStart(m, vma) > BASE + page * PAGE) return page - at;
      if ((m.load(vma + VMA.vmFlags) & VM_WRITE) === 0) return page - at;
    }
    return count;
  }
}

function pages(result: number): number {
  return result < 0 ? result : (result - BASE) / PAGE;
}

function simulate(ops: readonly Op[]): Step[] {
  const twin = new Twin();
  return ops.map((op) => [twin.run(op), twin.mappings()]);
}

function expectSame(ops: readonly Op[]): void {
  const theirs = real(ops);
  const ours = simulate(ops);
  for (let i = 0; i < ops.length; i++) {
    expect({ op: ops[i], step: ours[i] }).toEqual({ op: ops[i], step: theirs[i] });
  }
}

test.each<[string, Op[]]>([
  [
    "adjacent anonymous mappings merge",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["map", 2, 2, RW, ANON, 0],
      ["map", 4, 1, PROT_READ, ANON, 0],
    ],
  ],
  [
    "a hole that is filled joins both sides",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["map", 4, 2, RW, ANON, 0],
      ["map", 2, 2, RW, ANON, 0],
    ],
  ],
  [
    "but not two that were faulted in separately",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["touch", 0, 1],
      ["map", 4, 2, RW, ANON, 0],
      ["touch", 4, 1],
      ["map", 2, 2, RW, ANON, 0],
    ],
  ],
  [
    "munmap in the middle splits",
    [
      ["map", 0, 9, RW, ANON, 0],
      ["munmap", 3, 3],
      ["munmap", 20, 3],
      ["munmap", 2, 8],
    ],
  ],
  [
    "mprotect splits, and merges again",
    [
      ["map", 0, 9, RW, ANON, 0],
      ["mprotect", 3, 3, PROT_READ],
      ["mprotect", 3, 3, RW],
    ],
  ],
  [
    "mprotect of touched memory keeps its accounting",
    [
      ["map", 0, 9, RW, ANON, 0],
      ["touch", 0, 9],
      ["mprotect", 3, 3, PROT_READ],
      ["mprotect", 2, 2, PROT_READ],
      ["mprotect", 3, 3, RW],
    ],
  ],
  [
    "mprotect moves a border",
    [
      ["map", 0, 4, RW, ANON, 0],
      ["map", 4, 4, PROT_READ, ANON, 0],
      ["mprotect", 4, 2, RW],
      ["mprotect", 2, 2, PROT_READ],
    ],
  ],
  [
    "mprotect stops at a hole",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["map", 4, 2, RW, ANON, 0],
      ["mprotect", 1, 4, PROT_READ],
      ["mprotect", 2, 1, PROT_READ],
    ],
  ],
  [
    "file mappings merge if their offsets go on",
    [
      ["map", 0, 2, PROT_READ, MAP_PRIVATE | MAP_FIXED, 0],
      ["map", 2, 2, PROT_READ, MAP_PRIVATE | MAP_FIXED, 2],
      ["map", 4, 2, PROT_READ, MAP_PRIVATE | MAP_FIXED, 9],
      ["munmap", 1, 2],
    ],
  ],
  [
    "shared mappings",
    [
      ["map", 0, 4, RW, MAP_SHARED | MAP_FIXED, 0],
      ["mprotect", 1, 1, PROT_READ],
      ["map", 8, 4, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, 0],
      ["map", 12, 4, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, 0],
    ],
  ],
  [
    "the guard below a thread's stack",
    [
      ["map", 0, 9, PROT_NONE, ANON, 0],
      ["mprotect", 1, 8, RW],
      ["touch", 8, 1],
    ],
  ],
  [
    "mapping over what is there",
    [
      ["map", 0, 9, RW, ANON, 0],
      ["map", 3, 3, PROT_READ, ANON, 0],
      ["map", 2, 5, RW, ANON, 0],
      ["map", 4, 2, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0],
    ],
  ],
  [
    "mlock",
    [
      ["map", 0, 9, RW, ANON, 0],
      ["mlock", 3, 3, 1],
      ["mlock", 4, 9, 1],
      ["mlock", 0, 9, 0],
    ],
  ],
  [
    "mremap grows, shrinks, moves",
    [
      ["map", 0, 4, RW, ANON, 0],
      ["mremap", 0, 4, 8, 0, 0],
      ["mremap", 0, 8, 3, 0, 0],
      ["map", 4, 2, RW, ANON, 0],
      ["mremap", 0, 3, 4, 0, 0],
      ["mremap", 0, 4, 9, MREMAP_MAYMOVE | MREMAP_FIXED, 20],
      ["mremap", 22, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 30],
    ],
  ],
  [
    "moved memory merges only if it was never faulted in",
    [
      ["map", 0, 4, RW, ANON, 0],
      ["touch", 0, 4],
      ["map", 20, 4, RW, ANON, 0],
      ["mremap", 0, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 24],
      ["map", 40, 4, RW, ANON, 0],
      ["mremap", 40, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, 16],
    ],
  ],
  [
    "memory that was never faulted in becomes one with its own copy",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["map", 4, 2, RW, ANON, 0],
      ["mremap", 4, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 2],
      ["map", 6, 2, RW, ANON, 0],
      ["mremap", 6, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 4],
      ["mremap", 0, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 8],
      ["mlock", 0, 10, 1],
      ["map", 20, 2, PROT_READ, ANON, 0],
      ["mlock", 20, 2, 1],
      ["mremap", 20, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED, 22],
      ["mremap", 22, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 24],
    ],
  ],
  [
    "what is moved without being unmapped stays whole, and is no longer locked",
    [
      ["map", 0, 4, RW, ANON, 0],
      ["touch", 0, 4],
      ["mlock", 0, 4, 1],
      ["mremap", 1, 2, 2, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 10],
      ["mremap", 0, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 20],
      ["mprotect", 0, 4, PROT_READ],
      ["mprotect", 20, 4, PROT_READ],
      ["mremap", 20, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 30],
      ["mprotect", 20, 4, PROT_READ],
      ["mprotect", 20, 4, RW],
      ["map", 24, 4, RW, ANON, 0],
      ["map", 40, 4, RW, ANON, 0],
      ["mremap", 40, 4, 4, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 50],
      ["mremap", 40, 4, 4, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 42],
    ],
  ],
  [
    "several mappings are moved at once, and a tail that goes may be anything",
    [
      ["map", 0, 2, RW, ANON, 0],
      ["map", 4, 2, PROT_READ, ANON, 0],
      ["map", 6, 2, RW, MAP_SHARED | MAP_FIXED, 3],
      ["mremap", 1, 6, 6, MREMAP_MAYMOVE | MREMAP_FIXED, 20],
      ["mremap", 22, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, 40],
      ["mremap", 20, 7, 1, MREMAP_MAYMOVE | MREMAP_FIXED, 40],
      ["map", 22, 2, RW, ANON, 0],
      ["mremap", 22, 9, 3, MREMAP_MAYMOVE | MREMAP_FIXED, 50],
      ["mremap", 22, 9, 1, 0, 0],
      ["mremap", 22, 0, 1, MREMAP_MAYMOVE, 0],
      ["mremap", 7, 0, 1, MREMAP_MAYMOVE | MREMAP_FIXED, 30],
      ["mremap", 7, 0, 3, MREMAP_MAYMOVE | MREMAP_FIXED, 33],
    ],
  ],
  [
    "wrong arguments",
    [
      ["map", 0, 0, RW, ANON, 0],
      ["map", 0, 1, RW, MAP_ANONYMOUS | MAP_FIXED, 0],
      ["munmap", 0, 0],
      ["mprotect", 0, 0, RW],
      ["mprotect", 0, 1, RW],
      ["mremap", 0, 1, 1, 0, 0],
      ["map", 0, 4, RW, ANON, 0],
      ["mremap", 0, 4, 0, 0, 0],
      ["mremap", 0, 4, 4, MREMAP_FIXED, 9],
      ["mremap", 0, 4, 4, MREMAP_FIXED | MREMAP_MAYMOVE, 2],
      ["mremap", 2, 4, 8, MREMAP_MAYMOVE | MREMAP_FIXED, 30],
      ["mlock", 9, 1, 1],
    ],
  ],
])("%s", (_, ops) => {
  expectSame(ops);
});

/** Operations that make sense on what is mapped at the time: the twin tells. */
function randomOps(seed: number, count: number): Op[] {
  const random = new Random(seed);
  const twin = new Twin();
  const ops: Op[] = [];
  while (ops.length < count) {
    const op = randomOp(random, twin);
    if (op === null) continue;
    twin.run(op);
    ops.push(op);
  }
  return ops;
}

function pick(random: Random, choices: readonly number[]): number {
  return choices[random.below(choices.length)] as number;
}

function randomOp(random: Random, twin: Twin): Op | null {
  const at = random.below(AREA);
  const count = 1 + random.below(12);
  const prot = pick(random, [RW, RW, RW, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC]);
  switch (random.below(8)) {
    case 0:
    case 1: {
      const kind = pick(random, [
        ANON,
        ANON,
        ANON,
        ANON | MAP_NORESERVE,
        MAP_PRIVATE | MAP_FIXED,
        MAP_SHARED | MAP_FIXED,
      ]);
      return [
        "map",
        at,
        count,
        (kind & MAP_SHARED) !== 0 ? RW : prot,
        kind,
        (kind & MAP_ANONYMOUS) !== 0 ? 0 : pick(random, [at, at, 100]),
      ];
    }
    case 2:
      return ["munmap", at, count];
    case 3:
    case 4:
      return ["mprotect", at, count, prot];
    case 5:
      return ["mlock", at, count, random.below(2)];
    case 6: {
      const target = AREA + random.below(AREA);
      const back = random.below(2) === 0;
      const flags = pick(random, [0, MREMAP_MAYMOVE | MREMAP_FIXED]);
      return ["mremap", back ? target : at, count, 1 + random.below(12), flags, back ? at : target];
    }
    default: {
      const length = twin.writable(at, count);
      return length === 0 ? null : ["touch", at, length];
    }
  }
}

describe("random sequences", () => {
  test.each(Array.from({ length: 12 }, (_, i) => i + 1))("seed %i", (seed) => {
    expectSame(randomOps(seed, 150));
  });
});
