/** How many processes each group has, and the numbers that follow from their order. */
import type { Group, Scenario } from "../scenario-types.ts";

/** Processes of each group in the whole scenario: `count` under each process of its parent group. */
export function processCounts(scenario: Scenario): number[] {
  const counts: number[] = [];
  for (const group of scenario.groups) counts.push(group.count * (counts[group.parent] ?? 1));
  return counts;
}

/** Threads of one process of a group, the main one included. */
export function threadsOf(group: Group): number {
  if (group.exact !== null) return group.exact.threads.length;
  let threads = 1;
  for (const spec of group.threads) threads += spec.count;
  return threads;
}

/** True for each group that has groups below it. */
export function parents(scenario: Scenario): boolean[] {
  const result = scenario.groups.map(() => false);
  for (const { parent } of scenario.groups) if (parent >= 0) result[parent] = true;
  return result;
}
