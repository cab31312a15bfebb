/**
 * A server process for tests and measurements: mounts tree-fs and obeys lines on standard input: "counts", "read NAME",
 * "exit", "unmount". Usage: server.ts DIR [OPTIONS-AS-JSON]
 */
import { execFile } from "node:child_process";
import { createInterface } from "node:readline";
import type { MountOptions } from "../../mount/options.ts";
import { mountFileSystem } from "../../mount/mount.ts";
import { ENTRY_VALID, createGate } from "./tree-fs.ts";

const [dir, json] = process.argv.slice(2);
const given = JSON.parse(json ?? "{}") as Partial<MountOptions> & { entryValid?: number; fileSystem?: string };
const gate = createGate();
gate.store(ENTRY_VALID, given.entryValid ?? 3600);
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const mounted = await mountFileSystem({
  dir: dir as string,
  fileSystemModule: new URL(given.fileSystem ?? "./tree-fs.ts", import.meta.url),
  data: { gate: gate.buffer },
  logger: { debug: say, info: say, warn: say, error: say },
  ...given,
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void mounted.unmount());
console.log(`READY ${process.pid} ${mounted.transport}`);
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  if (line === "counts") console.log(`COUNTS ${JSON.stringify(mounted.stats())}`);
  if (line === "unmount") void mounted.unmount();
  if (line === "exit") process.exit(3);
  if (line.startsWith("read ")) {
    execFile("cat", [`${mounted.dir}/${line.slice(5)}`], (_, text) => console.log(`DATA ${JSON.stringify(text)}`));
  }
});
await mounted.closed;
console.log("CLOSED");
input.close();
process.stdin.destroy();
