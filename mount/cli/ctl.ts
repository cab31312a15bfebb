/** `synthproc ctl DIR COMMAND ...`: makes something happen in a mounted simulation; `--list` says what there is. */
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { controlFile } from "../control-file.ts";
import { EXIT } from "./exit-codes.ts";
import { findOurMount } from "./mounted.ts";
import { submit } from "./submit.ts";

export interface CtlOptions {
  /** Go on after a command that is refused. */
  keepGoing: boolean;
}

export interface CtlStreams {
  stdin: NodeJS.ReadableStream;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/**
 * Prints the commands there are.
 * @param dir a mount, whose commands are shown; without one: those of a mount that this program would serve
 */
export async function listCommands(dir: string | undefined, stdout: { write(text: string): unknown }): Promise<number> {
  if (dir === undefined) {
    const { helpText } = await import("../../src/mutate/control/control.ts");
    stdout.write(`${helpText()}\n`);
  } else {
    stdout.write(await readFile(controlFile(findOurMount(dir).dir), "utf8"));
  }
  return EXIT.ok;
}

/** Without commands, reads them from standard input, one a line; empty lines and those that begin with # are skipped. */
export async function ctl(dir: string, commands: string[], options: CtlOptions, streams: CtlStreams): Promise<number> {
  const file = controlFile(findOurMount(dir).dir);
  let status = EXIT.ok;
  for await (const command of commands.length > 0 ? commands : linesOf(streams.stdin)) {
    const answer = await submit(file, command);
    if (answer.accepted) {
      streams.stdout.write(answer.text);
      continue;
    }
    streams.stderr.write(`synthproc: ${command}: ${answer.text}\n`);
    status = EXIT.failed;
    if (!options.keepGoing) {
      break;
    }
  }
  return status;
}

async function* linesOf(stdin: NodeJS.ReadableStream): AsyncGenerator<string> {
  for await (const line of createInterface({ input: stdin })) {
    const command = line.trim();
    if (command !== "" && !command.startsWith("#")) {
      yield command;
    }
  }
}
