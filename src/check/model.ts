/**
 * The small simulated machine that a scenario runs on, and the beginning and end of its threads. Transformed together with
 * the scenarios, so that both kinds of runs, explored and on real threads, start alike.
 */
import { adoptInit, bootKernel } from "../kernel/boot.ts";
import type { KernelConfig } from "../kernel/config.ts";
import type { ExecSpec } from "../kernel/exec.ts";
import { execTask } from "../kernel/exec.ts";
import { copyProcess } from "../kernel/fork.ts";
import { Kernel } from "../kernel/kernel.ts";
import { LOCKED, LOCKFREE } from "../kernel/knobs.ts";
import { HOST } from "../kernel/layout.ts";
import { findTask } from "../kernel/pid.ts";
import { Random } from "../kernel/random.ts";
import { MAX_CACHES, SLAB_CACHE } from "../shm/slab.ts";
import type { Ptr } from "../sync/atomics.ts";
import type { Form, Results, Scenario } from "./scenario.ts";

/** Bytes: the fixed tables take half of it. */
const ARENA = 2 ** 26;
/** Objects of each small cache that a thread keeps in stock, so that its allocations are its own affair. */
const STOCK = 16;
/** Words of an object above which only one is kept. */
const LARGE = 512;
/** Words above which none is. */
const HUGE = 16384;

/** A machine with two programs, one of them set-user-ID root, each a single small segment. */
export const MODEL_CONFIG: KernelConfig = {
  seed: 1,
  pidMax: 32768,
  pidAvoid: [0, 0],
  threadsMax: 1000,
  realtimeAtBoot: 1_700_000_000,
  memTotal: 2 ** 30,
  swapTotal: 0,
  cpus: 2,
  waitKinds: [],
  cgroups: ["0::/"],
  files: [
    {
      path: "/bin/prog",
      devMajor: 254,
      devMinor: 0,
      ino: 1001,
      mode: 0o100755,
      size: 0x1000,
      segments: [{ size: 0x1000, perms: "r-xp", offset: 0 }],
    },
  ],
  programs: [
    { path: "/bin/prog", file: 0, libraries: [], bss: 0, heap: 0, anonymous: [], setuid: -1 },
    { path: "/bin/setuid", file: 0, libraries: [], bss: 0, heap: 0, anonymous: [], setuid: 0 },
  ],
};

/** Programs of {@link MODEL_CONFIG}. */
export const ORDINARY = 0;
export const SETUID_ROOT = 1;

/** What to execute. */
export function programSpec(index: number, seed = 1): ExecSpec {
  const program = MODEL_CONFIG.programs[index];
  if (program === undefined) throw new Error(`there is no program ${index}`);
  const empty = new Uint8Array(0);
  return { program, argv: empty, envp: empty, random: new Random(seed) };
}

/** Makes the machine of a scenario: process 1 runs, the paths have their form, the scenario's setup has run. */
export function makeModel(spec: Scenario, form: Form): { k: Kernel; plan: unknown } {
  const k = Kernel.create(ARENA, MODEL_CONFIG, { debug: true });
  k.busy();
  bootKernel(k);
  startInit(k);
  const paths = spec.paths ?? [];
  for (const path of paths) k.m.store(HOST.pathMode + path, form === "locked" ? LOCKED : LOCKFREE);
  const plan = spec.setup(k, form);
  k.quiescent();
  k.slab.reclaim();
  k.idle();
  return { k, plan };
}

function startInit(k: Kernel): void {
  copyProcess(k, k.m.load(HOST.idleTask), 0, { pid: 1 });
  const task = findTask(k, 1);
  adoptInit(k, task);
  execTask(k, task, programSpec(ORDINARY));
}

/** A thread's handle: stocked with objects, and online. */
export function attachThread(buffer: SharedArrayBuffer): Kernel {
  const k = Kernel.attach(buffer, MODEL_CONFIG, { debug: true });
  k.busy();
  for (let cache = 0; cache < MAX_CACHES; cache++) stock(k, cache);
  return k;
}

function stock(k: Kernel, cache: number): void {
  const words = k.m.load(HOST.caches + cache * SLAB_CACHE.words + SLAB_CACHE.objectWords);
  if (words === 0 || words > HUGE) return;
  const objects: Ptr[] = [];
  for (let i = words > LARGE ? 1 : STOCK; i > 0; i--) objects.push(k.slab.allocDirty(cache));
  for (let object = objects.pop(); object !== undefined; object = objects.pop()) k.slab.free(object);
}

/** One thread of a scenario, from its start to its end, at which it holds nothing. */
export function runThread(spec: Scenario, name: string, k: Kernel, plan: unknown): unknown {
  const thread = spec.threads[name];
  if (thread === undefined) throw new Error(`${spec.name} has no thread ${name}`);
  const result = thread(k, plan);
  k.idle();
  return result;
}

/** The verdict on a run, when all threads have ended. @returns what is wrong, or null */
export function judge(spec: Scenario, k: Kernel, plan: unknown, results: Results, form: Form): string | null {
  k.busy();
  const wrong = spec.check(k, plan, results, form);
  k.idle();
  return wrong;
}

/** Words of shared memory for a scenario's own use, zero. Called by setup. */
export function words(k: Kernel, count: number): Ptr {
  const at = k.m.add(HOST.breakAt, count);
  k.m.plainZero(at, count);
  return at;
}
