/**
 * What a thread does, as far as runs of its code have shown. A thread's next access depends on nothing but the answers that
 * its accesses have been given so far, so this is a tree: a node is an access, its branches are the answers. As long as a
 * thread is given answers that it was given before, nobody has to run its code. The verdict is like a thread to whom the
 * threads' results are answers, too.
 */
import { inspect } from "node:util";
import { enlarged } from "./journal.ts";

/** A row for each node. The first column has the operation and the site, a node is where its row begins. */
const KIND = 0;
const AT = 1;
const A = 2;
const B = 3;
const PARENT = 4;
/** The answer of the parent's access that leads here. */
const ANSWER = 5;
const CHILD = 6;
const SIBLING = 7;
const ROW = 8;

/** Where every thread begins. Row 0 is not used: 0 is no node. */
export const ROOT = ROW;

const OP_BITS = 5;
const OP_MASK = (1 << OP_BITS) - 1;

/** Instead of an operation: what comes here is not known. */
export const UNKNOWN = OP_MASK;
/** The thread has ended. */
export const ENDED = OP_MASK - 1;
/** A verdict asks for a thread's result. */
const RESULT = OP_MASK - 2;

/** All of a value. */
const WHOLE = { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity, breakLength: Infinity };

export class Behaviour {
  /** Where the thread is: at the access that it makes next. */
  node = ROOT;
  private rows: Int32Array = new Int32Array(256 * ROW);
  private length = 0;
  /** Results by number, and numbers by what a result looks like: equal ones have the same. */
  private readonly results: unknown[] = [];
  private readonly numbers = new Map<string, number>();

  constructor() {
    this.clear();
  }

  /** Nodes that are known. */
  get size(): number {
    return this.length / ROW - 1;
  }

  /** Forgets everything but what results there are. */
  clear(): void {
    this.length = ROOT;
    this.node = this.add(0, 0);
  }

  /** The operation that comes next, or UNKNOWN, or ENDED. */
  get op(): number {
    return this.rows[this.node + KIND] & OP_MASK;
  }

  get site(): number {
    return this.rows[this.node + KIND] >>> OP_BITS;
  }

  get at(): number {
    return this.rows[this.node + AT];
  }

  get a(): number {
    return this.rows[this.node + A];
  }

  get b(): number {
    return this.rows[this.node + B];
  }

  /** What the thread returned. @pre it has ended */
  get result(): unknown {
    return this.results[this.a];
  }

  /** A number that equal results have. @pre as before */
  get resultNumber(): number {
    return this.a;
  }

  /** The thread makes an access. @returns false if it made another one when it was given the same answers before */
  make(op: number, site: number, at: number, a: number, b: number): boolean {
    const { rows, node } = this;
    const kind = (site << OP_BITS) | op;
    if (rows[node + KIND] !== UNKNOWN) {
      return rows[node + KIND] === kind && rows[node + AT] === at && rows[node + A] === a && rows[node + B] === b;
    }
    rows[node + KIND] = kind;
    rows[node + AT] = at;
    rows[node + A] = a;
    rows[node + B] = b;
    return true;
  }

  /** The thread returns. @returns false if it did something else when it was given the same answers before */
  end(result: unknown): boolean {
    const look = inspect(result, WHOLE);
    const number = this.numbers.get(look) ?? this.results.push(result) - 1;
    this.numbers.set(look, number);
    return this.make(ENDED, 0, 0, number, 0);
  }

  /** The verdict is told a thread's result. @pre it's told them all, in the same order, before it does anything else */
  tell(resultNumber: number): void {
    this.make(RESULT, 0, 0, 0, 0);
    this.answer(resultNumber);
  }

  /** The access is given an answer. */
  answer(value: number): void {
    const { rows } = this;
    let child = rows[this.node + CHILD];
    while (child !== 0 && rows[child + ANSWER] !== value) child = rows[child + SIBLING];
    this.node = child === 0 ? this.add(this.node, value) : child;
  }

  /** The answers that lead from a node to where the thread is. */
  path(from: number): number[] {
    const { rows } = this;
    const answers: number[] = [];
    for (let at = this.node; at !== from; at = rows[at + PARENT]) answers.push(rows[at + ANSWER]);
    return answers.reverse();
  }

  private add(parent: number, answer: number): number {
    const node = this.length;
    this.length += ROW;
    if (this.length > this.rows.length) this.rows = enlarged(this.rows, 0);
    const { rows } = this;
    rows[node + KIND] = UNKNOWN;
    rows[node + PARENT] = parent;
    rows[node + ANSWER] = answer;
    rows[node + CHILD] = 0;
    rows[node + SIBLING] = rows[parent + CHILD];
    rows[parent + CHILD] = node;
    return node;
  }
}
