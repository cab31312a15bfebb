/** Phases: what happens to groups at a moment. Each mutator sees to its own members. */
import type { Phase, PhaseAction, Scenario } from "../scenario-types.ts";
import { hashBetween } from "../build/hash.ts";
import type { Agent } from "./agent.ts";
import { memberAgent, replaceBehaviours } from "./lives.ts";
import type { Scene } from "./scene.ts";
import { ALWAYS } from "./scene.ts";

const NS_PER_MS = 1e6;
/** A signal to a group reaches its processes within so long; a log is opened anew within so long. */
const SIGNAL_NS = 2 * NS_PER_MS;
const REOPEN_NS = 200 * NS_PER_MS;
/** Each generation of processes starts so long after the one above it. */
const GENERATION_NS = 5 * NS_PER_MS;
const FIRST_LOG_INODE = 3_000_000;
const LAST_LOG_INODE = 4_000_000;

/** Puts the first moment of each phase into the queue. @param start when the simulation started */
export function schedulePhases(scene: Scene, start: number): void {
  const { phases } = scene.scenario;
  for (let phase = 0; phase < phases.length; phase++) {
    pushPhase(scene, phase, start + (phases[phase] as Phase).atMs * NS_PER_MS);
  }
}

function pushPhase(scene: Scene, phase: number, at: number): void {
  scene.queue.push({ at, order: 0, agent: null, life: ALWAYS, image: ALWAYS, what: { kind: "phase", phase } });
}

/** The moment of a phase has come. */
export function runPhase(scene: Scene, index: number, at: number): void {
  const phase = scene.scenario.phases[index] as Phase;
  for (const action of phase.actions) runAction(scene, phase, action, at);
  if (phase.everyMs > 0) pushPhase(scene, index, at + phase.everyMs * NS_PER_MS);
}

function runAction(scene: Scene, phase: Phase, action: PhaseAction, at: number): void {
  switch (action.kind) {
    case "restart":
      return endGroups(scene, action.groups, action.downMs * NS_PER_MS, at);
    case "stop":
      return endGroups(scene, action.groups, Infinity, at);
    case "start":
      return startGroups(scene, action.groups, at);
    case "set":
      return eachMember(scene, action.groups, (agent) => {
        const former = replaceBehaviours(scene, agent, action.behaviours, at);
        if (phase.forMs <= 0) return;
        const what = { kind: "unset", set: action.behaviours, former } as const;
        scene.queue.push({ at: at + phase.forMs * NS_PER_MS, order: 0, agent, life: ALWAYS, image: ALWAYS, what });
      });
    case "rotate_log": {
      const ino = hashBetween(`${action.path} ${at}`, FIRST_LOG_INODE, LAST_LOG_INODE);
      const operation = { kind: "reopen", path: action.path, rotated: `${action.path}.1`, ino } as const;
      return eachMember(scene, action.groups, (agent) => {
        if (agent.up) scene.later(agent, at + agent.random.unit() * REOPEN_NS, { kind: "operation", operation });
      });
    }
    case "signal":
      return eachMember(scene, action.groups, (agent) => {
        const { signal } = action;
        if (agent.up) scene.later(agent, at + agent.random.unit() * SIGNAL_NS, { kind: "signal", signal });
      });
  }
}

/** Ends all processes of the groups and of those below them, children first. */
function endGroups(scene: Scene, groups: readonly number[], downNs: number, at: number): void {
  const all = withDescendants(scene.scenario, groups);
  const deepest = Math.max(...all.map((group) => depthOf(scene.scenario, group)));
  for (const group of [...all].reverse()) {
    const depth = depthOf(scene.scenario, group);
    eachMember(scene, [group], (agent) => {
      if (!agent.up) {
        // It is about to start again by itself: the phase has the last word.
        agent.finish();
        if (downNs !== Infinity) scene.later(agent, at + downNs + depth * GENERATION_NS, { kind: "respawn" });
        return;
      }
      const delay = (deepest - depth) * NS_PER_MS;
      scene.later(agent, at + delay, { kind: "endMember", downNs: downNs + depth * GENERATION_NS });
    });
  }
}

/** Starts all processes of the groups, and of those below them, that are down. */
function startGroups(scene: Scene, groups: readonly number[], at: number): void {
  for (const group of withDescendants(scene.scenario, groups)) {
    const depth = depthOf(scene.scenario, group);
    eachMember(scene, [group], (agent) => {
      if (!agent.up) scene.later(agent, at + depth * GENERATION_NS, { kind: "respawn" });
    });
  }
}

/** In order of their indices: parents first. */
function withDescendants({ groups }: Scenario, roots: readonly number[]): number[] {
  const wanted = groups.map(({ index, parent }) => ({ index, parent, in: roots.includes(index) }));
  for (const group of wanted) if (group.parent >= 0 && wanted[group.parent]!.in) group.in = true;
  return wanted.filter((group) => group.in).map(({ index }) => index);
}

function depthOf({ groups }: Scenario, group: number): number {
  let depth = 0;
  for (let at = groups[group]!.parent; at >= 0; at = groups[at]!.parent) depth++;
  return depth;
}

function eachMember(scene: Scene, groups: readonly number[], act: (agent: Agent) => void): void {
  for (const group of groups) {
    const count = scene.built.pids[group]!.length;
    for (let member = 0; member < count; member++) {
      if (scene.owns((scene.firsts[group] as number) + member)) act(memberAgent(scene, group, member));
    }
  }
}
