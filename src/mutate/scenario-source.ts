/** A scenario's text with the places of its values, so that every complaint names a line and a column. */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from "yaml";
import type { Document, Node } from "yaml";
import { ScenarioError } from "./scenario-error.ts";
import type { ScenarioErrorCode } from "./scenario-error.ts";

/** Keys and indices that lead from the root to a value. */
export type Path = readonly (string | number)[];

export class ScenarioSource {
  readonly file: string;
  private readonly lines = new LineCounter();
  private readonly document: Document;

  /** @throws ScenarioError ESCENARIO_SYNTAX */
  constructor(text: string, file: string) {
    this.file = file;
    this.document = parseDocument(text, { lineCounter: this.lines, merge: true, prettyErrors: false });
    const problem = this.document.errors[0] ?? this.document.warnings[0];
    if (problem !== undefined) {
      throw this.at("ESCENARIO_SYNTAX", problem.pos[0], problem.message);
    }
  }

  /**
   * The whole text as plain values.
   *
   * @throws ScenarioError ESCENARIO_SYNTAX if an alias leads nowhere or to too much.
   */
  value(): unknown {
    try {
      return this.document.toJS();
    } catch (error) {
      throw this.at("ESCENARIO_SYNTAX", 0, (error as Error).message);
    }
  }

  /** An error at the value that `path` leads to or, with `atKey`, at the last key of the path. */
  error(code: ScenarioErrorCode, path: Path, reason: string, atKey = false): ScenarioError {
    return this.at(code, this.offset(path, atKey), reason);
  }

  private at(code: ScenarioErrorCode, offset: number, reason: string): ScenarioError {
    const { line, col } = this.lines.linePos(offset);
    return new ScenarioError(code, this.file, Math.max(line, 1), Math.max(col, 1), reason);
  }

  /** Offset of the value or key; of its nearest parent if it comes from a merge key or isn't there. */
  private offset(path: Path, atKey: boolean): number {
    let node: unknown = this.document.contents;
    let offset = startOf(node) ?? 0;
    for (let i = 0; i < path.length; i++) {
      const step = childOf(this.resolve(node), path[i]!);
      if (step === undefined) {
        return offset;
      }
      const wantKey = atKey && i === path.length - 1;
      node = step.value;
      offset = (wantKey ? startOf(step.key) : startOf(node)) ?? startOf(step.key) ?? offset;
    }
    return offset;
  }

  private resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.document) : node;
  }
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

function childOf(node: unknown, step: string | number): { key: unknown; value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)];
    return value === undefined ? undefined : { key: value, value };
  }
  if (isMap(node)) {
    return node.items.find((pair) => String(isScalar(pair.key) ? pair.key.value : pair.key) === String(step));
  }
  return undefined;
}
