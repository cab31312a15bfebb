/** Commands and calls to a mounted simulation, through its files synthproc/ctl and synthproc/<call>. */
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, errorText } from "./errors.ts";

const MAX_ANSWER = 65_536;
/** What the control file takes at once, less the newline. */
const MAX_COMMAND = 4095;

export interface Answer {
  accepted: boolean;
  /** What the command said, or why it was refused. */
  text: string;
}

/** @param dir where the simulation is mounted */
export function controlFile(dir: string): string {
  return join(dir, "synthproc", "ctl");
}

/**
 * The file of a call: kcmp, get_robust_list, pidfd_getfd.
 * @param dir where the simulation is mounted
 */
export function callFile(dir: string, name: string): string {
  return join(dir, "synthproc", name);
}

/**
 * One command or call over one open file: the write says whether, a read of the same file says what.
 * @throws Error of the system if the file can't be opened
 */
export async function submitCommand(path: string, command: string): Promise<Answer> {
  if (command.includes("\n") || Buffer.byteLength(command) > MAX_COMMAND) {
    return { accepted: false, text: `a command is one line of at most ${MAX_COMMAND} bytes` };
  }
  const file = await open(path, constants.O_RDWR);
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

async function readAnswer(file: FileHandle): Promise<string> {
  const buffer = Buffer.alloc(MAX_ANSWER);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
  return buffer.toString("utf8", 0, bytesRead);
}
