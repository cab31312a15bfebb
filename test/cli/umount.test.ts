/** `synthproc umount` against a real mount that another process serves. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { mountAt } from "../../mount/mountinfo.ts";
import { cannotMount, removeDirectory, temporaryDirectory } from "../mount/helpers.ts";
import { ended } from "../support/programs.ts";
import { PROGRAM, synthproc } from "./helpers.ts";

const SERVER = fileURLToPath(new URL("../mount/server.ts", import.meta.url));

describe.skipIf(cannotMount("test/cli/umount"))("umount", () => {
  const children: ChildProcess[] = [];
  const directories: string[] = [];

  afterEach(() => {
    for (const child of children.splice(0)) {
      child.kill("SIGKILL");
    }
    for (const dir of directories.splice(0)) {
      removeDirectory(dir);
    }
  });

  async function serve(): Promise<{ dir: string; server: ChildProcess }> {
    const dir = temporaryDirectory();
    directories.push(dir);
    const server = spawn(process.execPath, ["--import", "tsx", SERVER, dir], { stdio: ["pipe", "pipe", "ignore"] });
    children.push(server);
    for await (const line of createInterface({ input: server.stdout! })) {
      if (line.startsWith("READY")) {
        return { dir, server };
      }
    }
    throw new Error("the server ended before it served");
  }

  test("unmounts, and the server has ended when it returns", async () => {
    const { dir, server } = await serve();
    expect(await synthproc(["umount", dir])).toEqual({ status: EXIT.ok, signal: null, stdout: "", stderr: "" });
    expect(mountAt(dir)).toBeNull();
    const ended = server.exitCode !== null ? [server.exitCode] : await once(server, "exit");
    expect(ended[0]).toBe(0);
    expect((await synthproc(["umount", dir])).status).toBe(EXIT.mountPoint);
  });

  test("who may not unmount is told so", async () => {
    const { dir } = await serve();
    const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    const outcome = await ended("setpriv", [...nobody, PROGRAM, "umount", dir], { cwd: "/" });
    expect(outcome.status).toBe(EXIT.permission);
    expect(outcome.stderr).toMatch(/^synthproc: Unmounting \S+ is not permitted \([^\n]+\)\.\n$/);
    expect(mountAt(dir)).not.toBeNull();
  });

  test("leaves a mount in use alone, unless forced", async () => {
    const { dir } = await serve();
    const user = spawn("sleep", ["60"], { cwd: dir, stdio: "ignore" });
    children.push(user);
    await once(user, "spawn");
    const refused = await synthproc(["umount", dir]);
    expect(refused.status).toBe(EXIT.failed);
    expect(refused.stderr).toMatch(/^synthproc: \S+ is in use; [^\n]+--force\n$/);
    expect(mountAt(dir)).not.toBeNull();
    expect(await synthproc(["umount", "--force", dir])).toMatchObject({ status: EXIT.ok, stderr: "" });
    expect(mountAt(dir)).toBeNull();
  });
});
