/** What is going to happen to the CPUs, and when. */
import type { Cpu } from "./cpu.ts";
import type { Timed } from "./events.ts";
import { EventQueue } from "./events.ts";
import type { Line } from "./line.ts";

/** What an event is. */
export const What = {
  /** The CPU's access begins, or its thread goes on if it has none. */
  turn: 0,
  /** The line that the CPU waits for is there. */
  arrival: 1,
  /** A line may move on. */
  release: 2,
  /** A sleep has been long enough. */
  timeout: 3,
} as const;

export interface Event extends Timed {
  what: (typeof What)[keyof typeof What];
  cpu: Cpu;
  line: Line<Cpu> | undefined;
  /** Of the sleep that a timeout ends. */
  sleep: number;
}

export class Agenda extends EventQueue<Event> {
  enter(time: number, what: Event["what"], cpu: Cpu, line?: Line<Cpu>): void {
    this.push({ time, order: 0, what, cpu, line, sleep: cpu.sleep });
  }
}
