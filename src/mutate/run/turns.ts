/** Turns: a behaviour decides, the operations are carried out, and what follows from them is put into the queue. */
import { ENOEXEC, ESRCH } from "../../kernel/errno.ts";
import { TASK_INTERRUPTIBLE } from "../../kernel/flags.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import type { Behaviour } from "../scenario-types.ts";
import type { Agent, ChildPlan, Slot } from "./agent.ts";
import { BUSY, Fate, STOPPED, fateOf } from "./apply.ts";
import { KILLED } from "./apply-exec.ts";
import { threadIds } from "./apply-process.ts";
import { derivedStream, draw, interval } from "./chance.ts";
import {
  adoptChild,
  checkAlive,
  ended,
  firstBurst,
  slotRate,
  supervisedRespawnNs,
  usualRespawnNs,
  usualWait,
} from "./lives.ts";
import type { Operation } from "./operations.ts";
import { packState } from "./operations.ts";
import type { AgentEvent, Scene } from "./scene.ts";
import { execEnd, execFailure, planChild, sleepAfter, step } from "./steps.ts";

const NS_PER_MS = 1e6;
/** When a process that somebody else acts as, or that is stopped, is tried again. */
const BUSY_RETRY_NS = 2 * NS_PER_MS;
const STOPPED_RETRY_NS = 50 * NS_PER_MS;
/** A mutator that is behind by more than this drops what it missed. */
const MOST_LAG_NS = 1e9;
/** A thread that would use the CPU and can't looks again after so long. */
const NO_THREAD_NS = 5 * NS_PER_MS;
/** A read that misses the page cache takes so long. */
const DISK_WAIT_MS = { min: 0.5, max: 6 };
const PREEMPTED_SHARE = 0.95;
/** Exit code of a child whose program can't be executed: status 126. */
const NOT_EXECUTABLE = 126 << 8;

/** A behaviour has its turn. @param now where the mutator is; `at` may lie before it */
export function takeTurn(scene: Scene, agent: Agent, slot: Slot, at: number, now: number): void {
  if (agent.quietUntil > at) {
    scene.later(agent, agent.quietUntil, { kind: "turn", slot });
    return;
  }
  const operations = step(agent, slot, {
    at,
    cpus: scene.cpus,
    owner: scene.place.index,
    slowExecNs: (when) => slowExecNs(scene, agent, when),
    pidToReuse: (when) => pidToReuse(scene, when),
  });
  const result = perform(scene, agent, slot, operations, at);
  if (result === BUSY || result === STOPPED) {
    scene.later(agent, at + (result === BUSY ? BUSY_RETRY_NS : STOPPED_RETRY_NS), { kind: "turn", slot });
    return;
  }
  slot.turn++;
  if (agent.up) scheduleNext(scene, agent, slot, at, now, operations.length);
}

/** Carries operations out, until one of them can't be. @returns the last result */
function perform(scene: Scene, agent: Agent, slot: Slot, operations: readonly Operation[], at: number): number {
  let result = 0;
  for (const operation of operations) {
    const life = agent.life;
    result = scene.apply(agent, operation);
    if (result < 0) return failed(scene, agent, slot, operation, result, at);
    settle(scene, agent, slot, operation, result, at);
    if (agent.life !== life) return result;
  }
  return result;
}

/** Operations on something that the behaviour made before. */
const ON_THINGS_MADE: ReadonlySet<Operation["kind"]> = new Set([
  "munmap",
  "mprotect",
  "mremap",
  "timerDelete",
  "close",
]);

/** Others act as the process too: a thread, the whole process, or what a behaviour made may be gone. */
function failed(scene: Scene, agent: Agent, slot: Slot, operation: Operation, result: number, at: number): number {
  if (result === BUSY || result === STOPPED) return result;
  if (result === -ESRCH) {
    if (!checkAlive(scene, agent, at) && "tid" in operation) agent.tids = threadIds(scene.k, agent.pid);
  } else if (ON_THINGS_MADE.has(operation.kind)) {
    slot.forgetThings();
  }
  return result;
}

function scheduleNext(scene: Scene, agent: Agent, slot: Slot, at: number, now: number, operations: number): void {
  const { behaviour } = slot;
  if (behaviour.kind === "cpu") {
    // The end of the burst brings the next turn.
    if (operations === 0) scene.later(agent, at + NO_THREAD_NS, { kind: "turn", slot });
    return;
  }
  const rate = slotRate(scene, agent, slot) / slot.batch;
  if (rate <= 0) return;
  const next = at + interval(agent.random, rate, behaviour.jitter);
  scene.later(agent, Math.max(next, now - MOST_LAG_NS), { kind: "turn", slot });
}

function slowExecNs(scene: Scene, agent: Agent, at: number): number {
  if (!scene.slowExec.opens(at)) return 0;
  return draw(agent.random, scene.scenario.faults.slowExecMs) * NS_PER_MS;
}

function pidToReuse(scene: Scene, at: number): number {
  if (scene.lastFreedPid === 0 || !scene.pidReuse.opens(at)) return 0;
  const pid = scene.lastFreedPid;
  scene.lastFreedPid = 0;
  return pid;
}

/** What follows from an operation that has been carried out. */
function settle(scene: Scene, agent: Agent, slot: Slot, operation: Operation, result: number, at: number): void {
  switch (operation.kind) {
    case "run":
      return settleRun(scene, agent, slot, operation, result);
    case "block":
      return settleBlock(scene, agent, slot, operation.tid, result, at);
    case "fork":
      return settleFork(scene, agent, slot, operation, result, at);
    case "exec":
      return settleExec(scene, agent, slot, operation, result, at);
    case "clone":
      return settleClone(scene, agent, slot, result, at);
    case "exit":
      return ended(scene, agent, at, usualRespawnNs(agent));
    case "tsync":
      agent.quietUntil = operation.untilNs;
      return;
    case "stop":
      return settleStop(scene, agent, slot, at);
    default:
      return keep(slot, operation, result);
  }
}

/** What it made is remembered, and what it dropped is forgotten. */
function keep(slot: Slot, operation: Operation, result: number): void {
  switch (operation.kind) {
    case "mmap":
      if (slot.behaviour.kind !== "mmap") {
        slot.base = result;
        slot.size = operation.length;
        return;
      }
      slot.kept.push(result);
      slot.lengths.push(operation.length);
      return;
    case "munmap":
      slot.kept.shift();
      slot.lengths.shift();
      return;
    case "mprotect": {
      const place = Math.floor((operation.address - slot.base) / operation.length / 2);
      if (operation.writable) slot.kept = slot.kept.filter((one) => one !== place);
      else slot.kept.push(place);
      return;
    }
    case "mremap":
      slot.base = result;
      slot.size = operation.newLength;
      return;
    case "brk":
      slot.size = Math.max(0, slot.size + operation.grow);
      return;
    case "timerCreate":
    case "open":
      slot.kept.push(result);
      return;
    case "timerDelete":
    case "close":
      slot.kept.shift();
      return;
  }
}

type Of<K extends Operation["kind"]> = Extract<Operation, { kind: K }>;

function settleRun(scene: Scene, agent: Agent, slot: Slot, run: Of<"run">, before: number): void {
  const { tid, cpu, ns, userShare, untilNs } = run;
  agent.setBusy(tid, true);
  const state = restingState(agent, tid, before);
  // Even if the process executes another program meanwhile: the end of the burst brings the next turn.
  scene.later(agent, untilNs, { kind: "rest", slot, tid, cpu, ns, userShare, state });
}

/** As it waited before; if it was running already, as such a task usually waits. */
function restingState(agent: Agent, tid: number, before: number): number {
  const interruptible = Math.floor(before / 65536) === TASK_INTERRUPTIBLE;
  return interruptible ? before : packState(TASK_INTERRUPTIBLE, tid === agent.pid ? usualWait(agent) : Wait.futex);
}

function settleBlock(scene: Scene, agent: Agent, slot: Slot, tid: number, before: number, at: number): void {
  const spread = slot.behaviour.kind === "block" ? slot.behaviour.durationMs : DISK_WAIT_MS;
  agent.setBusy(tid, true);
  const state = restingState(agent, tid, before);
  scene.laterInImage(agent, at + draw(agent.random, spread) * NS_PER_MS, { kind: "wake", tid, state });
}

function settleFork(scene: Scene, agent: Agent, slot: Slot, fork: Of<"fork">, pid: number, at: number): void {
  const plan = planChild(agent, slot, derivedStream(agent.random), at);
  const child = adoptChild(scene, agent, plan, pid, at);
  if (plan.orphan) return leaveBehind(scene, agent, child, slot, at);
  const waiting = fork.vfork ? fork.tid : 0;
  if (waiting !== 0) agent.setBusy(waiting, true);
  if (plan.program !== null || fork.vfork) {
    const state = packState(TASK_INTERRUPTIBLE, usualWait(agent));
    scene.later(child, at + plan.execAfter, { kind: "childExec", waiting, state });
  }
  if (!child.slots.some(({ behaviour }) => behaviour.kind === "cpu")) firstBurst(scene, child, pid, at, true);
}

/** The classic daemon: the child forks once more and ends, so that nobody it knows is left. */
function leaveBehind(scene: Scene, agent: Agent, between: Agent, slot: Slot, at: number): void {
  const { index: owner } = scene.place;
  const pid = scene.apply(between, { kind: "fork", tid: between.pid, vfork: false, startNs: at, owner, pid: 0 });
  if (pid > 0) {
    const plan = { ...planChild(agent, slot, between.random, at), orphan: false };
    const orphan = adoptChild(scene, between, plan, pid, at);
    scene.later(orphan, at + plan.execAfter, { kind: "childExec", waiting: 0, state: 0 });
    if (!orphan.slots.some(({ behaviour }) => behaviour.kind === "cpu")) firstBurst(scene, orphan, pid, at, true);
  }
  endProcess(scene, between, 0, at);
}

function settleExec(scene: Scene, agent: Agent, slot: Slot, exec: Of<"exec">, result: number, at: number): void {
  if (result === KILLED) return ended(scene, agent, at, supervisedRespawnNs(agent));
  agent.replaceImage(exec.exe, exec.args);
  if (exec.fail === "halfway") return crashLater(scene, agent, exec.untilNs);
  if (exec.setuid >= 0) slot.raised = !slot.raised;
  agent.quietUntil = exec.untilNs;
  restart(scene, agent, Math.max(at, exec.untilNs));
}

/** A held exec will fail. */
function crashLater(scene: Scene, agent: Agent, at: number): void {
  agent.quietUntil = at;
  scene.later(agent, at, { kind: "crashed" });
}

/** It has, as soon as some mutator has finished it. */
function crashed(scene: Scene, agent: Agent, at: number): void {
  if (fateOf(scene.k, agent) === Fate.alive) return scene.later(agent, at + BUSY_RETRY_NS, { kind: "crashed" });
  ended(scene, agent, at, supervisedRespawnNs(agent));
}

/** The new program runs for a moment; the group's own program starts its threads again. */
function restart(scene: Scene, agent: Agent, at: number): void {
  const own = agent.exe === agent.group.exe && agent.plan === null;
  scene.laterInImage(agent, at, { kind: "startUp", threads: own });
}

/** After an exec. */
function startUp(scene: Scene, agent: Agent, threads: boolean, at: number): void {
  firstBurst(scene, agent, agent.pid, at, true);
  if (!threads) return;
  for (const spec of agent.group.threads) {
    for (let t = 0; t < spec.count; t++) {
      const name = spec.name.replaceAll("{t}", String(t));
      const tid = scene.apply(agent, { kind: "clone", tid: agent.pid, name, startNs: at });
      if (tid <= 0) return;
      agent.tids.push(tid);
      firstBurst(scene, agent, tid, at, false);
    }
  }
}

function settleClone(scene: Scene, agent: Agent, slot: Slot, tid: number, at: number): void {
  const behaviour = slot.behaviour as Extract<Behaviour, { kind: "clone" }>;
  agent.tids.push(tid);
  slot.live++;
  firstBurst(scene, agent, tid, at, false);
  const lifetime = draw(agent.random, behaviour.lifetimeMs) * NS_PER_MS;
  scene.laterInImage(agent, at + lifetime, { kind: "endThread", slot, tid });
}

function settleStop(scene: Scene, agent: Agent, slot: Slot, at: number): void {
  const behaviour = slot.behaviour as Extract<Behaviour, { kind: "stop" }>;
  agent.quietUntil = at + draw(agent.random, behaviour.durationMs) * NS_PER_MS;
  scene.later(agent, agent.quietUntil, { kind: "continue" });
}

/** A process of this mutator ends by itself. */
function endProcess(scene: Scene, agent: Agent, code: number, at: number): void {
  const result = scene.apply(agent, { kind: "exit", code });
  if (result === BUSY) scene.later(agent, at + BUSY_RETRY_NS, { kind: "end", code });
  else ended(scene, agent, at, usualRespawnNs(agent));
}

/** A phase ends a member, and has it start again after `downNs`; Infinity: not by itself. */
function endMember(scene: Scene, agent: Agent, downNs: number, at: number): void {
  const result = scene.apply(agent, { kind: "exit", code: 0 });
  if (result === BUSY) scene.later(agent, at + BUSY_RETRY_NS, { kind: "endMember", downNs });
  else ended(scene, agent, at, downNs);
}

/** A signal comes from outside: if it was deadly, whoever supervises the process starts it again. */
function receive(scene: Scene, agent: Agent, event: Extract<AgentEvent, { kind: "signal" }>, at: number): void {
  const result = scene.apply(agent, event);
  if (result === BUSY) scene.later(agent, at + BUSY_RETRY_NS, event);
  else if (fateOf(scene.k, agent) !== Fate.alive) ended(scene, agent, at, supervisedRespawnNs(agent));
}

/** Something that was put into the queue for an agent. */
export function handle(
  scene: Scene,
  agent: Agent,
  event: Exclude<AgentEvent, { kind: "turn" | "reap" | "respawn" }>,
  at: number,
): void {
  switch (event.kind) {
    case "rest":
      return rest(scene, agent, event, at);
    case "wake":
      return wake(scene, agent, event, at);
    case "childExec":
      return execChild(scene, agent, event, at);
    case "endThread":
      return endThread(scene, agent, event, at);
    case "startUp":
      return startUp(scene, agent, event.threads, at);
    case "crashed":
      return crashed(scene, agent, at);
    case "continue":
      return again(scene, agent, scene.apply(agent, { kind: "continue" }), event, at);
    case "end":
      return endProcess(scene, agent, event.code, at);
    case "endMember":
      return endMember(scene, agent, event.downNs, at);
    case "signal":
      return receive(scene, agent, event, at);
    case "operation":
      return again(scene, agent, scene.apply(agent, event.operation), event, at);
  }
}

/** An event that found the process busy comes again; one that didn't find it at all tells that it has ended. */
function again(scene: Scene, agent: Agent, result: number, event: AgentEvent, at: number): void {
  if (result === BUSY) scene.later(agent, at + BUSY_RETRY_NS, event);
  else if (result === -ESRCH) checkAlive(scene, agent, at);
}

function rest(scene: Scene, agent: Agent, event: Extract<AgentEvent, { kind: "rest" }>, at: number): void {
  const { slot, tid, cpu, ns, userShare, state } = event;
  const behaviour = slot?.behaviour;
  const share = behaviour?.kind === "cpu" ? behaviour.share / Math.max(1, slot!.live) : 0;
  const preempted = share >= PREEMPTED_SHARE;
  const userNs = Math.round(ns * userShare);
  const faults = agent.random.below(slot === null ? 40 : 8);
  const operation: Operation = {
    kind: "rest",
    tid,
    cpu,
    userNs,
    systemNs: Math.round(ns) - userNs,
    faults,
    preempted,
    state,
  };
  const result = scene.apply(agent, operation);
  if (result === BUSY) return scene.later(agent, at + BUSY_RETRY_NS, event);
  agent.setBusy(tid, false);
  if (result === -ESRCH) {
    if (checkAlive(scene, agent, at)) return;
    agent.dropThread(tid);
  }
  if (slot === null || !slot.active || behaviour?.kind !== "cpu") return;
  scene.later(agent, at + sleepAfter(ns, share, behaviour.jitter, agent.random), { kind: "turn", slot });
}

function wake(scene: Scene, agent: Agent, event: Extract<AgentEvent, { kind: "wake" }>, at: number): void {
  const result = scene.apply(agent, { kind: "wake", tid: event.tid, state: event.state });
  if (result === BUSY) return scene.laterInImage(agent, at + BUSY_RETRY_NS, event);
  agent.setBusy(event.tid, false);
  if (result === -ESRCH && !checkAlive(scene, agent, at)) agent.dropThread(event.tid);
}

function execChild(scene: Scene, child: Agent, event: Extract<AgentEvent, { kind: "childExec" }>, at: number): void {
  const { plan, parent } = child;
  const program = plan?.program ?? null;
  let result = 0;
  if (plan !== null && program !== null) {
    const exec = childExec(scene, child, plan, program, at);
    result = scene.apply(child, exec);
    if (result === BUSY) return scene.later(child, at + BUSY_RETRY_NS, event);
    settleChildExec(scene, child, exec, result, at);
  }
  if (event.waiting !== 0 && parent !== null) releaseVforkParent(scene, parent, event.waiting, event.state, at);
  if (result === -ESRCH) checkAlive(scene, child, at);
}

type ChildProgram = NonNullable<ChildPlan["program"]>;

function childExec(scene: Scene, child: Agent, plan: ChildPlan, program: ChildProgram, at: number): Of<"exec"> {
  const { random } = child;
  const { execManner } = plan.origin.behaviour as Extract<Behaviour, { kind: "fork" }>;
  return {
    kind: "exec",
    tid: child.pid,
    exe: program.exe,
    args: program.args,
    env: child.group.env,
    seed: random.u32(),
    setuid: -1,
    nonDumpable: false,
    untilNs: execEnd(random, execManner, { at, slowExecNs: (when) => slowExecNs(scene, child, when) }),
    fail: execFailure(random, execManner),
  };
}

function settleChildExec(scene: Scene, child: Agent, exec: Of<"exec">, result: number, at: number): void {
  // As a shell does whose program can't be executed.
  if (result === -ENOEXEC) return endProcess(scene, child, NOT_EXECUTABLE, at);
  if (result === KILLED) return ended(scene, child, at, Infinity);
  if (result !== 0) return;
  child.replaceImage(exec.exe, exec.args);
  if (exec.fail === "halfway") return crashLater(scene, child, exec.untilNs);
  child.quietUntil = exec.untilNs;
  if (child.slots.some(({ behaviour }) => behaviour.kind === "cpu")) return;
  if (exec.untilNs > at) scene.laterInImage(child, exec.untilNs, { kind: "startUp", threads: false });
  else firstBurst(scene, child, child.pid, at, true);
}

/** The child has its own address space now, or is gone: its parent goes on. */
function releaseVforkParent(scene: Scene, parent: Agent, tid: number, state: number, at: number): void {
  if (!parent.up || !parent.busy.includes(tid)) return;
  wake(scene, parent, { kind: "wake", tid, state }, at);
}

function endThread(scene: Scene, agent: Agent, event: Extract<AgentEvent, { kind: "endThread" }>, at: number): void {
  const result = scene.apply(agent, { kind: "endThread", tid: event.tid });
  if (result === BUSY) return scene.laterInImage(agent, at + BUSY_RETRY_NS, event);
  agent.dropThread(event.tid);
  event.slot.live--;
  if (result === -ESRCH) checkAlive(scene, agent, at);
}
