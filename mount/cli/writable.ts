/** Files that a command writes at its end. */
import { closeSync, existsSync, openSync, rmSync } from "node:fs";

/** Before minutes are spent on what it will hold; leaves no file behind that was not there. @throws the system's error */
export function checkWritable(file: string): void {
  const there = existsSync(file);
  closeSync(openSync(file, "a"));
  if (!there) rmSync(file);
}
