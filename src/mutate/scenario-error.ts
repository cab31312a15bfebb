/** What can be wrong with a scenario. */
export type ScenarioErrorCode =
  "ESCENARIO_SYNTAX" | "ESCENARIO_UNKNOWN_KEY" | "ESCENARIO_MISSING_KEY" | "ESCENARIO_VALUE" | "ESCENARIO_REFERENCE";

/** One thing that is wrong with a scenario, and where; `message` is a whole sentence that begins with the place. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  readonly code: ScenarioErrorCode;
  readonly file: string;
  /** Counted from 1; 0 if the file as a whole is meant. */
  readonly line: number;
  /** Counted from 1; 0 if the file as a whole is meant. */
  readonly column: number;

  constructor(code: ScenarioErrorCode, file: string, line: number, column: number, reason: string) {
    super(line === 0 ? `${file}: ${reason}` : `${file}:${line}:${column}: ${reason}`);
    this.code = code;
    this.file = file;
    this.line = line;
    this.column = column;
  }
}
