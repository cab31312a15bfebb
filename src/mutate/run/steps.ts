/**
 * Decisions: what a process does when one of its behaviours has its turn. Nothing in here looks at the simulation, or
 * changes anything but the generator and the bookings of CPUs; the result is data.
 */
import { PAGE_SIZE } from "../../kernel/layout.ts";
import type { Random } from "../../kernel/random.ts";
import { CLOCK_IDS, SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD, SIGEV_THREAD_ID } from "../../time/posix-timers.ts";
import type { ExecFailure } from "../failing.ts";
import type { Behaviour, BehaviourKind, ByteString, ExecManner, TimerBehaviour } from "../scenario-types.ts";
import { fillTemplate } from "../templates.ts";
import type { Agent, ChildPlan, Slot } from "./agent.ts";
import { draw, drawInt, drawWeighted } from "./chance.ts";
import type { Cpus } from "./cpus.ts";
import type { Operation } from "./operations.ts";

/** What decisions depend on beside the process itself. */
export interface StepContext {
  /** Nanoseconds of boot time at which it happens. */
  readonly at: number;
  readonly cpus: Cpus;
  /** The mutator that decides. */
  readonly owner: number;
  /** Ask whether a fault shall happen now. */
  readonly slowExecNs: (at: number) => number;
  readonly pidToReuse: (at: number) => number;
}

type Step<B extends Behaviour> = (agent: Agent, slot: Slot, behaviour: B, c: StepContext) => Operation[];
type Steps = { [K in BehaviourKind]: Step<Extract<Behaviour, { kind: K }>> };

const NS_PER_MS = 1e6;
/** A burst of CPU time, in nanoseconds. */
const LONGEST_BURST_NS = 24 * NS_PER_MS;
const SHORTEST_BURST_NS = 1 * NS_PER_MS;
/** What a system call that reads or writes costs, and one byte of it. */
const CALL_NS = 1500;
const BYTE_NS = 0.25;
/** Of this many calls at once, only some are drawn one by one. */
const DRAWS = 8;
/** A read that waits for a disk shows as such this often. */
const BLOCKING = 0.4;

/** How many events one turn of `io` stands for, and how long until the next: at most one turn a tick. */
export function ioBatch(perSecond: number, tickNs: number): number {
  return Math.max(1, Math.floor((perSecond * tickNs) / 1e9));
}

/** Decides what happens at a turn of `slot`. */
export function step(agent: Agent, slot: Slot, c: StepContext): Operation[] {
  const decide = STEPS[slot.behaviour.kind] as Step<Behaviour>;
  return decide(agent, slot, slot.behaviour, c);
}

const STEPS: Steps = {
  cpu: (agent, _slot, behaviour, c) => {
    const tid = agent.freeThread();
    return tid === 0 ? [] : [burst(tid, burstNs(behaviour.share, agent.random), behaviour.user, c)];
  },
  io: (agent, slot, behaviour, c) => {
    const tid = agent.anyThread();
    const io = transfer(agent.random, behaviour, tid, slot.batch, c);
    const waits = io.readBytes > 0 && agent.random.unit() < BLOCKING && !agent.busy.includes(tid);
    return waits ? [io, { kind: "block", tid }] : [io];
  },
  fork: (agent, slot, behaviour, c) => {
    if (slot.live >= behaviour.max) return [];
    const { at: startNs, owner } = c;
    return [
      { kind: "fork", tid: agent.anyThread(), vfork: behaviour.vfork, startNs, owner, pid: c.pidToReuse(startNs) },
    ];
  },
  exec: (agent, slot, behaviour, c) => {
    const { random, tids } = agent;
    const program = drawWeighted(random, behaviour.programs) ?? agent.group;
    const other = behaviour.fromThread > 0 && random.unit() < behaviour.fromThread && tids.length > 1;
    const changes = random.unit() < behaviour.setuid;
    const untilNs = execEnd(random, behaviour, c);
    return [
      {
        kind: "exec",
        tid: other ? (tids[1 + random.below(tids.length - 1)] as number) : agent.pid,
        exe: program.exe,
        args: fillTemplates(program.args, agent.member, slot.turn),
        env: agent.group.env,
        seed: random.u32(),
        setuid: changes ? newOwner(agent, slot) : -1,
        nonDumpable: happens(random, behaviour.nonDumpable),
        fail: execFailure(random, behaviour),
        untilNs,
      },
    ];
  },
  clone: (agent, slot, behaviour, c) => {
    if (slot.live >= behaviour.max) return [];
    const name = fillTemplate(behaviour.name, agent.member, slot.turn);
    return [{ kind: "clone", tid: agent.anyThread(), name, startNs: c.at }];
  },
  mmap: ({ random }, slot, behaviour) => {
    const length = pages(draw(random, behaviour.size));
    const touched = Math.floor((length / PAGE_SIZE) * behaviour.touched);
    const operations: Operation[] = [
      { kind: "mmap", length, touched, path: behaviour.path, writable: behaviour.path === "" },
    ];
    if (slot.kept.length < behaviour.keep || slot.kept.length === 0) return operations;
    return [{ kind: "munmap", address: slot.kept[0] as number, length: slot.lengths[0] as number }, ...operations];
  },
  split: ({ random }, slot, behaviour) => {
    const places = behaviour.keep + 1;
    if (slot.base === 0) {
      return [{ kind: "mmap", length: (2 * places + 1) * PAGE_SIZE, touched: places, path: "", writable: true }];
    }
    if (slot.kept.length >= behaviour.keep && slot.kept.length > 0)
      return [protect(slot, slot.kept[0] as number, true)];
    let place = random.below(places);
    while (slot.kept.includes(place)) place = (place + 1) % places;
    return [protect(slot, place, false)];
  },
  mremap: ({ random }, slot, behaviour) => {
    const length = pages(draw(random, behaviour.size));
    if (slot.base === 0) return [{ kind: "mmap", length, touched: length / PAGE_SIZE / 2, path: "", writable: true }];
    return [{ kind: "mremap", address: slot.base, oldLength: slot.size, newLength: length }];
  },
  brk: ({ random }, slot, behaviour) => {
    const grow = pages(draw(random, behaviour.size));
    return [{ kind: "brk", grow: slot.size + grow > behaviour.max ? -slot.size : grow }];
  },
  timer: (agent, slot, behaviour) => {
    const operations: Operation[] = [newTimer(agent, behaviour)];
    if (slot.kept.length < behaviour.keep || slot.kept.length === 0) return operations;
    return [{ kind: "timerDelete", id: slot.kept[0] as number }, ...operations];
  },
  setuid: (_agent, slot, behaviour) => [{ kind: "setuid", uid: inTurn(behaviour.uids, slot.turn) ?? 0 }],
  rename: (agent, slot, behaviour) => {
    const name = fillTemplate(inTurn(behaviour.names, slot.turn) ?? "", agent.member, slot.turn);
    return [{ kind: "rename", tid: agent.anyThread(), name }];
  },
  open: (agent, slot, { what, path, keep }) => {
    const operations: Operation[] = [{ kind: "open", what, path: fillTemplate(path, agent.member, slot.turn) }];
    if (slot.kept.length < keep || slot.kept.length === 0) return operations;
    return [{ kind: "close", what, fd: slot.kept[0] as number }, ...operations];
  },
  block: (agent) => {
    const tid = agent.freeThread();
    return tid === 0 ? [] : [{ kind: "block", tid }];
  },
  stop: () => [{ kind: "stop" }],
  exit: ({ random }, _slot, behaviour) => [{ kind: "exit", code: exitCode(random, behaviour.exitStatus) }],
  tsync: ({ random }, _slot, behaviour, c) => {
    const duration = draw(random, behaviour.durationMs) * NS_PER_MS;
    return [{ kind: "tsync", untilNs: duration > 0 ? c.at + duration : 0 }];
  },
  dumpable: (_agent, slot) => [{ kind: "dumpable", value: slot.turn % 2 === 0 ? 0 : 1 }],
  limit: (_agent, slot) => [{ kind: "limit", lower: slot.turn % 2 === 0 }],
};

/** When an exec that begins now is over; 0 for at once. */
export function execEnd(random: Random, manner: ExecManner, c: Pick<StepContext, "at" | "slowExecNs">): number {
  const duration = Math.max(draw(random, manner.durationMs) * NS_PER_MS, c.slowExecNs(c.at));
  return duration > 0 ? c.at + duration : 0;
}

/** Where an exec fails, if it does. */
export function execFailure(random: Random, { failBefore, failHalfway }: ExecManner): ExecFailure {
  if (failBefore + failHalfway === 0) return "none";
  const chance = random.unit();
  if (chance < failBefore) return "before";
  return chance < failBefore + failHalfway ? "halfway" : "none";
}

/** True with a probability; what never happens takes no random number. */
function happens(random: Random, fraction: number): boolean {
  return fraction > 0 && random.unit() < fraction;
}

/** A stretch of running on the CPU that is free first. */
export function burst(tid: number, ns: number, userShare: number, { at, cpus }: StepContext): Operation {
  const { cpu, start, end } = cpus.book(at, ns);
  return { kind: "run", tid, cpu, waitedNs: start - at, ns, untilNs: end, userShare };
}

/** Busier processes run longer at a time. */
function burstNs(share: number, random: Random): number {
  const longest = Math.min(LONGEST_BURST_NS, Math.max(4 * NS_PER_MS, share * 40 * NS_PER_MS));
  return SHORTEST_BURST_NS + random.unit() * (longest - SHORTEST_BURST_NS);
}

/** Nanoseconds of sleep after a burst, so that its share of the time is `share`, which wanders by `jitter`. */
export function sleepAfter(ns: number, share: number, jitter: number, random: Random): number {
  const wanted = Math.min(1, Math.max(1e-6, share * (1 + jitter * (2 * random.unit() - 1))));
  return (ns * (1 - wanted)) / wanted;
}

type Io = Extract<Operation, { kind: "io" }>;

function transfer(
  random: Random,
  b: Extract<Behaviour, { kind: "io" }>,
  tid: number,
  events: number,
  c: StepContext,
): Io {
  const drawn = Math.min(events, DRAWS);
  let read = 0;
  let written = 0;
  for (let i = 0; i < drawn; i++) {
    read += drawInt(random, b.read);
    written += drawInt(random, b.write);
  }
  const rchar = Math.round((read * events) / drawn);
  const wchar = Math.round((written * events) / drawn);
  const syscr = b.read.max > 0 ? events : 0;
  const syscw = b.write.max > 0 ? events : 0;
  const misses = random.poisson(syscr * (1 - b.cached));
  const readBytes = syscr === 0 ? 0 : misses * pages(rchar / syscr);
  const systemNs = Math.round((syscr + syscw) * CALL_NS + (rchar + wchar) * BYTE_NS);
  const cpu = c.cpus.charge(c.at, systemNs);
  return { kind: "io", tid, rchar, wchar, syscr, syscw, readBytes, writeBytes: pages(wchar), cpu, systemNs };
}

/** Set-user-ID root, or back to what the process was. */
function newOwner(agent: Agent, slot: Slot): number {
  const own = agent.group.uids[1];
  return slot.raised ? own : 0;
}

function protect(slot: Slot, place: number, writable: boolean): Operation {
  return { kind: "mprotect", address: slot.base + (2 * place + 1) * PAGE_SIZE, length: PAGE_SIZE, writable };
}

const NOTIFY = { signal: SIGEV_SIGNAL, none: SIGEV_NONE, thread: SIGEV_THREAD | SIGEV_THREAD_ID } as const;
/** Where pointers that programs pass as sigev_value lie: in their heap. */
const HEAP_BASE = 0x55a0_0000_0000;

function newTimer(agent: Agent, behaviour: TimerBehaviour): Operation {
  const { random } = agent;
  const target = behaviour.notify === "thread" ? agent.anyThread() : agent.pid;
  const value = HEAP_BASE + random.u32() * 16;
  const intervalNs = (1 + random.below(1000)) * NS_PER_MS;
  const { signal } = behaviour;
  return {
    kind: "timerCreate",
    signal,
    notify: NOTIFY[behaviour.notify],
    target,
    clock: CLOCK_IDS[behaviour.clock],
    value,
    intervalNs,
  };
}

/** How the life of a new child goes. */
export function planChild(agent: Agent, slot: Slot, random: Random, at: number): ChildPlan {
  const behaviour = slot.behaviour as Extract<Behaviour, { kind: "fork" }>;
  const program = drawWeighted(random, behaviour.exec) ?? null;
  const wanted = Math.max(0, draw(random, behaviour.lifetimeMs)) * NS_PER_MS;
  // A child whose parent has an end of its own is done before that.
  const lifetime = Math.max(0, Math.min(wanted, 0.95 * (agent.endsAt - at)));
  return {
    origin: slot,
    program: program === null ? null : { exe: program.exe, args: fillTemplates(program.args, agent.member, slot.turn) },
    execAfter: Math.min(lifetime / 4, (0.2 + 0.8 * random.unit()) * NS_PER_MS),
    lifetime,
    zombie: Math.max(0, draw(random, behaviour.zombieMs)) * NS_PER_MS,
    code: exitCode(random, behaviour.exitStatus),
    orphan: random.unit() < behaviour.orphan,
  };
}

/** What a child does: part of its parent's behaviour, one generation further down. */
export function childBehaviours(behaviour: Extract<Behaviour, { kind: "fork" }>): Behaviour[] {
  const list: Behaviour[] = [];
  const rate = { per: "process" as const, jitter: 1 };
  if (behaviour.cpu > 0) list.push({ kind: "cpu", share: behaviour.cpu, user: 0.8, jitter: 0.2 });
  if (behaviour.io > 0) {
    list.push({
      kind: "io",
      rate: behaviour.io,
      ...rate,
      read: { min: 0, max: 8192 },
      write: { min: 0, max: 4096 },
      cached: 0.9,
    });
  }
  if (behaviour.depth > 1) list.push({ ...behaviour, depth: behaviour.depth - 1 });
  return list;
}

/** Exit code as wait(2) has it, of a status as a shell shows it. */
function exitCode(random: Random, statuses: readonly { status: number; weight: number }[]): number {
  const status = drawWeighted(random, statuses)?.status ?? 0;
  return status > 128 ? status - 128 : status << 8;
}

function inTurn<T>(items: readonly T[], turn: number): T | undefined {
  return items[turn % Math.max(1, items.length)];
}

/** Bytes rounded up to whole pages. */
function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

function fillTemplates(texts: readonly ByteString[], member: number, turn: number): ByteString[] {
  return texts.map((text) => fillTemplate(text, member, turn));
}
