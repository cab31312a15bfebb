/** The life of a mount: what it refuses to mount on, and that nothing stays behind, however it ends. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { MountError } from "../../mount/errors.ts";
import type { MountOptions } from "../../mount/mount.ts";
import { mountFileSystem } from "../../mount/mount.ts";
import { mountDevice } from "../../mount/mount-point.ts";
import { mountAt, parseMountInfo } from "../../mount/mountinfo.ts";
import { openFuse } from "../../mount/transport/dev.ts";
import {
  RunningClient,
  ServerProcess,
  cannotMount,
  client,
  mountTree,
  removeDirectory,
  temporaryDirectory,
  until,
  watchdogsOf,
} from "./helpers.ts";

const skip = cannotMount("lifecycle.test.ts");
const servers: ServerProcess[] = [];

async function server(options: Record<string, unknown> = {}, wrapper: string[] = []): Promise<ServerProcess> {
  const started = new ServerProcess(options, wrapper);
  servers.push(started);
  return started.ready();
}

afterEach(async () => {
  for (const started of servers.splice(0)) await started.remove();
});

async function refusal(options: Partial<MountOptions>): Promise<MountError> {
  const all = {
    dir: "/",
    fileSystemModule: new URL("./tree-fs.ts", import.meta.url),
    transport: "dev",
    ...options,
  } as const;
  const error: unknown = await mountFileSystem(all).then(
    (mounted) => mounted.unmount(),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MountError);
  const { message } = error as MountError;
  expect(message.split("\n"), "one line").toHaveLength(1);
  return error as MountError;
}

it("mountinfo lines are unescaped", () => {
  const line = "42 27 0:39 / /tmp/a\\040b rw,nosuid - fuse synth\\134proc rw\nrubbish\n";
  expect(parseMountInfo(line)).toEqual([
    { device: "0:39", mountPoint: "/tmp/a b", type: "fuse", source: "synth\\proc" },
  ]);
});

describe("options", () => {
  it.each([
    [{ workers: 0 }, /1 to 64, not 0/],
    [{ workers: 1.5 }, /not 1.5/],
    [{ transport: "usb" as "dev" }, /Unknown transport "usb"/],
    [{ name: "a,b" }, /"a,b"/],
  ])("%j is refused", async (options, message) => {
    const error = await refusal(options);
    expect(error.code).toBe("ESYNTH_OPTION");
    expect(error.message).toMatch(message);
  });
});

describe.skipIf(skip)("mount points that cannot be used", () => {
  it("a missing one", async () => {
    const error = await refusal({ dir: "/nowhere/at/all" });
    expect(error.code).toBe("ESYNTH_NO_DIR");
    expect(error.message).toContain("/nowhere/at/all does not exist");
  });

  it("a file", async () => {
    const dir = temporaryDirectory();
    writeFileSync(join(dir, "file"), "");
    expect((await refusal({ dir: join(dir, "file") })).code).toBe("ESYNTH_NOT_DIR");
    expect((await refusal({ dir: join(dir, "file/below") })).code).toBe("ESYNTH_NOT_DIR");
    rmSync(dir, { recursive: true });
  });

  it("one that is a mount already", async () => {
    const tree = await mountTree();
    const error = await refusal({ dir: tree.dir });
    expect(error.code).toBe("ESYNTH_BUSY");
    expect(error.message).toContain("fuse, synthproc");
    await tree.end();
  });

  it("a dead mount of somebody else", async () => {
    const dead = await server({ name: "stranger", watchdog: false });
    dead.process.kill("SIGKILL");
    await dead.ended;
    const error = await refusal({ dir: dead.dir });
    expect(error.code).toBe("ESYNTH_STALE");
    expect(error.message).toContain("a mount of stranger (fuse)");
  });

  it("without mount(8)", async () => {
    const path = process.env.PATH;
    const fd = openFuse();
    process.env.PATH = "/nowhere";
    const mounting = mountDevice(fd, "/nowhere", "synthproc", []).finally(() => (process.env.PATH = path));
    await expect(mounting).rejects.toMatchObject({
      code: "ESYNTH_NO_MOUNT_PROGRAM",
      message: expect.stringContaining("mount(8) is not installed") as string,
    });
    closeSync(fd);
  });

  it("with a file system that cannot start", async () => {
    const dir = temporaryDirectory();
    const error = await refusal({ dir, fileSystemModule: "file:///nowhere.ts" });
    expect(error.code).toBe("ESYNTH_THREAD");
    expect(watchdogsOf(dir)).toEqual([]);
    removeDirectory(dir);
  });

  it("by a user who may not", async () => {
    const user = ["setpriv", "--reuid", "65534", "--clear-groups"];
    await expect(server({ transport: "dev" }, user)).rejects.toThrow(/ESYNTH_PERMISSION/);
  });
});

describe.skipIf(skip)("the end of a mount", () => {
  it("unmount() leaves nothing behind, and can be repeated", async () => {
    const tree = await mountTree();
    expect(watchdogsOf(tree.dir)).toHaveLength(1);
    await Promise.all([tree.mounted.unmount(), tree.mounted.unmount()]);
    await tree.mounted.closed;
    await tree.mounted.unmount();
    expect(mountAt(tree.dir)).toBeNull();
    expect(watchdogsOf(tree.dir)).toEqual([]);
    await tree.end();
  });

  it("somebody else's umount ends the server", async () => {
    const tree = await mountTree();
    expect((await client("umount", tree.dir)).status).toBe(0);
    await tree.mounted.closed;
    expect(watchdogsOf(tree.dir)).toEqual([]);
    await tree.end();
  });

  it.each(["dev", "fuse-native"])("SIGTERM and SIGINT unmount (%s)", async (transport) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const running = await server({ transport });
      running.process.kill(signal);
      expect(await running.ended).toBe(0);
      expect(running.isMounted()).toBe(false);
      expect(watchdogsOf(running.dir)).toEqual([]);
    }
  });

  it.each(["dev", "fuse-native"])("SIGKILL of the server unmounts, by the watchdog (%s)", async (transport) => {
    const running = await server({ transport });
    const holder = new RunningClient("sh", "-c", `exec 3< ${running.dir}/hello; cd ${running.dir}; exec sleep 10`);
    await until(() => running.isMounted(), "it is mounted");
    const start = performance.now();
    running.process.kill("SIGKILL");
    await until(() => !running.isMounted(), "nothing is mounted");
    expect(performance.now() - start).toBeLessThan(1000);
    await until(() => watchdogsOf(running.dir).length === 0, "the watchdog is gone");
    await holder.endWith("SIGKILL");
  });

  it("the watchdog leaves a mount alone that is not the one it watches over", async () => {
    const running = await server();
    execFileSync("umount", ["-l", running.dir]);
    execFileSync("mount", ["-t", "tmpfs", "other", running.dir]);
    running.process.kill("SIGKILL");
    await running.ended;
    await until(() => watchdogsOf(running.dir).length === 0, "the watchdog is gone");
    expect(mountAt(running.dir)?.source).toBe("other");
    execFileSync("umount", [running.dir]);
  });

  it("a dead mount of ours is cleared at the next start", async () => {
    const dead = await server({ watchdog: false });
    dead.process.kill("SIGKILL");
    await dead.ended;
    expect(dead.isMounted()).toBe(true);
    const tree = await mountTree({ dir: dead.dir });
    expect(tree.log.some((line) => line.includes("cleared a dead mount"))).toBe(true);
    expect((await client("cat", `${dead.dir}/hello`)).stdout).toBe("hello\n");
    await tree.end();
    expect(dead.isMounted()).toBe(false);
  });

  it.each(["dev", "fuse-native"] as const)("a busy mount is detached, then aborted (%s)", async (transport) => {
    const tree = await mountTree({ graceMs: 300, transport });
    const holder = new RunningClient("sh", "-c", `exec 3< ${tree.dir}/hello; cd ${tree.dir}; echo in; exec sleep 20`);
    await until(() => holder.stdout === "in\n", "the mount is in use");
    const start = performance.now();
    await tree.mounted.unmount();
    expect(performance.now() - start).toBeLessThan(5000);
    expect(mountAt(tree.dir)).toBeNull();
    await holder.endWith("SIGKILL");
    await tree.end();
  });

  it("a process that just exits leaves no mount and does not hang", async () => {
    const running = await server();
    running.process.stdin?.write("exit\n");
    expect(await running.ended).toBe(3);
    await until(() => !running.isMounted(), "nothing is mounted");
  });
});

describe.skipIf(skip)("a directory with blanks in its name", () => {
  it("is mounted on and watched over", async () => {
    const parent = temporaryDirectory();
    const dir = join(parent, "a b\\c");
    mkdirSync(dir);
    const tree = await mountTree({ dir });
    expect((await client("cat", join(dir, "hello"))).stdout).toBe("hello\n");
    await tree.end();
    expect(mountAt(dir)).toBeNull();
    rmSync(parent, { recursive: true });
  });
});

describe.skipIf(skip)("without privileges", () => {
  it("works inside unshare -Urm, if /dev/fuse may be opened there", async () => {
    const probe = await client("unshare", "-Urm", "sh", "-c", "exec 3<> /dev/fuse");
    if (probe.status !== 0) {
      console.warn(`unshare -Urm: skipped, because ${probe.stderr.trim()}`);
      return;
    }
    const running = await server({}, ["unshare", "-Urm"]);
    expect(running.isMounted(), "not visible from outside").toBe(false);
    running.process.stdin?.write("read hello\n");
    await until(() => running.output.includes("DATA"), "the server's child has read a file");
    expect(running.output).toContain('DATA "hello\\n"');
    running.process.stdin?.write("unmount\n");
    expect(await running.ended).toBe(0);
  });
});
