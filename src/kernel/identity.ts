/** Changes of identity: the setuid family, groups, capabilities, sessions and process groups, prctl. */
import type { Ptr } from "../sync/atomics.ts";
import { commitCreds, prepareCreds, setCapabilities, setGids, setGroups, setUids } from "./cred.ts";
import { EINVAL, EPERM } from "./errno.ts";
import type { Kernel } from "./kernel.ts";
import { MM, SIGNAL, TASK } from "./layout.ts";

/**
 * Takes on another user: real, effective, saved and file-system ids; root gets all capabilities, others lose them
 * (setuid(2) called with CAP_SETUID).
 */
export function setuid(k: Kernel, task: Ptr, uid: number): void {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  setUids(k, cred, uid);
  setCapabilities(k, cred, uid === 0);
  commitCreds(k, task, cred);
}

/** Takes on another group (setgid(2) with CAP_SETGID). */
export function setgid(k: Kernel, task: Ptr, gid: number): void {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  setGids(k, cred, gid);
  commitCreds(k, task, cred);
}

/** Replaces the supplementary groups (setgroups(2)). */
export function setGroupList(k: Kernel, task: Ptr, groups: readonly number[]): void {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  setGroups(k, cred, groups);
  commitCreds(k, task, cred);
}

/** User, group and supplementary groups at once, as a login does. */
export function setIdentity(k: Kernel, task: Ptr, uid: number, gid: number, groups: readonly number[]): void {
  const cred = prepareCreds(k, k.m.load(task + TASK.cred));
  setUids(k, cred, uid);
  setGids(k, cred, gid);
  setGroups(k, cred, groups);
  setCapabilities(k, cred, uid === 0);
  commitCreds(k, task, cred);
}

/** prctl(PR_SET_DUMPABLE): 0 or 1. @returns 0 or -EINVAL */
export function setDumpable(k: Kernel, task: Ptr, dumpable: number): number {
  const mm = k.m.load(task + TASK.mm);
  if (mm === 0 || (dumpable !== 0 && dumpable !== 1)) return -EINVAL;
  k.m.store(mm + MM.dumpable, dumpable);
  return 0;
}

/** Becomes the leader of a new session without a terminal (setsid). @returns the session, or -EPERM for a group leader */
export function setsid(k: Kernel, task: Ptr): number {
  const { m } = k;
  const signal = m.load(task + TASK.signal);
  const tgid = m.load(task + TASK.tgid);
  if (m.load(signal + SIGNAL.pgrp) === tgid) return -EPERM;
  m.store(signal + SIGNAL.session, tgid);
  m.store(signal + SIGNAL.pgrp, tgid);
  m.store(signal + SIGNAL.tty, 0);
  return tgid;
}

/** Joins or founds a process group (setpgid). */
export function setpgid(k: Kernel, task: Ptr, pgrp: number): void {
  k.m.store(k.m.load(task + TASK.signal) + SIGNAL.pgrp, pgrp === 0 ? k.m.load(task + TASK.tgid) : pgrp);
}
