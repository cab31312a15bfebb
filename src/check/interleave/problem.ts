/** What the transform cannot treat soundly, and where. */
import ts from "typescript";

/** A place that has to be written differently. */
export interface Problem {
  /** Path from the root of the checkout. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** What is wrong, and what to do about it. */
  readonly message: string;
}

/** Thrown with everything that was rejected. */
export class TransformError extends Error {
  readonly code = "ESYNTH_TRANSFORM";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(["the sources cannot be explored:", ...problems.map(problemText)].join("\n  "));
    this.problems = problems;
  }
}

function problemText({ file, line, column, message }: Problem): string {
  return `${file}:${line}:${column} ${message}`;
}

/** A problem at a node. @param file path from the root of the checkout */
export function problemAt(file: string, node: ts.Node, message: string): Problem {
  const source = node.getSourceFile();
  const { line, character } = ts.getLineAndCharacterOfPosition(source, node.getStart(source));
  return { file, line: line + 1, column: character + 1, message };
}
