/** Text in lines of limited length, and ANSI colours. */
import type { Verdict } from "./verdict.ts";

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  verdict(verdict: Verdict, text: string): string;
}

const ESCAPE = "\u001b[";

export function plainPaint(): Paint {
  const same = (text: string) => text;
  return { bold: same, dim: same, verdict: (_, text) => text };
}

export function colouredPaint(): Paint {
  const sgr = (code: number, off: number) => (text: string) => `${ESCAPE}${code}m${text}${ESCAPE}${off}m`;
  const [bold, dim, better, worse] = [sgr(1, 22), sgr(2, 22), sgr(32, 39), sgr(33, 39)];
  const verdicts: Partial<Record<Verdict, (text: string) => string>> = { better, worse, none: dim };
  return { bold, dim, verdict: (verdict, text) => verdicts[verdict]?.(text) ?? text };
}

/**
 * Breaks at blanks; blanks at the beginning stay, and lines after the first begin with `indent`. A word that is longer
 * than a line stays whole.
 */
export function wrap(text: string, columns: number, indent: string): string {
  const lines: string[] = [];
  const words = text.trimStart().split(" ");
  let line = text.slice(0, text.length - text.trimStart().length) + words[0]!;
  for (const word of words.slice(1)) {
    const longer = `${line} ${word}`;
    if (visibleLength(longer) > columns) {
      lines.push(line);
      line = indent + word;
    } else {
      line = longer;
    }
  }
  return [...lines, line].join("\n");
}

function visibleLength(text: string): number {
  return text
    .split(ESCAPE)
    .reduce((sum, part, index) => sum + (index === 0 ? part : part.replace(/^\d+m/, "")).length, 0);
}
