/** Who may look into a task: by ids, dumpability and capabilities, and while those change. */
import { commitCreds, prepareCreds, setGids, setUids } from "../../../kernel/cred.ts";
import { exitGroup } from "../../../kernel/exit.ts";
import { PTRACE_MODE_READ_FSCREDS, PTRACE_MODE_READ_REALCREDS } from "../../../kernel/flags.ts";
import { setIdentity } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { CRED, MM, TASK } from "../../../kernel/layout.ts";
import { ptraceMayAccess } from "../../../kernel/ptrace.ts";
import { CAP_CHECKPOINT_RESTORE, CAP_FOWNER, CAP_SYS_PTRACE } from "../../../kernel/subject.ts";
import type { Subject } from "../../../kernel/subject.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { endAndReap, reapZombie, start, taskOfPid } from "./pid-kit.ts";

const PID = 40;
const [UID, GID] = [1000, 2000];
const OTHER = 7;

const FS = PTRACE_MODE_READ_FSCREDS;
const REAL = PTRACE_MODE_READ_REALCREDS;

/** What is asked about. Absent: a process of UID and GID without capabilities, which can be dumped. */
interface Target {
  /** A word of its credentials that is another. */
  readonly id?: "uid" | "suid" | "euid" | "fsuid" | "gid" | "sgid" | "egid" | "fsgid";
  /** A capability that it may have. */
  readonly permitted?: number;
  readonly dumpable?: number;
  /** It is dead, and was as the others say. */
  readonly zombie?: boolean;
  readonly kernelThread?: boolean;
}

/** Who asks. Absent: UID and GID, in all respects, without capabilities. */
interface Asker {
  readonly ids?: readonly [uid: number, gid: number];
  readonly realIds?: readonly [uid: number, gid: number];
  readonly permitted?: number;
  readonly effective?: number;
}

function subject({ ids = [UID, GID], realIds, permitted = -1, effective = -1 }: Asker): Subject {
  const has = (set: number, low: number, high: number): boolean =>
    (low & ~half(set, 0)) === 0 && (high & ~half(set, 1)) === 0;
  return {
    uid: ids[0],
    gid: ids[1],
    ...(realIds === undefined ? {} : { realIds: () => realIds }),
    tgid: () => 0,
    capable: (capability) => capability === effective,
    inGroup: (gid) => gid === ids[1],
    covers: (low, high, inEffect) => has(inEffect ? effective : permitted, low, high),
  };
}

/** A half of the set that holds one capability; -1: none. */
function half(capability: number, which: number): number {
  return capability >> 5 === which && capability >= 0 ? 1 << (capability & 31) : 0;
}

type Case = readonly [may: boolean, target: Target, asker: Asker, mode: number];

const PTRACER: Asker = { effective: CAP_SYS_PTRACE };
const STRANGER: Asker = { ids: [OTHER, GID] };
const IDS = ["uid", "suid", "euid", "gid", "sgid", "egid"] as const;

/** By the rules of __ptrace_may_access and cap_ptrace_access_check. */
const CASES: readonly Case[] = [
  [true, {}, {}, FS],
  [true, {}, {}, REAL],
  [true, { id: "fsuid" }, {}, FS],
  [true, { id: "fsgid" }, {}, FS],
  ...IDS.flatMap((id): Case[] => [
    [false, { id }, {}, FS],
    [false, { id }, { permitted: CAP_SYS_PTRACE }, FS],
    [true, { id }, PTRACER, FS],
  ]),
  [false, {}, STRANGER, FS],
  [false, {}, STRANGER, REAL],
  [false, {}, { ids: [UID, OTHER] }, FS],
  [true, {}, { ids: [UID, GID], realIds: [OTHER, OTHER] }, FS],
  [false, {}, { ids: [UID, GID], realIds: [OTHER, GID] }, REAL],
  [false, {}, { ids: [UID, GID], realIds: [UID, OTHER] }, REAL],
  [true, {}, { ids: [OTHER, OTHER], realIds: [UID, GID] }, REAL],
  [false, {}, { ids: [OTHER, OTHER], realIds: [UID, GID] }, FS],
  ...[0, 2].flatMap((dumpable): Case[] => [
    [false, { dumpable }, {}, FS],
    [false, { dumpable }, { permitted: CAP_SYS_PTRACE }, REAL],
    [true, { dumpable }, PTRACER, FS],
    [false, { dumpable, zombie: true }, {}, FS],
    [true, { dumpable, zombie: true }, PTRACER, FS],
  ]),
  [true, { zombie: true }, {}, FS],
  [false, { kernelThread: true }, {}, FS],
  [true, { kernelThread: true }, PTRACER, FS],
  ...[CAP_FOWNER, CAP_CHECKPOINT_RESTORE].flatMap((permitted): Case[] => [
    [false, { permitted }, {}, FS],
    [false, { permitted }, { permitted }, FS],
    [true, { permitted }, { permitted }, REAL],
    [true, { permitted }, { effective: permitted }, FS],
    [false, { permitted }, { effective: permitted }, REAL],
    [true, { permitted }, PTRACER, FS],
    [true, { permitted }, PTRACER, REAL],
    [false, { permitted, dumpable: 0 }, { effective: permitted }, FS],
    [false, { permitted }, { ...STRANGER, effective: permitted }, FS],
  ]),
];

function makeTarget(k: Kernel, { id, permitted, dumpable = 1, zombie, kernelThread = false }: Target): Ptr {
  start(k, 1, 0, { pid: PID, kernelThread });
  const task = taskOfPid(k, PID);
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  setUids(k, cred, UID);
  setGids(k, cred, GID);
  for (let i = 0; i < 2; i++) k.m.plainStore(cred + CRED.capPermitted + i, half(permitted ?? -1, i));
  if (id !== undefined) k.m.plainStore(cred + CRED[id], OTHER);
  commitCreds(k, task, cred);
  if (!kernelThread) k.m.store(k.m.load(task + TASK.mm) + MM.dumpable, dumpable);
  if (zombie === true) exitGroup(k, task, 0);
  return task;
}

/** @returns the first case that was answered wrongly, or null */
function askAll(k: Kernel): string | null {
  for (const [may, target, asker, mode] of CASES) {
    const task = makeTarget(k, target);
    const answer = ptraceMayAccess(k, task, mode, subject(asker));
    if (target.zombie === true) reapZombie(k, PID);
    else endAndReap(k, PID);
    if (answer !== may) return `${JSON.stringify(asker)} ${answer ? "may" : "may not"}: ${JSON.stringify(target)}`;
  }
  return null;
}

export const rules = scenario({
  name: "ptrace/rules",
  about: "who may look into whom: all ids, real ones and those of the file system, dumpability, capabilities",
  quick: true,
  setup: () => null,
  threads: { asker: (k): string | null => askAll(k) },
  check: (_k, _plan, { asker }) => asker,
});

export const becomes = scenario({
  name: "ptrace/becomes",
  about: "a process of root becomes the caller's: at no moment may he look into it, as it can no longer be dumped",
  quick: true,
  setup: (k) => {
    start(k, 1, 0, { pid: PID });
    k.m.store(k.m.load(taskOfPid(k, PID) + TASK.mm) + MM.dumpable, 1);
    return null;
  },
  threads: {
    asker: (k): boolean => ptraceMayAccess(k, taskOfPid(k, PID), FS, subject({})),
    process: (k): void => setIdentity(k, taskOfPid(k, PID), UID, GID, []),
  },
  check: (k, _plan, { asker }) => {
    if (asker) return "the caller looked into a process that had been root's";
    const root: Subject = { ...subject(PTRACER), uid: 0, gid: 0 };
    return ptraceMayAccess(k, taskOfPid(k, PID), FS, root) ? null : "root may not look";
  },
});
