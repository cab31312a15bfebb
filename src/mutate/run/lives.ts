/** How processes begin and end: members of the scenario, and children that come and go. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { TASK_INTERRUPTIBLE } from "../../kernel/flags.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { Wait } from "../../kernel/wait-kinds.ts";
import { BuildError } from "../build/process.ts";
import { hashText } from "../build/hash.ts";
import type { Behaviour } from "../scenario-types.ts";
import type { ChildPlan } from "./agent.ts";
import { Agent, Slot } from "./agent.ts";
import { Fate, fateOf } from "./apply.ts";
import { applyReap, generationOf, threadIds } from "./apply-process.ts";
import { derivedStream, draw, firstInterval, interval, memberStream, ratePerProcess } from "./chance.ts";
import { claimTask, memberPid, setMemberPid } from "./members.ts";
import { packState } from "./operations.ts";
import type { Scene } from "./scene.ts";
import { burst, childBehaviours, ioBatch } from "./steps.ts";

const NS_PER_MS = 1e6;
/** A member whose parent is down, or that can't be started now, is tried again after so long. */
const RETRY_NS = 10 * NS_PER_MS;
/** A member that others have ended, and that has no `exit` behaviour, is started again after so long. */
const DEFAULT_RESPAWN_NS = 100 * NS_PER_MS;
/** A parent takes so long to notice that its child has ended. */
const NOTICE_NS = 2 * NS_PER_MS;
/** First stretch of running of a new process, and of a new thread. */
const PROCESS_START_NS = { min: 0.5 * NS_PER_MS, max: 3 * NS_PER_MS };
const THREAD_START_NS = { min: 0.05 * NS_PER_MS, max: 0.4 * NS_PER_MS };

/** The agent of a member that this mutator owns, made if there is none yet. */
export function memberAgent(scene: Scene, groupIndex: number, member: number): Agent {
  const ordinal = (scene.firsts[groupIndex] as number) + member;
  const known = scene.agents.get(ordinal);
  if (known !== undefined) return known;
  const group = scene.scenario.groups[groupIndex]!;
  const random = memberStream(scene.place.seed, scene.keys[groupIndex] as number, member);
  const agent = new Agent(group, member, ordinal, random, null, null);
  agent.slots = group.behaviours.map((behaviour) => new Slot(behaviour));
  scene.agents.set(ordinal, agent);
  const pid = memberPid(scene.k, ordinal);
  if (pid !== 0) agent.begin(pid, generationOf(scene.k, pid), threadIds(scene.k, pid));
  return agent;
}

/** Starts to move what belongs to this mutator. @pre RCU online */
export function takeMembers(scene: Scene, now: number): void {
  const { built, scenario, place, k, firsts } = scene;
  for (const group of scenario.groups) {
    const pids = built.pids[group.index]!;
    for (let member = 0; member < pids.length; member++) {
      const ordinal = (firsts[group.index] as number) + member;
      if (!scene.owns(ordinal)) continue;
      const pid = memberPid(k, ordinal);
      if (pid !== 0) claimTask(k, pid, ordinal, place.index);
      if (group.behaviours.length > 0) startSlots(scene, memberAgent(scene, group.index, member), now, false);
    }
    k.quiescent();
  }
}

/** First turns of all behaviours of a process. @param isNew it has just begun, rather than been at it for long */
function startSlots(scene: Scene, agent: Agent, at: number, isNew: boolean): void {
  for (const slot of agent.slots) startSlot(scene, agent, slot, at, isNew);
}

/** Events a second of a slot; 0 for never, and for `cpu`, which goes by shares. */
export function slotRate(scene: Scene, agent: Agent, slot: Slot): number {
  const { behaviour } = slot;
  if (behaviour.kind === "cpu") return 0;
  const members = agent.ordinal < 0 ? 1 : scene.built.pids[agent.group.index]!.length;
  return ratePerProcess(behaviour, members);
}

/** First turn of one behaviour: a whole interval after the beginning, or anywhere in one. */
function startSlot(scene: Scene, agent: Agent, slot: Slot, at: number, isNew: boolean): void {
  const { behaviour } = slot;
  const { random } = agent;
  if (behaviour.kind === "cpu") {
    // Each chain of bursts is one thread's worth of CPU time at most.
    const chains = Math.max(1, Math.min(Math.ceil(behaviour.share), agent.tids.length));
    if (behaviour.share <= 0) return;
    slot.live = chains;
    for (let i = 0; i < chains; i++) {
      const within = Math.min(1e9, (20 * NS_PER_MS) / Math.min(1, behaviour.share / chains));
      scene.later(agent, at + random.unit() * within, { kind: "turn", slot });
    }
    return;
  }
  let rate = slotRate(scene, agent, slot);
  if (rate <= 0) return;
  if (behaviour.kind === "io") {
    slot.batch = ioBatch(rate, scene.tickNs);
    rate /= slot.batch;
  }
  const wait = isNew ? interval(random, rate, behaviour.jitter) : firstInterval(random, rate);
  scene.later(agent, at + wait, { kind: "turn", slot });
}

/** Puts behaviours in the place of those of the same kind. @returns those that they replace */
export function replaceBehaviours(scene: Scene, agent: Agent, fresh: readonly Behaviour[], at: number): Behaviour[] {
  const former: Behaviour[] = [];
  for (const behaviour of fresh) {
    const old = agent.slots.find((slot) => slot.behaviour.kind === behaviour.kind);
    if (old !== undefined) former.push(old.behaviour);
    exchangeSlot(scene, agent, old, behaviour, at);
  }
  return former;
}

/** Undoes {@link replaceBehaviours}, as far as what it put in is still there. */
export function restoreBehaviours(
  scene: Scene,
  agent: Agent,
  set: readonly Behaviour[],
  former: readonly Behaviour[],
  at: number,
): void {
  for (const behaviour of set) {
    const slot = agent.slots.find((one) => one.behaviour === behaviour);
    if (slot !== undefined)
      exchangeSlot(
        scene,
        agent,
        slot,
        former.find(({ kind }) => kind === behaviour.kind),
        at,
      );
  }
}

/** Ends a slot and starts another, which takes over what the old one made. */
function exchangeSlot(
  scene: Scene,
  agent: Agent,
  old: Slot | undefined,
  behaviour: Behaviour | undefined,
  at: number,
): void {
  if (old !== undefined) {
    old.active = false;
    agent.slots = agent.slots.filter((slot) => slot !== old);
  }
  if (behaviour === undefined) return;
  const fresh = new Slot(behaviour);
  if (old !== undefined) inherit(fresh, old);
  agent.slots.push(fresh);
  if (agent.up) startSlot(scene, agent, fresh, at, false);
}

function inherit(slot: Slot, before: Slot): void {
  slot.turn = before.turn;
  slot.raised = before.raised;
  // The region of `split` has a size that depends on the behaviour: a new one is mapped.
  if (slot.behaviour.kind === "split") return;
  slot.kept = before.kept;
  slot.lengths = before.lengths;
  slot.base = before.base;
  slot.size = before.size;
}

/** A child has been forked: it gets a life of its own. */
export function adoptChild(scene: Scene, parent: Agent, plan: ChildPlan, pid: number, at: number): Agent {
  const child = new Agent(parent.group, parent.member, -1, derivedStream(parent.random), parent, plan);
  child.begin(pid, generationOf(scene.k, pid), [pid]);
  child.endsAt = at + plan.lifetime;
  const { behaviour } = plan.origin;
  if (behaviour.kind === "fork") child.slots = childBehaviours(behaviour).map((one) => new Slot(one));
  plan.origin.live++;
  scene.later(child, child.endsAt, { kind: "end", code: plan.code });
  startSlots(scene, child, at, true);
  return child;
}

/** A new task runs for a moment, and then waits for something. */
export function firstBurst(scene: Scene, agent: Agent, tid: number, at: number, leader: boolean): void {
  const ns = draw(agent.random, leader ? PROCESS_START_NS : THREAD_START_NS);
  const run = burst(tid, ns, 0.5, { at, cpus: scene.cpus, owner: 0, slowExecNs: () => 0, pidToReuse: () => 0 });
  if (run.kind !== "run") return;
  scene.apply(agent, run);
  const state = packState(TASK_INTERRUPTIBLE, leader ? usualWait(agent) : Wait.futex);
  agent.setBusy(tid, true);
  scene.later(agent, run.untilNs, { kind: "rest", slot: null, tid, cpu: run.cpu, ns, userShare: 0.5, state });
}

const WAITS = [Wait.read, Wait.poll, Wait.nanosleep, Wait.select] as const;

/** In what way a process without a captured or configured one waits: always the same for a program. */
export function usualWait(agent: Agent): number {
  if (agent.slots.some(({ behaviour }) => behaviour.kind === "fork")) return Wait.wait4;
  return WAITS[hashText(agent.exe) % WAITS.length] as number;
}

/**
 * The process has ended, by whatever cause: it is reaped a little later.
 * @param respawnNs when a member starts again; Infinity: not by itself
 */
export function ended(scene: Scene, agent: Agent, at: number, respawnNs: number): void {
  const { pid, generation, plan } = agent;
  const zombie = plan === null ? NOTICE_NS * agent.random.unit() : plan.zombie;
  agent.finish();
  scene.laterAnyway(agent, at + zombie, { kind: "reap", pid, generation, slot: plan?.origin ?? null });
  if (agent.ordinal < 0) return;
  setMemberPid(scene.k, agent.ordinal, 0);
  if (respawnNs !== Infinity) scene.later(agent, at + Math.max(zombie, respawnNs), { kind: "respawn" });
}

/** When a member starts again that has ended by itself: as its `exit` behaviour says, or not at all. */
export function usualRespawnNs(agent: Agent): number {
  const behaviour = agent.slots.find((slot) => slot.behaviour.kind === "exit")?.behaviour;
  return behaviour?.kind === "exit" ? draw(agent.random, behaviour.respawnMs) * NS_PER_MS : Infinity;
}

/** When a member starts again that a signal or a fault has ended. */
export function supervisedRespawnNs(agent: Agent): number {
  return Math.min(DEFAULT_RESPAWN_NS, usualRespawnNs(agent));
}

/** Something of a process could not be found: has it ended behind our back? @returns true if it has */
export function checkAlive(scene: Scene, agent: Agent, at: number): boolean {
  if (fateOf(scene.k, agent) === Fate.alive) return false;
  ended(scene, agent, at, usualRespawnNs(agent));
  return true;
}

/** The parent of a zombie waits for it. */
export function reapNow(scene: Scene, pid: number, generation: number, slot: Slot | null): void {
  if (slot !== null) slot.live--;
  if (applyReap(scene.k, { pid, generation }) === 0) scene.lastFreedPid = pid;
}

/** Starts a member again, as a child of whoever plays its parent now. */
export function respawn(scene: Scene, agent: Agent, at: number): void {
  const pid = startMember(scene, agent, at);
  if (pid <= 0) {
    scene.later(agent, at + RETRY_NS, { kind: "respawn" });
    return;
  }
  beginMember(scene, agent, pid, at);
}

function beginMember(scene: Scene, agent: Agent, pid: number, at: number): void {
  const { k } = scene;
  setMemberPid(k, agent.ordinal, pid);
  claimTask(k, pid, agent.ordinal, scene.place.index);
  agent.exe = agent.group.exe;
  agent.args = agent.group.args;
  for (const slot of agent.slots) slot.active = false;
  agent.slots = agent.slots.map(({ behaviour }) => new Slot(behaviour));
  agent.begin(pid, generationOf(k, pid), threadIds(k, pid));
  startSlots(scene, agent, at, true);
}

/** @returns the new pid; 0 if that isn't possible now */
function startMember(scene: Scene, agent: Agent, at: number): number {
  const { k } = scene;
  const { group, member } = agent;
  if (group.parent < 0) return 0;
  const parentMember = Math.floor(member / group.count);
  const parentPid = memberPid(k, (scene.firsts[group.parent] as number) + parentMember);
  if (parentPid === 0) return 0;
  const parent = actWithoutWaiting(k, parentPid);
  if (parent < 0) return 0;
  let pid = 0;
  try {
    pid = scene.maker.start(group, member, parent, { startTime: at, pid: 0, owner: scene.place.index });
  } catch (error) {
    // No pid, or too many threads: the fork of a real supervisor fails too, and it tries again.
    if (!(error instanceof BuildError)) throw error;
  } finally {
    actEnd(k, parent);
  }
  return pid;
}

function actWithoutWaiting(k: Kernel, pid: number): number {
  const maySleep = k.t.maySleep;
  k.t.maySleep = false;
  const task = actBegin(k, pid);
  k.t.maySleep = maySleep;
  return task;
}
