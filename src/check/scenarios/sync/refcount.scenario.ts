/** Reference counts by themselves. */
import type { Kernel } from "../../../kernel/kernel.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { refcountDecAndTest, refcountInc, refcountIncNotZero } from "../../../sync/refcount.ts";
import { words } from "../../model.ts";
import { scenario } from "../../scenario.ts";

interface Plan {
  readonly ref: Ptr;
  /** How often the object has been freed. */
  readonly freed: Ptr;
}

/** An object with so many references. */
function withReferences(k: Kernel, count: number): Plan {
  const ref = words(k, 1);
  k.m.store(ref, count);
  return { ref, freed: words(k, 1) };
}

function put(k: Kernel, { ref, freed }: Plan): void {
  if (refcountDecAndTest(k.m, ref)) k.m.add(freed, 1);
}

/** Looks at the object with a reference of its own. @returns how often it has been freed; null if it was dead */
function lookAt(k: Kernel, plan: Plan): number | null {
  if (!refcountIncNotZero(k.m, plan.ref)) return null;
  const seen = k.m.load(plan.freed);
  put(k, plan);
  return seen;
}

function judge(k: Kernel, { ref, freed }: Plan, looks: readonly (number | null)[]): string | null {
  if (looks.some((look) => look !== null && look !== 0)) return "a reader had a reference of a freed object";
  if (k.m.load(ref) !== 0) return `${k.m.load(ref)} references are left`;
  return k.m.load(freed) === 1 ? null : `freed ${k.m.load(freed)} times`;
}

export const getOrFree = scenario({
  name: "refcount/get-or-free",
  about: "the last reference goes while two others take one, if they can: it is freed once, and under nobody's eyes",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 1),
  threads: { owner: put, reader: lookAt, other: lookAt },
  check: (k, plan, { reader, other }) => judge(k, plan, [reader, other]),
});

export const share = scenario({
  name: "refcount/share",
  about: "two holders, one of whom takes a second reference, drop all of them: the last one frees",
  quick: true,
  setup: (k: Kernel) => withReferences(k, 2),
  threads: {
    first: (k, plan): void => {
      refcountInc(k.m, plan.ref);
      put(k, plan);
      put(k, plan);
    },
    second: put,
    reader: lookAt,
  },
  check: (k, plan, { reader }) => judge(k, plan, [reader]),
});
