/** `synthproc capture`: a real /proc becomes a scenario. */
import { writeFileSync } from "node:fs";
import { captureScenario } from "../simulation.ts";
import type { CaptureOptions } from "../simulation.ts";
import { EXIT } from "./exit-codes.ts";

export interface CaptureFlags extends CaptureOptions {
  /** Undefined: standard output. */
  output?: string;
}

export async function capture(flags: CaptureFlags, stdout: { write(text: string): unknown }): Promise<number> {
  const yaml = await captureScenario(flags);
  if (flags.output === undefined) {
    stdout.write(yaml);
  } else {
    writeFileSync(flags.output, yaml);
  }
  return EXIT.ok;
}
