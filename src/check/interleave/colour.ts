/** Which functions become generators: those that reach shared memory, and all that may be called in their place. */
import type { Key } from "./declarations.ts";
import type { Facts } from "./facts.ts";
import type { Problem } from "./problem.ts";
import { problemAt } from "./problem.ts";

/** Classes of functions that are of one kind (union-find). */
class Classes {
  private readonly parents = new Map<Key, Key>();

  find(key: Key): Key {
    let root = key;
    for (let parent = this.parents.get(root); parent !== undefined; parent = this.parents.get(root)) root = parent;
    for (let at = key; at !== root;) {
      const next = this.parents.get(at) as Key;
      this.parents.set(at, root);
      at = next;
    }
    return root;
  }

  unite(a: Key, b: Key): void {
    const from = this.find(a);
    const to = this.find(b);
    if (from !== to) this.parents.set(from, to);
  }
}

/** The kinds of a program's functions. */
export class Colours {
  private readonly classes = new Classes();
  private readonly callers = new Map<Key, Set<Key>>();
  private readonly coloured = new Set<Key>();
  private readonly always: ReadonlySet<Key>;

  /** @param always functions that are generators whatever they do */
  constructor(files: Iterable<Facts>, always: readonly Key[]) {
    const all = [...files];
    this.always = new Set(always);
    for (const { same } of all) for (const [a, b] of same) this.classes.unite(a, b);
    for (const facts of all) this.addCalls(facts);
    const reached = all.flatMap(({ accesses }) => accesses.filter((access) => access.kind === "step"));
    const places = reached.flatMap(({ place }) => ("key" in place ? [place.key] : []));
    this.spread([...always, ...places]);
  }

  /** True if the function is a generator. */
  isGenerator(key: Key): boolean {
    return this.coloured.has(this.classes.find(key));
  }

  /** What is wrong with a file, in the order of its lines. */
  problemsOf(facts: Facts): Problem[] {
    const { file } = facts;
    const problems = [...facts.problems];
    for (const { node, place, kind } of facts.accesses) {
      if (kind === "step" && "outside" in place) problems.push(problemAt(file, node, `shared access ${place.outside}`));
    }
    for (const { node, place, callee } of facts.calls) {
      if ("outside" in place && this.isGenerator(callee))
        problems.push(problemAt(file, node, `call that reaches shared memory ${place.outside}`));
    }
    for (const { key, problem } of facts.restrictions) if (this.isGenerator(key)) problems.push(problem);
    for (const { key, problem } of facts.unknown) if (!this.always.has(key)) problems.push(problem);
    const different = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
    return [...different.values()].sort((a, b) => a.line - b.line || a.column - b.column);
  }

  private addCalls({ calls }: Facts): void {
    for (const { place, callee } of calls) {
      if (!("key" in place)) continue;
      const name = this.classes.find(callee);
      const callers = this.callers.get(name) ?? new Set();
      callers.add(place.key);
      this.callers.set(name, callers);
    }
  }

  private spread(keys: readonly Key[]): void {
    const work = [...keys];
    for (let key = work.pop(); key !== undefined; key = work.pop()) {
      const name = this.classes.find(key);
      if (this.coloured.has(name)) continue;
      this.coloured.add(name);
      work.push(...(this.callers.get(name) ?? []));
    }
  }
}
