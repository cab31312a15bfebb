/** Turns a real /proc into a scenario. */
import { MountError } from "./errors.ts";

export interface CaptureOptions {
  /** Empty: all processes. */
  pids: readonly number[];
  /** Where the proc to capture is mounted. */
  procRoot: string;
  /** False leaves environments out, which often hold secrets. */
  environ: boolean;
  /** Takes one sentence about something that could not be captured. */
  note: (sentence: string) => void;
}

/** The scenario as YAML. */
export function capture(options: CaptureOptions): Promise<string> {
  return Promise.reject(new MountError("ESYNTH_OPTION", `Capturing ${options.procRoot} is not wired up yet.`));
}
