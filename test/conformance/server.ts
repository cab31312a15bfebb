/**
 * Mounts a test world and obeys lines on standard input: "kill PID", "revive PID" (the pid is used again), "unmount".
 * Usage: server.ts DIR WORKERS
 */
import { createInterface } from "node:readline";
import { mountFileSystem } from "../../mount/mount.ts";
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { buildWorld } from "../proc/world.ts";
import { testKernel } from "../support/kernel.ts";

const [dir, workers] = process.argv.slice(2);
const k = testKernel();
const world = buildWorld(k);
const pidOf = (task: number): number => k.m.load(task + TASK.pid);
const mounted = await mountFileSystem({
  dir: dir as string,
  workers: Number(workers),
  fileSystemModule: new URL("./mounted-fs.ts", import.meta.url),
  data: { arena: k.m.buffer },
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void mounted.unmount());
const pids = Object.fromEntries(
  (["ordinary", "undumpable", "zombie", "kthread", "deadleader"] as const).map((kind) => [kind, pidOf(world[kind])]),
);
console.log(JSON.stringify({ pids, thread: pidOf(world.threads[0] as number) }));
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [verb, pid] = line.split(" ");
  const task = findTask(k, Number(pid));
  if (verb === "kill") {
    exitGroup(k, task, 9);
    reap(k, task);
  }
  if (verb === "revive") copyProcess(k, world.init, 0, { pid: Number(pid) });
  if (verb === "unmount") void mounted.unmount();
  k.quiescent();
  console.log(`DONE ${line}`);
});
await mounted.closed;
input.close();
process.stdin.destroy();
