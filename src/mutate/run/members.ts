/**
 * The processes that the scenario describes, in the arena: which pid each has at the moment, so that a mutator finds the
 * parent of a process that it starts again, whoever owns it; and which of them somebody else has ended.
 *
 * A member's ordinal counts through groups, then members. A task knows its own: TASK.behaviour is the ordinal + 1, and 0
 * for processes that come and go.
 */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, TASK } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import { carve } from "../../shm/slab.ts";
import { WORD, record } from "../../shm/struct.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Built } from "../built.ts";

const MEMBER = record({
  /** Its pid; 0 while it is down. [atomic] */
  pid: WORD,
  /** Ordinal + 1 of the next one in a list of ended members. */
  nextEnded: WORD,
});

/** First ordinal of each group, and one past the last. */
export function firstOrdinals(built: Built): number[] {
  const firsts: number[] = [];
  let count = 0;
  for (const pids of built.pids) {
    firsts.push(count);
    count += pids.length;
  }
  firsts.push(count);
  return firsts;
}

/** Makes the table. Called once, before the first mutator starts. */
export function publishMembers(k: Kernel, built: Built): void {
  const { m } = k;
  const firsts = firstOrdinals(built);
  const count = firsts[firsts.length - 1] as number;
  const table = carve(m, { breakAt: HOST.breakAt, limit: HOST.limit }, Math.max(1, count) * MEMBER.words);
  for (let group = 0; group < built.pids.length; group++) {
    const pids = built.pids[group] as readonly number[];
    for (let i = 0; i < pids.length; i++) {
      const ordinal = (firsts[group] as number) + i;
      m.plainStore(table + ordinal * MEMBER.words + MEMBER.pid, pids[i] as number);
      m.plainStore(table + ordinal * MEMBER.words + MEMBER.nextEnded, 0);
    }
  }
  m.store(HOST.members, table);
  m.store(HOST.memberCount, count);
}

function memberOf(k: Kernel, ordinal: number): Ptr {
  return k.m.load(HOST.members) + ordinal * MEMBER.words;
}

/** The pid of a member, or 0 while it is down. */
export function memberPid(k: Kernel, ordinal: number): number {
  return k.m.load(memberOf(k, ordinal) + MEMBER.pid);
}

export function setMemberPid(k: Kernel, ordinal: number, pid: number): void {
  k.m.store(memberOf(k, ordinal) + MEMBER.pid, pid);
}

/** Marks a task as a member, owned by a mutator; its descendants are not. @pre RCU */
export function claimTask(k: Kernel, pid: number, ordinal: number, owner: number): void {
  const task = findTask(k, pid);
  if (task === 0) return;
  k.m.store(task + TASK.owner, owner);
  k.m.store(task + TASK.behaviour, ordinal + 1);
}

/**
 * Tells the owner of a member that somebody else has ended it, so that it starts again. Does nothing if the process is no
 * member, or is known to be down.
 * @param ordinal TASK.behaviour - 1 and `owner` TASK.owner of its leader, as they were
 */
export function noteMemberEnded(k: Kernel, ordinal: number, owner: number, pid: number): void {
  const { m } = k;
  if (ordinal < 0 || ordinal >= m.load(HOST.memberCount)) return;
  const member = memberOf(k, ordinal);
  if (m.compareExchange(member + MEMBER.pid, pid, 0) !== pid) return;
  const head = HOST.endedMembers + owner;
  for (;;) {
    const first = m.load(head);
    m.store(member + MEMBER.nextEnded, first);
    if (m.compareExchange(head, first, ordinal + 1) === first) return;
  }
}

/** The members of one owner that others have ended since the last call. One load if there are none. */
export function takeEndedMembers(k: Kernel, owner: number): number[] {
  const { m } = k;
  const head = HOST.endedMembers + owner;
  if (m.load(head) === 0) return NONE;
  const ordinals: number[] = [];
  for (let next = m.exchange(head, 0); next !== 0; next = m.load(memberOf(k, next - 1) + MEMBER.nextEnded)) {
    ordinals.push(next - 1);
  }
  return ordinals;
}

const NONE: number[] = [];
