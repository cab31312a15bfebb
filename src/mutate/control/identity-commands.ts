/** Commands on who a process is, and how it is treated. */
import { accountIo } from "../../kernel/io-accounting.ts";
import { setDumpable, setGroupList, setgid, setpgid, setsid, setuid } from "../../kernel/identity.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { RLIM_INFINITY, SIGNAL, TASK } from "../../kernel/layout.ts";
import { setRlimit } from "../../kernel/limits.ts";
import { firstThread, isZombie, nextThread, setTaskComm } from "../../kernel/task.ts";
import { accountTask } from "../../kernel/task-time.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { bootTimeNs } from "../../time/clock.ts";
import {
  CLOCK_IDS,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD,
  timerCreate,
  timerDelete,
  timerSettime,
} from "../../time/posix-timers.ts";
import { LIMIT_NAMES } from "../build/shared-identity.ts";
import { parseSize, UnitError } from "../units.ts";
import type { Command } from "./command.ts";
import { DONE, actAs, numbered, outcome } from "./command.ts";
import { tsync } from "./exec-commands.ts";
import type { Words } from "./words.ts";
import { UsageError } from "./words.ts";

const LARGEST_PID = 4_194_303;
const LARGEST_MS = 1e12;
const NS_PER_MS = 1e6;
const PAGE = 4096;
const SIGALRM = 14;

const NOTIFY = { signal: SIGEV_SIGNAL, none: SIGEV_NONE, thread: SIGEV_THREAD };
const LIMITS = Object.fromEntries(LIMIT_NAMES.map((name, index) => [name, index]));

export const IDENTITY_COMMANDS: readonly Command[] = [
  {
    name: "setuid",
    usage: "PID UID",
    doc: "takes on a user; only root has capabilities",
    run: (k, words) => withId(k, words, "UID", setuid),
  },
  { name: "setgid", usage: "PID GID", doc: "takes on a group", run: (k, words) => withId(k, words, "GID", setgid) },
  { name: "setgroups", usage: "PID [GID...]", doc: "replaces the supplementary groups", run: changeGroups },
  { name: "setsid", usage: "PID", doc: "founds a session without a terminal; prints it", run: newSession },
  { name: "setpgid", usage: "PID PGRP", doc: "joins or founds a process group (0: its own)", run: joinGroup },
  { name: "comm", usage: "PID NAME", doc: "renames a process or thread", run: rename },
  {
    name: "dumpable",
    usage: "PID 0|1",
    doc: "whether the process may be dumped and looked into (PR_SET_DUMPABLE)",
    run: changeDumpable,
  },
  {
    name: "tsync",
    usage: "PID [--hold TIME]",
    doc:
      "binds all threads to one policy (LANDLOCK_RESTRICT_SELF_TSYNC): new credentials and no_new_privs; " +
      "with --hold it takes that long, of simulated time, and keeps exec_update_lock",
    options: { hold: true },
    run: tsync,
  },
  { name: "io", usage: "PID READ WRITE", doc: "reads and writes so many bytes, in one call each", run: doIo },
  { name: "cpu", usage: "PID USER-MS SYSTEM-MS", doc: "uses CPU time", run: useCpu },
  {
    name: "limit",
    usage: "PID NAME SOFT [HARD]",
    doc: 'sets a resource limit (nofile, stack, ...) to a number, a size or "unlimited"',
    run: changeLimit,
  },
  { name: "nice", usage: "PID NICE", doc: "sets the nice value of all threads", run: renice },
  { name: "oom_score_adj", usage: "PID VALUE", doc: "sets how soon the process is killed for memory", run: changeOom },
  {
    name: "timer_create",
    usage: "PID [--signal SIGNAL] [--clock CLOCK] [--notify signal|none|thread] [--interval TIME]",
    doc: "creates a POSIX timer; prints its id",
    options: { signal: true, clock: true, notify: true, interval: true },
    run: newTimer,
  },
  { name: "timer_delete", usage: "PID ID", doc: "deletes a POSIX timer", run: deleteTimer },
  { name: "timer_settime", usage: "PID ID TIME [INTERVAL]", doc: "arms a POSIX timer", run: armTimer },
];

function withId(
  k: Kernel,
  words: Words,
  what: string,
  change: (k: Kernel, task: Ptr, id: number) => void,
): ControlResult {
  const pid = words.pid();
  const id = words.id(what);
  words.end();
  return actAs(k, pid, (task) => {
    change(k, task, id);
    return DONE;
  });
}

function changeGroups(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const groups: number[] = [];
  while (words.more()) groups.push(words.id("GID"));
  return actAs(k, pid, (task) => {
    setGroupList(k, task, groups);
    return DONE;
  });
}

function newSession(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  words.end();
  return actAs(k, pid, (task) => numbered(setsid(k, task)));
}

function joinGroup(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const pgrp = words.integer("PGRP", 0, LARGEST_PID);
  words.end();
  return actAs(k, pid, (task) => {
    setpgid(k, task, pgrp);
    return DONE;
  });
}

function rename(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const name = words.text("NAME");
  words.end();
  return actAs(k, pid, (task) => {
    setTaskComm(k, task, latin1Bytes(name));
    return DONE;
  });
}

function changeDumpable(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const value = words.integer("DUMPABLE", 0, 1);
  words.end();
  return actAs(k, pid, (task) => outcome(setDumpable(k, task, value)));
}

function doIo(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const read = words.size("READ");
  const write = words.size("WRITE");
  words.end();
  return actAs(k, pid, (task) => {
    const pages = (bytes: number): number => Math.floor(bytes / PAGE) * PAGE;
    const calls = { syscr: read > 0 ? 1 : 0, syscw: write > 0 ? 1 : 0 };
    accountIo(k, task, { rchar: read, wchar: write, ...calls, readBytes: pages(read), writeBytes: pages(write) });
    return DONE;
  });
}

function useCpu(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const user = words.integer("USER-MS", 0, LARGEST_MS);
  const system = words.integer("SYSTEM-MS", 0, LARGEST_MS);
  words.end();
  return actAs(k, pid, (task) => {
    const cpu = k.m.load(task + TASK.cpu);
    accountTask(k, task, { cpu, userNs: user * NS_PER_MS, systemNs: system * NS_PER_MS, minorFaults: 0 });
    return DONE;
  });
}

function changeLimit(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const resource = words.oneOf("NAME", LIMITS);
  const soft = limitValue(words.text("SOFT"));
  const hard = words.more() ? limitValue(words.text("HARD")) : soft;
  words.end();
  return actAs(k, pid, (task) => outcome(setRlimit(k, k.m.load(task + TASK.signal), resource, soft, hard)));
}

function limitValue(text: string): number {
  if (text === "unlimited") return RLIM_INFINITY;
  try {
    return parseSize(text);
  } catch (error) {
    if (error instanceof UnitError) throw new UsageError(error.message);
    throw error;
  }
}

function renice(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const nice = words.integer("NICE", -20, 19);
  words.end();
  return actAs(k, pid, (task) => {
    for (let t = firstThread(k, task); t !== 0; t = nextThread(k, t)) {
      if (!isZombie(k, t)) k.m.store(t + TASK.nice, nice);
    }
    return DONE;
  });
}

function changeOom(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const value = words.integer("VALUE", -1000, 1000);
  words.end();
  return actAs(k, pid, (task) => {
    k.m.store(k.m.load(task + TASK.signal) + SIGNAL.oomScoreAdj, value);
    return DONE;
  });
}

function newTimer(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const signo = words.optionSignal("signal") ?? SIGALRM;
  const clock = words.optionOneOf("clock", CLOCK_IDS) ?? CLOCK_IDS.monotonic;
  const notify = words.optionOneOf("notify", NOTIFY) ?? SIGEV_SIGNAL;
  const interval = (words.optionDuration("interval") ?? 0) * NS_PER_MS;
  words.end();
  return actAs(k, pid, (task) => {
    const notifyPid = k.m.load(task + TASK.tgid);
    const id = timerCreate(k, task, { clock, signo, value: 0, notify, notifyPid });
    if (id >= 0 && interval > 0) timerSettime(k, task, id, bootTimeNs(k) + interval, interval);
    return numbered(id);
  });
}

function deleteTimer(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const id = words.id("ID");
  words.end();
  return actAs(k, pid, (task) => timerOutcome(timerDelete(k, task, id)));
}

function armTimer(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const id = words.id("ID");
  const first = words.duration("TIME") * NS_PER_MS;
  const interval = words.more() ? words.duration("INTERVAL") * NS_PER_MS : 0;
  words.end();
  return actAs(k, pid, (task) => timerOutcome(timerSettime(k, task, id, bootTimeNs(k) + first, interval)));
}

function timerOutcome(value: number): ControlResult {
  return value < 0 ? { errno: -value, text: "there is no timer with this id" } : DONE;
}
