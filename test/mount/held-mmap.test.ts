/**
 * Readers that wait for mmap_lock, over a real mount: the address space is held by this test's own thread. Locked, every
 * reader of mappings waits, and a signal lets it go at once; lock-free, nobody does but who meets a mapping that is being
 * changed.
 */
import { readdir, readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { MountedFileSystem } from "../../mount/mount.ts";
import { createMountShared, mountFileSystem } from "../../mount/mount.ts";
import { ParkingLot } from "../../mount/parking.ts";
import { loadScenario } from "../../mount/scenario-files.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import type { PathId } from "../../src/kernel/knobs.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST, MM, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { mmapWriteLock, mmapWriteUnlock, vmaStartWrite } from "../../src/mm/lock.ts";
import { findVma } from "../../src/mm/vma-tree.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { hostView } from "../../src/mutate/build/host.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { rwsemIsContended, rwsemIsLocked } from "../../src/sync/rwsem.ts";
import { NOW } from "../support/simulation.ts";
import { RunningClient, cannotMount, client, removeDirectory, temporaryDirectory, until } from "./helpers.ts";

const skip = cannotMount("held-mmap.test.ts");

const ARENA = 2 ** 30;
/** Milliseconds within which a client that was killed must be gone on any machine. */
const SOON = 1000;
const PID = 1;

/** What waits for mmap_lock in its locked form, and the switch of that form. */
const READERS: readonly (readonly [what: string, path: PathId, program: string, name: string])[] = [
  ["maps", Path.maps, "cat", "maps"],
  ["smaps", Path.smaps, "cat", "smaps"],
  ["smaps_rollup", Path.smaps_rollup, "cat", "smaps_rollup"],
  ["numa_maps", Path.numa_maps, "cat", "numa_maps"],
  ["a listing of map_files", Path.revalidate, "ls", "map_files"],
  ["a walk to a mapping of map_files", Path.revalidate, "readlink", "map_files/NAME"],
];

describe.skipIf(skip).each([1, 2])("a held mmap_lock, %i workers", (workers) => {
  const dir = temporaryDirectory();
  let k: Kernel;
  let mm: number;
  let lot: ParkingLot;
  let mounted: MountedFileSystem;
  let name: string;
  const running: RunningClient[] = [];

  beforeAll(async () => {
    const { scenario } = loadScenario("idle");
    const config = kernelConfig(scenario, { seed: 1, now: NOW });
    k = Kernel.create(ARENA, config, { debug: true });
    buildScenario(k, scenario);
    k.busy();
    mm = k.m.load(findTask(k, PID) + TASK.mm);
    k.idle();
    const shared = createMountShared({ buffer: k.m.buffer, index: HOST.parkWord });
    lot = new ParkingLot(shared.lot, shared.wake);
    const host = hostView(scenario, config, { realProc: "/proc", netOf: "1", mountsOf: "1" });
    const data = { arena: k.m.buffer, config, scenario, host, scenarioText: "", lockdep: true, threads: workers + 1 };
    const module = new URL("../../mount/file-system.ts", import.meta.url);
    mounted = await mountFileSystem({ dir, fileSystemModule: module, data, transport: "dev", workers, shared });
    name = (await readdir(`${dir}/${PID}/map_files`))[0] as string;
  });
  afterEach(async () => {
    for (const reader of running.splice(0)) await reader.endWith("SIGKILL");
  });
  afterAll(async () => {
    await mounted.unmount();
    removeDirectory(dir);
  });

  /** Write-locks the address space, and its first mapping, for as long as `body` runs. */
  async function whileHeld(body: () => Promise<void>, mapping = false): Promise<void> {
    k.busy();
    mmapWriteLock(k, mm);
    if (mapping) vmaStartWrite(k, mm, findVma(k, mm, 0));
    // It stays held while this thread waits for its clients.
    k.t.lockdep.handOff([LockClass.mmap]);
    k.idle();
    try {
      await body();
    } finally {
      k.busy();
      k.t.lockdep.takeOver([LockClass.mmap]);
      mmapWriteUnlock(k, mm);
      k.idle();
    }
  }

  function start(program: string, file: string): RunningClient {
    const reader = new RunningClient(program, `${dir}/${PID}/${file.replace("NAME", name)}`);
    running.push(reader);
    return reader;
  }

  it.each(READERS)("locked, %s: waits, is killed or interrupted at once, or goes on", async (_what, path, ...what) => {
    k.m.store(HOST.pathMode + path, LOCKED);
    const readers: RunningClient[] = [];
    await whileHeld(async () => {
      for (let i = 0; i < 4; i++) {
        readers.push(start(...what));
        // Who looks a name up in a directory waits for others who do: one of them has asked, the rest will.
        await until(() => lot.waiting() >= Math.min(i + 1, 1), "readers wait");
      }
      expect(await readers[0]?.endWith("SIGKILL")).toBeLessThan(SOON);
      expect(await readers[1]?.endWith("SIGINT")).toBeLessThan(SOON);
      // Nobody else is kept waiting.
      expect((await client("cat", `${dir}/2/comm`)).stdout).not.toBe("");
      expect((await client("cat", `${dir}/${PID}/comm`)).stdout).not.toBe("");
    });
    for (const reader of readers.slice(2)) {
      expect((await reader.ended).code).toBe(0);
      expect(reader.stdout).not.toBe("");
    }
    expect(lot.waiting()).toBe(0);
    expect(rwsemIsLocked(k.t, mm + MM.mmapLock)).toBe(false);
    expect(rwsemIsContended(k.t, mm + MM.mmapLock)).toBe(false);
    await whileHeld(async () => {});
  });

  it.each(READERS)("lock-free, %s: doesn't wait for mmap_lock", async (_what, path, ...what) => {
    k.m.store(HOST.pathMode + path, LOCKFREE);
    const { parked } = mounted.stats();
    await whileHeld(async () => {
      const reader = start(...what);
      expect((await reader.ended).code).toBe(0);
      expect(reader.stdout).not.toBe("");
    });
    expect(mounted.stats()).toMatchObject({ parked });
  });

  it("lock-free: waits for a mapping that is being changed, and is killed at once", async () => {
    k.m.store(HOST.pathMode + Path.maps, LOCKFREE);
    const whole = await readFile(`${dir}/${PID}/maps`, "latin1");
    let reader: RunningClient | undefined;
    await whileHeld(async () => {
      reader = start("cat", "maps");
      const killed = start("cat", "maps");
      await until(() => lot.waiting() === 2, "both wait");
      expect(await killed.endWith("SIGKILL")).toBeLessThan(SOON);
      expect(reader.stdout).toBe("");
    }, true);
    await reader?.ended;
    expect(reader?.stdout).toBe(whole);
  });
});
