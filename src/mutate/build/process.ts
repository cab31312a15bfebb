/**
 * One process of a scenario: forked, dressed up and, unless it is captured, loaded. Mutators use it too, to start a
 * process of a group again.
 */
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_IO,
  CLONE_PTHREAD,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_VM,
} from "../../kernel/flags.ts";
import {
  EXIT_ZOMBIE,
  PF_FORKNOEXEC,
  PF_NOFREEZE,
  PF_RANDOMIZE,
  PF_WQ_WORKER,
  SIGKILL,
  TASK_IDLE,
  TASK_INTERRUPTIBLE,
  TASK_RUNNING,
  TASK_TRACED,
  TASK_UNINTERRUPTIBLE,
} from "../../kernel/flags.ts";
import { putCred } from "../../kernel/cred.ts";
import { exitGroup, reap } from "../../kernel/exit.ts";
import { filesNew, putFiles } from "../../kernel/files.ts";
import { actEnd } from "../../kernel/actor.ts";
import { EEXIST } from "../../kernel/errno.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "../../kernel/exec-update.ts";
import { copyProcess } from "../../kernel/fork.ts";
import { fsNew, putFs } from "../../kernel/fs-struct.ts";
import { accountIo } from "../../kernel/io-accounting.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, NSPROXY, SIGNAL, TASK } from "../../kernel/layout.ts";
import { rlimitsPut } from "../../kernel/limits.ts";
import { findTask } from "../../kernel/pid.ts";
import { Random } from "../../kernel/random.ts";
import { setRobustList } from "../../kernel/robust-list.ts";
import { stopGroup } from "../../kernel/signals.ts";
import { setKernelThreadName, setTaskComm, setTaskState } from "../../kernel/task.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import { latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { refcountDecAndTest } from "../../sync/refcount.ts";
import type { Group, Scenario } from "../scenario-types.ts";
import { parents } from "./census.ts";
import { cgroupText } from "./config.ts";
import { DescriptorMaker } from "./descriptors.ts";
import { applyExact, applyExactThread } from "./exact.ts";
import type { CpuHistory } from "./history.ts";
import { cpuHistory, cpuScale, ioHistory, startTime } from "./history.ts";
import { ImageMaker } from "./memory.ts";
import { SharedIdentity } from "./shared-identity.ts";
import { SharedPaths } from "./shared-paths.ts";
import { SocketPlan } from "./sockets.ts";
import { fillTemplate, isTemplate } from "../templates.ts";
import { setForeground, terminalOf } from "./terminals.ts";
import { createTimers } from "./timers.ts";
import { groupWaitKind, waitKindId } from "./wait-kinds.ts";

/** How a process is started. */
export interface StartOptions {
  /** Nanoseconds after boot; absent: as the scenario says. Then it also has no past. */
  readonly startTime?: number;
  /** Its pid; absent: the group's fixed one for the first process, else the next free one. */
  readonly pid?: number;
  /** Which mutator owns it; as its parent's if absent. */
  readonly owner?: number;
}

const SHARES = {
  vm: CLONE_VM,
  files: CLONE_FILES,
  fs: CLONE_FS,
  sighand: CLONE_SIGHAND | CLONE_VM,
  io: CLONE_IO,
  sysvsem: CLONE_SYSVSEM,
} as const;

const POLICIES = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5 } as const;
const NS_PER_SWITCH = 400_000;
const GROUP_STREAM = 0x67726f75;

/** Thrown when a process of the scenario can't be made. */
export class BuildError extends Error {
  readonly code = "ESYNTH_BUILD";
}

/** Everything that processes of a scenario are made with. One per thread; end it with {@link ProcessMaker.release}. */
export class ProcessMaker {
  /** CPU time that the processes made so far have used before now. */
  readonly past: CpuHistory = { user: 0, system: 0 };
  private readonly k: Kernel;
  private readonly scenario: Scenario;
  private readonly paths: SharedPaths;
  private readonly identity: SharedIdentity;
  private readonly descriptors: DescriptorMaker;
  private readonly images: ImageMaker;
  private readonly waits: number[];
  private readonly cgroups: number[];
  private readonly randoms: Random[];
  /** Names by group; null if each process has its own. */
  private readonly comms: (Uint8Array | null)[];
  private readonly scale: number;

  /** @param seed equal seeds make equal processes */
  constructor(k: Kernel, scenario: Scenario, seed: number) {
    const { config } = k;
    const hasChildren = parents(scenario);
    this.k = k;
    this.scenario = scenario;
    this.paths = new SharedPaths(k, scenario.host);
    this.identity = new SharedIdentity(k);
    this.descriptors = new DescriptorMaker(k, scenario.host, this.paths, new SocketPlan(scenario));
    this.images = new ImageMaker(k, scenario);
    this.waits = scenario.groups.map((group) => groupWaitKind(config, group, hasChildren[group.index] === true));
    this.cgroups = scenario.groups.map((group) => config.cgroups.indexOf(cgroupText(group)));
    this.randoms = scenario.groups.map((group) => new Random(seed, GROUP_STREAM + group.index));
    this.comms = scenario.groups.map(({ comm }) => (isTemplate([comm]) ? null : latin1Bytes(comm)));
    this.scale = cpuScale(scenario);
  }

  /**
   * Starts process `member` of a group as a child of `parent`.
   * @returns its pid
   * @throws BuildError if there is no pid for it, or too many threads
   * @pre the caller acts as the parent, or is alone
   */
  start(group: Group, member: number, parent: Ptr, options: StartOptions = {}): number {
    const { k } = this;
    const random = this.randoms[group.index] as Random;
    const parentStart = k.m.load64(parent + TASK.startTime);
    const began = options.startTime ?? startTime(this.scenario, group, member, parentStart, random);
    const pid = this.fork(group, member, parent, began, options);
    const task = findTask(k, pid);
    try {
      this.furnish(task, group, member, random, options.startTime === undefined ? began : null);
    } catch (error) {
      exitGroup(k, task, SIGKILL);
      actEnd(k, task);
      reap(k, task);
      throw error;
    }
    actEnd(k, task);
    return pid;
  }

  /** @param began start of its past, or null if it has none */
  private furnish(task: Ptr, group: Group, member: number, random: Random, began: number | null): void {
    const { k } = this;
    const signal = k.m.load(task + TASK.signal);
    // Readers see it before or after, as with an exec: never the parent's memory with the child's identity.
    execUpdateWriteBegin(k, signal);
    try {
      this.dress(task, group, member, k.m.load(task + TASK.pid), random);
    } finally {
      execUpdateWriteEnd(k, signal);
    }
    if (began !== null) this.givePast(task, group, began, random);
    this.startThreads(task, group, random);
    if (group.exact !== null) applyExact(k, task, group.exact);
    this.settle(task, group);
  }

  /** Drops what this object holds for the processes to come. */
  release(): void {
    this.descriptors.release();
    this.images.release();
    this.identity.release();
    this.paths.release();
  }

  private fork(group: Group, member: number, parent: Ptr, startedAt: number, options: StartOptions): number {
    // What isn't shared for good is shared until it is replaced, which spares a copy.
    let flags = CLONE_VM | CLONE_FILES | CLONE_FS;
    for (const shared of group.shares) flags |= SHARES[shared];
    const fixed = options.pid ?? (member === 0 ? group.pid : null);
    const pid = copyProcess(this.k, parent, flags, {
      ...(fixed === null ? {} : { pid: fixed }),
      kernelThread: group.kernel,
      startTime: startedAt,
      behaviour: group.index,
      acting: true,
      ...(options.owner === undefined ? {} : { owner: options.owner }),
    });
    if (pid > 0) return pid;
    const why =
      -pid === EEXIST ? `the pid ${fixed ?? ""} is taken by a process that was started before` : `error ${-pid}`;
    throw new BuildError(`process ${member} of "${group.name}" can't be started: ${why}`);
  }

  private dress(task: Ptr, group: Group, member: number, pid: number, random: Random): void {
    const { k } = this;
    const { m } = k;
    const name = this.commOf(group, member, pid);
    if (group.kernel) setKernelThreadName(k, task, name);
    else setTaskComm(k, task, name);
    this.enterSession(task, group, pid);
    this.replaceIdentity(task, group);
    this.replaceFiles(task, group, member);
    if (group.kernel) m.or(task + TASK.flags, PF_NOFREEZE | (group.comm.startsWith("kworker") ? PF_WQ_WORKER : 0));
    else if (!group.shares.includes("vm")) this.images.install(task, group, member, pid, random);
    setRobustList(k, task);
    m.and(task + TASK.flags, group.kernel ? -1 : ~PF_FORKNOEXEC);
    if (!group.kernel) m.or(task + TASK.flags, PF_RANDOMIZE);
    this.schedule(task, group, random);
    createTimers(k, task, group.timers);
  }

  private commOf(group: Group, member: number, pid: number): Uint8Array {
    const plain = this.comms[group.index];
    return plain ?? latin1Bytes(fillTemplate(group.comm, member, pid));
  }

  private enterSession(task: Ptr, group: Group, pid: number): void {
    const { k } = this;
    const { m } = k;
    const signal = m.load(task + TASK.signal);
    if (group.sessionLeader) {
      m.store(signal + SIGNAL.session, pid);
      m.store(signal + SIGNAL.tty, 0);
      m.store(signal + SIGNAL.autogroup, pid);
    }
    if (group.sessionLeader || group.groupLeader) m.store(signal + SIGNAL.pgrp, pid);
    if (group.exact !== null) {
      m.store(signal + SIGNAL.session, group.exact.session);
      m.store(signal + SIGNAL.pgrp, group.exact.pgrp);
    }
    this.takeTerminal(signal, group);
  }

  /** The process group that was founded last on a terminal is in the foreground. */
  private takeTerminal(signal: Ptr, group: Group): void {
    const { k } = this;
    const { m } = k;
    if (group.tty === null) {
      m.store(signal + SIGNAL.tty, 0);
      return;
    }
    const terminal = terminalOf(k, group.tty);
    const pgrp = m.load(signal + SIGNAL.pgrp);
    m.store(signal + SIGNAL.tty, terminal);
    const foreground = group.exact === null ? pgrp : (group.exact.stat["tpgid"] ?? pgrp);
    if (group.exact !== null || group.sessionLeader || group.groupLeader) setForeground(k, terminal, foreground);
  }

  private replaceIdentity(task: Ptr, group: Group): void {
    const { k } = this;
    const { m } = k;
    const signal = m.load(task + TASK.signal);
    putCred(k, m.exchange(task + TASK.cred, this.identity.cred(group)));
    rlimitsPut(k, m.exchange(signal + SIGNAL.rlimits, this.identity.rlimits(group)));
    const nsproxy = this.identity.nsproxy(group, m.load(m.load(HOST.idleTask) + TASK.nsproxy));
    if (nsproxy !== 0) {
      const old = m.exchange(task + TASK.nsproxy, nsproxy);
      if (refcountDecAndTest(m, old + NSPROXY.count)) k.slab.freeRcu(old);
    }
    m.store(signal + SIGNAL.oomScoreAdj, group.oomScoreAdj);
    m.store(task + TASK.noNewPrivs, group.noNewPrivs ? 1 : 0);
    m.store(task + TASK.seccomp, group.seccomp);
    m.store(task + TASK.loginuid, group.loginuid | 0);
    m.store(task + TASK.sessionid, group.sessionid | 0);
    m.store(task + TASK.cgroup, this.cgroups[group.index] as number);
  }

  /** Kernel threads all have the descriptors and directories of the first one of all (CLONE_FS | CLONE_FILES). */
  private sharesWithIdle(task: Ptr, group: Group): boolean {
    const { m } = this.k;
    return (
      group.kernel && group.fds.length === 0 && m.load(task + TASK.files) === m.load(m.load(HOST.idleTask) + TASK.files)
    );
  }

  private replaceFiles(task: Ptr, group: Group, member: number): void {
    const { k } = this;
    const { m } = k;
    if (this.sharesWithIdle(task, group)) return;
    if (!group.shares.includes("files")) {
      putFiles(k, m.exchange(task + TASK.files, filesNew(k)));
      this.descriptors.open(m.load(task + TASK.files), group, member);
    }
    if (group.shares.includes("fs")) return;
    const fs = fsNew(k, this.paths.directory(group.cwd), this.paths.directory(group.root), group.umask);
    putFs(k, m.exchange(task + TASK.fs, fs));
  }

  private schedule(task: Ptr, group: Group, random: Random): void {
    const { m } = this.k;
    const perCpu = group.kernel ? /\/(\d+)/.exec(group.comm) : null;
    m.store(task + TASK.nice, group.nice);
    m.store(task + TASK.policy, POLICIES[group.policy]);
    m.store(task + TASK.rtPriority, group.policy === "fifo" || group.policy === "rr" ? group.priority : 0);
    const allowed = group.cpusAllowed;
    const cpu = random.below(this.scenario.host.cpus);
    m.store(task + TASK.cpu, perCpu === null ? cpu : Number(perCpu[1]) % this.scenario.host.cpus);
    if (allowed === null) return;
    m.store(task + TASK.cpusAllowed, cpuMask(allowed, 0));
    m.store(task + TASK.cpusAllowed + 1, cpuMask(allowed, 32));
    m.store(task + TASK.cpu, allowed[cpu % allowed.length] as number);
  }

  /** What the process has used until now, as if its behaviour had always been the same. */
  private givePast(task: Ptr, group: Group, began: number, random: Random): void {
    if (group.exact !== null) return;
    const { k } = this;
    const { m } = k;
    const age = Math.max(0, this.scenario.host.uptimeMs * 1e6 - began);
    const cpu = cpuHistory(group, age, this.scale, random);
    this.past.user += cpu.user;
    this.past.system += cpu.system;
    m.store64(task + TASK.utime, cpu.user);
    m.store64(task + TASK.stime, cpu.system);
    const used = cpu.user + cpu.system;
    m.store(task + TASK.nvcsw, clampWord(used / NS_PER_SWITCH + age / 3e9 + 20 * random.unit()));
    m.store(task + TASK.nivcsw, clampWord((used / NS_PER_SWITCH) * 0.1));
    m.store(task + TASK.pcount, clampWord((used / NS_PER_SWITCH) * 1.1 + age / 3e9 + 20));
    m.store64(task + TASK.runDelay, Math.floor(used * 0.02 * (0.5 + random.unit())));
    m.store(task + TASK.minFlt, clampWord(this.images.faults(group) * (1 + 0.3 * random.unit())));
    m.store(task + TASK.majFlt, group.kernel ? 0 : random.below(8));
    accountIo(k, task, ioHistory(group, age, random));
  }

  private startThreads(task: Ptr, group: Group, random: Random): void {
    if (group.exact !== null) {
      for (const thread of group.exact.threads.slice(1)) {
        applyExactThread(this.k, this.startThread(task, group, thread.tid), thread);
      }
      return;
    }
    for (const spec of group.threads) {
      for (let t = 0; t < spec.count; t++) {
        const thread = this.startThread(task, group, 0);
        if (spec.name !== "") setTaskComm(this.k, thread, latin1Bytes(spec.name.replaceAll("{t}", String(t))));
        this.k.m.store(thread + TASK.cpu, random.below(this.scenario.host.cpus));
      }
    }
  }

  private startThread(task: Ptr, group: Group, tid: number): Ptr {
    const { k } = this;
    const startedAt = k.m.load64(task + TASK.startTime);
    const pid = copyProcess(k, task, CLONE_PTHREAD, { ...(tid === 0 ? {} : { pid: tid }), startTime: startedAt });
    if (pid < 0) throw new BuildError(`a thread of "${group.name}" can't be started (error ${-pid}, tid ${tid})`);
    const thread = findTask(k, pid);
    const wait = group.exact === null ? Wait.futex : (this.waits[group.index] as number);
    setTaskState(k, thread, TASK_INTERRUPTIBLE, wait);
    return thread;
  }

  /** The state in which the simulation finds it. */
  private settle(task: Ptr, group: Group): void {
    const { k } = this;
    const wait = this.waits[group.index] as number;
    switch (group.state) {
      case "R":
        return setTaskState(k, task, TASK_RUNNING, Wait.running);
      case "S":
        return setTaskState(k, task, TASK_INTERRUPTIBLE, wait);
      case "D":
        return setTaskState(k, task, TASK_UNINTERRUPTIBLE, group.exact === null ? Wait.disk : wait);
      case "I":
        return setTaskState(k, task, TASK_IDLE, wait);
      case "T":
        return stopGroup(k, task);
      case "t":
        return setTaskState(k, task, TASK_TRACED, waitKindId(k.config, "stopped"));
      case "Z":
        return this.die(task, group);
    }
  }

  private die(task: Ptr, group: Group): void {
    exitGroup(this.k, task, group.exact?.stat["exit_code"] ?? 0);
    if ((this.k.m.load(task + TASK.state) & EXIT_ZOMBIE) === 0) {
      throw new BuildError(`"${group.name}" can't be a zombie: its parent ignores SIGCHLD`);
    }
  }
}

function clampWord(value: number): number {
  return Math.min(0x7fffffff, Math.floor(value));
}

/** A word of a CPU mask, from CPU `from` on. */
function cpuMask(cpus: readonly number[], from: number): number {
  let mask = 0;
  for (const cpu of cpus) if (cpu >= from && cpu < from + 32) mask |= 1 << (cpu - from);
  return mask;
}
