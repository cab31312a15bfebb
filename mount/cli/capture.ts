/** `synthproc capture`: a real /proc becomes a scenario. */
import { writeFileSync } from "node:fs";
import { capture as captureProc } from "../capture.ts";
import { EXIT } from "./exit-codes.ts";

export interface CaptureFlags {
  /** Empty: all processes. */
  pids: readonly number[];
  procRoot: string;
  environ: boolean;
  /** Undefined: standard output. */
  output?: string;
}

export async function capture({ output, ...options }: CaptureFlags, streams: CaptureStreams): Promise<number> {
  const note = (sentence: string): void => void streams.stderr.write(`synthproc: ${sentence}\n`);
  const yaml = await captureProc({ ...options, note });
  if (output === undefined) {
    streams.stdout.write(yaml);
  } else {
    writeFileSync(output, yaml);
  }
  return EXIT.ok;
}

export interface CaptureStreams {
  stdout: { write(text: string): unknown };
  stderr: { write(text: string): unknown };
}
