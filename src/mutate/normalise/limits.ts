/** Resource limits. */
import type { Cursor } from "../cursor.ts";
import type { LimitName, Limits } from "../scenario-types.ts";
import { parseSize, UnitError } from "../units.ts";

const MIB = 2 ** 20;

/** What the init process of a machine with this many threads at most has. */
export function defaultLimits(threadsMax: number): Limits {
  const unlimited = { soft: Infinity, hard: Infinity };
  const half = Math.floor(threadsMax / 2);
  return {
    cpu: unlimited,
    fsize: unlimited,
    data: unlimited,
    stack: { soft: 8 * MIB, hard: Infinity },
    core: { soft: 0, hard: Infinity },
    rss: unlimited,
    nproc: { soft: half, hard: half },
    nofile: { soft: 1024, hard: 524288 },
    memlock: { soft: 8 * MIB, hard: 8 * MIB },
    as: unlimited,
    locks: unlimited,
    sigpending: { soft: half, hard: half },
    msgqueue: { soft: 819200, hard: 819200 },
    nice: { soft: 0, hard: 0 },
    rtprio: { soft: 0, hard: 0 },
    rttime: unlimited,
  };
}

/** Overrides single limits of `inherited`. */
export function limits(cursor: Cursor, inherited: Limits): Limits {
  const result: Limits = { ...inherited };
  for (const [name, value] of cursor.entries()) {
    result[name as LimitName] = value.parse(parseLimit);
  }
  return result;
}

/** `unlimited`, `65536`, `1G`, `1024:524288`, `0:unlimited`. */
function parseLimit(value: number | string): { soft: number; hard: number } {
  const [soft, hard, more] = String(value).split(":");
  const parsed = { soft: one(soft!), hard: one(hard ?? soft!) };
  if (more !== undefined || parsed.soft > parsed.hard) {
    throw new UnitError(`${JSON.stringify(value)} is not a limit (SOFT:HARD with SOFT not above HARD)`);
  }
  return parsed;
}

function one(text: string): number {
  return text.trim() === "unlimited" ? Infinity : parseSize(text);
}
