/** What `synthproc check` has found: one document, from which text, page and `--json` are made. */
import type { Replay, Report } from "../../src/check/explore/report.ts";
import type { Extent, Form } from "../../src/check/scenario.ts";

/** A scenario in one of its forms, and how much of it is explored. */
export interface Job {
  readonly scenario: string;
  readonly form: Form;
  readonly about: string;
  readonly extent: Extent;
}

export type Verdict =
  /** Everything within the extent was explored, and nothing is wrong. */
  | "holds"
  /** The same, of a sample, which proves nothing. */
  | "nothing found"
  /** There is an interleaving that breaks it. */
  | "fails"
  /** Nothing is wrong so far, but a limit or a signal ended the exploration. */
  | "not finished"
  /** It was not begun, since something else fails or a signal came. */
  | "not run"
  /** It could not be explored: the scenario or the explorer itself is broken. */
  | "broken";

/** What ended an exploration that is not finished. */
export type End =
  /** It had as many executions as it may have. */
  | "executions"
  /** It took as long as it may take. */
  | "time"
  /** A signal came, or another scenario fails. */
  | "stopped";

export interface Outcome extends Job {
  readonly verdict: Verdict;
  /** Null unless it is not finished. */
  readonly ended: End | null;
  /** Null if it was not run, or is broken. */
  readonly report: Report | null;
  /** The run of the failing schedule. */
  readonly replay: Replay | null;
  /** Why it is broken. */
  readonly error: string | null;
}

export interface CheckResult {
  readonly version: string;
  readonly outcomes: readonly Outcome[];
  /** Threads that explored side by side. */
  readonly jobs: number;
  readonly milliseconds: number;
  /** The signal that ended it, if one did. */
  readonly interrupted: NodeJS.Signals | null;
}

/** The verdict that follows from a report. */
export function verdictOf({ failure, complete, extent }: Report): Verdict {
  if (failure !== null) return "fails";
  if (!complete) return "not finished";
  return extent.kind === "sampled" ? "nothing found" : "holds";
}
