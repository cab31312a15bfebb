/** Which CPU has which cache line, and what accesses cost that nobody has to wait for. */
import type { Ptr } from "../../sync/atomics.ts";
import { WordOp } from "../interleave/backend.ts";
import type { MachineCounts } from "./counts.ts";
import type { Cpu, OpId } from "./cpu.ts";
import { isReading } from "./cpu.ts";
import { Line } from "./line.ts";
import type { Prices } from "./prices.ts";

const LINE_WORDS = 16;

export class Caches {
  private readonly cpus: number;
  private readonly prices: Prices;
  private readonly counts: MachineCounts;
  /** For each line: 0 untouched; n+1 only CPU n has used it; -n-1 it is `shared[n]`. */
  private readonly users: Int32Array;
  private readonly shared: Line<Cpu>[] = [];

  /** @param words of the arena */
  constructor(cpus: number, words: number, prices: Prices, counts: MachineCounts) {
    this.cpus = cpus;
    this.prices = prices;
    this.counts = counts;
    this.users = new Int32Array(Math.ceil(words / LINE_WORDS));
  }

  /** The line at a place, if others have used it too; undefined if it is this CPU's alone. */
  lineOf(cpu: Cpu, at: Ptr): Line<Cpu> | undefined {
    const index = Math.floor(at / LINE_WORDS);
    const user = this.users[index] as number;
    if (user === cpu.id + 1) return undefined;
    if (user < 0) return this.shared[-user - 1];
    if (user === 0) {
      this.users[index] = cpu.id + 1;
      cpu.clock += this.prices.near;
      return undefined;
    }
    const line = new Line<Cpu>(this.cpus, this.prices.socket);
    line.own(user - 1);
    this.users[index] = -this.shared.push(line);
    return line;
  }

  /** True if the CPU's access needs no transfer. */
  has(cpu: Cpu, line: Line<Cpu>): boolean {
    return isReading(cpu.op) ? line.readable(cpu.id) : line.owner === cpu.id;
  }

  /** The CPU, which has the line, pays for its access. */
  hit(cpu: Cpu): void {
    cpu.clock += this.hitPrice(cpu.op);
  }

  /** The CPU reads a line that nobody has written, and pays for it. */
  read(cpu: Cpu, line: Line<Cpu>): void {
    if (line.readable(cpu.id)) cpu.clock += this.prices.hit;
    else this.copy(cpu, line);
  }

  /** A plain access, to memory that nobody else may write or read meanwhile. */
  plain(cpu: Cpu, at: Ptr, bytes: number, writes: boolean): void {
    const end = at + Math.max(1, Math.ceil(bytes / 4));
    for (let word = at; word < end; word += LINE_WORDS - (word % LINE_WORDS)) this.plainLine(cpu, word, writes);
  }

  private plainLine(cpu: Cpu, at: Ptr, writes: boolean): void {
    const line = this.lineOf(cpu, at);
    if (line === undefined || (writes ? line.owner === cpu.id : line.readable(cpu.id))) {
      cpu.clock += this.prices.hit;
      return;
    }
    if (!writes) {
      this.copy(cpu, line);
      return;
    }
    this.counts.transfers++;
    cpu.clock += line.writePrice(cpu.id, this.prices);
    line.contended = true;
    line.own(cpu.id);
  }

  /** The CPU gets a copy, and pays for it. */
  private copy(cpu: Cpu, line: Line<Cpu>): void {
    this.counts.transfers++;
    cpu.clock += line.readPrice(cpu.id, this.prices);
    line.share(cpu.id);
  }

  private hitPrice(op: OpId): number {
    return isReading(op) || op === WordOp.store ? this.prices.hit : this.prices.rmw;
  }
}
