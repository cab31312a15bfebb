/** `synthproc stats DIR`: counters of a mounted simulation. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EXIT } from "./exit-codes.ts";
import { findOurMount } from "./mounted.ts";

export interface StatsOptions {
  json: boolean;
}

export async function stats(
  dir: string,
  options: StatsOptions,
  stdout: { write(text: string): unknown },
): Promise<number> {
  const text = await readFile(join(findOurMount(dir).dir, "synthproc", "stats"), "utf8");
  stdout.write(options.json ? `${JSON.stringify(parseStats(text))}\n` : text);
  return EXIT.ok;
}

/** Lines `NAME VALUE` as an object; a value that is no number stays text. Lines that begin with # are the legend. */
export function parseStats(text: string): Record<string, number | string> {
  const result: Record<string, number | string> = {};
  for (const line of text.split("\n")) {
    const match = /^([^\s#]\S*?):?\s+(.*\S)\s*$/.exec(line);
    if (match !== null) {
      const value = match[2]!;
      result[match[1]!] = /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    }
  }
  return result;
}
