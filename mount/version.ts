/** The version of the package. */
import { readFileSync } from "node:fs";

/** Reads it from package.json, which lies above mount/ as above dist/. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
