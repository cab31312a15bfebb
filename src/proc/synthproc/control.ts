/** /proc/synthproc: the simulation's own files. */
import type { DirRow, Row } from "../row.ts";
import { CALLS } from "./calls.ts";
import type { ControlHandler } from "./ctl.ts";
import { ctlRow } from "./ctl.ts";
import { showCounters } from "./stats.ts";
import { transactionRow } from "./transaction.ts";

export type { Answer as ControlResult } from "./answer.ts";
export type { ControlHandler } from "./ctl.ts";

/** What /proc/synthproc shows of the outside. */
export interface SynthprocFiles {
  readonly control: ControlHandler;
  readonly version: string;
  /** The scenario as it was given, latin1. */
  readonly scenario: string;
}

/** The directory /proc/synthproc. */
export function synthprocRow(files: SynthprocFiles): DirRow {
  return {
    type: "dir",
    name: "synthproc",
    mode: 0o555,
    doc: "the simulation itself",
    rows: [
      ctlRow(files.control),
      ...CALLS.map(transactionRow),
      {
        type: "one",
        name: "stats",
        mode: 0o444,
        doc: "which way reads were served, and what the arena holds",
        show: showCounters,
      },
      textRow("scenario", "the scenario that runs", files.scenario),
      textRow("version", "version of synthproc", `${files.version}\n`),
    ],
  };
}

function textRow(name: string, doc: string, text: string): Row {
  return {
    type: "small",
    name,
    mode: 0o444,
    doc,
    show: (_c, out) => {
      out.str(text);
      return 0;
    },
  };
}
