/** Cache lines that more than one CPU has used: who has them, and who wants them. */
import type { Prices } from "./prices.ts";

/** No CPU. */
export const NOBODY = -1;

export class Line<Waiting> {
  /** The CPU that may write it, or NOBODY: those that share it may read it. */
  owner = NOBODY;
  /** Somebody has written it since the second CPU came: when it is read matters from then on. */
  contended = false;
  /** On its way to a CPU that wants it alone, or not yet to be taken away from it. */
  busy = false;
  /** When a writer to whom it is on its way will have it; Infinity if it is on its way to none. */
  taken = Infinity;
  /** Counts how often it has been taken away from all who shared it. */
  epoch = 0;
  /** Who wants it, in the order of asking. */
  readonly queue: Waiting[] = [];
  private readonly sharers: Uint8Array;
  /** How many CPUs of each socket share it. */
  private readonly perSocket: Uint16Array;
  private readonly socket: number;

  constructor(cpus: number, socket: number) {
    this.sharers = new Uint8Array(cpus);
    this.perSocket = new Uint16Array(Math.ceil(cpus / socket));
    this.socket = socket;
  }

  /** True if the CPU can read it without asking anybody. */
  readable(cpu: number): boolean {
    return this.sharers[cpu] === 1;
  }

  /** One more CPU can read it; nobody can write it. */
  share(cpu: number): void {
    this.owner = NOBODY;
    this.add(cpu);
  }

  /** One CPU has it alone. */
  own(cpu: number): void {
    this.epoch++;
    this.taken = Infinity;
    this.sharers.fill(0);
    this.perSocket.fill(0);
    this.owner = cpu;
    this.add(cpu);
  }

  /** What it takes to read it: from its owner, or from the nearest CPU that shares it. */
  readPrice(cpu: number, prices: Prices): number {
    const socket = Math.floor(cpu / this.socket);
    return (this.perSocket[socket] as number) > 0 ? prices.near : prices.far;
  }

  /** What it takes to have it alone: everybody else has to give it up. */
  writePrice(cpu: number, prices: Prices): number {
    const socket = Math.floor(cpu / this.socket);
    return this.perSocket.some((count, other) => other !== socket && count > 0) ? prices.far : prices.near;
  }

  private add(cpu: number): void {
    if (this.sharers[cpu] === 1) return;
    this.sharers[cpu] = 1;
    const socket = Math.floor(cpu / this.socket);
    this.perSocket[socket] = (this.perSocket[socket] as number) + 1;
  }
}
