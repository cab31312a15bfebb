/**
 * stack, syscall, personality, the address space that mm_access hands out, pidfd_getfd and get_robust_list, of processes
 * that exec, and of some that also end. Even readers are threads that may sleep, odd ones serve requests and must not.
 */
import type { SharedHistory } from "../../src/check/history.ts";
import { judgeImage } from "../../src/check/oracles/identity.ts";
import { EACCES, EPERM, ESRCH } from "../../src/kernel/errno.ts";
import { filePut } from "../../src/kernel/files.ts";
import { PTRACE_MODE_READ_FSCREDS } from "../../src/kernel/flags.ts";
import { TraceSnapshot, readPersonality, readStack, readSyscall } from "../../src/kernel/guarded.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { Path } from "../../src/kernel/knobs.ts";
import { FILE, MM, TASK } from "../../src/kernel/layout.ts";
import { mmAccess } from "../../src/kernel/mm-access.ts";
import { pidfdGetfd } from "../../src/kernel/pidfd-getfd.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { RobustList, getRobustList } from "../../src/kernel/robust-list.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { mmput } from "../../src/mm/mm.ts";
import { bytesText } from "../../src/shm/bytes.ts";
import { attempt, prepare } from "./attempt.ts";
import type { ImagePlan } from "./images.ts";
import {
  IMAGE_FD,
  IMAGE_WORDS,
  Word,
  endProcesses,
  imageWriter,
  makeImages,
  stillLeads,
  callers,
  seenWords,
  waitKindOf,
} from "./images.ts";
import type { Mortal } from "./mortals.ts";
import { endMortals, makeMortals, mortalWriter } from "./mortals.ts";
import { execUpdateEvents } from "./world.ts";
import type { StressThread, World } from "./world.ts";

const IMAGES = 2;
/** The most that a run can have. */
const WRITERS = 4;

/** Processes that change their image; each writer's mortal process has the track after those. */
interface IdentityPlan extends ImagePlan {
  readonly mortals: readonly Mortal[];
}

/** What a path showed: an error, or words of the state. */
interface Look {
  readonly error: number;
  readonly seen: (number | undefined)[];
}

interface PathReader {
  readonly path: string;
  readonly refusal: number;
  look(k: Kernel, task: number, subject: Subject): Look;
}

type TraceRead = (k: Kernel, task: number, subject: Subject, out: TraceSnapshot) => number;

/** The three files of lock_trace show the same snapshot. */
function traceReader(path: string, read: TraceRead): PathReader {
  const out = new TraceSnapshot();
  const look = (k: Kernel, task: number, subject: Subject): Look => {
    const error = read(k, task, subject, out);
    const seen = seenWords({ image: out.personality, startStack: out.startStack, mmapBase: out.mmapBase });
    // Both follow from the image: one that differs shows a mixture.
    if (out.waitKind !== waitKindOf(out.personality)) seen[Word.image] = -1;
    return { error, seen };
  };
  return { path, refusal: -EPERM, look };
}

/** What environ, auxv and maps open: the address space, as long as the reader keeps it. */
const mmReader: PathReader = {
  path: "mm_access",
  refusal: -EACCES,
  look: (k, task, subject) => {
    const mm = mmAccess(k, task, PTRACE_MODE_READ_FSCREDS, subject);
    if (mm < 0) return { error: mm, seen: [] };
    const envp = k.m.load(mm + MM.envp);
    // To put it once more would end it again.
    if (envp === 0) throw new Error("mm_access has handed out an address space that is over");
    const image = Number(bytesText(k.m, envp).slice("IMAGE=".length, -1));
    const seen = seenWords({
      image,
      startStack: k.m.load64(mm + MM.startStack),
      mmapBase: k.m.load64(mm + MM.mmapBase),
    });
    mmput(k, mm);
    return { error: 0, seen };
  },
};

/** The file that another process's descriptor stands for. */
const fileReader: PathReader = {
  path: "pidfd_getfd",
  refusal: -EPERM,
  look: (k, task, subject) => {
    const file = pidfdGetfd(k, k.m.load(task + TASK.tgid), IMAGE_FD, 0, subject);
    if (file < 0) return { error: file, seen: [] };
    const seen = seenWords({ image: k.m.load64(file + FILE.ino) });
    filePut(k, file);
    return { error: 0, seen };
  },
};

/** Where the list of robust futexes is; the kernel drops it before the write section of an exec begins. */
function robustListReader(): PathReader {
  const out = new RobustList();
  const look = (k: Kernel, task: number, subject: Subject): Look => {
    const error = getRobustList(k, k.m.load(task + TASK.tgid), subject, out);
    return { error, seen: seenWords(out.head === 0 ? {} : { robustList: out.head }) };
  };
  return { path: "get_robust_list", refusal: -EPERM, look };
}

function setup(k: Kernel, history: SharedHistory, writers: number): IdentityPlan {
  return { ...makeImages(k, history, IMAGES), mortals: makeMortals(k, history, IMAGES, writers) };
}

/** Mostly the images that change their credentials. */
function writer(c: StressThread<IdentityPlan>): () => void {
  const change = imageWriter(c);
  const mortal = mortalWriter(c, c.plan.mortals[c.index] as Mortal);
  return () => (c.random.below(4) === 0 ? mortal() : change());
}

function reader(c: StressThread<IdentityPlan>): () => void {
  const { k, plan, history, random } = c;
  prepare(c, c.index % 2 === 0);
  const someone = callers(c);
  const readers = [
    traceReader("stack", readStack),
    traceReader("syscall", readSyscall),
    traceReader("personality", readPersonality),
    mmReader,
    fileReader,
    robustListReader(),
  ];
  const pids = [...plan.pids, ...plan.mortals.map(({ pid }) => pid)];
  return () => {
    const { path, refusal, look } = readers[random.below(readers.length)] as PathReader;
    const track = random.below(pids.length);
    const { who, subject } = someone();
    const pid = pids[track] as number;
    let from = 0;
    let task = 0;
    let seen: Look["seen"] = [];
    const error = attempt(c, () => {
      from = history.now();
      task = findTask(k, pid);
      if (task === 0) return -ESRCH;
      const shown = look(k, task, subject);
      seen = shown.seen;
      return shown.error;
    });
    const to = history.now();
    if (error === null) return;
    if (task === 0) return c.count("no process");
    if (!stillLeads(k, pid, task)) return c.count("another leader");
    c.count(`${path} ${error === 0 ? "allowed" : "denied"}`);
    c.judge(history.possible(track, from, to), (states) => judgeImage({ path, who, error, refusal, seen }, states));
  };
}

const PATHS = ["stack", "syscall", "personality", "mm_access", "pidfd_getfd", "get_robust_list"];

export const identityWorld: World<IdentityPlan> = {
  paths: [Path.stack, Path.syscall, Path.personality, Path.mm_access, Path.pidfd_getfd, Path.get_robust_list],
  history: { tracks: IMAGES + WRITERS, words: IMAGE_WORDS, depth: 4096 },
  readers: 3,
  writers: 2,
  expected: (form) => [
    ...["exit", "failed exec"],
    ...PATHS.flatMap((path) => [`${path} allowed`, `${path} denied`]),
    ...execUpdateEvents(PATHS, form),
  ],
  setup,
  reader,
  writer,
  teardown: (k, { pids, mortals }) => {
    endProcesses(k, pids);
    endMortals(k, mortals);
  },
};
