/** Files that a command writes at its end. */
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, rmSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** Before minutes are spent on what it will hold; leaves no file behind that was not there. @throws the system's error */
export function checkWritable(file: string): void {
  const there = existsSync(file);
  closeSync(openSync(file, "a"));
  if (!there) rmSync(file);
}

/** The same of a folder, which may have to be made: what is there of its path is a folder, and lets itself be written. */
export function checkFolder(folder: string): void {
  let there = resolve(folder);
  while (!existsSync(there)) there = dirname(there);
  readdirSync(there);
  accessSync(there, constants.W_OK);
}
