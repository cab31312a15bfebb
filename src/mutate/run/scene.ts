/** What the parts of one mutator share: the simulation, its own processes, its queue of events. */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MAX_CPUS } from "../../kernel/layout.ts";
import type { Built } from "../built.ts";
import type { ProcessMaker } from "../build/process.ts";
import type { Behaviour, Scenario } from "../scenario-types.ts";
import type { Agent, Slot } from "./agent.ts";
import { apply, World } from "./apply.ts";
import { groupKeys } from "./chance.ts";
import { Cpus } from "./cpus.ts";
import type { Timed } from "./events.ts";
import { EventQueue } from "./events.ts";
import { Gate } from "./gate.ts";
import { firstOrdinals } from "./members.ts";
import type { Operation, Who } from "./operations.ts";

/** Which mutator of how many this is. Mutator 0 also moves the clock. */
export interface MutatorPlace {
  readonly index: number;
  readonly count: number;
  readonly seed: number;
}

/** Something that an agent does, or that happens to it, later. */
export type AgentEvent =
  /** A behaviour has its turn. */
  | { kind: "turn"; slot: Slot }
  /** A burst of CPU time is over. `slot` is null for the first burst of a new task. */
  | { kind: "rest"; slot: Slot | null; tid: number; cpu: number; ns: number; userShare: number; state: number }
  /** A thread waits no longer uninterruptibly. */
  | { kind: "wake"; tid: number; state: number }
  /** A child executes its program; `waiting` is the thread of its parent that waits for this (vfork), or 0. */
  | { kind: "childExec"; waiting: number; state: number }
  /** A thread that was started for a while ends. */
  | { kind: "endThread"; slot: Slot; tid: number }
  /** A program begins to run; `threads`: it starts those of its group. */
  | { kind: "startUp"; threads: boolean }
  /** An exec that was held has failed halfway. */
  | { kind: "crashed" }
  /** A stopped process goes on. */
  | { kind: "continue" }
  /** The process ends, with this exit code. */
  | { kind: "end"; code: number }
  | { kind: "reap"; pid: number; generation: number; slot: Slot | null }
  | { kind: "respawn" }
  /** A phase ends it; it starts again after `downNs`, if that isn't Infinity. */
  | { kind: "endMember"; downNs: number }
  | { kind: "signal"; signal: number }
  /** Anything else that a phase does to it. */
  | { kind: "operation"; operation: Operation };

export interface Event extends Timed {
  /** Null for phases. */
  agent: Agent | null;
  /** Life of the agent in which the event means something; -1: in any. */
  life: number;
  /** Image of the agent likewise. */
  image: number;
  what:
    | AgentEvent
    | { kind: "phase"; phase: number }
    | { kind: "unset"; set: readonly Behaviour[]; former: readonly Behaviour[] }
    | { kind: "load" };
}

/** In any life, in any image. */
export const ALWAYS = -1;

export class Scene {
  readonly k: Kernel;
  readonly scenario: Scenario;
  readonly built: Built;
  readonly place: MutatorPlace;
  readonly maker: ProcessMaker;
  readonly world: World;
  readonly queue = new EventQueue<Event>();
  readonly cpus: Cpus;
  readonly keys: readonly number[];
  /** First ordinal of each group. */
  readonly firsts: readonly number[];
  readonly tickNs: number;
  readonly slowExec: Gate;
  readonly pidReuse: Gate;
  /** Members that are moved by this mutator, by ordinal; those that do nothing have no agent until a phase needs it. */
  readonly agents = new Map<number, Agent>();
  /** The pid that was freed last, 0 if it has been used again. */
  lastFreedPid = 0;

  constructor(k: Kernel, scenario: Scenario, built: Built, place: MutatorPlace, maker: ProcessMaker) {
    this.k = k;
    this.scenario = scenario;
    this.built = built;
    this.place = place;
    this.maker = maker;
    this.world = new World(k.config);
    this.cpus = new Cpus(Math.min(k.config.cpus, MAX_CPUS), place.index, place.count);
    this.keys = groupKeys(scenario);
    this.firsts = firstOrdinals(built);
    this.tickNs = scenario.tickMs * 1e6;
    this.slowExec = new Gate(scenario.faults.slowExec, place.seed, 0x736c6f77);
    this.pidReuse = new Gate(scenario.faults.pidReuse, place.seed, 0x72657573);
  }

  /** True if a member is moved by this mutator. */
  owns(ordinal: number): boolean {
    return ordinal % this.place.count === this.place.index;
  }

  /** Carries an operation out, and counts it. */
  apply(who: Who, operation: Operation): number {
    this.k.m.add(HOST.mutatorOperations + this.place.index, 1);
    return apply(this.k, this.world, who, operation);
  }

  /** Something happens to an agent in its present life. */
  later(agent: Agent, at: number, what: AgentEvent): void {
    this.queue.push({ at, order: 0, agent, life: agent.life, image: ALWAYS, what });
  }

  /** As {@link later}, unless the agent executes another program before. */
  laterInImage(agent: Agent, at: number, what: AgentEvent): void {
    this.queue.push({ at, order: 0, agent, life: agent.life, image: agent.image, what });
  }

  /** Something happens whatever becomes of the agent. */
  laterAnyway(agent: Agent, at: number, what: AgentEvent): void {
    this.queue.push({ at, order: 0, agent, life: ALWAYS, image: ALWAYS, what });
  }
}
