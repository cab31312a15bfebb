/** What smaps, smaps_rollup and maps show of mappings that stand still: every number, and where names come from. */
import type { Kernel } from "../../../kernel/kernel.ts";
import { Path } from "../../../kernel/knobs.ts";
import { HOST, MM, PAGE_SIZE, VMA } from "../../../kernel/layout.ts";
import { pathNew, pathPut } from "../../../kernel/path.ts";
import { MAP_ANONYMOUS, MAP_SHARED, SPECIAL_VDSO, VM2_SPECIAL_SHIFT, VM_HUGEPAGE } from "../../../mm/flags.ts";
import { mmapWriteLock, mmapWriteUnlock } from "../../../mm/lock.ts";
import { MapsWalk } from "../../../mm/maps-walk.ts";
import { mmAlloc, mmSetBrk, mmput } from "../../../mm/mm.ts";
import { munmapLocked } from "../../../mm/mmap.ts";
import { madviseName, mlock } from "../../../mm/mprotect.ts";
import { swapOut, touch } from "../../../mm/resident.ts";
import { smapsRollup } from "../../../mm/smaps-rollup.ts";
import { SmapsNumbers, thpEligible } from "../../../mm/smaps.ts";
import { VmaName, VmaSnapshot, readGate, readVma } from "../../../mm/vma-snapshot.ts";
import { latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { WAIT_EINTR } from "../../../sync/thread.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";
import { R, RX, anon, at, judgeSpaces, makeSpace, must, restBeside } from "./maps-space.ts";
import { place, vmaAt } from "./mm-kit.ts";
import { judgeGone, ownSpace } from "./space-text.ts";

/** Maps the pages [from, to) and touches so many. */
function placeTouched(k: Kernel, mm: Ptr, from: number, to: number, touched: number, prot = 3, flags = 0): void {
  place(k, mm, from, to, prot, flags);
  must(touch(k, mm, at(from), touched));
}

function placeFile(k: Kernel, mm: Ptr, from: number, to: number, prot: number, flags: number, file: Ptr): void {
  place(k, mm, from, to, prot, flags, file);
  must(touch(k, mm, at(from), to - from - 1));
}

/** kB, of what {@link sums} maps; a page that three share counts for a little less than a third, before all is added up. */
const SUMS: Readonly<Partial<SmapsNumbers>> = {
  size: 104,
  rss: 60,
  pss: 45,
  pssDirty: 35,
  pssAnon: 24,
  pssFile: 13,
  pssShmem: 8,
  sharedClean: 12,
  sharedDirty: 12,
  privateClean: 4,
  privateDirty: 32,
  referenced: 60,
  anonymous: 24,
  swap: 8,
  swapPss: 8,
  locked: 16,
};

export const sums = scenario({
  name: "smaps/sums",
  about: "the sum over mappings of every kind, shared by others and not: what is read is theirs, and nothing of before",
  paths: [Path.smaps_rollup],
  quick: true,
  setup: (k) => {
    const space = ownSpace(k);
    const other = mmAlloc(k);
    const files = [pathNew(k, { name: "/a" }), pathNew(k, { name: "/b" }), pathNew(k, { name: "/c" })] as const;
    return { space, other, files };
  },
  threads: {
    reader: (k, { space: { mm }, other, files }): { sum: SmapsNumbers; start: number; end: number } => {
      placeTouched(k, mm, 0, 4, 4);
      must(mlock(k, mm, at(0), 4 * PAGE_SIZE, true));
      placeFile(k, mm, 8, 12, R, 0, files[0]);
      placeFile(k, mm, 16, 20, 3, MAP_SHARED, files[1]);
      placeTouched(k, mm, 24, 28, 4);
      must(swapOut(k, mm, at(24), 2));
      placeTouched(k, mm, 30, 32, 2, 3, MAP_SHARED | MAP_ANONYMOUS);
      placeFile(k, mm, 40, 42, R, 0, files[2]);
      place(k, mm, 50, 56, R);
      place(k, other, 0, 1, R, 0, files[0]);
      place(k, other, 1, 2, R, 0, files[1]);
      place(k, other, 2, 3, R, MAP_SHARED, files[1]);
      const sum = new SmapsNumbers();
      sum.rss = 7;
      sum.locked = 7;
      const bounds = { start: 7, end: 7 };
      must(smapsRollup(k, new MapsWalk(), mm, sum, bounds));
      return { sum, ...bounds };
    },
  },
  check: (k, { space, other, files }, { reader: { sum, start, end } }) => {
    const wanted = JSON.stringify({ ...new SmapsNumbers(), ...SUMS });
    if (JSON.stringify(sum) !== wanted) return `the sums are ${JSON.stringify(sum)}, not ${wanted}`;
    if (start !== at(0) || end !== at(56)) return `they are of ${start.toString(16)} to ${end.toString(16)}`;
    mmput(k, other);
    for (let i = 0; i < files.length; i++) pathPut(k, files[i] as Ptr);
    return judgeGone(k, space);
  },
});

/** Milliseconds: a safety net only. */
const LONG_MS = 10_000;

/** The writer unmaps one of two, and keeps the lock until the reader has done. */
export const rollupKilled = scenario({
  name: "smaps/rollup-killed",
  about: "one who has been killed adds up all mappings: if a writer gets the lock he stops there, else he has them all",
  paths: [Path.smaps_rollup],
  forms: ["locked"],
  quick: true,
  together: true,
  setup: (k) => {
    const mm = makeSpace(k, [anon(0, 2), anon(2, 4, R)]);
    const killed = words(k, 1);
    k.m.store(killed, 1);
    return { mm, killed, done: words(k, 1), rest: restBeside(k, [mm]) };
  },
  threads: {
    reader: (k, { mm, killed, done }): { result: number; size: number } => {
      k.t.interruptWord = killed;
      const sum = new SmapsNumbers();
      const result = smapsRollup(k, new MapsWalk(), mm, sum, { start: 0, end: 0 });
      k.m.store(done, 1);
      k.m.notify(done, 1);
      return { result, size: sum.size };
    },
    writer: (k, { mm, done }): void => {
      mmapWriteLock(k, mm);
      must(munmapLocked(k, mm, at(2), 2 * PAGE_SIZE));
      k.m.wait(done, 0, LONG_MS);
      mmapWriteUnlock(k, mm);
    },
  },
  check: (k, { mm, rest }, { reader: { result, size } }) => {
    const whole = result === 0 && size === 16;
    if (!whole && result !== WAIT_EINTR) return `it answers ${result}, and adds up to ${size} kB`;
    return judgeSpaces(k, rest, [{ mm, states: [[anon(0, 2)]] }]);
  },
});

/** A name, where it comes from, whether it is heap or stack, offset, device, inode, sharers. */
function shown(k: Kernel, mm: Ptr, page: number): string {
  const out = new VmaSnapshot();
  readVma(k, mm, vmaAt(k, mm, page), out);
  const kind = Object.keys(VmaName).find((name) => VmaName[name as keyof typeof VmaName] === out.nameKind);
  const file = `${out.offset / PAGE_SIZE} ${out.dev} ${out.ino} ${out.sharers}`;
  return `${kind} ${out.label} ${out.isHeap ? "heap" : ""} ${out.isStack ? "stack" : ""} ${file}`;
}

function expectShown(k: Kernel, mm: Ptr, page: number, text: string): void {
  const found = shown(k, mm, page);
  if (found !== text) throw new Error(`at page ${page} there is ${found}, not ${text}`);
}

const MINOR = 3;
const DEVICE = (254 << 20) | MINOR;
const INODE = 77;

export const names = scenario({
  name: "smaps/names",
  about: "a mapping is called by its file, as special, by its name, as heap or as stack, in this order",
  quick: true,
  setup: (k) => {
    const space = ownSpace(k);
    const { m } = k;
    m.store64(space.mm + MM.startBrk, at(100));
    mmSetBrk(m, space.mm, at(110));
    m.store64(space.mm + MM.startStack, at(205));
    return { space, file: pathNew(k, { name: "/a", devMinor: MINOR, ino: INODE }) };
  },
  threads: {
    reader: (k, { space: { mm }, file }): void => {
      const { m } = k;
      const processes = m.load(HOST.nrProcesses);
      const none = `0 0 0 ${processes}`;
      place(k, mm, 0, 2, R, 0, file, 4);
      place(k, mm, 2, 4, R, 0, file);
      place(k, mm, 10, 12);
      place(k, mm, 20, 22);
      place(k, mm, 30, 32, 3, MAP_SHARED | MAP_ANONYMOUS);
      place(k, mm, 40, 42, R);
      place(k, mm, 100, 104);
      place(k, mm, 104, 106, R, 0, file);
      place(k, mm, 106, 108, R);
      place(k, mm, 108, 110, RX);
      place(k, mm, 200, 206);
      must(madviseName(k, mm, at(20), 2 * PAGE_SIZE, latin1Bytes("pool")));
      must(madviseName(k, mm, at(30), 2 * PAGE_SIZE, latin1Bytes("shared")));
      m.store(vmaAt(k, mm, 40) + VMA.anonName, k.bytes(latin1Bytes("[uprobes]")));
      m.store(vmaAt(k, mm, 106) + VMA.vmFlags2, SPECIAL_VDSO << VM2_SPECIAL_SHIFT);
      m.store(vmaAt(k, mm, 108) + VMA.anonName, k.bytes(latin1Bytes("pool")));
      expectShown(k, mm, 0, `path    4 ${DEVICE} ${INODE} 2`);
      expectShown(k, mm, 10, `none    ${none}`);
      expectShown(k, mm, 20, `anon    ${none}`);
      expectShown(k, mm, 30, `anonShmem    0 1 ${m.load(HOST.nextInode) - 1} 1`);
      expectShown(k, mm, 40, `label [uprobes]   ${none}`);
      expectShown(k, mm, 100, `label [heap] heap  ${none}`);
      expectShown(k, mm, 104, `path    0 ${DEVICE} ${INODE} 2`);
      expectShown(k, mm, 106, `label [vdso] heap  ${none}`);
      expectShown(k, mm, 108, `label [heap] heap  ${none}`);
      expectShown(k, mm, 200, `label [stack]  stack ${none}`);
    },
  },
  check: (k, { space, file }) => {
    pathPut(k, file);
    return judgeGone(k, space);
  },
});

/** Whether huge pages may be used in [from, to), which are pages. */
function thpIn(flags: number, from: number, to: number): boolean {
  const vma = new VmaSnapshot();
  vma.flags = flags;
  vma.start = at(from);
  vma.end = at(to);
  return thpEligible(vma);
}

export const snapshots = scenario({
  name: "smaps/snapshots",
  about: "page counts are read if they are wanted, of files and of shared memory apart; huge pages need room for one",
  quick: true,
  setup: (k) => ({ space: ownSpace(k), file: pathNew(k, { name: "/a" }) }),
  threads: {
    reader: (k, { space: { mm }, file }): void => {
      placeFile(k, mm, 0, 4, 3, MAP_SHARED, file);
      placeTouched(k, mm, 10, 14, 2, 3, MAP_SHARED | MAP_ANONYMOUS);
      placeTouched(k, mm, 20, 24, 4);
      must(swapOut(k, mm, at(20), 1));
      const out = new VmaSnapshot();
      const counts = (): string =>
        [out.anonPages, out.filePages, out.shmemPages, out.swapPages, out.dirtyPages].join(" ");
      readVma(k, mm, vmaAt(k, mm, 0), out);
      if (counts() !== "0 3 0 0 3") throw new Error(`the file's mapping has ${counts()} pages`);
      readVma(k, mm, vmaAt(k, mm, 10), out);
      if (counts() !== "0 0 2 0 2") throw new Error(`shared memory has ${counts()} pages`);
      readVma(k, mm, vmaAt(k, mm, 20), out, false);
      if (counts() !== "0 0 2 0 2") throw new Error(`pages that nobody asked for: ${counts()}`);
      readVma(k, mm, vmaAt(k, mm, 20), out);
      if (counts() !== "3 0 0 1 0") throw new Error(`memory of its own has ${counts()} pages`);
      readGate(out);
      if (counts() !== "0 0 0 0 0" || out.label !== "[vsyscall]") throw new Error("the gate area has pages");
      const huge = [thpIn(0, 512, 1024), thpIn(VM_HUGEPAGE, 512, 1024), thpIn(VM_HUGEPAGE, 513, 1535)];
      if (`${huge}` !== "false,true,false" || !thpIn(VM_HUGEPAGE, 513, 1536)) throw new Error("huge pages elsewhere");
    },
  },
  check: (k, { space, file }) => {
    pathPut(k, file);
    return judgeGone(k, space);
  },
});
