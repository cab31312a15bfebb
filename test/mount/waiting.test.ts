/** Requests that have to wait: they are parked, released, interrupted, and never delay others. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TestMount } from "./helpers.ts";
import { RunningClient, cannotMount, client, mountTree, stateOf, until } from "./helpers.ts";
import { OPENED, SLOW, WAITS } from "./tree-fs.ts";
import { createMountShared } from "../../mount/options.ts";
import { ParkingLot } from "../../mount/parking.ts";

const skip = cannotMount("waiting.test.ts");

/** Milliseconds within which a client that was killed or interrupted must be gone, on a loaded machine too. */
const SOON = 250;

describe.skipIf(skip)("waiting requests, one worker", () => {
  let tree: TestMount;
  let lot: ParkingLot;
  const clients: RunningClient[] = [];
  beforeEach(async () => {
    const shared = createMountShared();
    lot = new ParkingLot(shared.lot, shared.wake);
    tree = await mountTree({ workers: 1, shared });
  });
  afterEach(async () => {
    for (const running of clients.splice(0)) await running.endWith("SIGKILL");
    await tree.end();
  });

  async function startWaiting(count: number, file = "slow"): Promise<RunningClient[]> {
    const started: RunningClient[] = [];
    for (let i = 0; i < count; i++) started.push(new RunningClient("cat", `${tree.dir}/${file}`));
    clients.push(...started);
    await until(() => lot.waiting() === count, `${count} requests wait`);
    return started;
  }

  function release(): void {
    tree.gate.store(SLOW, 1);
    lot.raise();
  }

  it("serves others while a reader waits", async () => {
    await startWaiting(1);
    const start = performance.now();
    for (let i = 0; i < 20; i++) expect((await client("cat", `${tree.dir}/hello`)).stdout).toBe("hello\n");
    expect((performance.now() - start) / 20).toBeLessThan(SOON);
    expect(lot.waiting()).toBe(1);
    release();
    expect((await clients[0]?.ended)?.code).toBe(0);
    expect(clients[0]?.stdout).toBe("released\n");
  });

  it("answers 200 waiting readers once they may go on", async () => {
    const readers = await startWaiting(200);
    release();
    for (const reader of readers) {
      expect(await reader.ended).toEqual({ code: 0, signal: null });
      expect(reader.stdout).toBe("released\n");
    }
    expect(tree.mounted.stats()).toMatchObject({ waiting: 0, parked: 200, parkingRefused: 0 });
  });

  it("notices by itself what nobody announced", async () => {
    const [reader] = await startWaiting(1);
    tree.gate.store(SLOW, 1);
    expect((await reader?.ended)?.code).toBe(0);
  });

  it("lets a killed reader go at once", async () => {
    const [reader] = await startWaiting(1);
    expect(stateOf(reader?.process.pid ?? 0)).toMatch(/[SD]/);
    expect(await reader?.endWith("SIGKILL")).toBeLessThan(SOON);
    await until(() => lot.waiting() === 0, "its place is free");
  });

  it("lets Ctrl-C interrupt a reader", async () => {
    const [reader] = await startWaiting(1);
    expect(await reader?.endWith("SIGINT")).toBeLessThan(SOON);
    expect(lot.waiting()).toBe(0);
  });

  it("gives EINTR to a reader whose signal handler returns", async () => {
    const script = `
import os, signal, errno
signal.signal(signal.SIGALRM, lambda *a: None)
signal.siginterrupt(signal.SIGALRM, True)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("${tree.dir}/slow", os.O_RDONLY)
signal.setitimer(signal.ITIMER_REAL, 0.2)
n = libc.read(fd, ctypes.create_string_buffer(100), 100)
print(n, errno.errorcode[ctypes.get_errno()])
`;
    expect((await client("python3", "-c", script)).stdout).toBe("-1 EINTR\n");
  });

  it("interrupts one of many and leaves the others waiting", async () => {
    const readers = await startWaiting(20);
    expect(await readers[7]?.endWith("SIGKILL")).toBeLessThan(SOON);
    expect(await readers[19]?.endWith("SIGINT")).toBeLessThan(SOON);
    expect(lot.waiting()).toBe(18);
    release();
    const codes = await Promise.all(readers.map(async (reader) => (await reader.ended).code));
    expect(codes.filter((code) => code === 0)).toHaveLength(18);
  });

  it("parks opens and long writes too, with their data", async () => {
    await startWaiting(1, "slow-open");
    const write = `{ printf W; head -c 60000 /dev/zero | tr '\\0' x; } | dd of=${tree.dir}/notes bs=64k iflag=fullblock status=none`;
    clients.push(new RunningClient("sh", "-c", write));
    await until(() => lot.waiting() === 2, "both wait");
    release();
    for (const waiting of clients) expect((await waiting.ended).code).toBe(0);
    const { stdout } = await client("cat", `${tree.dir}/notes`);
    expect(stdout).toBe(`W${"x".repeat(60000)}`);
    await until(() => tree.gate.load(OPENED) === 0, "what was opened is released");
  });

  it("does not try again and again while nothing changes", async () => {
    await startWaiting(1);
    await sleep(500);
    const before = tree.gate.load(WAITS);
    await sleep(500);
    expect(tree.gate.load(WAITS) - before).toBeLessThan(20);
  });

  it("tries one of those that wait for the same lock for all of them, when some lock is released", async () => {
    await startWaiting(100);
    const before = tree.gate.load(WAITS);
    const rounds = 40;
    for (let i = 0; i < rounds; i++) {
      lot.raise();
      await sleep(5);
    }
    // Now and then, each of them is.
    expect(tree.gate.load(WAITS) - before).toBeLessThan((100 * rounds) / 2);
    release();
    for (const reader of clients) expect((await reader.ended).code).toBe(0);
  });

  it("unmounts with readers waiting", async () => {
    await startWaiting(3);
    const start = performance.now();
    await tree.mounted.unmount();
    expect(performance.now() - start).toBeLessThan(5000);
    for (const reader of clients) expect((await reader.ended).code).not.toBe(0);
  });
});

describe.skipIf(skip)("waiting requests, killed in great numbers", () => {
  it("never loses an interrupt, however early it comes", async () => {
    const tree = await mountTree({ workers: 2 });
    for (let round = 0; round < 100; round++) {
      const reader = new RunningClient("cat", `${tree.dir}/slow`);
      // Anywhere between before the program starts and after its request is parked.
      await sleep(round % 8);
      expect(await reader.endWith("SIGKILL"), `round ${round}`).toBeLessThan(2000);
    }
    await until(() => tree.mounted.stats().waiting === 0, "nothing waits");
    await tree.end();
  });
});
