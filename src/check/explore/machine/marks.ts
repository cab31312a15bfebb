/** Where everything was before each step of an execution, so that the next one can begin at any of them. */
import type { Behaviour } from "./behaviour.ts";
import { ROOT } from "./behaviour.ts";
import type { Journal } from "./journal.ts";

export class Marks {
  private readonly journals: readonly Journal[];
  private readonly behaviours: readonly Behaviour[];
  /** Lengths, by step and journal. */
  private readonly lengths: Int32Array;
  /** By step and thread. */
  private readonly nodes: Int32Array;

  /**
   * @param steps that an execution can have
   * @param journals of all numbers that executions write
   * @param behaviours of the threads
   */
  constructor(steps: number, journals: readonly Journal[], behaviours: readonly Behaviour[]) {
    this.journals = journals;
    this.behaviours = behaviours;
    this.lengths = new Int32Array(steps * journals.length);
    this.nodes = new Int32Array(steps * behaviours.length);
  }

  /** Step `i` is the next one. */
  mark(i: number): void {
    const { journals, behaviours, lengths, nodes } = this;
    const length = i * journals.length;
    for (let j = 0; j < journals.length; j++) lengths[length + j] = journals[j].length;
    const node = i * behaviours.length;
    for (let t = 0; t < behaviours.length; t++) nodes[node + t] = behaviours[t].node;
  }

  /** Makes everything what it was before step `i`. */
  rewind(i: number): void {
    const { journals, behaviours, lengths, nodes } = this;
    for (let j = 0; j < journals.length; j++) journals[j].undo(lengths[i * journals.length + j]);
    for (let t = 0; t < behaviours.length; t++) behaviours[t].node = nodes[i * behaviours.length + t];
  }

  /** Makes everything what it was before the first execution. */
  reset(): void {
    for (const journal of this.journals) journal.undo(0);
    for (const behaviour of this.behaviours) behaviour.node = ROOT;
  }
}
