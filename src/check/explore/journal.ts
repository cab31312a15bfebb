/** Old values of all words that an execution writes, so that the next one starts from the same arena. */
import type { Ptr } from "../../sync/atomics.ts";

export class Journal {
  private readonly words: Int32Array;
  private places: Int32Array = new Int32Array(4096);
  private values: Int32Array = new Int32Array(4096);
  private length = 0;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** A word is about to be written. */
  note(at: Ptr): void {
    if (this.length === this.places.length) this.grow();
    this.places[this.length] = at;
    this.values[this.length++] = this.words[at];
  }

  /** `count` words are about to be written. */
  noteRange(at: Ptr, count: number): void {
    for (let i = at; i < at + count; i++) this.note(i);
  }

  /** Gives all words their old values. */
  undo(): void {
    const { words, places, values } = this;
    for (let i = this.length - 1; i >= 0; i--) words[places[i]] = values[i];
    this.length = 0;
  }

  /** What has been written so far stays. */
  commit(): void {
    this.length = 0;
  }

  private grow(): void {
    this.places = doubled(this.places);
    this.values = doubled(this.values);
  }
}

function doubled(array: Int32Array): Int32Array {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}
