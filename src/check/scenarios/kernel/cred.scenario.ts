/** Credentials: what each change makes of them, when it costs a process its dumpability, and what readers find meanwhile. */
import { commitCreds, prepareCreds } from "../../../kernel/cred.ts";
import { setGroupList, setIdentity, setgid, setuid } from "../../../kernel/identity.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { CRED, MM, TASK } from "../../../kernel/layout.ts";
import { BYTES, bytesCopy, bytesLength } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import type { Facts } from "./machine-kit.ts";
import { firstDifference, inventory, judgeInventory, pick, wordsOf } from "./machine-kit.ts";
import { endAndReap, reclaimNow, start, taskOfPid } from "./pid-kit.ts";

const [PID, CHILD] = [40, 41];

const UIDS = ["uid", "suid", "euid", "fsuid"];
const GIDS = ["gid", "sgid", "egid", "fsgid"];
const IDS = [...UIDS, ...GIDS];

/** All 41 capabilities in the sets that a task has by itself, as two words each. */
const FULL = { capPermitted: -1, "capPermitted+1": 0x1ff, capEffective: -1, "capEffective+1": 0x1ff };
const BOUNDING = { capBset: -1, "capBset+1": 0x1ff };

function credOf(k: Kernel, pid: number): Ptr {
  return k.m.load(taskOfPid(k, pid) + TASK.cred);
}

function all(fields: readonly string[], value: number): Facts {
  return Object.fromEntries(fields.map((field) => [field, value]));
}

/** The supplementary groups, byte by byte, and how many refer to them. */
function groupsOf(k: Kernel, cred: Ptr): { readonly bytes: string; readonly references: number } {
  const groups = k.m.load(cred + CRED.groups);
  const bytes = new Uint8Array(bytesLength(k.m, groups));
  if (groups !== 0) bytesCopy(k.m, groups, 0, bytes, 0, bytes.length);
  return { bytes: bytes.join(" "), references: groups === 0 ? 0 : k.m.load(groups + BYTES.usage) };
}

/** Group ids of one, three and four bytes, and what they are as little-endian words. */
const GROUPS = [5, 70000, 0x80000001];
const GROUP_BYTES = "5 0 0 0 112 17 1 0 1 0 0 128";

/** The credentials of a process after something. @param groups true: it has {@link GROUPS}, to itself */
function judge(k: Kernel, when: string, expected: Facts, groups: boolean): string | null {
  reclaimNow(k);
  const cred = credOf(k, PID);
  const seen = groupsOf(k, cred);
  if (seen.bytes !== (groups ? GROUP_BYTES : "")) return `${when}: the groups are ${seen.bytes}`;
  if (seen.references !== (groups ? 1 : 0)) return `${when}: the groups have ${seen.references} references`;
  return firstDifference(when, { ...wordsOf(k, cred, CRED), groups: 0 }, { usage: 1, ...BOUNDING, ...expected });
}

/** What no change is about: it stays as it is. */
const OTHERS = { capInheritable: 1, "capInheritable+1": 2, capAmbient: 3, "capAmbient+1": 4, sigQueued: 5 };

function setOthers(k: Kernel, task: Ptr): void {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  for (let i = 0; i < 2; i++) {
    k.m.plainStore(cred + CRED.capInheritable + i, 1 + i);
    k.m.plainStore(cred + CRED.capAmbient + i, 3 + i);
  }
  k.m.plainStore(cred + CRED.sigQueued, 5);
  commitCreds(k, task, cred);
}

/** A process goes from root to others and back. */
function change(k: Kernel): string | null {
  start(k, 1, 0, { pid: PID });
  const task = taskOfPid(k, PID);
  let wrong = judge(k, "as init's child", { ...FULL, usage: 2 }, false);
  setOthers(k, task);
  wrong ??= judge(k, "with all fields", { ...FULL, ...OTHERS }, false);
  setgid(k, task, 100);
  wrong ??= judge(k, "with a group", { ...FULL, ...OTHERS, ...all(GIDS, 100) }, false);
  setGroupList(k, task, GROUPS);
  wrong ??= judge(k, "with groups", { ...FULL, ...OTHERS, ...all(GIDS, 100) }, true);
  setuid(k, task, 1000);
  wrong ??= judge(k, "as a user", { ...OTHERS, ...all(GIDS, 100), ...all(UIDS, 1000) }, true);
  start(k, PID, 0, { pid: CHILD });
  wrong ??= judge(k, "with a child", { ...OTHERS, ...all(GIDS, 100), ...all(UIDS, 1000), usage: 2 }, true);
  setIdentity(k, taskOfPid(k, CHILD), 7, 8, GROUPS);
  wrong ??= judge(k, "beside a child", { ...OTHERS, ...all(GIDS, 100), ...all(UIDS, 1000) }, true);
  setuid(k, task, 0);
  wrong ??= judge(k, "as root again", { ...OTHERS, ...FULL, ...all(GIDS, 100) }, true);
  setIdentity(k, task, 7, 8, []);
  wrong ??= judge(k, "with another identity", { ...OTHERS, ...all(UIDS, 7), ...all(GIDS, 8) }, false);
  endAndReap(k, CHILD);
  endAndReap(k, PID);
  return wrong;
}

export const changes = scenario({
  name: "cred/changes",
  about: "a process takes on users and groups: every word of its credentials after each, and all is given back",
  quick: true,
  setup: inventory,
  threads: { process: (k): string | null => change(k) },
  check: (k, before, { process }) => process ?? judgeInventory(k, before),
});

const BEFORE = 1000;
/** One capability of each half. */
const CAPABILITIES = { capPermitted: 1 << 10, "capPermitted+1": 1 << 3 };

/** A change of one word, and whether the process can be dumped afterwards. Ids and groups as measured by prctl. */
const LOSSES: readonly (readonly [word: keyof typeof CRED, offset: number, value: number, dumpable: number])[] = [
  ["uid", 0, 7, 1],
  ["suid", 0, 7, 1],
  ["gid", 0, 7, 1],
  ["sgid", 0, 7, 1],
  ["euid", 0, 7, 0],
  ["egid", 0, 7, 0],
  ["fsuid", 0, 7, 0],
  ["fsgid", 0, 7, 0],
  ["capPermitted", 0, (1 << 10) | 1, 0],
  ["capPermitted", 1, (1 << 3) | 1, 0],
  ["capPermitted", 0, 1, 0],
  ["capPermitted", 0, 0, 1],
  ["capPermitted", 1, 0, 1],
  ["capEffective", 0, -1, 1],
  ["sigQueued", 0, 7, 1],
];

/** Changes one word of a dumpable process's credentials. @returns whether it still is */
function changeWord(k: Kernel, at: number, value: number): number {
  start(k, 1, 0, { pid: PID });
  const task = taskOfPid(k, PID);
  const dumpable = k.m.load(task + TASK.mm) + MM.dumpable;
  const first = prepareCreds(k, k.m.load(task + TASK.cred));
  const words = { ...all(IDS, BEFORE), ...CAPABILITIES };
  for (const [name, word] of Object.entries(words)) k.m.plainStore(first + placeOf(name), word);
  commitCreds(k, task, first);
  k.m.store(dumpable, 1);
  const second = prepareCreds(k, k.m.load(task + TASK.cred));
  k.m.plainStore(second + at, value);
  commitCreds(k, task, second);
  const still = k.m.load(dumpable);
  endAndReap(k, PID);
  return still;
}

/** Where a word is, by its name as in {@link wordsOf}. */
function placeOf(name: string): number {
  const [field, word] = name.split("+") as [keyof typeof CRED, string | undefined];
  return CRED[field] + Number(word ?? 0);
}

/** Who has no memory has nothing to be dumped. @returns its effective user */
function changeKernelThread(k: Kernel): number {
  start(k, 1, 0, { pid: PID, kernelThread: true });
  setuid(k, taskOfPid(k, PID), 7);
  const euid = k.m.load(credOf(k, PID) + CRED.euid);
  endAndReap(k, PID);
  return euid;
}

export const dumpable = scenario({
  name: "cred/dumpable",
  about: "changes of one word of the credentials each: who gains rights can no longer be dumped, others can",
  quick: true,
  setup: inventory,
  threads: {
    process: (k): number[] => {
      const dumpables: number[] = [];
      for (const [field, word, value] of LOSSES) dumpables.push(changeWord(k, CRED[field] + word, value));
      dumpables.push(changeKernelThread(k));
      return dumpables;
    },
  },
  check: (k, before, { process }) => {
    const expected = [...LOSSES.map(([, , , dumpable]) => dumpable), 7];
    return process.join(" ") === expected.join(" ") ? judgeInventory(k, before) : `dumpable: ${process.join(" ")}`;
  },
});

/** An identity's user, group and groups. */
const IDENTITIES = [1, 2, 3] as const;

function become(k: Kernel, identity: number): void {
  setIdentity(k, taskOfPid(k, PID), identity, identity, [identity]);
}

interface Seen extends Facts {
  readonly usage: number;
}

/** All words of the credentials that are there now, and the groups. */
function look(k: Kernel): { readonly words: Seen; readonly groups: string } {
  const cred = credOf(k, PID);
  return { words: wordsOf(k, cred, CRED) as Seen, groups: groupsOf(k, cred).bytes };
}

export const replaced = scenario({
  name: "cred/replaced",
  about: "credentials are replaced twice while another looks: all that it sees is of one identity",
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: PID });
    become(k, IDENTITIES[0]);
    return before;
  },
  threads: {
    writer: (k): void => {
      become(k, IDENTITIES[1]);
      reclaimNow(k);
      become(k, IDENTITIES[2]);
      reclaimNow(k);
      // What still waits for its grace period is for others to free.
      k.slab.flush();
    },
    reader: (k) => {
      k.quiescent();
      return look(k);
    },
  },
  check: (k, before, { reader: { words, groups } }) => {
    const identity = IDENTITIES.find((one) => one === words["uid"]);
    if (identity === undefined) return `the user was ${words["uid"]}`;
    if (groups !== `${identity} 0 0 0`) return `identity ${identity} had groups ${groups}`;
    const wrong = firstDifference("the identity", pick(words, IDS), all(IDS, identity));
    if (wrong !== null) return wrong;
    if (credOf(k, PID) === 0 || k.m.load(credOf(k, PID) + CRED.usage) !== 1) return "the last credentials are shared";
    endAndReap(k, PID);
    return judgeInventory(k, before);
  },
});
