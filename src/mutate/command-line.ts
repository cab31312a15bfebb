/** Command lines as text. */
import { UnitError } from "./units.ts";

const WORD = /\s*((?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+)/gy;

/**
 * Splits a command line at white space; quotes and backslashes keep it together, as in a shell.
 *
 * @throws UnitError for an empty line or an open quote.
 */
export function splitCommandLine(line: string): string[] {
  const words: string[] = [];
  const text = line.trimEnd();
  WORD.lastIndex = 0;
  let end = 0;
  for (let match = WORD.exec(text); match !== null; match = WORD.exec(text)) {
    words.push(unquote(match[1]!));
    end = WORD.lastIndex;
  }
  if (end !== text.length || words.length === 0) {
    throw new UnitError(`${JSON.stringify(line)} is not a command line`);
  }
  return words;
}

function unquote(word: string): string {
  return word.replace(/\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_, escaped, double, single) =>
    escaped !== undefined ? escaped : double !== undefined ? double.replace(/\\(["\\$`])/g, "$1") : single,
  );
}
