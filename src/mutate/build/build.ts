/** From a scenario to a table that runs. */
import { adoptInit, bootKernel } from "../../kernel/boot.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST } from "../../kernel/layout.ts";
import { findTask } from "../../kernel/pid.ts";
import { Random } from "../../kernel/random.ts";
import type { Ptr } from "../../sync/atomics.ts";
import type { Built } from "../built.ts";
import type { Group, Scenario } from "../scenario-types.ts";
import { processCounts } from "./census.ts";
import { accountPast, setUptime } from "./history.ts";
import { ProcessMaker } from "./process.ts";
import { SocketPlan } from "./sockets.ts";

export { BuildError } from "./process.ts";

/** Told now and then how many processes are done, of how many. */
export type Progress = (done: number, total: number) => void;

/** Processes made between two calls of {@link Progress}, and between two reclaims. */
const BATCH = 512;
/** Smaller scenarios leave gaps between pids, as machines that have run for a while do. */
const GAPS_BELOW = 5000;
const LARGEST_GAP = 5;
const GAP_STREAM = 0x676170;
const PAST_STREAM = 0x70617374;

/**
 * Boots the kernel and starts every process of the scenario, parents first.
 * @param k a kernel that nothing has happened to yet, made with `kernelConfig(scenario, …)`; its thread is offline for
 *   RCU before and after
 * @throws BuildError for a process that can't be made: a pid that is taken, too many threads
 * @throws ArenaFullError if the arena is too small
 */
export function buildScenario(k: Kernel, scenario: Scenario, progress: Progress = () => undefined): Built {
  const { seed } = k.config;
  const maker = new ProcessMaker(k, scenario, seed);
  k.busy();
  bootKernel(k);
  setUptime(k, scenario);
  k.m.store(HOST.nextInode, new SocketPlan(scenario).end());
  const build = new Build(k, scenario, maker, progress);
  for (const group of scenario.groups) build.addGroup(group);
  accountPast(k, scenario, maker.past, new Random(seed, PAST_STREAM));
  maker.release();
  build.reclaim();
  progress(build.total, build.total);
  k.idle();
  return { seed, pids: build.pids };
}

class Build {
  readonly pids: number[][] = [];
  readonly total: number;
  private readonly k: Kernel;
  private readonly scenario: Scenario;
  private readonly maker: ProcessMaker;
  private readonly progress: Progress;
  private readonly gaps: Random | null;
  private done = 0;

  constructor(k: Kernel, scenario: Scenario, maker: ProcessMaker, progress: Progress) {
    this.k = k;
    this.scenario = scenario;
    this.maker = maker;
    this.progress = progress;
    this.total = processCounts(scenario).reduce((sum, count) => sum + count, 0);
    const plain = scenario.groups.every((group) => group.exact === null);
    this.gaps = plain && this.total < GAPS_BELOW ? new Random(k.config.seed, GAP_STREAM) : null;
  }

  /** Starts all processes of a group: `count` of them below each process of its parent group. */
  addGroup(group: Group): void {
    const pids: number[] = [];
    const above = group.parent < 0 ? [0] : (this.pids[group.parent] as number[]);
    for (const parent of above) {
      for (let i = 0; i < group.count; i++) pids.push(this.addProcess(group, pids.length, this.taskOf(parent)));
    }
    this.pids.push(pids);
  }

  reclaim(): void {
    // Once to start a grace period, once to free what waited for it.
    for (let i = 0; i < 2; i++) {
      this.k.quiescent();
      this.k.slab.reclaim();
    }
  }

  private taskOf(pid: number): Ptr {
    return pid === 0 ? this.k.m.load(HOST.idleTask) : findTask(this.k, pid);
  }

  private addProcess(group: Group, member: number, parent: Ptr): number {
    const { k } = this;
    if (!group.kernel && this.gaps !== null) k.m.add(HOST.pidCursor, this.gaps.below(LARGEST_GAP));
    const pid = this.maker.start(group, member, parent);
    if (group.parent < 0 && !group.kernel && member === 0) this.maybeInit(group, pid);
    if (++this.done % BATCH === 0) {
      this.reclaim();
      this.progress(this.done, this.total);
    }
    return pid;
  }

  /** Pid 1 inherits orphans; without one, the first process that has no parent. */
  private maybeInit(group: Group, pid: number): void {
    const roots = this.scenario.groups.filter(({ parent, kernel }) => parent < 0 && !kernel);
    const init = roots.find((one) => one.pid === 1) ?? roots[0];
    if (init === group) adoptInit(this.k, findTask(this.k, pid));
  }
}
