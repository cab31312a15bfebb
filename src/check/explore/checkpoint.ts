/**
 * The state of JavaScript objects, captured once and restored before each execution: what a thread's handle remembers
 * (free objects, locks held, waits), and whatever else is reached from some roots.
 *
 * Captured are own properties of objects of any class, elements of arrays, maps and sets, and numbers of typed arrays.
 * Functions are not looked into, nor shared memory, nor what is frozen. Objects that an execution makes are forgotten.
 */

/** Restores one object; a closure for each kind of object, so that each stays simple for the compiler. */
type Restore = () => void;

export class Checkpoint {
  private readonly restores: Restore[] = [];

  /** Captures everything that is reached from the roots. */
  constructor(roots: readonly unknown[]) {
    const seen = new Set<object>();
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
    for (const restore of this.restores) restore();
  }

  private capture(value: object, open: unknown[]): void {
    if (ArrayBuffer.isView(value)) this.captureView(value);
    else if (value instanceof SharedArrayBuffer || value instanceof ArrayBuffer) return;
    else if (Array.isArray(value)) this.captureArray(value as unknown[], open);
    else if (value instanceof Map) this.captureMap(value as Map<unknown, unknown>, open);
    else if (value instanceof Set) this.captureSet(value as Set<unknown>, open);
    else this.captureObject(value as Record<string, unknown>, open);
  }

  private captureView(view: ArrayBufferView): void {
    if (view.buffer instanceof SharedArrayBuffer) return;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const saved = bytes.slice();
    this.restores.push(() => bytes.set(saved));
  }

  private captureArray(array: unknown[], open: unknown[]): void {
    open.push(...array);
    if (Object.isFrozen(array)) return;
    const saved = array.slice();
    this.restores.push(() => {
      if (array.length !== saved.length) array.length = saved.length;
      for (let i = 0; i < saved.length; i++) if (array[i] !== saved[i]) array[i] = saved[i];
    });
  }

  private captureMap(map: Map<unknown, unknown>, open: unknown[]): void {
    const saved = [...map];
    for (const [key, value] of saved) open.push(key, value);
    this.restores.push(() => {
      map.clear();
      for (const [key, value] of saved) map.set(key, value);
    });
  }

  private captureSet(set: Set<unknown>, open: unknown[]): void {
    const saved = [...set];
    open.push(...saved);
    this.restores.push(() => {
      set.clear();
      for (const value of saved) set.add(value);
    });
  }

  private captureObject(object: Record<string, unknown>, open: unknown[]): void {
    const keys = Object.keys(object);
    const saved = keys.map((key) => object[key]);
    open.push(...saved);
    if (Object.isFrozen(object)) return;
    this.restores.push(() => {
      for (let i = 0; i < keys.length; i++) {
        const key = keys[i];
        if (object[key] !== saved[i]) object[key] = saved[i];
      }
      if (Object.keys(object).length !== keys.length) removeOthers(object, keys);
    });
  }
}

function removeOthers(object: Record<string, unknown>, keys: readonly string[]): void {
  for (const key of Object.keys(object)) if (!keys.includes(key)) delete object[key];
}
