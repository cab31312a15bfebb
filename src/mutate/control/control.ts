/** The control language: one command a line, words as in a shell. */
import { EINVAL, ENOMEM } from "../../kernel/errno.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import type { ControlHandler, ControlResult } from "../../proc/synthproc/control.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import type { Command } from "./command.ts";
import { FILE_COMMANDS } from "./file-commands.ts";
import { IDENTITY_COMMANDS } from "./identity-commands.ts";
import { MACHINE_COMMANDS } from "./machine-commands.ts";
import { MEMORY_COMMANDS } from "./memory-commands.ts";
import { PROCESS_COMMANDS } from "./process-commands.ts";
import { UsageError, Words, splitLine } from "./words.ts";
import type { World } from "./world.ts";

export type { World } from "./world.ts";

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  ...PROCESS_COMMANDS,
  ...MEMORY_COMMANDS,
  ...IDENTITY_COMMANDS,
  ...FILE_COMMANDS,
  ...MACHINE_COMMANDS,
  {
    name: "help",
    usage: "[COMMAND]",
    doc: "what there is",
    run: (_k, words) => {
      const name = words.more() ? words.text("COMMAND") : null;
      words.end();
      return { errno: 0, text: name === null ? helpText() : describe(find(name)) };
    },
  },
];

/**
 * Carries out one command.
 * @param line without a newline, one byte a character; quotes and backslashes as in a shell
 * @returns 0 and what the command prints; or an errno and the reason; or WOULD_WAIT: nothing has been done
 * @pre RCU online, nothing held
 */
export function runCommand(k: Kernel, line: string, world: World): ControlResult {
  let command: Command | null = null;
  try {
    const words = splitLine(line);
    command = find(words[0] as string);
    return command.run(k, new Words(words.slice(1), command.options ?? {}), world);
  } catch (error) {
    if (error instanceof ArenaFullError) return { errno: ENOMEM, text: "the simulation's memory is full" };
    if (!(error instanceof UsageError)) throw error;
    const usage = command === null ? "" : `; usage: ${usageOf(command)}`;
    return { errno: EINVAL, text: `${error.message}${usage}` };
  }
}

/** What the file ctl needs to run commands. */
export function controlHandler(world: World): ControlHandler {
  return { run: (k, line) => runCommand(k, line, world), help: `${helpText()}\n` };
}

/** All commands with their arguments and what they do, a line each, without a newline at the end. */
export function helpText(): string {
  return COMMANDS.map((command) => `${usageOf(command)}: ${command.doc}`).join("\n");
}

function find(name: string): Command {
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) throw new UsageError(`there is no command "${name}" (help lists them)`);
  return command;
}

function usageOf({ name, usage }: Command): string {
  return usage === "" ? name : `${name} ${usage}`;
}

function describe(command: Command): string {
  return `${usageOf(command)}\n${command.doc}`;
}
