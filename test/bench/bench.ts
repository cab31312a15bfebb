/**
 * `npm run bench -- [--json] [--rounds N] [read] [build] [walk] [mutate] [start] [explore]`: measures on this machine, as root. Without names, all.
 * The load at the start belongs to every figure and is printed with it.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { exploreSpeed } from "./explore.ts";
import { readCost } from "./read-cost.ts";
import { buildCost, mutatorSpeed, startCost, walkCost } from "./table.ts";

const BENCHES: Record<string, (rounds: number) => unknown> = {
  read: readCost,
  build: buildCost,
  walk: walkCost,
  mutate: () => [mutatorSpeed("webserver", 2000), mutatorSpeed("churn", 500), mutatorSpeed("10k", 200)],
  start: (rounds) => [startCost("idle", rounds), startCost("webserver", rounds)],
  explore: exploreSpeed,
};

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false }, rounds: { type: "string", default: "9" } },
  allowPositionals: true,
});
const rounds = Number(values.rounds);
const unknown = positionals.find((name) => !Object.hasOwn(BENCHES, name));
if (unknown !== undefined || !(rounds >= 1)) {
  process.stderr.write(`usage: bench [--json] [--rounds N] [${Object.keys(BENCHES).join("] [")}]\n`);
  process.exit(2);
}
const results: Record<string, unknown> = {
  load: loadavg().map((load) => Number(load.toFixed(2))),
  node: process.version,
};
for (const name of positionals.length === 0 ? Object.keys(BENCHES) : positionals) {
  const result = await BENCHES[name]?.(rounds);
  results[name] = result;
  if (values.json) continue;
  console.log(`\n${name} (load ${loadavg()[0]?.toFixed(1)})`);
  console.table(Array.isArray(result) ? result.map(rounded) : [rounded(result as object)]);
}
if (values.json) console.log(JSON.stringify(results));

/** Three significant digits are more than the measurements hold. */
function rounded(row: object): object {
  const short = (value: unknown): unknown => {
    if (typeof value === "number" && !Number.isInteger(value)) return Number(value.toPrecision(3));
    return Array.isArray(value) ? value.map((item: number) => item.toFixed(1)).join(" .. ") : value;
  };
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, short(value)]));
}
