/** The steps of the execution at hand: one row each, in arrays that the next execution writes over. */
import { MAX_THREADS } from "./operation.ts";

export class Steps {
  count = 0;
  readonly capacity: number;
  readonly thread: Uint8Array;
  readonly op: Uint8Array;
  readonly site: Int32Array;
  /** The word. */
  readonly at: Int32Array;
  readonly a: Int32Array;
  readonly b: Int32Array;
  readonly result: Int32Array;
  /** Place of the word in the tables of words.ts. */
  readonly slot: Int32Array;
  /** What the step did to its word, and to the queue of its sleepers. */
  readonly onWord: Uint8Array;
  readonly onQueue: Uint8Array;
  /** The thread's own clock after the step. */
  readonly index: Int32Array;
  /** For each step and thread: that thread's clock as far as the step comes after it. */
  readonly clock: Int32Array;

  /** @param capacity steps that an execution can have */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.thread = new Uint8Array(capacity);
    this.op = new Uint8Array(capacity);
    this.site = new Int32Array(capacity);
    this.at = new Int32Array(capacity);
    this.a = new Int32Array(capacity);
    this.b = new Int32Array(capacity);
    this.result = new Int32Array(capacity);
    this.slot = new Int32Array(capacity);
    this.onWord = new Uint8Array(capacity);
    this.onQueue = new Uint8Array(capacity);
    this.index = new Int32Array(capacity);
    this.clock = new Int32Array(capacity * MAX_THREADS);
  }
}
