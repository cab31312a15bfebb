/** The library as a test of an agent uses it: few options, commands, errors with codes. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadScenario, MountError, startSimulation } from "../../mount/index.ts";
import type { Simulation } from "../../mount/index.ts";
import { mountAt } from "../../mount/mountinfo.ts";
import { cannotMount, removeDirectory, temporaryDirectory } from "./helpers.ts";

const run = promisify(execFile);

describe.skipIf(cannotMount("test/mount/library"))("a simulation with defaults", () => {
  const dir = temporaryDirectory();
  let simulation: Simulation;

  beforeAll(async () => {
    simulation = await startSimulation({ dir, scenario: "idle", seed: 7 });
  });

  afterAll(async () => {
    await simulation.unmount();
    removeDirectory(dir);
  });

  test("is mounted, and says what it is", async () => {
    expect(simulation).toMatchObject({ dir, seed: 7 });
    const { stdout } = await run("ls", [dir]);
    expect(stdout.match(/^\d+$/gm)?.length).toBeGreaterThan(10);
  });

  test("a command answers, and what it did is there to be read", async () => {
    const pid = await simulation.command("fork 1 --exec /usr/bin/sleep 60");
    expect(pid).toMatch(/^\d+$/);
    expect((await run("cat", [`${dir}/${pid}/cmdline`])).stdout).toBe("/usr/bin/sleep\0" + "60\0");
    expect(await readFile(`${dir}/${pid}/comm`, "utf8")).toBe("sleep\n");
    expect(await simulation.command(`exit ${pid}`)).toBe("");
  });

  test("a refused command is an error with a code", async () => {
    const refused = simulation.command("exec 99999 /usr/bin/foo");
    await expect(refused).rejects.toThrow(MountError);
    await expect(refused).rejects.toMatchObject({
      code: "ESYNTH_COMMAND",
      message: expect.stringMatching(/^exec 99999 \/usr\/bin\/foo: .*\(ESRCH\)$/) as unknown,
    });
  });

  test("the directory is taken", async () => {
    const second = startSimulation({ dir, scenario: loadScenario("idle") });
    await expect(second).rejects.toMatchObject({ code: "ESYNTH_BUSY" });
  });

  test("nothing stays after unmount", async () => {
    await simulation.unmount();
    await simulation.closed;
    expect(mountAt(dir)).toBeNull();
  });
});

describe("options", () => {
  test.each([
    [{ seed: -1 }, /^The option seed must be a whole number from 0 to 4294967295, not -1\.$/],
    [{ mutators: 0 }, /^The option mutators must be a whole number from 1 to 64, not 0\.$/],
    [{ ticks: 0.5 }, /^The option ticks /],
    [{ speed: 0 }, /^The speed must be above 0 and at most 1000, not 0\.$/],
  ])("%j", async (wrong, message) => {
    const started = startSimulation({ dir: "/usr", scenario: "idle", ...wrong });
    await expect(started).rejects.toMatchObject({
      code: "ESYNTH_OPTION",
      message: expect.stringMatching(message) as unknown,
    });
  });

  test("an unknown scenario", async () => {
    const started = startSimulation({ dir: "/usr", scenario: "nope" });
    await expect(started).rejects.toMatchObject({ code: "ESCENARIO_REFERENCE" });
  });
});
