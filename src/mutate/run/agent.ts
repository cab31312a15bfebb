/** What a mutator knows of a process that it moves: its behaviours, and what they have made so far. */
import type { Random } from "../../kernel/random.ts";
import type { Behaviour, ByteString, Group } from "../scenario-types.ts";
import type { Who } from "./operations.ts";

/** One behaviour of one process. */
export class Slot {
  readonly behaviour: Behaviour;
  /** Events so far. */
  turn = 0;
  /** What it made and keeps, oldest first: addresses, timer ids, descriptors, places of splits. */
  kept: number[] = [];
  /** Lengths that belong to `kept`, where there are any. */
  lengths: number[] = [];
  /** Address of the region that it splits or moves; bytes that it added to the heap. */
  base = 0;
  size = 0;
  /** How many events one turn stands for. */
  batch = 1;
  /** Children or threads of its own that are alive. */
  live = 0;
  /** Whether the process has gained privileges by it. */
  raised = false;
  /** False once another slot took its place: its events are void. */
  active = true;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
  }

  /** What it made in the address space is gone: the process executes another program. */
  forgetImage(): void {
    const { kind } = this.behaviour;
    // Descriptors stay open, and children stay children.
    if (kind === "open" || kind === "fork") return;
    if (kind === "clone") this.live = 0;
    this.forgetThings();
  }

  /** What it made is gone. */
  forgetThings(): void {
    this.kept = [];
    this.lengths = [];
    this.base = 0;
    this.size = 0;
  }
}

/** How the life of a child goes. */
export interface ChildPlan {
  /** The behaviour of its parent that made it. */
  readonly origin: Slot;
  /** Null: it stays an image of its parent. */
  readonly program: { exe: ByteString; args: readonly ByteString[] } | null;
  /** Nanoseconds until it executes, until it ends, and from then until it is reaped. */
  readonly execAfter: number;
  readonly lifetime: number;
  readonly zombie: number;
  /** Exit code as wait(2) has it. */
  readonly code: number;
  /** Its parent ends at once and leaves it behind. */
  readonly orphan: boolean;
}

export class Agent implements Who {
  readonly group: Group;
  /** Index in its group. */
  readonly member: number;
  /** Its place among the processes that the scenario describes, or -1 for one that comes and goes. */
  readonly ordinal: number;
  /** Whose child it is, for those that come and go. */
  readonly parent: Agent | null;
  readonly plan: ChildPlan | null;
  readonly random: Random;
  slots: Slot[] = [];

  pid = 0;
  generation = 0;
  up = false;
  /** Raised when the process ends, and when the same member starts anew: events of an earlier life are void. */
  life = 0;
  /** Raised by each exec: events of threads of an earlier image are void. */
  image = 0;
  /** Live threads, the leader first. */
  tids: number[] = [];
  /** Those that run, or wait on a disk, at the moment. */
  busy: number[] = [];
  /** Until then it does nothing: it is stopped, or in the middle of an exec. */
  quietUntil = 0;
  /** When it ends, if that is known. */
  endsAt = Infinity;
  exe: ByteString;
  args: readonly ByteString[];

  constructor(
    group: Group,
    member: number,
    ordinal: number,
    random: Random,
    parent: Agent | null,
    plan: ChildPlan | null,
  ) {
    this.group = group;
    this.member = member;
    this.ordinal = ordinal;
    this.random = random;
    this.parent = parent;
    this.plan = plan;
    this.exe = parent?.exe ?? group.exe;
    this.args = parent?.args ?? group.args;
  }

  /** The process exists from now on. */
  begin(pid: number, generation: number, tids: number[]): void {
    this.pid = pid;
    this.generation = generation;
    this.tids = tids;
    this.busy = [];
    this.up = true;
    this.life++;
    this.image++;
    this.quietUntil = 0;
  }

  /** The process has ended, or is a zombie. */
  finish(): void {
    this.up = false;
    this.life++;
    this.tids = [];
    this.busy = [];
  }

  /** It runs another program: only the leader is left, and nothing of what was mapped. */
  replaceImage(exe: ByteString, args: readonly ByteString[]): void {
    this.image++;
    this.exe = exe;
    this.args = args;
    this.tids = [this.pid];
    this.busy = [];
    for (const slot of this.slots) slot.forgetImage();
  }

  dropThread(tid: number): void {
    this.tids = this.tids.filter((one) => one !== tid);
    this.setBusy(tid, false);
  }

  setBusy(tid: number, busy: boolean): void {
    if (busy) this.busy.push(tid);
    else this.busy = this.busy.filter((one) => one !== tid);
  }

  /** A live thread, or 0. */
  anyThread(): number {
    return this.tids.length === 1 ? (this.tids[0] as number) : (this.tids[this.random.below(this.tids.length)] ?? 0);
  }

  /** A live thread that neither runs nor waits on a disk, or 0. */
  freeThread(): number {
    const { tids, busy } = this;
    if (busy.length >= tids.length) return 0;
    const from = this.random.below(tids.length);
    for (let i = 0; i < tids.length; i++) {
      const tid = tids[(from + i) % tids.length] as number;
      if (!busy.includes(tid)) return tid;
    }
    return 0;
  }
}
