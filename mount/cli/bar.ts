/** How far a long command is, on standard error. */
import { SingleBar } from "cli-progress";

export interface Bar {
  /** @param done of `total`; @param label what is under way */
  show(done: number, total: number, label: string): void;
  /** Leaves nothing of it on the terminal. */
  end(): void;
}

/** Without a terminal, one line about so many percent of the way. */
const PLAIN_STEP_PERCENT = 10;
/** Milliseconds within which nobody needs to hear of it. */
const SOON = 2000;

/** Steps before the time of the others is guessed from them. */
const STEPS_TO_JUDGE_BY = 4;

/** What stands behind the label: "  1 min 5 s left", or nothing as long as there is no telling. */
export function leftText(elapsedMs: number, done: number, toDo: number): string {
  if (done < STEPS_TO_JUDGE_BY || toDo === 0) return "";
  const seconds = Math.ceil(((elapsedMs / done) * toDo) / 1000);
  const minutes = seconds < 60 ? "" : `${Math.floor(seconds / 60)} min `;
  return `  ${minutes}${seconds % 60} s left`;
}

/** Shows it at once. */
export function terminalBar(stderr: NodeJS.WriteStream): Bar {
  const bar = new SingleBar({
    format: "{bar} {percentage}%  {label}{left}",
    stream: stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 24,
    gracefulExit: false,
  });
  bar.start(1, 0, { label: "starting", left: "" });
  let first: { at: number; done: number } | undefined;
  const show: Bar["show"] = (done, total, label) => {
    first ??= { at: performance.now(), done };
    bar.setTotal(total);
    bar.update(done, { label, left: leftText(performance.now() - first.at, done - first.done, total - done) });
  };
  return { show, end: () => bar.stop() };
}

/** A bar on a terminal; elsewhere, a line now and then. @param command who says it */
export function progressOn(stderr: NodeJS.WriteStream, command: string): Bar {
  return stderr.isTTY ? terminalBar(stderr) : plainProgress(stderr, command);
}

function plainProgress(stderr: NodeJS.WriteStream, command: string): Bar {
  const began = performance.now();
  let next = PLAIN_STEP_PERCENT;
  const show: Bar["show"] = (done, total, label) => {
    const percent = Math.floor((100 * done) / total);
    if (percent < next || done === total || performance.now() - began < SOON) return;
    next = percent - (percent % PLAIN_STEP_PERCENT) + PLAIN_STEP_PERCENT;
    stderr.write(`${command}: ${percent}% (${label})\n`);
  };
  return { show, end: () => undefined };
}
