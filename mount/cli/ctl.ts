/** `synthproc ctl DIR COMMAND ...`: makes something happen in a mounted simulation. */
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { controlFile } from "../control-file.ts";
import { EXIT } from "./exit-codes.ts";
import { findOurMount } from "./mounted.ts";
import { submit } from "./submit.ts";

export interface CtlOptions {
  /** Go on after a command that is refused. */
  keepGoing: boolean;
  /** Only print the commands there are. */
  list: boolean;
}

export interface CtlStreams {
  stdin: NodeJS.ReadableStream;
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** Without commands, reads them from standard input, one a line; empty lines and those that begin with # are skipped. */
export async function ctl(dir: string, commands: string[], options: CtlOptions, streams: CtlStreams): Promise<number> {
  const file = controlFile(findOurMount(dir).dir);
  if (options.list) {
    streams.stdout.write(await readFile(file, "utf8"));
    return EXIT.ok;
  }
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
