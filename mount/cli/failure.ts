/** Errors on their way to the user: one sentence and an exit status. */
import { ScenarioError } from "../../src/mutate/scenario-error.ts";
import { errorCode, MountError } from "../errors.ts";
import type { MountErrorCode } from "../errors.ts";
import { EXIT } from "./exit-codes.ts";

/** An error that a command has found itself. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const OF_MOUNT: Record<MountErrorCode, number> = {
  ESYNTH_NO_FUSE: EXIT.noFuse,
  ESYNTH_NO_MOUNT_PROGRAM: EXIT.noFuse,
  ESYNTH_NO_TRANSPORT: EXIT.noFuse,
  ESYNTH_PERMISSION: EXIT.permission,
  ESYNTH_NO_DIR: EXIT.mountPoint,
  ESYNTH_NOT_DIR: EXIT.mountPoint,
  ESYNTH_BUSY: EXIT.mountPoint,
  ESYNTH_STALE: EXIT.mountPoint,
  ESYNTH_OPTION: EXIT.usage,
  ESYNTH_COMMAND: EXIT.failed,
  ESYNTH_RECORDING: EXIT.failed,
  ESYNTH_MOUNT_FAILED: EXIT.mountFailed,
  ESYNTH_UNMOUNT_FAILED: EXIT.mountFailed,
  ESYNTH_PROTOCOL: EXIT.mountFailed,
  ESYNTH_THREAD: EXIT.mountFailed,
  ESYNTH_METRICS: EXIT.mountFailed,
};

export interface Failure {
  status: number;
  /** One line, without the program's name. */
  sentence: string;
}

/** What to say about anything that was thrown. An unexpected error keeps its stack, since it is our own mistake. */
export function explain(error: unknown): Failure {
  if (error instanceof CommandError) {
    return { status: error.status, sentence: oneLine(error.message) };
  }
  if (error instanceof ScenarioError || isBuildError(error)) {
    return { status: EXIT.scenario, sentence: oneLine(error.message) };
  }
  if (isProgramError(error)) {
    return { status: EXIT.failed, sentence: oneLine(error.message) };
  }
  if (error instanceof MountError) {
    return { status: OF_MOUNT[error.code], sentence: oneLine(error.message) };
  }
  if (error instanceof Error && /^E[A-Z0-9]+$/.test(errorCode(error))) {
    const status = ["EACCES", "EPERM"].includes(errorCode(error)) ? EXIT.permission : EXIT.failed;
    return { status, sentence: oneLine(systemSentence(error.message)) };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { status: EXIT.internal, sentence: `internal error, please report it: ${text}` };
}

/** What Node says of a system call, "ENOENT: no such file or directory, open '/x'", as the rest of us says it. */
function systemSentence(message: string): string {
  const match = /^(E[A-Z0-9]+): ([^,]+), \w+ '([^']+)'$/.exec(message);
  return match === null ? message : `${match[3]}: ${match[2]} (${match[1]})`;
}

/** Told by its code: the class comes with all that builds tables, which few commands need. */
function isBuildError(error: unknown): error is Error {
  return error instanceof Error && errorCode(error) === "ESYNTH_BUILD";
}

/** Told by its code: the class comes with what loads programs, which only `check` needs. */
function isProgramError(error: unknown): error is Error {
  return error instanceof Error && /^ESYNTH_(SCENARIO_FILE|PROGRAM_CHANGED)$/.test(errorCode(error));
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, " ").trim();
}
