/** Old values of all numbers that an execution writes, so that it can be undone: wholly, or back to one of its steps. */

export class Journal {
  private target: Int32Array;
  private places: Int32Array = new Int32Array(4096);
  private values: Int32Array = new Int32Array(4096);
  /** Writes so far. */
  length = 0;

  /** @param target what is written */
  constructor(target: Int32Array) {
    this.target = target;
  }

  /** A number is about to be written. */
  note(at: number): void {
    if (this.length === this.places.length) this.grow();
    this.places[this.length] = at;
    this.values[this.length++] = this.target[at];
  }

  /** Gives everything the value that it had when there were `length` writes. */
  undo(length: number): void {
    const { target, places, values } = this;
    for (let i = this.length - 1; i >= length; i--) target[places[i]] = values[i];
    this.length = length;
  }

  /** The target is this one from now on: the same numbers, and more behind them. */
  move(target: Int32Array): void {
    this.target = target;
  }

  private grow(): void {
    this.places = enlarged(this.places, 0);
    this.values = enlarged(this.values, 0);
  }
}

/** A copy that is twice as long, or as long as it has to be. */
export function enlarged(array: Int32Array, least: number): Int32Array {
  const larger = new Int32Array(Math.max(least, array.length * 2));
  larger.set(array);
  return larger;
}
