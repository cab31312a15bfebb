/** `--seed N --ticks N`: the whole tree, byte by byte, is the same each time. */
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { cannotMount } from "../mount/helpers.ts";
import { ended } from "../support/programs.ts";
import { CliServer } from "./server.ts";

const TREE = fileURLToPath(new URL("./tree.py", import.meta.url));

/**
 * The links that say who is asking, and the counters of what has been read: they are about the reader, not the table.
 */
const ABOUT_THE_READER = / \.\/(?:self|thread-self|synthproc\/stats)$/;

describe.skipIf(cannotMount("test/cli/determinism"))("--seed 7 --ticks 1000 --mutators 1", () => {
  const servers: CliServer[] = [];

  afterAll(async () => {
    for (const server of servers) await server.remove();
  });

  async function tree(...args: string[]): Promise<string[]> {
    const server = new CliServer([...args, "--mutators", "1"]);
    servers.push(server);
    await server.ready();
    const outcome = await ended("python3", [TREE, server.dir], { timeout: 150_000 });
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    return outcome.stdout.split("\n").filter((line) => !ABOUT_THE_READER.test(line));
  }

  test("churn: two mounts are the same tree, another seed is another", async () => {
    const first = await tree("-s", "churn", "--seed", "7", "--ticks", "1000");
    const second = await tree("-s", "churn", "--seed", "7", "--ticks", "1000");
    expect(first.length).toBeGreaterThan(10_000);
    expect(second.filter((line, i) => line !== first[i])).toEqual([]);
    expect(second.length).toBe(first.length);
    const other = await tree("-s", "idle", "--seed", "8", "--ticks", "10");
    const same = await tree("-s", "idle", "--seed", "9", "--ticks", "10");
    expect(other).not.toEqual(same);
  }, 400_000);
});
