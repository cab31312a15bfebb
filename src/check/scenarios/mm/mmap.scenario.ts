/** mmap and munmap by themselves: what is mapped where, what is refused, what is given back. */
import { Cache } from "../../../kernel/caches.ts";
import { EEXIST, EINVAL, ENOMEM, EOVERFLOW } from "../../../kernel/errno.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { HOST, MM, PAGE_SIZE, PATH, VMA } from "../../../kernel/layout.ts";
import { pathNew, pathPut } from "../../../kernel/path.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAX_MAP_COUNT,
  MMAP_MIN_ADDR,
  PMD_SIZE,
  STACK_GUARD_GAP,
  TASK_SIZE,
  VM2_SHMEM,
  VM_ACCOUNT,
  VM_EXEC,
  VM_GROWSDOWN,
  VM_LOCKED,
  VM_MAYALL,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_WRITE,
} from "../../../mm/flags.ts";
import { VMA_BUSY, VMA_DETACHED, vmaEndRead, vmaStartRead } from "../../../mm/lock.ts";
import { mmAlloc, mmput } from "../../../mm/mm.ts";
import { mmap, munmap } from "../../../mm/mmap.ts";
import { mprotect } from "../../../mm/mprotect.ts";
import { touch } from "../../../mm/resident.ts";
import { findVma } from "../../../mm/vma-tree.ts";
import { bytesText } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { NULL } from "../../../sync/atomics.ts";
import { rcuReadLock, rcuReadUnlock } from "../../../sync/rcu.ts";
import { WAIT_EINTR } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { R, RW, RX, at, must } from "./maps-space.ts";
import type { Ledger, Region } from "./mm-kit.ts";
import { ANON_R, ANON_RW, OWN, judgeLedger, judgeRegions, place, region, takeLedger, vmaAt } from "./mm-kit.ts";

interface Files {
  readonly ledger: Ledger;
  readonly mm: Ptr;
  readonly file: Ptr;
  readonly shm: Ptr;
}

const SHARED = VM_SHARED | VM_MAYSHARE;

/** A mapping of each kind, which doesn't touch any other. */
function mapKinds(k: Kernel, { mm, file, shm }: Files): void {
  place(k, mm, 0, 2, R);
  place(k, mm, 3, 5, RW);
  place(k, mm, 6, 7, RW, MAP_NORESERVE);
  place(k, mm, 8, 10, RW, MAP_LOCKED);
  place(k, mm, 11, 13, RW, MAP_POPULATE);
  place(k, mm, 14, 15, RX, 0, file, 3);
  place(k, mm, 16, 18, R, MAP_POPULATE, file, 1);
  place(k, mm, 19, 20, R, MAP_SHARED, file);
  place(k, mm, 21, 22, RW, MAP_SHARED, file);
  place(k, mm, 23, 24, RW, MAP_SHARED_VALIDATE, file, 8);
  place(k, mm, 25, 27, RW, MAP_SHARED | MAP_POPULATE);
  place(k, mm, 28, 29, R, MAP_SHARED);
  place(k, mm, 30, 31, R, 0, shm, 1);
  place(k, mm, 40, 41, RW, MAP_GROWSDOWN);
}

/** The mappings of {@link mapKinds}. @param zeros the files behind the two of shared memory */
function kinds({ file, shm }: Files, zeros: readonly Ptr[]): Region[] {
  const [first = NULL, second = NULL] = zeros;
  const readable = { flags: ANON_R, file };
  const shared = { flags: VM_READ | VM_WRITE | VM_MAYALL | SHARED, file };
  return [
    region(0, 2, { flags: ANON_R }),
    region(3, 5),
    region(6, 7, { flags: (ANON_RW & ~VM_ACCOUNT) | VM_NORESERVE }),
    region(8, 10, { flags: ANON_RW | VM_LOCKED, family: OWN, pages: [2, 0, 0, 0] }),
    region(11, 13, { family: OWN, pages: [2, 0, 0, 0] }),
    region(14, 15, { flags: ANON_R | VM_EXEC, file, pgoff: 3 * PAGE_SIZE }),
    region(16, 18, { ...readable, pgoff: PAGE_SIZE, pages: [0, 2, 0, 0] }),
    region(19, 20, { flags: (ANON_R & ~VM_MAYWRITE) | VM_MAYSHARE, file, pgoff: 0 }),
    region(21, 22, { ...shared, pgoff: 0 }),
    region(23, 24, { ...shared, pgoff: 8 * PAGE_SIZE }),
    region(25, 27, { ...shared, flags2: VM2_SHMEM, file: first, pgoff: 0, pages: [0, 2, 0, 2] }),
    region(28, 29, { flags: ANON_R | SHARED, flags2: VM2_SHMEM, file: second, pgoff: 0 }),
    region(30, 31, { ...readable, flags2: VM2_SHMEM, file: shm, pgoff: PAGE_SIZE }),
    region(40, 41, { flags: ANON_RW | VM_GROWSDOWN }),
  ];
}

/** The file behind shared memory has a name, and goes with the mapping. */
function judgeZeros({ m }: Kernel, zeros: readonly Ptr[]): string | null {
  const sizes: number[] = [];
  for (const zero of zeros) {
    const name = bytesText(m, m.load(zero + PATH.name));
    if (name !== "/dev/zero" || m.load(zero + PATH.deleted) !== 1) return `the file is ${name}`;
    if (m.load(zero + PATH.usage) !== 1) return `the file has ${m.load(zero + PATH.usage)} references`;
    sizes.push(m.load64(zero + PATH.size));
  }
  return zeros[0] !== zeros[1] && `${sizes.join()}` === `${2 * PAGE_SIZE},${PAGE_SIZE}`
    ? null
    : `sizes ${sizes.join()}`;
}

export const kindsOfMappings = scenario({
  name: "mmap/kinds",
  about:
    "a mapping of each kind: flags, file, offset, pages and totals are those asked for; all of it goes by one munmap",
  quick: true,
  setup: (k): Files => {
    const ledger = takeLedger(k);
    const mm = mmAlloc(k);
    return { ledger, mm, file: pathNew(k, { name: "/file" }), shm: pathNew(k, { name: "/dev/shm/x" }) };
  },
  threads: { mapper: (k, files): void => mapKinds(k, files) },
  check: (k, files) => {
    const { m } = k;
    const { ledger, mm, file, shm } = files;
    const zeros = [m.load(vmaAt(k, mm, 25) + VMA.vmFile), m.load(vmaAt(k, mm, 28) + VMA.vmFile)];
    const peaks = { mapped: 20, resident: 8 };
    const wrong =
      judgeRegions(k, mm, kinds(files, zeros), peaks) ??
      judgeZeros(k, zeros) ??
      judgeLedger(k, ledger, { mms: 1, vmas: 14, nodes: 1, files: 4, texts: 4, anon: 4, file: 3, shmem: 2 });
    if (wrong !== null) return wrong;
    const mappers = m.load(file + PATH.mappers);
    if (mappers !== 2) return `the first page of the file is mapped ${mappers} times`;
    must(munmap(k, mm, at(0), at(41) - at(0)));
    const left = judgeRegions(k, mm, [], peaks) ?? (m.load(file + PATH.mappers) === 0 ? null : "the file is mapped");
    pathPut(k, file);
    pathPut(k, shm);
    mmput(k, mm);
    return left ?? judgeLedger(k, ledger);
  },
});

/** Where address spaces end at the top; no multiple of a huge page. */
const MMAP_BASE = 0x7f1234567000;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;

/** Asks for memory at a place, or anywhere. @returns where it is, or an error */
function ask(k: Kernel, mm: Ptr, address: number, length: number, prot = RW, flags = 0): number {
  const type = (flags & 3) === 0 ? MAP_PRIVATE : 0;
  return mmap(k, mm, address, length, prot, flags | type | MAP_ANONYMOUS, NULL, 0);
}

function emptySpace(k: Kernel, base: number): Ptr {
  const mm = mmAlloc(k);
  k.m.store64(mm + MM.mmapBase, base);
  return mm;
}

/** Compares the answers to a series of calls. */
function judgeAnswers(answers: readonly number[], expected: readonly number[]): string | null {
  for (let i = 0; i < expected.length; i++) {
    const [is, wanted] = [answers[i] ?? NaN, expected[i] ?? NaN];
    if (is !== wanted) return `call ${i} answers ${text(is)}, not ${text(wanted)}`;
  }
  return answers.length === expected.length ? null : `there are ${answers.length} answers`;
}

function text(answer: number): string {
  return answer < 0 ? `${answer}` : answer.toString(16);
}

/** As on a real machine, whose addresses are random, but not the distances between them. */
export const places = scenario({
  name: "mmap/places",
  about: "where memory is put: hints, places that are taken, the highest gap, huge pages, the gap below a stack",
  quick: true,
  setup: (k) => ({ mm: emptySpace(k, MMAP_BASE) }),
  threads: {
    mapper: (k, { mm }): number[] => [
      ask(k, mm, 0, PAGE_SIZE),
      ask(k, mm, 0, PAGE_SIZE, R),
      ask(k, mm, 0, PMD_SIZE, RW, MAP_SHARED),
      ask(k, mm, 0, PMD_SIZE),
      ask(k, mm, 0, PMD_SIZE + PAGE_SIZE),
      ask(k, mm, at(0), 2 * PAGE_SIZE, R),
      ask(k, mm, at(-4) + 5, PAGE_SIZE, RW, MAP_GROWSDOWN),
      ask(k, mm, at(1), PAGE_SIZE),
      ask(k, mm, at(-4) - STACK_GUARD_GAP, PAGE_SIZE),
      ask(k, mm, at(-5) - STACK_GUARD_GAP, PAGE_SIZE),
      ask(k, mm, 1, PAGE_SIZE),
      ask(k, mm, PAGE_SIZE, PAGE_SIZE),
      ask(k, mm, TASK_SIZE, PAGE_SIZE),
      ask(k, mm, at(1), PAGE_SIZE, RW, MAP_FIXED_NOREPLACE),
      ask(k, mm, at(2), 2 * PAGE_SIZE, RX, MAP_FIXED_NOREPLACE),
      ask(k, mm, at(1), PAGE_SIZE, RX, MAP_FIXED),
    ],
  },
  check: (k, { mm }, { mapper }) => {
    const low = MMAP_BASE - 2 * PAGE_SIZE - PMD_SIZE;
    const huge = Math.floor(low / PMD_SIZE) * PMD_SIZE - PMD_SIZE;
    const odd = huge - PMD_SIZE - PAGE_SIZE;
    return (
      judgeAnswers(mapper, [
        MMAP_BASE - PAGE_SIZE,
        MMAP_BASE - 2 * PAGE_SIZE,
        low,
        huge,
        odd,
        at(0),
        at(-4),
        low - PAGE_SIZE,
        low - 2 * PAGE_SIZE,
        at(-5) - STACK_GUARD_GAP,
        low - 3 * PAGE_SIZE,
        MMAP_MIN_ADDR,
        low - 4 * PAGE_SIZE,
        -EEXIST,
        at(2),
        at(1),
      ]) ?? (k.m.load(mm + MM.mapCount) === 0 ? "nothing is mapped" : null)
    );
  },
});

/** The whole address space is mapped, but for a hole. */
function fill(k: Kernel, mm: Ptr, hole: number, length: number): void {
  must(ask(k, mm, MMAP_MIN_ADDR, hole - MMAP_MIN_ADDR, RW, MAP_FIXED));
  must(ask(k, mm, hole + length, TASK_SIZE - hole - length, RW, MAP_FIXED));
}

export const fullSpaces = scenario({
  name: "mmap/full",
  about: "an address space that is full below mmap_base, or has one hole, or has none: what is left is found",
  quick: true,
  setup: (k) => ({
    spaces: [emptySpace(k, 0), emptySpace(k, MMAP_BASE), emptySpace(k, MMAP_BASE), emptySpace(k, MMAP_BASE)],
  }),
  threads: {
    mapper: (k, { spaces: [top = NULL, above = NULL, hole = NULL, guarded = NULL] }): number[] => {
      must(ask(k, above, MMAP_MIN_ADDR, MMAP_BASE - MMAP_MIN_ADDR, RW, MAP_FIXED));
      fill(k, hole, at(1), PMD_SIZE);
      must(ask(k, guarded, MMAP_MIN_ADDR, at(0) - MMAP_MIN_ADDR, RW, MAP_FIXED));
      must(
        ask(k, guarded, at(0) + STACK_GUARD_GAP, TASK_SIZE - at(0) - STACK_GUARD_GAP, RW, MAP_FIXED | MAP_GROWSDOWN),
      );
      return [
        ask(k, top, 0, PAGE_SIZE),
        ask(k, top, 0, PMD_SIZE),
        ask(k, top, 0, TASK_SIZE - MMAP_MIN_ADDR),
        ask(k, above, 0, PAGE_SIZE, R),
        ask(k, above, 0, TASK_SIZE - MMAP_BASE),
        ask(k, hole, 0, PMD_SIZE + PAGE_SIZE),
        ask(k, hole, 0, 2 * PMD_SIZE),
        ask(k, hole, 0, PMD_SIZE, R),
        ask(k, hole, 0, PAGE_SIZE),
        ask(k, guarded, 0, PAGE_SIZE),
      ];
    },
  },
  check: (_k, _spaces, { mapper }) =>
    judgeAnswers(mapper, [
      TASK_SIZE - PAGE_SIZE,
      Math.floor((TASK_SIZE - PAGE_SIZE) / PMD_SIZE) * PMD_SIZE - PMD_SIZE,
      -ENOMEM,
      TASK_SIZE - PAGE_SIZE,
      -ENOMEM,
      -ENOMEM,
      -ENOMEM,
      at(1),
      -ENOMEM,
      -ENOMEM,
    ]),
});

/** All that has to be refused. */
function refusals(k: Kernel, mm: Ptr, file: Ptr): number[] {
  const twoPages = 2 * PAGE_SIZE;
  return [
    ask(k, mm, at(0), 0, RW, MAP_FIXED),
    mmap(k, mm, 0, PAGE_SIZE, R, MAP_PRIVATE, file, 7),
    mmap(k, mm, 0, PAGE_SIZE, R, ANON, NULL, 7),
    mmap(k, mm, 0, PAGE_SIZE, R, MAP_PRIVATE, file, 2 ** 53 - PAGE_SIZE),
    ask(k, mm, 0, TASK_SIZE + PAGE_SIZE),
    ask(k, mm, 0, TASK_SIZE),
    ask(k, mm, TASK_SIZE - PAGE_SIZE, twoPages, RW, MAP_FIXED),
    ask(k, mm, at(0) + 1, PAGE_SIZE, RW, MAP_FIXED),
    ask(k, mm, at(0) + 1, PAGE_SIZE, RW, MAP_FIXED_NOREPLACE),
    ask(k, mm, at(1), twoPages, RW, MAP_FIXED_NOREPLACE),
    mmap(k, mm, 0, PAGE_SIZE, R, MAP_ANONYMOUS, NULL, 0),
    mmap(k, mm, 0, PAGE_SIZE, R, 0, file, 0),
    ask(k, mm, 0, PAGE_SIZE, R, MAP_SHARED_VALIDATE),
    ask(k, mm, 0, PAGE_SIZE, RW, MAP_SHARED | MAP_GROWSDOWN),
    mmap(k, mm, 0, PAGE_SIZE, R, MAP_PRIVATE | MAP_GROWSDOWN, file, 0),
    mmap(k, mm, 0, PAGE_SIZE, R, MAP_SHARED | MAP_GROWSDOWN, file, 0),
    munmap(k, mm, at(0) + 1, PAGE_SIZE),
    munmap(k, mm, at(1), 0),
    munmap(k, mm, TASK_SIZE + PAGE_SIZE, 0),
    munmap(k, mm, at(0), TASK_SIZE),
  ];
}

/** What an address space that has as many mappings as it may refuses; the number alone is what counts. */
function refusalsAtLimit(k: Kernel, mm: Ptr): number[] {
  const count = k.m.add(mm + MM.mapCount, MAX_MAP_COUNT - 1);
  const answers = [munmap(k, mm, at(1), PAGE_SIZE), ask(k, mm, at(1), PAGE_SIZE, RX, MAP_FIXED)];
  k.m.add(mm + MM.mapCount, 1);
  answers.push(ask(k, mm, at(9), PAGE_SIZE, RX, MAP_FIXED));
  k.m.add(mm + MM.mapCount, -MAX_MAP_COUNT);
  return count === 1 ? answers : [];
}

export const refused = scenario({
  name: "mmap/refused",
  about: "what mmap and munmap refuse, and where nothing is mapped: the address space is as it was",
  quick: true,
  setup: (k) => {
    const mm = emptySpace(k, MMAP_BASE);
    place(k, mm, 0, 4);
    must(touch(k, mm, at(0), 2));
    const file = pathNew(k, { name: "/file" });
    return { mm, file, ledger: takeLedger(k) };
  },
  threads: {
    mapper: (k, { mm, file }): number[] => [
      ...refusals(k, mm, file),
      munmap(k, mm, at(6), PAGE_SIZE),
      ...refusalsAtLimit(k, mm),
    ],
  },
  check: (k, { mm, file, ledger }, { mapper }) => {
    const [invalid, memory] = [-EINVAL, -ENOMEM];
    const wrong = judgeAnswers(mapper, [
      ...[invalid, invalid, invalid, -EOVERFLOW, memory, memory, memory, invalid, invalid, -EEXIST],
      ...[invalid, invalid, invalid, invalid, invalid, invalid, invalid, invalid, invalid, invalid],
      0,
      ...[memory, memory, memory],
    ]);
    const regions = [region(0, 4, { family: OWN, pages: [2, 0, 0, 0] })];
    const usage = k.m.load(file + PATH.usage);
    return (
      wrong ??
      judgeRegions(k, mm, regions, { mapped: 4, resident: 2 }) ??
      (usage === 1 ? judgeLedger(k, ledger) : `the file has ${usage} references`)
    );
  },
});

/** Takes all VMAs that there are in an arena that is full. */
function takeVmas(k: Kernel): Ptr[] {
  const vmas: Ptr[] = [];
  while (k.slab.reserve(Cache.vma, 1)) vmas.push(k.slab.alloc(Cache.vma));
  return vmas;
}

export const noMemory = scenario({
  name: "mmap/no-memory",
  about: "mmap and munmap where the arena is full: both are refused before they have begun",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    place(k, mm, 0, 4);
    return { mm, ledger: takeLedger(k) };
  },
  threads: {
    mapper: (k, { mm }): number[] => {
      const end = k.m.exchange(HOST.breakAt, k.m.load(HOST.limit));
      const taken = takeVmas(k);
      const answers = [ask(k, mm, at(1), PAGE_SIZE, R, MAP_FIXED), munmap(k, mm, at(1), PAGE_SIZE)];
      for (const vma of taken) k.slab.free(vma);
      k.m.store(HOST.breakAt, end);
      return answers;
    },
  },
  check: (k, { mm, ledger }, { mapper }) =>
    judgeAnswers(mapper, [-ENOMEM, -ENOMEM]) ??
    judgeRegions(k, mm, [region(0, 4)], { mapped: 4, resident: 0 }) ??
    judgeLedger(k, ledger),
});

/** What is mapped over goes as by munmap; what reaches beyond stays. */
export const over = scenario({
  name: "mmap/over",
  about: "mappings are put over others, whole and in part, and cut out of them: pages and totals follow",
  quick: true,
  setup: (k) => {
    const ledger = takeLedger(k);
    const mm = mmAlloc(k);
    for (const [from, to] of [
      [0, 4],
      [4, 6],
      [7, 8],
      [9, 13],
    ] as const) {
      place(k, mm, from, to, from === 4 ? RX : RW);
      if (from !== 4) must(touch(k, mm, at(from), to - from));
    }
    return { ledger, mm };
  },
  threads: {
    mapper: (k, { mm }): void => {
      place(k, mm, 2, 10, R);
      must(munmap(k, mm, at(3), 2 * PAGE_SIZE));
      must(munmap(k, mm, at(9), 2 * PAGE_SIZE));
    },
  },
  check: (k, { ledger, mm }) => {
    const regions = [
      region(0, 2, { family: OWN, pages: [2, 0, 0, 0] }),
      region(2, 3, { flags: ANON_R }),
      region(5, 9, { flags: ANON_R, pgoff: at(5) }),
      region(11, 13, { pgoff: at(11), family: OWN, pages: [2, 0, 0, 0] }),
    ];
    const wrong = judgeRegions(k, mm, regions, { mapped: 13, resident: 9 });
    mmput(k, mm);
    return wrong ?? judgeLedger(k, ledger);
  },
});

/** Either the call has been made, or it has been given up, with nothing done. */
export const killed = scenario({
  name: "mmap/killed",
  about: "one who has been killed maps and unmaps while another thread is at it: he gives up, or all is done",
  quick: true,
  setup: (k) => {
    const mm = mmAlloc(k);
    place(k, mm, 0, 4);
    const interrupt = words(k, 1);
    k.m.store(interrupt, 1);
    return { mm, interrupt };
  },
  threads: {
    victim: (k, { mm, interrupt }): number[] => {
      k.t.interruptWord = interrupt;
      return [mmap(k, mm, at(6), PAGE_SIZE, R, ANON | MAP_FIXED, NULL, 0), munmap(k, mm, at(0), PAGE_SIZE)];
    },
    writer: (k, { mm }): void => must(mprotect(k, mm, at(2), 2 * PAGE_SIZE, R)),
  },
  check: (k, { mm }, { victim: [mapped = 0, unmapped = 0] }) => {
    if (mapped !== at(6) && mapped !== WAIT_EINTR) return `mmap answers ${mapped}`;
    if (unmapped !== 0 && unmapped !== WAIT_EINTR) return `munmap answers ${unmapped}`;
    const flags = VM_READ | VM_MAYALL;
    const regions = [
      unmapped === 0 ? region(1, 2) : region(0, 2),
      region(2, 4, { flags }),
      ...(mapped > 0 ? [region(6, 7, { flags })] : []),
    ];
    return judgeRegions(k, mm, regions, null);
  },
});

/** A new mapping is in the tree before the writer is done: nobody locks it until then. */
export const fresh = scenario({
  name: "mmap/new-is-locked",
  about: "a mapping that is being made, found in the tree: nobody can lock it before the writer has finished",
  quick: true,
  setup: (k) => ({ mm: mmAlloc(k) }),
  threads: {
    reader: (k, { mm }): number => {
      rcuReadLock(k.t);
      const vma = findVma(k, mm, at(0));
      const answer = vma === NULL ? NULL : vmaStartRead(k, mm, vma);
      const locked = answer > 0;
      const sequence = k.m.load(mm + MM.mmLockSeq);
      if (locked) vmaEndRead(k, vma);
      rcuReadUnlock(k.t);
      return locked ? sequence : answer;
    },
    mapper: (k, { mm }): void => void place(k, mm, 0, 2),
  },
  check: (k, { mm }, { reader }) => {
    if (reader === VMA_DETACHED) return "a mapping in the tree is detached";
    if (reader !== VMA_BUSY && reader !== 2) return `it was locked while mm_lock_seq was ${reader}`;
    return judgeRegions(k, mm, [region(0, 2)], { mapped: 2, resident: 0 });
  },
});
