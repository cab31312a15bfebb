/**
 * The state of JavaScript objects, captured once and restored before each execution: what a thread's handle remembers
 * (free objects, locks held, waits), and whatever else is reached from some roots.
 *
 * Captured are own properties of objects of any class, elements of arrays, maps and sets, and numbers of typed arrays.
 * Functions are not looked into, nor shared memory; what is frozen can't change. Objects that an execution makes are
 * forgotten. Restoring is most of what an execution costs besides its steps, hence the care.
 */

type Properties = Record<string, unknown>;
type Setter = (object: Properties, saved: readonly unknown[]) => void;

/** Objects that have the same properties. */
interface Shape {
  readonly keys: readonly string[];
  readonly set: Setter;
  readonly objects: Properties[];
  readonly saved: unknown[][];
}

export class Checkpoint {
  private readonly arrays: unknown[][] = [];
  private readonly savedArrays: unknown[][] = [];
  /** Arrays of integers: most of all. */
  private readonly lists: number[][] = [];
  private readonly savedLists: number[][] = [];
  private readonly shapes = new Map<string, Shape>();
  private readonly shapeList: Shape[] = [];
  /** What is rare: maps, sets, typed arrays. */
  private readonly others: (() => void)[] = [];

  /**
   * Captures everything that is reached from the roots.
   * @param seen what other checkpoints have captured, which is left to them; what this one captures is added
   */
  constructor(roots: readonly unknown[], seen = new Set<object>()) {
    const open: unknown[] = [...roots];
    while (open.length > 0) {
      const value = open.pop();
      if (typeof value !== "object" || value === null || seen.has(value)) continue;
      seen.add(value);
      this.capture(value, open);
    }
  }

  /** Gives everything its captured state. */
  restore(): void {
    restoreLists(this.lists, this.savedLists);
    restoreArrays(this.arrays, this.savedArrays);
    for (const shape of this.shapeList) restoreObjects(shape);
    for (const restore of this.others) restore();
  }

  private capture(value: object, open: unknown[]): void {
    if (ArrayBuffer.isView(value)) this.captureView(value);
    else if (value instanceof SharedArrayBuffer || value instanceof ArrayBuffer) return;
    else if (Array.isArray(value)) this.captureArray(value as unknown[], open);
    else if (value instanceof Map) this.captureMap(value as Map<unknown, unknown>, open);
    else if (value instanceof Set) this.captureSet(value as Set<unknown>, open);
    else this.captureObject(value as Properties, open);
  }

  private captureView(view: ArrayBufferView): void {
    if (view.buffer instanceof SharedArrayBuffer) return;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const saved = bytes.slice();
    this.others.push(() => bytes.set(saved));
  }

  private captureArray(array: unknown[], open: unknown[]): void {
    open.push(...array);
    if (Object.isFrozen(array)) return;
    const ofIntegers = array.every((value) => typeof value === "number" && (value | 0) === value);
    (ofIntegers ? this.lists : this.arrays).push(array as number[]);
    (ofIntegers ? this.savedLists : this.savedArrays).push(array.slice() as number[]);
  }

  private captureMap(map: Map<unknown, unknown>, open: unknown[]): void {
    const saved = [...map];
    for (const [key, value] of saved) open.push(key, value);
    this.others.push(() => {
      map.clear();
      for (const [key, value] of saved) map.set(key, value);
    });
  }

  private captureSet(set: Set<unknown>, open: unknown[]): void {
    const saved = [...set];
    open.push(...saved);
    this.others.push(() => {
      set.clear();
      for (const value of saved) set.add(value);
    });
  }

  private captureObject(object: Properties, open: unknown[]): void {
    const keys = Object.keys(object);
    const saved = keys.map((key) => object[key]);
    open.push(...saved);
    if (Object.isFrozen(object)) return;
    const shape = this.shapeOf(keys);
    shape.objects.push(object);
    shape.saved.push(saved);
    if (Object.isExtensible(object)) this.forgetNew(object, keys);
  }

  private shapeOf(keys: readonly string[]): Shape {
    const name = JSON.stringify(keys);
    const known = this.shapes.get(name);
    if (known !== undefined) return known;
    const shape: Shape = { keys, set: setterOf(keys), objects: [], saved: [] };
    this.shapes.set(name, shape);
    this.shapeList.push(shape);
    return shape;
  }

  /** Objects of a class have the properties that they were made with; others may get new ones. */
  private forgetNew(object: Properties, keys: readonly string[]): void {
    if (Object.getPrototypeOf(object) !== Object.prototype) return;
    this.others.push(() => {
      if (Object.keys(object).length === keys.length) return;
      for (const key of Object.keys(object)) if (!keys.includes(key)) delete object[key];
    });
  }
}

/** As {@link restoreArrays}; one that compares nothing but integers is much faster. */
function restoreLists(lists: readonly number[][], savedLists: readonly number[][]): void {
  for (let n = 0; n < lists.length; n++) {
    const list = lists[n];
    const saved = savedLists[n];
    const { length } = saved;
    if (list.length !== length) list.length = length;
    for (let i = 0; i < length; i++) if (list[i] !== saved[i]) list[i] = saved[i];
  }
}

function restoreArrays(arrays: readonly unknown[][], savedArrays: readonly unknown[][]): void {
  for (let n = 0; n < arrays.length; n++) {
    const array = arrays[n];
    const saved = savedArrays[n];
    if (array.length !== saved.length) array.length = saved.length;
    for (let i = 0; i < saved.length; i++) if (array[i] !== saved[i]) array[i] = saved[i];
  }
}

function restoreObjects({ set, objects, saved }: Shape): void {
  for (let i = 0; i < objects.length; i++) set(objects[i], saved[i]);
}

/** A function that sets these properties, each by its name: several times as fast as one that takes names as values. */
function setterOf(keys: readonly string[]): Setter {
  const lines = keys.map((key, i) => {
    const property = `object[${JSON.stringify(key)}]`;
    return `if (${property} !== saved[${i}]) ${property} = saved[${i}];`;
  });
  return new Function("object", "saved", lines.join("\n")) as Setter;
}
