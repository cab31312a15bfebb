/**
 * Lines that move from CPU to CPU, one transfer at a time, in the order of asking. Who owned a line can't write it from the
 * beginning of the transfer, who has a copy can read that until its end.
 */
import type { Agenda } from "./agenda.ts";
import { What } from "./agenda.ts";
import type { MachineCounts } from "./counts.ts";
import type { Cpu } from "./cpu.ts";
import { isReading } from "./cpu.ts";
import type { Line } from "./line.ts";
import { NOBODY } from "./line.ts";
import type { Prices } from "./prices.ts";

export class Transfers {
  private readonly agenda: Agenda;
  private readonly prices: Prices;
  private readonly counts: MachineCounts;

  constructor(agenda: Agenda, prices: Prices, counts: MachineCounts) {
    this.agenda = agenda;
    this.prices = prices;
    this.counts = counts;
  }

  /** A CPU wants a line for its access: there will be an arrival. */
  ask(cpu: Cpu, line: Line<Cpu>): void {
    line.queue.push(cpu);
    if (!line.busy) this.serve(line, cpu.clock);
  }

  /** A line is there. */
  arrive(cpu: Cpu, line: Line<Cpu>, now: number): void {
    cpu.clock = now;
    if (!isReading(cpu.op)) {
      line.own(cpu.id);
      this.agenda.enter(now + this.prices.hold, What.release, cpu, line);
      return;
    }
    // A copy that was on its way when the line was taken from all is worth no more than this one look.
    if (cpu.epoch === line.epoch) line.share(cpu.id);
    if (cpu.serial) this.release(line, now);
  }

  /** A line may move on. */
  release(line: Line<Cpu>, now: number): void {
    line.busy = false;
    this.serve(line, now);
  }

  /** Sends a line to who asked first, and copies of it to all readers before the first writer. */
  private serve(line: Line<Cpu>, now: number): void {
    for (let cpu = line.queue.shift(); cpu !== undefined; cpu = line.queue.shift()) {
      this.counts.transfers++;
      if (!isReading(cpu.op)) {
        // Copies are good until it has it.
        line.owner = NOBODY;
        line.taken = now + line.writePrice(cpu.id, this.prices);
        this.send(line, cpu, line.taken, true);
        return;
      }
      const there = now + line.readPrice(cpu.id, this.prices);
      if (line.owner !== NOBODY) {
        // Its owner keeps a copy.
        line.owner = NOBODY;
        this.send(line, cpu, there, true);
        return;
      }
      this.send(line, cpu, there, false);
    }
  }

  /** @param serial others have to wait for it */
  private send(line: Line<Cpu>, cpu: Cpu, time: number, serial: boolean): void {
    if (serial) line.busy = true;
    cpu.serial = serial;
    cpu.epoch = line.epoch;
    this.agenda.enter(time, What.arrival, cpu, line);
  }
}
