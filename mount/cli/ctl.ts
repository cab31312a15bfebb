/** `synthproc ctl DIR COMMAND ...`: makes something happen in a mounted simulation. */
import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { errorCode, errorText } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";
import { findOurMount } from "./mounted.ts";

const MAX_ANSWER = 65_536;
/** What the control file takes at once, less the newline. */
const MAX_COMMAND = 4095;

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
  const file = join(findOurMount(dir).dir, "synthproc", "ctl");
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

interface Answer {
  accepted: boolean;
  /** What the command said, or why it was refused. */
  text: string;
}

/** One command over one open file: the write says whether, a read of the same file says what. */
async function submit(path: string, command: string): Promise<Answer> {
  if (command.includes("\n") || Buffer.byteLength(command) > MAX_COMMAND) {
    return { accepted: false, text: `a command is one line of at most ${MAX_COMMAND} bytes` };
  }
  const file = await openControl(path);
  try {
    await file.write(`${command}\n`, null, "utf8");
    return { accepted: true, text: await readAnswer(file) };
  } catch (error) {
    if (errorCode(error) === "") {
      throw error;
    }
    const reason = (await readAnswer(file)).trim();
    return { accepted: false, text: reason === "" ? errorText(error) : `${reason} (${errorCode(error)})` };
  } finally {
    await file.close();
  }
}

async function openControl(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDWR);
  } catch (error) {
    const status = ["EACCES", "EPERM"].includes(errorCode(error)) ? EXIT.permission : EXIT.failed;
    throw new CommandError(status, `${path} cannot be opened: ${errorText(error)}`, { cause: error });
  }
}

async function readAnswer(file: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(MAX_ANSWER);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return buffer.toString("utf8", 0, bytesRead);
}
