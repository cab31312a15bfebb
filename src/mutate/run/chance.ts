/** Chance: streams of random numbers that depend on names, not on positions, and draws from them. */
import { Random } from "../../kernel/random.ts";
import { hashText } from "../build/hash.ts";
import type { Group, Rate, Scenario, Spread } from "../scenario-types.ts";

const NS_PER_SEC = 1e9;
const GOLDEN = 0x9e3779b9 | 0;

/**
 * A key for each group: its name and those above it, numbered where siblings share a name. A group that is added to the
 * scenario changes nobody else's key, so it changes nobody else's chances.
 */
export function groupKeys(scenario: Scenario): number[] {
  const names: string[] = [];
  const seen = new Map<string, number>();
  for (const group of scenario.groups) names.push(uniqueName(group, names, seen));
  return names.map(hashText);
}

function uniqueName(group: Group, names: readonly string[], seen: Map<string, number>): string {
  const name = `${group.parent < 0 ? "" : (names[group.parent] as string)}/${group.name}`;
  const count = seen.get(name) ?? 0;
  seen.set(name, count + 1);
  return `${name}#${count}`;
}

/** The stream of one process of a group. */
export function memberStream(seed: number, key: number, member: number): Random {
  return new Random(seed, (key ^ Math.imul(member + 1, GOLDEN)) | 0);
}

/** A stream that belongs to something else's next step: a child of a process, say. */
export function derivedStream(random: Random): Random {
  return new Random(random.u32(), random.u32());
}

/** A number of the spread, uniformly. */
export function draw(random: Random, spread: Spread): number {
  return spread.min + random.unit() * (spread.max - spread.min);
}

/** An integer of the spread, uniformly, both ends included. */
export function drawInt(random: Random, spread: Spread): number {
  return Math.floor(spread.min + random.unit() * (spread.max - spread.min + 1));
}

/** One of a list by weight; undefined if the list is empty or nothing weighs anything. */
export function drawWeighted<T extends { weight: number }>(random: Random, items: readonly T[]): T | undefined {
  let total = 0;
  for (const item of items) total += item.weight;
  let left = random.unit() * total;
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return items[items.length - 1];
}

/**
 * Events a second of one process. A rate for the whole group is shared out evenly: together the processes are as busy
 * as one that does it all.
 */
export function ratePerProcess(rate: Rate, members: number): number {
  return rate.per === "group" ? rate.rate / Math.max(1, members) : rate.rate;
}

/** Nanoseconds until the next event. */
export function interval(random: Random, perSecond: number, jitter: number): number {
  const mean = NS_PER_SEC / perSecond;
  return mean * (1 + jitter * (2 * random.unit() - 1));
}

/** Nanoseconds until the first event: anywhere in the first interval, so that processes don't march in step. */
export function firstInterval(random: Random, perSecond: number): number {
  return (NS_PER_SEC / perSecond) * random.unit();
}
