/**
 * What a scenario is: a few threads that run shipped code over one arena, and what must hold afterwards, whatever the
 * interleaving. The explorer runs a scenario transformed (each access to shared memory is a step that it may delay), real
 * threads run the same file as it is.
 *
 *     import type { Kernel } from "../../kernel/kernel.ts";
 *     import type { Ptr } from "../../sync/atomics.ts";
 *     import { LockClass } from "../../sync/lockdep.ts";
 *     import { SPINLOCK_WORDS, spinLock, spinUnlock } from "../../sync/spinlock.ts";
 *     import { words } from "../model.ts";
 *     import { scenario } from "../scenario.ts";
 *
 *     interface Plan {
 *       readonly lock: Ptr;
 *       readonly count: Ptr;
 *     }
 *
 *     function raise(k: Kernel, { lock, count }: Plan): number {
 *       spinLock(k.t, lock, LockClass.stats);
 *       const before = k.m.load(count);
 *       k.m.store(count, before + 1);
 *       spinUnlock(k.t, lock, LockClass.stats);
 *       return before;
 *     }
 *
 *     export const counted = scenario({
 *       name: "counter/counted",
 *       about: "two threads that count under a lock find different counts",
 *       setup: (k): Plan => ({ lock: words(k, SPINLOCK_WORDS), count: words(k, 1) }),
 *       threads: { first: raise, second: raise },
 *       check: (_k, _plan, { first, second }) => (first + second === 1 ? null : `they found ${first} and ${second}`),
 *     });
 *
 * Setup and check run alone, before the first step of a thread and after the last one. Whatever threads share lies in the
 * arena; the plan is data that is only read (objects, arrays, numbers), since real threads get a copy of it each. A thread
 * returns what can be cloned. Each thread is online for RCU when it starts, and must hold nothing when it returns.
 *
 * A file `*.scenario.ts` below `scenarios` exports scenarios and nothing else: these files are all the scenarios there are.
 */
import type { Kernel } from "../kernel/kernel.ts";
import type { PathId } from "../kernel/knobs.ts";

/** The form of the paths that a scenario names. */
export type Form = "lockfree" | "locked";

/** How much of a scenario is explored when nobody says otherwise. */
export type Extent =
  /** Every interleaving, up to the order of accesses that don't conflict. */
  | { readonly kind: "all" }
  /** Every interleaving with at most so many preemptions. */
  | { readonly kind: "bounded"; readonly preemptions: number }
  /** So many interleavings, by seed, with so many points of change of priority. */
  | { readonly kind: "sampled"; readonly runs: number; readonly depth: number };

/** Of a scenario: of both forms, or of each by itself. */
export type ScenarioExtent = Extent | Readonly<Partial<Record<Form, Extent>>>;

/** Results of a scenario's threads, by their names. */
export type Results = Record<string, unknown>;

export interface ScenarioSpec<Plan, R extends Results> {
  /** `protocol/what`, such as "io/exec-setuid": what `synthproc check` takes, or a beginning of it. */
  readonly name: string;
  /** One line: what is shown. */
  readonly about: string;
  /** The paths that take the form. None: the scenario has one form, which is called lockfree. */
  readonly paths?: readonly PathId[];
  /** Forms in which it is explored; both unless given. */
  readonly forms?: readonly Form[];
  /** All interleavings unless given; a form that isn't named has all of them, too. */
  readonly extent?: ScenarioExtent;
  /** True if it's among those that every test run explores: seconds, not minutes. */
  readonly quick?: boolean;
  /** How often waits may run out of time though nothing else stands still; 0 unless given. See explore/machine/threads.ts. */
  readonly timeouts?: number;
  /** True if a thread waits for what another one does: they can't run one after another in each order. */
  readonly together?: boolean;
  /** Makes what the threads work on. @param k the thread that made the arena; not one of the scenario's threads */
  setup(k: Kernel, form: Form): Plan;
  /** At most eight. Each has a handle of its own on the arena. */
  readonly threads: { readonly [N in keyof R]: (k: Kernel, plan: Plan) => R[N] };
  /** @returns what is wrong, or null */
  check(k: Kernel, plan: Plan, results: R, form: Form): string | null;
}

/** A scenario whose plan and results are its own affair. */
export type Scenario = ScenarioSpec<unknown, Results>;

/** Declares a scenario. */
export function scenario<Plan, R extends Results>(spec: ScenarioSpec<Plan, R>): Scenario {
  return spec as unknown as Scenario;
}

/** The scenarios of a `*.scenario.ts`. @param exports all that it exports */
export function scenariosOf(exports: object): Scenario[] {
  return Object.entries(exports).map(([name, value]) => {
    if (!isScenario(value)) throw new Error(`a scenario file exports scenarios: ${name} is none`);
    return value;
  });
}

function isScenario(value: unknown): value is Scenario {
  return typeof value === "object" && value !== null && "name" in value && "setup" in value && "threads" in value;
}

const EVERYTHING: Extent = { kind: "all" };

/** How much of a form of a scenario is explored when nobody says otherwise. */
export function extentOf({ extent = EVERYTHING }: Scenario, form: Form): Extent {
  return "kind" in extent ? extent : (extent[form] ?? EVERYTHING);
}

/** The forms in which a scenario is explored. */
export function formsOf(spec: Scenario): readonly Form[] {
  if (spec.forms !== undefined) return spec.forms;
  return spec.paths === undefined || spec.paths.length === 0 ? ["lockfree"] : ["lockfree", "locked"];
}
