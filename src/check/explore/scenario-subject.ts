/** A scenario of a transformed program, as the machine runs it. */
import { Cache, cacheName } from "../../kernel/caches.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, NULL_WORDS } from "../../kernel/layout.ts";
import { SLAB_CACHE } from "../../shm/slab.ts";
import { HEADER_WORDS } from "../../shm/struct.ts";
import type { Memory } from "../../sync/atomics.ts";
import type { LoadedProgram } from "../interleave/load.ts";
import type { Form, Results, Scenario } from "../scenario.ts";
import { copyOf } from "./machine/copy.ts";
import { runtime } from "./machine/runtime.ts";
import { Names } from "./names.ts";
import type { ObjectKinds, Subject } from "./subject.ts";
import { UnfitError } from "./subject.ts";

/** Looks that spinning waits take before they nap or sleep: the first one, and the one of whoever is about to. */
const SPINS = 1;

/**
 * Sets a scenario up, in an arena of its own.
 * @throws UnfitError if its plan can't be copied, or whatever its setup throws
 */
export function scenarioSubject(program: LoadedProgram, spec: Scenario, form: Form): Subject {
  const { model, sites } = program;
  runtime.disconnect();
  const { k, plan } = runtime.solo(model.makeModel(spec, form));
  // Each thread has a copy of its own, as real threads have: what it changes there, no other one sees.
  const plans = Object.keys(spec.threads).map(() => planCopy(plan));
  for (const one of [plan, ...plans]) freeze(one);
  const wordNames = new Names(k.m);
  const names = Object.keys(spec.threads);
  const handles = names.map(() => runtime.solo(model.attachThread(k.m.buffer)));
  for (const handle of handles) handle.m.spins = SPINS;
  return {
    memory: k.m,
    threads: handles.map((handle: Kernel, i) => ({
      name: names[i],
      rcuWord: handle.t.rcuWord,
      root: [handle, plans[i]],
      start: () => model.runThread(spec, names[i], handle, plans[i]),
    })),
    roots: [k, plan],
    timeouts: spec.timeouts ?? 0,
    objects: slabObjects(k.m),
    sites,
    nowhere: HOST.reserved + NULL_WORDS,
    nameWord: (at, object) => wordNames.word(at, object),
    mayHang: false,
    judge: (results) => {
      const named: Results = Object.fromEntries(names.map((name, i) => [name, results[i]]));
      return runtime.solo(model.judge(spec, k, plan, named, form));
    },
  };
}

function planCopy(plan: unknown): unknown {
  try {
    return copyOf(plan);
  } catch (error) {
    throw new UnfitError(`the plan that its setup gives can't be copied: ${(error as Error).message}`);
  }
}

/** A plan is data that is only read: who changes it is stopped, as far as that can be. */
function freeze(value: unknown): void {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return;
  Object.freeze(value);
  for (const part of Object.values(value)) freeze(part);
}

/** The slab allocator's objects. */
function slabObjects(m: Memory): ObjectKinds {
  return {
    headerWords: HEADER_WORDS,
    words: (cache) => m.load(HOST.caches + cache * SLAB_CACHE.words + SLAB_CACHE.objectWords),
    typeStable: (cache) => cache === Cache.vma,
    name: cacheName,
  };
}
