/** The end of everything, which shows what has been leaked. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { exitGroup, reap } from "../../kernel/exit.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST } from "../../kernel/layout.ts";
import { findTask, nextTgid } from "../../kernel/pid.ts";
import { isZombie } from "../../kernel/task.ts";
import { MAX_CACHES } from "../../shm/slab.ts";

const ROUNDS = 8;

/**
 * Ends and reaps every process, the youngest first, so that each is reaped by its own parent. What other threads start
 * meanwhile is missed: they must be still.
 * @returns how many processes were reaped
 * @pre the thread may sleep, is RCU online and holds nothing
 */
export function exitAll(k: Kernel): number {
  let reaped = 0;
  for (let round = 0; round < ROUNDS && k.m.load(HOST.nrProcesses) > 0; round++) {
    const pids: number[] = [];
    for (let pid = nextTgid(k, 1); pid > 0; pid = nextTgid(k, pid + 1)) pids.push(pid);
    for (let i = pids.length - 1; i >= 0; i--) if (exitOne(k, pids[i] as number)) reaped++;
  }
  drain(k);
  return reaped;
}

/** Kills a process whatever it is (even init), and reaps it. */
function exitOne(k: Kernel, pid: number): boolean {
  const task = actBegin(k, pid);
  if (task > 0) {
    exitGroup(k, task, 9);
    actEnd(k, task);
  }
  const zombie = findTask(k, pid);
  const gone = zombie === 0 || (isZombie(k, zombie) && reap(k, zombie) === 0);
  k.quiescent();
  return gone;
}

/** Frees what waits for grace periods, until nothing waits or other threads hold it back. */
function drain(k: Kernel): void {
  for (let i = 0; i < 1000 && k.slab.reclaiming(); i++) {
    k.quiescent();
    k.slab.reclaim();
  }
}

/** Live objects of each cache; the difference between two moments is what was made and not freed between them. */
export function liveObjects(k: Kernel): number[] {
  const live: number[] = [];
  for (let cache = 0; cache < MAX_CACHES; cache++) live.push(k.slab.live(cache));
  return live;
}
