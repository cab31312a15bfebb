/**
 * What a thread's accesses have given it. Whoever gives a new run of the thread the same answers brings it to the same
 * place, without touching the arena and without any other thread: an execution begins where it differs from the one before.
 */
import { enlarged } from "./journal.ts";

export class ThreadLog {
  /** Results of delayable accesses, and what each access was, as a number that hardly two share. */
  values: Int32Array = new Int32Array(1024);
  keys: Int32Array = new Int32Array(1024);
  length = 0;
  /** What plain accesses have read. */
  readonly reads: unknown[] = [];
  /** How many of both have been given again. */
  cursor = 0;
  readCursor = 0;

  /** Room for so many more results. */
  room(): number {
    return this.values.length - this.length;
  }

  append(key: number, value: number): void {
    if (this.length === this.values.length) this.grow();
    this.values[this.length] = value;
    this.keys[this.length++] = key;
  }

  grow(): void {
    this.values = enlarged(this.values, 0);
    this.keys = enlarged(this.keys, 0);
  }

  /** Forgets all but so many results and reads, which are to be given again. */
  rewind(length: number, reads: number): void {
    this.length = length;
    this.reads.length = reads;
    this.cursor = this.readCursor = 0;
  }
}

/** What tells accesses apart. */
export function accessKey(site: number, at: number): number {
  return Math.imul(site, 0x9e3779b1) ^ at;
}
