/** `synthproc kcmp DIR PID1 PID2 TYPE [IDX1 IDX2]`: do two tasks of a mounted simulation share a resource? */
import { ArgumentError } from "../../src/proc/synthproc/transaction.ts";
import { parseKcmp } from "../../src/proc/synthproc/calls.ts";
import { callFile } from "../control-file.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";
import { findOurMount } from "./mounted.ts";
import { submit } from "./submit.ts";

export interface KcmpStreams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}

/** Prints the result of the call. @param words PID1 PID2 TYPE [IDX1 IDX2] */
export async function kcmp(dir: string, words: readonly string[], streams: KcmpStreams): Promise<number> {
  checkWords(words);
  const answer = await submit(callFile(findOurMount(dir).dir, "kcmp"), words.join(" "));
  if (answer.accepted) {
    streams.stdout.write(answer.text);
    return EXIT.ok;
  }
  streams.stderr.write(`synthproc: kcmp ${words.join(" ")}: ${answer.text}\n`);
  return EXIT.failed;
}

/** What makes no sense is wrong usage; what the call refuses is not. */
function checkWords(words: readonly string[]): void {
  try {
    parseKcmp(words);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new CommandError(EXIT.usage, `${error.message}; see synthproc kcmp --help`, { cause: error });
  }
}
