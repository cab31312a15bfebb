/** Commands on the simulation as a whole. */
import { heldExecs } from "../../kernel/exec-hold.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST } from "../../kernel/layout.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import type { Command } from "./command.ts";
import { DONE } from "./command.ts";
import type { Words } from "./words.ts";

const MOST_SPEED = 100_000;

export const MACHINE_COMMANDS: readonly Command[] = [
  { name: "pause", usage: "", doc: "simulated time stands still", run: (k, words) => pause(k, words, 1) },
  { name: "resume", usage: "", doc: "simulated time goes on", run: (k, words) => pause(k, words, 0) },
  { name: "speed", usage: "PERCENT", doc: "simulated time per real time", run: speed },
];

function pause(k: Kernel, words: Words, paused: number): ControlResult {
  words.end();
  k.m.store(HOST.mutatorPaused, paused);
  const held = paused === 0 ? 0 : heldExecs(k);
  return held === 0 ? DONE : { errno: 0, text: `${held} held exec or TSYNC: the locks are held until resume` };
}

function speed(k: Kernel, words: Words): ControlResult {
  const percent = words.integer("PERCENT", 1, MOST_SPEED);
  words.end();
  k.m.store(HOST.mutatorSpeed, percent);
  return DONE;
}
