/** What a thread that is gone may still be used for by who found it before: not to look into the group it was in. */
import { expect, test } from "vitest";
import { execTask } from "../../src/kernel/exec.ts";
import { EACCES, ESRCH } from "../../src/kernel/errno.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { IoSnapshot, doIoAccounting } from "../../src/kernel/io-accounting.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { getTask, putTask } from "../../src/kernel/task.ts";
import { subject, testKernel } from "../support/kernel.ts";
import { cloneThread, execSpec, fork, startInit } from "../support/processes.ts";

const SETUID_PROGRAM = 1;
const USER = 1000;

test.each([LOCKFREE, LOCKED])("io of a group that another thread has made privileged, form %i", (form) => {
  const k = testKernel();
  k.m.store(HOST.pathMode + Path.io, form);
  const leader = fork(k, startInit(k));
  setIdentity(k, leader, USER, USER, []);
  execTask(k, leader, execSpec(k));
  const pid = k.m.load(leader + TASK.pid);
  const out = new IoSnapshot();
  expect(doIoAccounting(k, leader, true, subject(USER), out)).toBe(0);

  expect(getTask(k, leader)).toBe(true);
  execTask(k, cloneThread(k, leader), execSpec(k, SETUID_PROGRAM));
  expect(findTask(k, pid)).not.toBe(leader);
  expect(doIoAccounting(k, findTask(k, pid), true, subject(USER), out)).toBe(-EACCES);
  k.t.maySleep = false;
  expect(doIoAccounting(k, leader, true, subject(USER), out)).toBe(-ESRCH);
  expect(doIoAccounting(k, leader, true, subject(0), out)).toBe(-ESRCH);
  k.t.maySleep = true;
  putTask(k, leader);
  k.idle();
});
