/** Cross-file truth: whatever has happened, the files of a process and of the machine tell one story. */
import { describe, expect, test } from "vitest";
import { Random } from "../../src/kernel/random.ts";
import { simulate } from "../support/simulation.ts";
import { contradictions, machineContradictions, processIds } from "./cross-file.ts";

const ROUNDS = 40;
const PROCESSES_A_ROUND = 12;

describe.each(["webserver", "churn", "build", "database"])("%s", (name) => {
  test("holds for every process at the start, and between ticks", () => {
    const { client, run } = simulate(name, 11);
    const random = new Random(5);
    for (const pid of processIds(client))
      expect({ pid, found: contradictions(client, pid) }).toEqual({ pid, found: [] });
    expect(machineContradictions(client)).toEqual([]);
    for (let round = 0; round < ROUNDS; round++) {
      run(1 + random.below(50));
      const pids = processIds(client);
      for (let i = 0; i < PROCESSES_A_ROUND; i++) {
        const pid = pids[random.below(pids.length)] as number;
        expect({ round, pid, found: contradictions(client, pid) }).toEqual({ round, pid, found: [] });
      }
      if (round % 10 === 9) expect(machineContradictions(client)).toEqual([]);
    }
  });
});
