/**
 * maps, smaps, numa_maps and smaps_rollup of a process whose mappings are split, merged, replaced, shrunk, unmapped,
 * renamed and touched all the time, each writer in a zone of his own of the same address space.
 *
 * A writer does each operation twice: first in a *shadow*, an address space that nobody reads, where he looks what comes of
 * it; then, when the history knows, in the one that is read. The shadow has mappings at the same addresses, of another file
 * and with other names, out of the same slab: each VMA is freed by one address space and used again by the other while
 * readers still look at it.
 */
import type { SharedHistory, State } from "../../src/check/history.ts";
import type { Mapping, MapsStep, Zone } from "../../src/check/oracles/maps.ts";
import { judgeMapsMoment, judgeMapsStep, judgeRollup } from "../../src/check/oracles/maps.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { PATH_NAMES, Path } from "../../src/kernel/knobs.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { pathNew, pathPut } from "../../src/kernel/path.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, VM_ACCESS_FLAGS, VM_SHARED } from "../../src/mm/flags.ts";
import { mmapReadLockKillable, mmapReadUnlock } from "../../src/mm/lock.ts";
import { MapsWalk } from "../../src/mm/maps-walk.ts";
import { allVmas, dupMm, mmAlloc, mmput } from "../../src/mm/mm.ts";
import { mmap, munmap } from "../../src/mm/mmap.ts";
import { madviseName, mprotect } from "../../src/mm/mprotect.ts";
import { swapOut, touch } from "../../src/mm/resident.ts";
import { VmaSnapshot, readVma } from "../../src/mm/vma-snapshot.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { bytesText } from "../../src/shm/bytes.ts";
import { WAIT_EINTR, WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import { fork } from "../support/processes.ts";
import { ErrnoError } from "../proc/vfs-client.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import { attempt, prepare } from "./attempt.ts";
import type { StressThread, World } from "./world.ts";

const PAGE = 4096;
const BASE = 0x10000000;
const ZONE_PAGES = 48;
const ZONE_BYTES = ZONE_PAGES * PAGE;
/** Writers that there can be. */
const ZONES = 4;
const NAMES = 3;

/** Words of a state: how many mappings, then four words for each. */
const MAPPING_WORDS = 4;
const STATE_WORDS = 1 + ZONE_PAGES * MAPPING_WORDS;

interface ZonePlan {
  readonly start: number;
  /** What is mapped in the zone, and in its shadow: a PATH, or 0 for anonymous memory. */
  readonly file: number;
  readonly shadowFile: number;
  readonly shadow: number;
}

interface MapsPlan {
  readonly pid: number;
  readonly mm: number;
  readonly zones: readonly ZonePlan[];
}

/** Neighbouring zones differ in kind, lest a mapping grow from one into the other. */
function makeZone(k: Kernel, index: number): ZonePlan {
  const anonymous = index % 2 === 1;
  const file = (name: string): number => (anonymous ? 0 : pathNew(k, { name: `${name}${index}` }));
  return { start: BASE + index * ZONE_BYTES, file: file("/zone"), shadowFile: file("/shadow"), shadow: mmAlloc(k) };
}

function setup(k: Kernel, history: SharedHistory, writers: number): MapsPlan {
  const task = fork(k, findTask(k, 1));
  const mm = k.m.load(task + TASK.mm);
  clear(k, mm);
  const zones: ZonePlan[] = [];
  for (let index = 0; index < writers; index++) {
    const zone = makeZone(k, index);
    zones.push(zone);
    change(k, history, { pid: 0, mm, zones }, index, { kind: "map", page: 0, pages: ZONE_PAGES, prot: 1, name: 0 });
  }
  return { pid: k.m.load(task + TASK.pid), mm, zones };
}

function clear(k: Kernel, mm: number): void {
  const ends = new VmaSnapshot();
  for (const vma of allVmas(k, mm)) {
    readVma(k, mm, vma, ends);
    munmap(k, mm, ends.start, ends.end - ends.start);
  }
}

function teardown(k: Kernel, { pid, zones }: MapsPlan): void {
  const task = findTask(k, pid);
  exitGroup(k, task, 0);
  if (reap(k, task) !== 0) throw new Error("the process could not be reaped");
  for (const { file, shadowFile, shadow } of zones) {
    mmput(k, shadow);
    for (const path of [file, shadowFile]) if (path !== 0) pathPut(k, path);
  }
}

/** What a writer does to a range of pages of his zone. */
interface Operation {
  readonly kind: "map" | "unmap" | "protect" | "rename" | "touch" | "swap";
  readonly page: number;
  readonly pages: number;
  readonly prot: number;
  /** Number of a name; 0 for none. */
  readonly name: number;
}

const KINDS: readonly Operation["kind"][] = ["map", "map", "unmap", "protect", "protect", "protect", "rename", "touch"];

function choose(c: StressThread<MapsPlan>): Operation {
  const { random } = c;
  const page = random.below(ZONE_PAGES);
  const pages = 1 + random.below(Math.min(ZONE_PAGES - page, random.below(4) === 0 ? ZONE_PAGES : 6));
  const kind = random.below(40) === 0 ? "swap" : (KINDS[random.below(KINDS.length)] as Operation["kind"]);
  // What is mapped is writable at first: anonymous memory gets pages only if it is written to.
  const prot = kind === "map" ? 3 : ([1, 3, 5][random.below(3)] as number);
  return { kind, page, pages, prot, name: random.below(NAMES + 1) };
}

/** Does it in one address space. @returns what the system call answers */
function operate(k: Kernel, mm: number, zone: ZonePlan, file: number, operation: Operation, prefix: string): number {
  const { kind, page, pages, prot, name } = operation;
  const at = zone.start + page * PAGE;
  const flags = MAP_PRIVATE | MAP_FIXED | (file === 0 ? MAP_ANONYMOUS : 0);
  switch (kind) {
    case "map":
      return mmap(k, mm, at, pages * PAGE, prot, flags, file, page * PAGE);
    case "unmap":
      return munmap(k, mm, at, pages * PAGE);
    case "protect":
      return mprotect(k, mm, at, pages * PAGE, prot);
    case "rename":
      return madviseName(k, mm, at, pages * PAGE, name === 0 ? null : new TextEncoder().encode(`${prefix}${name}`));
    case "touch":
      return touch(k, mm, at, pages);
    case "swap":
      return swapOut(k, mm, at, pages);
  }
}

/** Prefixes of names in the address space that is read, and in shadows. */
const REAL = "n";
const SHADOW = "s";

/** An operation in the shadow, in the history, and in the address space that is read. */
function change(k: Kernel, history: SharedHistory, plan: MapsPlan, track: number, operation: Operation): void {
  const zone = plan.zones[track] as ZonePlan;
  const expected = operate(k, zone.shadow, zone, zone.shadowFile, operation, SHADOW);
  const words = stateOf(k, zone);
  history.publish(track, history.begin(), words);
  const result = operate(k, plan.mm, zone, zone.file, operation, REAL);
  history.end(track);
  if (result !== expected) throw new Error(`${operation.kind}: ${result}, but ${expected} in the shadow`);
}

/** What is unmapped is soon mapped again, and touched: most of the zone is there, and resident, most of the time. */
function followUp({ kind, page, pages, prot, name }: Operation): Operation | null {
  if (kind === "unmap") return { kind: "map", page, pages, prot: 3, name };
  return kind === "map" ? { kind: "touch", page, pages: ZONE_PAGES, prot, name } : null;
}

function writer(c: StressThread<MapsPlan>): () => void {
  const { k, plan, history } = c;
  let next: Operation | null = null;
  return () => {
    const operation: Operation = next ?? choose(c);
    next = followUp(operation);
    change(k, history, plan, c.index, operation);
    // A fork write-locks every mapping, also those of other zones.
    if (c.random.below(100) === 0) mmput(k, dupMm(k, plan.mm));
    c.count(operation.kind);
  };
}

/** The shadow's mappings, as those of the zone will be. */
function stateOf(k: Kernel, zone: ZonePlan): number[] {
  const words = Array<number>(STATE_WORDS).fill(0);
  const vma = new VmaSnapshot();
  if (mmapReadLockKillable(k, zone.shadow) !== 0) throw new Error("the shadow's mmap_lock");
  const vmas = allVmas(k, zone.shadow);
  words[0] = vmas.length;
  for (let i = 0; i < vmas.length; i++) {
    readVma(k, zone.shadow, vmas[i] as number, vma);
    encode(mappingOf(k, vma, SHADOW, zone.shadowFile, zone.file), zone, words, 1 + i * MAPPING_WORDS);
  }
  mmapReadUnlock(k, zone.shadow);
  return words;
}

function encode(mapping: Mapping, zone: ZonePlan, words: number[], at: number): void {
  const { start, end, permissions, offset, name, pages } = mapping;
  words[at] = ((start - zone.start) / PAGE) * 65536 + (end - zone.start) / PAGE;
  words[at + 1] = permissions + 16 * (offset / PAGE);
  words[at + 2] = name;
  if (pages !== null) words[at + 3] = pages.anon + (pages.file << 8) + (pages.swap << 16);
}

function decode(zone: ZonePlan, { from, until, words }: State): Zone["states"][number] {
  const mappings: Mapping[] = [];
  for (let i = 0, at = 1; i < (words[0] as number); i++, at += MAPPING_WORDS) {
    const [range, attributes, name, pages] = words.slice(at, at + MAPPING_WORDS) as [number, number, number, number];
    mappings.push({
      start: zone.start + (range >>> 16) * PAGE,
      end: zone.start + (range & 0xffff) * PAGE,
      permissions: attributes & 15,
      offset: (attributes >>> 4) * PAGE,
      name,
      pages: { anon: pages & 255, file: (pages >>> 8) & 255, swap: pages >>> 16 },
    });
  }
  return { from, until, mappings };
}

/** What stands for a name that no mapping of this address space has. */
const STRANGER = -1;

/** @param file what `named` stands for, if it is mapped */
function mappingOf(k: Kernel, vma: VmaSnapshot, prefix: string, file: number, named: number): Mapping {
  return {
    start: vma.start,
    end: vma.end,
    permissions: vma.flags & (VM_ACCESS_FLAGS | VM_SHARED),
    offset: vma.offset,
    name: vma.path === 0 ? numberOf(k, vma, prefix) : vma.path === file ? named : STRANGER,
    pages: { anon: vma.anonPages, file: vma.filePages + vma.shmemPages, swap: vma.swapPages },
  };
}

function numberOf(k: Kernel, vma: VmaSnapshot, prefix: string): number {
  if (vma.anonName === 0) return 0;
  const text = bytesText(k.m, vma.anonName);
  return text.startsWith(prefix) ? Number(text.slice(prefix.length)) : STRANGER;
}

/** A step of a walk, and when it was made. */
interface TimedStep extends MapsStep {
  readonly from: number;
  readonly to: number;
}

class Reader {
  private readonly c: StressThread<MapsPlan>;
  private readonly walk = new MapsWalk();
  private readonly client: VfsClient;

  constructor(c: StressThread<MapsPlan>) {
    this.c = c;
    this.client = fileSystem(c.k, tablesOf(TEST_HOST)).client;
  }

  step(): void {
    const { random } = this.c;
    const path = [Path.maps, Path.maps, Path.smaps, Path.numa_maps, Path.smaps_rollup][random.below(5)] as PathId;
    if (path === Path.smaps_rollup) this.rollup();
    else this.mappings(path, random.below(2) === 0 ? Infinity : 1 + random.below(10));
  }

  /** Reads all mappings, in pieces of at most so many. */
  private mappings(path: PathId, piece: number): void {
    const { c } = this;
    const steps: TimedStep[] = [];
    let whole = true;
    [this.walk.position, this.walk.lastPosition] = [0, 0];
    while (whole && steps[steps.length - 1]?.found !== null) {
      whole = attempt(c, () => this.readPiece(path, piece, steps)) !== null;
    }
    if (steps.length === 0) return;
    c.count(PATH_NAMES[path] as string);
    const zones = this.judge(steps);
    if (zones === null || !whole || piece !== Infinity || c.form !== "locked") return;
    const found = steps.flatMap((step) => step.found ?? []);
    c.judge([], () => judgeMapsMoment(found, zones));
  }

  /**
   * From start to stop, as a read that has room for so many; the record for which there is no room is left for the next.
   * Goes on where the walk stopped the last time. @returns 0, or what start or next answered instead of a record
   */
  private readPiece(path: PathId, piece: number, steps: TimedStep[]): number {
    const { k, history, plan } = this.c;
    const { walk } = this;
    let position = walk.position === 0 ? 0 : walk.lastPosition;
    let from = history.now();
    let result = walk.start(k, plan.mm, path, walk.position, walk.lastPosition);
    for (let shown = 0; result > 0; shown++) {
      // The gate area stands behind everything.
      const atEnd = walk.vma.vma === 0;
      if (atEnd || shown < piece) steps.push(this.stepFrom(position, path, from));
      if (atEnd || shown >= piece) break;
      position = walk.position;
      from = history.now();
      result = walk.next(k);
    }
    walk.stop(k);
    if (result === 0) throw new Error("the walk ended without the gate area");
    return Math.min(result, 0);
  }

  private stepFrom(position: number, path: PathId, from: number): TimedStep {
    const { c } = this;
    const { vma } = this.walk;
    const to = c.history.now();
    if (vma.vma === 0) return { position, found: null, from, to };
    const mapping = this.mappingShown();
    return { position, found: path === Path.maps ? { ...mapping, pages: null } : mapping, from, to };
  }

  private mappingShown(): Mapping {
    const { k, plan } = this.c;
    const { vma } = this.walk;
    const zone = plan.zones.find(({ start }) => vma.start >= start && vma.start < start + ZONE_BYTES);
    return mappingOf(k, vma, REAL, zone?.file ?? 0, zone?.file ?? 0);
  }

  /** Judges each step. @returns the zones as they were all the time, or null if the history doesn't go back that far */
  private judge(steps: readonly TimedStep[]): Zone[] | null {
    const { c } = this;
    const zones = this.zonesBetween((steps[0] as TimedStep).from, (steps[steps.length - 1] as TimedStep).to);
    if (zones === null) c.judge(null, () => null);
    else
      for (const step of steps)
        c.judge([], () =>
          judgeMapsStep(
            step,
            zones.map((zone) => during(zone, step)),
          ),
        );
    return zones;
  }

  private zonesBetween(from: number, to: number): Zone[] | null {
    const { plan, history } = this.c;
    const zones: Zone[] = [];
    for (let track = 0; track < plan.zones.length; track++) {
      const zone = plan.zones[track] as ZonePlan;
      const states = history.possible(track, from, to);
      if (states === null) return null;
      zones.push({ start: zone.start, end: zone.start + ZONE_BYTES, states: states.map((s) => decode(zone, s)) });
    }
    return zones;
  }

  private rollup(): void {
    const { c } = this;
    let from = 0;
    let text = "";
    const answer = attempt(c, () => {
      from = c.history.now();
      return answerOf(() => (text = this.client.cat(`${c.plan.pid}/smaps_rollup`)));
    });
    if (answer === null) return;
    const zones = this.zonesBetween(from, c.history.now());
    c.count("smaps_rollup");
    const [, start, end, rss] = HEAD.exec(text) as unknown as [string, string, string, string];
    const rollup = { start: parseInt(start, 16), end: parseInt(end, 16), pages: (Number(rss) * 1024) / PAGE };
    c.judge(zones === null ? null : [], () => judgeRollup(rollup, zones as Zone[]));
  }
}

/** Bounds and Rss of smaps_rollup. */
const HEAD = /^(\w+)-(\w+) .*\nRss: +(\d+) kB/;

/** 0, or that a file's read was interrupted or would have to wait. */
function answerOf(read: () => void): number {
  try {
    read();
  } catch (error) {
    const wait = error instanceof ErrnoError && [WAIT_EINTR, WAIT_WOULD_BLOCK].includes(-error.errno);
    if (!wait) throw error;
    return -error.errno;
  }
  return 0;
}

/** A zone with those states only that a step may have seen. */
function during(zone: Zone, { from, to }: TimedStep): Zone {
  return { ...zone, states: zone.states.filter((state) => state.from <= to && state.until > from) };
}

export const mapsWorld: World<MapsPlan> = {
  paths: [Path.maps, Path.smaps, Path.numa_maps, Path.smaps_rollup],
  history: { tracks: ZONES, words: STATE_WORDS, depth: 1024 },
  readers: 2,
  writers: 2,
  expected: (form) => [
    ...["maps", "smaps", "numa_maps", "smaps_rollup"],
    ...(form === "locked" ? [] : ["maps.speculated", "maps.gapVerified", "maps.mmapLockFallback"]),
    ...(form === "lockfree" ? [] : ["maps.fellBack"]),
  ],
  setup,
  reader: (c) => {
    prepare(c, c.index % 2 === 0);
    const reader = new Reader(c);
    return () => reader.step();
  },
  writer,
  teardown,
};
