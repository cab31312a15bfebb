/** What drive.sh has kept: output, complaints and exit status of each tool. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export class Results {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  out(id: string): string {
    return readFileSync(join(this.dir, `${id}.out`), "latin1");
  }

  err(id: string): string {
    return readFileSync(join(this.dir, `${id}.err`), "latin1");
  }

  status(id: string): number {
    return Number(readFileSync(join(this.dir, `${id}.rc`), "latin1"));
  }

  lines(id: string): string[] {
    return this.out(id)
      .split("\n")
      .filter((line) => line !== "");
  }
}

/**
 * What a tool says about a process, thread or descriptor that has gone between two looks at it: ENOENT from the names,
 * ESRCH from what was opened. find(1) puts the first in quotes, ls(1) says "cannot access" and the like.
 */
const GONE = /\/(?:proc|[^ '’]*)\/\d+\b.*: (?:No such file or directory|No such process)$/;

/** Lines on standard error, with numbers left out, so that those of two machines can be compared. */
export class Complaints {
  private readonly lines: string[];

  constructor(text: string) {
    this.lines = text.split("\n").filter((line) => line !== "");
  }

  get count(): number {
    return this.lines.length;
  }

  /** Complaints that are neither among those of the yardstick nor about something that has gone; each once. */
  beyond(yardstick: Complaints): string[] {
    const known = new Set(yardstick.lines.map(shape));
    const others = this.lines.filter((line) => !GONE.test(line)).map(shape);
    return [...new Set(others)].filter((line) => !known.has(line)).sort();
  }
}

function shape(line: string): string {
  return line.replace(/\d+/g, "N");
}
