/**
 * No lock is taken on the uncontended fast path. For each path, in each form, with nobody writing: which locks one
 * operation takes, by class, and which words of shared memory it writes at all.
 *
 * What the patches themselves take is no violation, and stands here exactly: timers takes each timer's own it_lock; maps,
 * smaps, smaps_rollup, numa_maps and map_files read-lock each VMA (its reference count); and a read of any file made of
 * records takes the open file's own lock (seq_file.lock), which no two open files share.
 */
import { beforeEach, describe, expect, test } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { KcmpType, kcmp } from "../../src/kernel/kcmp.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { LOCKED, LOCKFREE, PATH_NAMES, Path } from "../../src/kernel/knobs.ts";
import {
  COUNTER_WORDS,
  OPEN_NODE_BUCKETS,
  FILE,
  HOST,
  MM,
  SIGHAND,
  SIGNAL,
  TASK,
  TIMER,
  VMA,
} from "../../src/kernel/layout.ts";
import { MAX_CACHES } from "../../src/shm/slab.ts";
import { OPEN_FILE_WORDS } from "../../src/kernel/open-file.ts";
import { fdLookup, filePut } from "../../src/kernel/files.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import { allVmas } from "../../src/mm/mm.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { CLASS_NAMES } from "../../src/sync/lockdep.ts";
import type { LockClass } from "../../src/sync/lockdep.ts";
import { timerCreate, timersNext, timersStart } from "../../src/time/posix-timers.ts";
import { subject, testKernel } from "../support/kernel.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { OpenedFile, VfsClient } from "./vfs-client.ts";
import { OWNER, buildWorld } from "./world.ts";
import type { World } from "./world.ts";

const TIMERS = 5;
const RECORDS = 65536;

type Locks = Partial<Record<keyof typeof LockClass, number>>;

let k: Kernel;
let world: World;
let client: VfsClient;
let pid: number;
/** A file that is open, if the operation reads one. */
let file: OpenedFile | null;

beforeEach(() => {
  k = testKernel();
  world = buildWorld(k);
  client = fileSystem(k, tablesOf(TEST_HOST)).client.as(OWNER);
  pid = k.m.load(world.ordinary + TASK.pid);
  for (let value = 0; value < TIMERS; value++) {
    timerCreate(k, world.ordinary, { clock: 1, signo: 14, value, notify: 0, notifyPid: pid });
  }
  file = null;
  // As every thread that serves a mount.
  k.t.maySleep = false;
});

function vmas(): number[] {
  return allVmas(k, k.m.load(world.ordinary + TASK.mm));
}

/** Runs an operation; @returns the locks that it took. */
function locksOf(operation: () => void): Locks {
  const before = [...k.t.lockdep.taken];
  operation();
  const grown = CLASS_NAMES.map((name, i) => [name, k.t.lockdep.taken[i]! - before[i]!] as const);
  return Object.fromEntries(grown.filter(([, count]) => count !== 0)) as Locks;
}

const WRITES = ["store", "add", "or", "and", "exchange", "compareExchange"] as const;

/** Runs an operation; @returns the names of the words of shared memory that it wrote, sorted. */
function writesOf(operation: () => void): string[] {
  const names = wordNames();
  const written = new Set<number>();
  const memory = k.m as unknown as Record<string, unknown>;
  for (const method of WRITES) {
    const original = k.m[method].bind(k.m) as (...args: number[]) => number;
    memory[method] = (at: number, ...rest: number[]): number => {
      written.add(at);
      return original(at, ...rest);
    };
  }
  try {
    operation();
  } finally {
    for (const method of WRITES) delete memory[method];
  }
  const named = [...written].map((at) => nameOf(names, at)).filter((name) => name !== "");
  return [...new Set(named)].sort();
}

/** Words that readers could contend for, by name. */
function wordNames(): Map<number, string> {
  const { m } = k;
  const task = world.ordinary;
  const signal = m.load(task + TASK.signal);
  const mm = m.load(task + TASK.mm);
  const names = new Map<number, string>([
    [HOST.rootDentry, "dentry"],
    [task + TASK.usage, "task.usage"],
    [task + TASK.allocLock, "task.alloc_lock"],
    [mm + MM.mmUsers, "mm_users"],
    [mm + MM.mmCount, "mm_count"],
    [m.load(task + TASK.sighand) + SIGHAND.siglock, "siglock"],
    [fdLookup(k, task, 0) + FILE.count, "file.count"],
  ]);
  for (let word = 0; word < MM.mmLockSeq - MM.mmapLock; word++) names.set(mm + MM.mmapLock + word, "mmap_lock");
  const lockWords = SIGNAL.execUpdateSeq - SIGNAL.execUpdateLock;
  for (let word = 0; word < lockWords; word++) names.set(signal + SIGNAL.execUpdateLock + word, "exec_update_lock");
  for (const vma of vmas()) names.set(vma + VMA.vmRefcnt, "vm_refcnt");
  for (let timer = timersStart(k, task, 0); timer !== 0; timer = timersNext(k, timer)) {
    names.set(timer + TIMER.itLock, "it_lock");
  }
  return names;
}

/** "" for what belongs to this thread, or to the open file, alone. */
function nameOf(names: Map<number, string>, at: number): string {
  const counters = HOST.counters + k.t.slot * COUNTER_WORDS;
  if (at >= counters && at < counters + COUNTER_WORDS) return "";
  const objects = HOST.slabLive + k.t.slot * MAX_CACHES;
  if (at >= objects && at < objects + MAX_CACHES) return "";
  if (file !== null && at >= file.handle && at < file.handle + OPEN_FILE_WORDS) return "";
  if (at >= HOST.openNodes && at < HOST.openNodes + OPEN_NODE_BUCKETS) return "open files of the node";
  return names.get(at) ?? `word ${at}`;
}

/** An operation that reads an open file once, from its start. */
function reads(name: string): () => () => void {
  return () => {
    // Stacks are for CAP_SYS_ADMIN.
    file = (name === "stack" ? client.as(0) : client).open(`${pid}/${name}`);
    return () => void file?.pread(RECORDS, 0);
  };
}

/** An operation that reads an open file to its end. */
function readsAll(name: string): () => () => void {
  return () => {
    file = client.open(`${pid}/${name}`);
    return () => {
      let at = 0;
      for (let got = -1; got !== 0; at += got) got = file?.pread(RECORDS, at).length ?? 0;
    };
  };
}

function walks(name: () => string): () => () => void {
  return () => () => void client.lstat(`${pid}${name()}`);
}

function firstMapFile(): string {
  return `/map_files/${client.ls(`${pid}/map_files`)[0] as string}`;
}

interface Row {
  readonly path: keyof typeof Path;
  readonly what: string;
  /** Makes the operation; what it does before doesn't count. */
  readonly make: () => () => void;
  readonly lockfree: () => Locks;
  readonly locked: () => Locks;
  /** Shared words that the lock-free form writes. */
  readonly writes: readonly string[];
}

const OPEN_FILE: Locks = { openFile: 1 };

function guarded(path: keyof typeof Path): Row {
  return {
    path,
    what: `read of ${path}`,
    make: reads(path),
    lockfree: () => OPEN_FILE,
    locked: () => ({ openFile: 1, execUpdate: 1 }),
    writes: [],
  };
}

const ROWS: readonly Row[] = [
  guarded("io"),
  guarded("stack"),
  guarded("syscall"),
  guarded("personality"),
  {
    path: "io",
    what: "read of one thread's io",
    make: () => reads(`task/${k.m.load(world.threads[0]! + TASK.pid)}/io`)(),
    lockfree: () => OPEN_FILE,
    locked: () => ({ openFile: 1, execUpdate: 1 }),
    writes: [],
  },
  ...["maps", "smaps", "smaps_rollup", "numa_maps", "environ", "auxv", "mem"].map((name): Row => ({
    path: "mm_access",
    what: `open of ${name}`,
    make: () => {
      // The first one takes a stock of open files for this thread.
      client.open(`${pid}/${name}`).close();
      const attr = client.stat(`${pid}/${name}`);
      return () => {
        file = client.openNode({ hi: attr.nodeHi, lo: attr.nodeLo }, 0);
      };
    },
    lockfree: () => ({}),
    locked: () => ({ execUpdate: 1 }),
    writes: ["mm_count", "mm_users", "open files of the node"],
  })),
  {
    path: "maps",
    what: "read of maps",
    make: reads("maps"),
    lockfree: () => ({ openFile: 1, vma: vmas().length }),
    locked: () => ({ openFile: 1, mmap: 1 }),
    writes: ["mm_users", "vm_refcnt"],
  },
  {
    path: "numa_maps",
    what: "read of numa_maps",
    make: reads("numa_maps"),
    lockfree: () => ({ openFile: 1, vma: vmas().length }),
    locked: () => ({ openFile: 1, mmap: 1 }),
    writes: ["mm_users", "vm_refcnt"],
  },
  {
    path: "smaps_rollup",
    what: "read of smaps_rollup",
    make: reads("smaps_rollup"),
    lockfree: () => ({ openFile: 1, vma: vmas().length }),
    locked: () => ({ openFile: 1, mmap: 1 }),
    writes: ["mm_users", "vm_refcnt"],
  },
  {
    path: "timers",
    what: "read of timers",
    make: reads("timers"),
    lockfree: () => ({ openFile: 1, timer: TIMERS }),
    locked: () => ({ openFile: 1, sighand: 1, timer: TIMERS }),
    writes: ["it_lock"],
  },
  {
    path: "revalidate",
    what: "walk to a process",
    make: walks(() => ""),
    lockfree: () => ({}),
    locked: () => ({ dentry: 2 }),
    writes: [],
  },
  {
    path: "revalidate",
    what: "walk to a thread's file",
    make: () => walks(() => `/task/${k.m.load(world.threads[0]! + TASK.pid)}/comm`)(),
    lockfree: () => ({}),
    locked: () => ({ dentry: 5 }),
    writes: [],
  },
  {
    path: "revalidate",
    what: "walk to a descriptor",
    make: walks(() => "/fd/0"),
    lockfree: () => ({}),
    locked: () => ({ dentry: 5, taskAlloc: 1 }),
    writes: [],
  },
  {
    path: "revalidate",
    what: "walk to a descriptor's fdinfo",
    make: walks(() => "/fdinfo/0"),
    lockfree: () => ({}),
    locked: () => ({ dentry: 5, taskAlloc: 1 }),
    writes: [],
  },
  {
    path: "revalidate",
    what: "walk to a mapping of map_files",
    make: () => {
      const name = firstMapFile();
      return walks(() => name)();
    },
    // Found once by name, and once more for its attributes.
    lockfree: () => ({ vma: 2 }),
    locked: () => ({ dentry: 5, mmap: 2 }),
    writes: ["mm_users", "vm_refcnt"],
  },
  {
    path: "kcmp",
    what: "comparison of two processes' memory",
    make: () => () => {
      const other = k.m.load(world.undumpable + TASK.pid);
      expect(kcmp(k, pid, other, KcmpType.VM, 0, 0, subject(0))).toBeGreaterThan(0);
    },
    lockfree: () => ({}),
    locked: () => ({ execUpdate: 2 }),
    writes: [],
  },
  {
    path: "pidfd_getfd",
    what: "a descriptor of another process",
    make: () => () => {
      const found = pidfdGetfd(k, pid, 0, 0, subject(0));
      expect(found).toBeGreaterThan(0);
      filePut(k, found);
    },
    lockfree: () => ({}),
    locked: () => ({ execUpdate: 1 }),
    // The reference that was asked for.
    writes: ["file.count"],
  },
  {
    path: "get_robust_list",
    what: "the robust futexes of another process",
    make: () => () => {
      expect(getRobustList(k, pid, subject(0), new RobustList())).toBe(0);
    },
    lockfree: () => ({}),
    locked: () => ({ execUpdate: 1 }),
    writes: [],
  },
];

function setMode(path: PathId, mode: number): void {
  k.m.store(HOST.pathMode + path, mode);
}

test("each path is tried", () => {
  expect([...new Set([...ROWS.map(({ path }) => path as string), "smaps"])].sort()).toEqual([...PATH_NAMES].sort());
});

describe.each(ROWS.map((row) => [row.path, row.what, row] as const))("%s: %s", (_path, _what, row) => {
  test("lock-free: no lock but what the patch itself takes", () => {
    const operation = row.make();
    expect(locksOf(operation)).toEqual(row.lockfree());
  });

  test("lock-free: a second time writes no shared word but these", () => {
    const operation = row.make();
    operation();
    expect(writesOf(operation)).toEqual(row.writes);
  });

  test("locked: the lock that the patch took away", () => {
    const operation = row.make();
    setMode(Path[row.path], LOCKED);
    expect(locksOf(operation)).toEqual(row.locked());
    setMode(Path[row.path], LOCKFREE);
    expect(locksOf(operation)).toEqual(row.lockfree());
  });
});

describe("smaps, which takes several fills of the buffer", () => {
  function counts(mode: number): { reads: number; locks: Locks } {
    const operation = readsAll("smaps")();
    setMode(Path.smaps, mode);
    const locks = locksOf(operation);
    return { reads: locks.openFile as number, locks };
  }

  test("lock-free: each VMA's own lock, some twice: a fill begins with the record that had no room", () => {
    const { reads: fills, locks } = counts(LOCKFREE);
    expect(fills).toBeGreaterThan(2);
    expect(Object.keys(locks).sort()).toEqual(["openFile", "vma"]);
    expect(locks.vma).toBeGreaterThanOrEqual(vmas().length);
    expect(locks.vma).toBeLessThan(vmas().length + fills);
  });

  test("locked: mmap_lock once a fill, and no VMA's", () => {
    const { reads: fills, locks } = counts(LOCKED);
    // The last read finds nothing: the position says so without the lock.
    expect(locks).toEqual({ openFile: fills, mmap: fills - 1 });
  });
});
