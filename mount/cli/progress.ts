/** One line on standard error that tells how far the building of a table is. */

const INTERVAL_MS = 100;
const WORTH_SHOWING = 5000;

export interface ProgressStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * A callback for `SimulationOptions.onProgress`: rewrites one line on a terminal, writes whole lines elsewhere.
 * Undefined if nothing should be shown.
 */
export function progressLine(
  stream: ProgressStream,
  forced: boolean,
): ((built: number, total: number) => void) | undefined {
  const terminal = stream.isTTY === true;
  if (!terminal && !forced) {
    return undefined;
  }
  let last = 0;
  return (built, total) => {
    const now = performance.now();
    const done = built >= total;
    if ((total < WORTH_SHOWING && !forced) || (!done && now - last < INTERVAL_MS)) {
      return;
    }
    last = now;
    stream.write(`${terminal ? "\r" : ""}${progressText(built, total)}${terminal && !done ? "" : "\n"}`);
  };
}

/** `building the process table: 12,000 of 100,000 (12%)` */
export function progressText(built: number, total: number): string {
  const percent = total === 0 ? 100 : Math.floor((built / total) * 100);
  return `building the process table: ${grouped(built)} of ${grouped(total)} (${percent}%)`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
