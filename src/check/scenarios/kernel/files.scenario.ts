/** Descriptor tables while several threads open, close, copy and grow them: which descriptors there are, and of what. */
import { EBADF, EINVAL, EMFILE } from "../../../kernel/errno.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import {
  closeFd,
  closeOnExec,
  descriptorOf,
  dupFd,
  dupFiles,
  fdLookup,
  fdTableSize,
  fileNew,
  filePut,
  filesNew,
  installFd,
  installFdAt,
  nextFd,
  openFdCount,
  putFiles,
  reserveFds,
} from "../../../kernel/files.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import type { FileKindId } from "../../../kernel/layout.ts";
import { FILE, FileKind, PATH, TASK } from "../../../kernel/layout.ts";
import { pathNew } from "../../../kernel/path.ts";
import { bytesText, latin1Bytes } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { countIs } from "./exec-images.ts";
import type { Inventory } from "./machine-kit.ts";
import { inventory, judgeInventory } from "./machine-kit.ts";
import { endAndReap, reapZombie, reclaimNow, start, taskOfPid } from "./pid-kit.ts";

const PID = 40;
const [OTHER, THIRD] = [41, 42];

/** A process without descriptors, and what there was before it. */
interface FilesPlan {
  readonly task: Ptr;
  readonly files: Ptr;
  readonly before: Inventory;
}

function makeProcess(k: Kernel): FilesPlan {
  const before = inventory(k);
  start(k, 1, 0, { pid: PID });
  const task = taskOfPid(k, PID);
  return { task, files: k.m.load(task + TASK.files), before };
}

/** The processes end: nothing of them may be left. */
function judgeEnd(k: Kernel, { before }: FilesPlan, pids: readonly number[] = [PID]): string | null {
  for (const pid of pids) endAndReap(k, pid);
  return judgeInventory(k, before);
}

/** A socket, known by its inode. */
function socket(k: Kernel, ino: number): Ptr {
  return fileNew(k, { kind: FileKind.socket, flags: 2, ino });
}

/** A socket under the lowest free descriptor from one on. */
function open(k: Kernel, files: Ptr, ino: number, from = 0, closedByExec = false): number {
  const file = socket(k, ino);
  const result = installFd(k, files, file, from, closedByExec);
  if (result < 0) filePut(k, file);
  return result;
}

function openAt(k: Kernel, files: Ptr, fd: number, ino: number, closedByExec = false): number {
  const file = socket(k, ino);
  const result = installFdAt(k, files, fd, file, closedByExec);
  if (result < 0) filePut(k, file);
  return result;
}

/** All descriptors and what they are, as readers find them: `0:100` is open on inode 100. @pre RCU */
function listed(k: Kernel, task: Ptr): string {
  const entries: string[] = [];
  for (let fd = nextFd(k, task, 0); fd >= 0; fd = nextFd(k, task, fd + 1)) {
    const file = fdLookup(k, task, fd);
    if (file !== 0) entries.push(`${fd}:${k.m.load64(file + FILE.ino)}`);
  }
  return entries.join(" ");
}

/** What a table has to say of itself, whoever's it is: its descriptors, how many, and those that exec would leave. */
function whole(k: Kernel, task: Ptr, files: Ptr): string {
  // What has been given back too early is gone then.
  reclaimNow(k);
  const own = k.m.exchange(task + TASK.files, files);
  const all = listed(k, task);
  const count = openFdCount(k, task);
  closeOnExec(k, files);
  const left = listed(k, task);
  k.m.store(task + TASK.files, own);
  return `${all} (${count}), after exec ${left}`;
}

/** Fails unless one of some texts is what there is. */
function oneOf(what: string, is: string, possible: readonly string[]): string | null {
  return possible.includes(is) ? null : `${what}: ${is}, possible: ${possible.join("; ")}`;
}

function judgeNumbers(what: string, are: readonly number[], expected: readonly number[]): string | null {
  return oneOf(what, are.join(" "), [expected.join(" ")]);
}

export const copiedWhileOpened = scenario({
  name: "files/fork-and-open",
  about: "descriptors are copied while a file is opened, for which the table grows, and one closed: as at one moment",
  quick: true,
  setup: (k) => {
    const plan = makeProcess(k);
    open(k, plan.files, 100);
    open(k, plan.files, 101, 0, true);
    return plan;
  },
  threads: {
    forks: (k, { files }): Ptr => dupFiles(k, files),
    opens: (k, { files }): number[] => [open(k, files, 102, 20), closeFd(k, files, 0)],
  },
  check: (k, plan, { forks, opens }) => {
    const { task, files } = plan;
    const copy = whole(k, task, forks);
    putFiles(k, forks);
    return (
      judgeNumbers("what opening and closing said", opens, [20, 0]) ??
      oneOf("the copy", copy, [
        "0:100 1:101 (2), after exec 0:100",
        "0:100 1:101 20:102 (3), after exec 0:100 20:102",
        "1:101 20:102 (2), after exec 20:102",
      ]) ??
      oneOf("the original", whole(k, task, files), ["1:101 20:102 (2), after exec 20:102"]) ??
      countIs(k, "a file", fdLookup(k, task, 20) + FILE.count, 1) ??
      judgeEnd(k, plan)
    );
  },
});

export const opened = scenario({
  name: "files/two-openers",
  about: "two threads open files, one of them under the descriptor that is free: each has one of its own",
  quick: true,
  setup: makeProcess,
  threads: {
    lowest: (k, { files }): number => open(k, files, 100),
    first: (k, { files }): number => openAt(k, files, 0, 101, true),
  },
  check: (k, plan, { lowest, first }) => {
    const answers = oneOf("the descriptors", `${lowest} ${first}`, [`0 ${-EINVAL}`, "1 0"]);
    const text = lowest === 0 ? "0:100 (1), after exec 0:100" : "0:101 1:100 (2), after exec 1:100";
    return answers ?? oneOf("the table", whole(k, plan.task, plan.files), [text]) ?? judgeEnd(k, plan);
  },
});

export const closed = scenario({
  name: "files/two-closers",
  about: "two threads close the same descriptor, and one opens it again: the file is given back once",
  quick: true,
  setup: (k) => {
    const plan = makeProcess(k);
    open(k, plan.files, 100);
    return plan;
  },
  threads: {
    closes: (k, { files }): number => closeFd(k, files, 0),
    reopens: (k, { files }): number[] => [closeFd(k, files, 0), open(k, files, 101)],
    reader: (k, { task }): [count: number, found: string] => [openFdCount(k, task), listed(k, task)],
  },
  check: (k, plan, { closes, reopens, reader: [count, found] }) => {
    // As in the kernel, a descriptor is gone before it counts no more.
    if (count === 0 && found === "0:100") return "a descriptor that doesn't count any more is there still";
    const possible = [`0 ${-EBADF} 0`, `${-EBADF} 0 0`, "0 0 0"];
    const answers = oneOf("the answers", [closes, ...reopens].join(" "), possible);
    // Who closes both has closed the new one, too.
    const both = closes === 0 && reopens[0] === 0;
    const table = both ? " (0), after exec " : "0:101 (1), after exec 0:101";
    return answers ?? oneOf("the table", whole(k, plan.task, plan.files), [table]) ?? judgeEnd(k, plan);
  },
});

/** Slots of which a larger table is asked for. */
const SLOTS = 40;

export const grown = scenario({
  name: "files/grows",
  about: "readers list the descriptors while two threads make the table larger: none that stays open is missing",
  setup: (k) => {
    const plan = makeProcess(k);
    open(k, plan.files, 100);
    openAt(k, plan.files, 7, 107, true);
    reclaimNow(k);
    return plan;
  },
  threads: {
    reader: (k, { task }): string[] => {
      const first = listed(k, task);
      reclaimNow(k);
      return [first, listed(k, task)];
    },
    opens: (k, { files }): number => open(k, files, 108, 7),
    reserves: (k, { files }): void => reserveFds(k, files, SLOTS),
  },
  check: (k, plan, { reader, opens }) => {
    const { task, files } = plan;
    const possible = ["0:100 7:107", "0:100 7:107 8:108"];
    const [first, second] = reader as [string, string];
    if (first.length > second.length) return `a descriptor is gone: ${first}, then ${second}`;
    return (
      oneOf("the first listing", first, possible) ??
      oneOf("the second listing", second, possible) ??
      judgeNumbers("descriptor and size of the table", [opens, fdTableSize(k, task)], [8, 64]) ??
      oneOf("the table", whole(k, task, files), ["0:100 7:107 8:108 (3), after exec 0:100 8:108"])
    );
  },
});

/** What the first process does with its descriptors, and what it is told, as measured. */
function useDescriptors(k: Kernel, task: Ptr, files: Ptr): string[] {
  const told = (answers: readonly number[]): string => answers.join(" ");
  const opened = told([
    open(k, files, 100),
    open(k, files, 101, 0, true),
    open(k, files, 102, 5),
    open(k, files, 103),
    openAt(k, files, 3, 104, true),
    openAt(k, files, 3, 105),
    openAt(k, files, -1, 105),
  ]);
  const closes: number[] = [];
  for (const fd of [1, -1, 1, 7, 8, 9, 100]) closes.push(closeFd(k, files, fd));
  const dups = told([dupFd(k, files, 3), dupFd(k, files, 0, 4), dupFd(k, files, 6), dupFd(k, files, 99)]);
  const flags: boolean[] = [];
  for (const fd of [0, 1, 3]) flags.push(descriptorOf(k, task, fd).closeOnExec);
  closeFd(k, files, 3);
  for (const fd of [3, 1000]) flags.push(descriptorOf(k, task, fd).closeOnExec);
  flags.push(nextFd(k, task, 3) === 4);
  const more = told([open(k, files, 106), open(k, files, 107), open(k, files, 108), open(k, files, 109)]);
  const next = told([nextFd(k, task, -5), nextFd(k, task, 4), nextFd(k, task, 8), nextFd(k, task, 9)]);
  return [opened, told(closes), dups, flags.join(" "), more, next];
}

/** The second one comes to the largest table, and beyond. */
function useLargeTables(k: Kernel, task: Ptr, files: Ptr): number[] {
  const sizes = [fdTableSize(k, task)];
  for (const slots of [200, 10]) {
    reserveFds(k, files, slots);
    sizes.push(fdTableSize(k, task));
  }
  const beyond = openAt(k, files, LARGEST, 200);
  const last = openAt(k, files, LARGEST - 1, 200);
  const file = fdLookup(k, task, LARGEST - 1);
  const rest = [dupFd(k, files, LARGEST - 1, LARGEST - 1), open(k, files, 201, LARGEST), k.m.load(file + FILE.count)];
  return [...sizes, beyond, last, fdTableSize(k, task), ...rest, nextFd(k, task, LARGEST - 1)];
}

/** Slots of the largest table. */
const LARGEST = 65536;

export const answers = scenario({
  name: "files/answers",
  about: "two processes open, close and duplicate files, small numbers the one, large ones the other: as POSIX has it",
  extent: { kind: "bounded", preemptions: 0 },
  quick: true,
  setup: (k) => {
    const plan = makeProcess(k);
    for (const pid of [OTHER, THIRD]) start(k, 1, 0, { pid });
    const [large, huge] = [taskOfPid(k, OTHER), taskOfPid(k, THIRD)];
    return { ...plan, large, largeFiles: k.m.load(large + TASK.files), hugeFiles: k.m.load(huge + TASK.files), huge };
  },
  threads: {
    small: (k, { task, files }): string[] => useDescriptors(k, task, files),
    large: (k, { large, largeFiles, huge, hugeFiles }): number[] => {
      const used = useLargeTables(k, large, largeFiles);
      reserveFds(k, hugeFiles, LARGEST + 1);
      return [...used, fdTableSize(k, huge)];
    },
  },
  check: (k, plan, { small, large }) => {
    const expected = [
      `0 1 5 2 3 ${-EINVAL} ${-EINVAL}`,
      [0, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF, -EBADF].join(" "),
      `1 4 ${-EBADF} ${-EBADF}`,
      "false false true false false true",
      "3 6 7 8",
      "0 4 8 -1",
    ];
    const [size, larger, largest] = [64, 256, LARGEST];
    const sizes = [size, larger, larger, -EMFILE, LARGEST - 1, largest, -EMFILE, -EMFILE, 1, LARGEST - 1, largest];
    const table = "0:100 1:104 2:103 3:106 4:100 5:102 6:107 7:108 8:109 (9), after exec ";
    const left = "0:100 1:104 2:103 3:106 4:100 5:102 6:107 7:108 8:109";
    return (
      oneOf("the answers", small.join("; "), [expected.join("; ")]) ??
      judgeNumbers("large tables", large, sizes) ??
      oneOf("the table", whole(k, plan.task, plan.files), [table + left]) ??
      countIs(k, "a file with two descriptors", fdLookup(k, plan.task, 0) + FILE.count, 2) ??
      judgeEnd(k, plan, [PID, OTHER, THIRD])
    );
  },
});

/** Which files have mounts of their own. */
const MOUNTED: readonly (readonly FileKindId[])[] = [
  [FileKind.regular, FileKind.directory, FileKind.charDevice],
  [FileKind.pipe],
  [FileKind.socket],
  [FileKind.eventfd, FileKind.timerfd, FileKind.anon],
];

const [POS, DATA] = [2 ** 33 + 5, 2 ** 34 + 6];
const LINES = "fixed lines\n";

/** All that a file is told, without what it refers to. */
function fieldsOf(k: Kernel, file: Ptr): number[] {
  const { m } = k;
  const fields: number[] = [];
  for (const field of [FILE.count, FILE.kind, FILE.flags, FILE.mntId]) fields.push(m.load(file + field));
  for (const field of [FILE.ino, FILE.pos, FILE.data]) fields.push(m.load64(file + field));
  return fields;
}

export const made = scenario({
  name: "files/new",
  about: "files are made, told all or nothing, and a table: each is what it was told, and gives all back",
  quick: true,
  setup: (k) => ({ before: inventory(k) }),
  threads: {
    told: (k): Ptr => {
      const path = pathNew(k, { name: "/data" });
      const extra = k.bytes(latin1Bytes(LINES));
      return fileNew(k, { kind: FileKind.regular, flags: 3, path, pos: POS, mntId: 21, data: DATA, extra });
    },
    plain: (k): Ptr[] => {
      const files: Ptr[] = [];
      for (const kinds of MOUNTED) for (const kind of kinds) files.push(fileNew(k, { kind, flags: 1 }));
      const table = filesNew(k);
      open(k, table, 100);
      putFiles(k, table);
      return files;
    },
  },
  check: (k, { before }, { told, plain }) => {
    const { m } = k;
    const path = m.load(told + FILE.path);
    const wrong =
      judgeNumbers("a file's fields", fieldsOf(k, told), [1, FileKind.regular, 3, 21, 0, POS, DATA]) ??
      oneOf("its lines", bytesText(m, m.load(told + FILE.extra)), [LINES]) ??
      oneOf("its name", bytesText(m, m.load(path + PATH.name)), ["/data"]) ??
      judgePlain(k, plain);
    for (const file of [told, ...plain]) filePut(k, file);
    return wrong ?? judgeInventory(k, before);
  },
});

/** Files of each kind that were told nothing: those of one mount have its id, and each an inode of its own. */
function judgePlain(k: Kernel, files: readonly Ptr[]): string | null {
  const { m } = k;
  const inodes = new Set<number>();
  const mounts = new Set<number>();
  let at = 0;
  for (const kinds of MOUNTED) {
    const mount = m.load((files[at] as Ptr) + FILE.mntId);
    for (const kind of kinds) {
      const file = files[at++] as Ptr;
      const ino = m.load64(file + FILE.ino);
      const wrong = judgeNumbers("a plain file", fieldsOf(k, file), [1, kind, 1, mount, ino, 0, 0]);
      if (wrong !== null) return wrong;
      inodes.add(ino);
    }
    mounts.add(mount);
  }
  if (inodes.has(0) || inodes.size !== files.length) return `they have inodes ${[...inodes].join(" ")}`;
  if (mounts.has(0) || mounts.size !== MOUNTED.length) return `they have mounts ${[...mounts].join(" ")}`;
  return null;
}

/** Slots, descriptors, whether exec closes number 1, and which is the first. */
function existence(k: Kernel, task: Ptr): string {
  const [size, count, { closeOnExec: closes }] = [fdTableSize(k, task), openFdCount(k, task), descriptorOf(k, task, 1)];
  return `${size} ${count} ${closes} ${nextFd(k, task, 0)}`;
}

export const readersGone = scenario({
  name: "files/exit",
  about: "what a process has open is asked for while it ends: all of it or nothing, then nothing",
  quick: true,
  setup: (k) => {
    const plan = makeProcess(k);
    openAt(k, plan.files, 1, 100, true);
    return plan;
  },
  threads: {
    reader: (k, { task }): string[] => {
      const seen: string[] = [];
      for (let i = 0; i < 2; i++) {
        seen.push(existence(k, task));
      }
      return seen;
    },
    ends: (k, { task }): void => exitGroup(k, task, 0),
  },
  check: (k, { task, before }, { reader }) => {
    // Each question is one by itself: what has been answered with nothing once, is from then on.
    const possible = ["64 1 true 1", "64 1 true -1", "64 1 false -1", "64 0 false -1", "0 0 false -1"];
    const [first, second] = [possible.indexOf(reader[0] as string), possible.indexOf(reader[1] as string)];
    if (first < 0 || second < first) return `the process had: ${reader.join(", then ")}`;
    const gone = existence(k, task);
    reapZombie(k, PID);
    return oneOf("the dead process", gone, [possible[4] as string]) ?? judgeInventory(k, before);
  },
});
