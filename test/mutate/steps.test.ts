/** Decisions are pure: the same state and the same chance give the same operations, and nothing else happens. */
import { describe, expect, test } from "vitest";
import { Random } from "../../src/kernel/random.ts";
import { Agent, Slot } from "../../src/mutate/run/agent.ts";
import { Cpus } from "../../src/mutate/run/cpus.ts";
import { groupKeys, memberStream } from "../../src/mutate/run/chance.ts";
import { step } from "../../src/mutate/run/steps.ts";
import type { Operation } from "../../src/mutate/run/operations.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import type { Group } from "../../src/mutate/scenario.ts";
import { shipped } from "../build/kernel.ts";

const CHURN = shipped("churn");

function agentOf(group: Group, seed: number): Agent {
  const agent = new Agent(group, 0, 0, new Random(seed), null, null);
  agent.slots = group.behaviours.map((behaviour) => new Slot(behaviour));
  agent.begin(100, 1, [100, 101, 102, 103]);
  return agent;
}

function decide(agent: Agent, slot: Slot): Operation[] {
  const cpus = new Cpus(4, 0, 1);
  return step(agent, slot, { at: 1e9, cpus, owner: 0, slowExecNs: () => 0, pidToReuse: () => 0 });
}

const BUSY_GROUPS = CHURN.groups.filter(({ behaviours }) => behaviours.length > 0);

describe("decisions", () => {
  test.each(BUSY_GROUPS.map((group) => [group.name, group] as const))("%s", (_name, group) => {
    const [first, second] = [agentOf(group, 5), agentOf(group, 5)];
    for (const [i, slot] of first.slots.entries()) {
      for (let turn = 0; turn < 20; turn++) {
        const before = structuredClone({ slot, tids: first.tids, busy: first.busy });
        const operations = decide(first, slot);
        expect(decide(second, second.slots[i]!)).toEqual(operations);
        // What is decided is data: it can be cloned, written down, and carried out by another.
        expect(structuredClone(operations)).toEqual(operations);
        expect(structuredClone({ slot, tids: first.tids, busy: first.busy })).toEqual(before);
      }
    }
  });

  test("a group that is added changes nobody else's chances", () => {
    const text = (more: string): string => `processes:
  - { name: a, command: /bin/a, children: [{ name: b, command: /bin/b }, { name: b, command: /bin/b }] }
${more}  - { name: c, command: /bin/c }
`;
    const streams = (more: string): Map<string, number[]> => {
      const scenario = parseScenario(text(more), "test.yaml");
      const keys = groupKeys(scenario);
      const byName = new Map<string, number[]>();
      for (const group of scenario.groups) {
        const drawn = memberStream(7, keys[group.index]!, 0).u32();
        byName.set(group.name, [...(byName.get(group.name) ?? []), drawn]);
      }
      return byName;
    };
    const plain = streams("");
    const more = streams("  - { name: new, command: /bin/new, children: [{ name: b, command: /bin/b }] }\n");
    for (const name of ["a", "c"]) expect(more.get(name)).toEqual(plain.get(name));
    expect(more.get("b")!.slice(0, 2)).toEqual(plain.get("b"));
    expect(new Set([...plain.values()].flat()).size).toBe([...plain.values()].flat().length);
  });
});
