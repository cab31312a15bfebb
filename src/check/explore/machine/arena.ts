/** The memory that threads share: what operations do to its words, all of which can be undone. */
import type { Memory, Ptr } from "../../../sync/atomics.ts";
import { Journal } from "./journal.ts";
import type { OpId } from "./operation.ts";
import { OP_NAMES, Op } from "./operation.ts";

export class Arena {
  readonly memory: Memory;
  readonly words: Int32Array;
  /** What executions have done to `words`. */
  readonly journal: Journal;

  constructor(memory: Memory) {
    this.memory = memory;
    this.words = new Int32Array(memory.buffer);
    this.journal = new Journal(this.words);
  }

  /** True if an operation would write. */
  writes(op: OpId, at: Ptr, a: number): boolean {
    return op === Op.compareExchange ? this.words[at] === a : op >= Op.store && op < Op.compareExchange;
  }

  /** Does an operation on a word. @returns its answer */
  apply(op: OpId, at: Ptr, a: number, b: number): number {
    const { words } = this;
    const before = words[at];
    if (op <= Op.loadU32) return before;
    if (op === Op.compareExchange && before !== a) return before;
    this.journal.note(at);
    switch (op) {
      case Op.store:
        words[at] = a;
        return 0;
      case Op.add:
        words[at] = before + a;
        return before;
      case Op.or:
        words[at] = before | a;
        return before;
      case Op.and:
        words[at] = before & a;
        return before;
      case Op.exchange:
        words[at] = a;
        return before;
      case Op.compareExchange:
        words[at] = b;
        return before;
      default:
        throw new Error(`${OP_NAMES[op]} is no operation on a word`);
    }
  }
}
