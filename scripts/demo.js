/** `npm start`: mounts the demo scenario and says what to try; Ctrl-C unmounts. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dir = process.argv[2] ?? "mnt";

function commands(mounted) {
  return [`cat ${mounted}/1/status`, "bin/synthproc run -- ps axjf", `bin/synthproc stats ${mounted}`];
}

mkdirSync(dir, { recursive: true });
const args = ["mount", dir, "--scenario", "webserver", "--json", "--log-level", "warn"];
const server = spawn(`${root}bin/synthproc`, args, { cwd: process.cwd(), stdio: ["ignore", "pipe", "inherit"] });

createInterface({ input: server.stdout }).once("line", (line) => {
  const mount = JSON.parse(line);
  console.log(`A web server is simulated on ${mount.dir}: ${mount.processes} processes, seed ${mount.seed}.`);
  console.log("Try, in another terminal in this directory:\n");
  for (const command of commands(dir)) {
    console.log(`  ${command}`);
  }
  console.log("\nCtrl-C unmounts it.");
});

// A terminal sends SIGINT to the server too; this process waits for it to unmount.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => server.kill("SIGTERM"));
server.once("close", (status) => {
  process.exitCode = status ?? 1;
});
