/** The checks on a mount, by processes with other ids. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { accessSync, chmodSync, constants, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OWNER } from "../proc/world.ts";
import { checkProcessDirectories } from "./checks.ts";
import { Remote } from "./remote.ts";
import type { Kind, View, Who } from "./view.ts";
import { errnoName } from "./view.ts";

const IDS = { root: 0, owner: OWNER, other: OWNER + 1 } as const;

function mayMount(): boolean {
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

const usable = mayMount();
if (!usable) console.log("conformance checks of a mount need root and /dev/fuse: skipped");

let dir = "";
let server: ChildProcess;
let lines: AsyncIterator<string>;
let pids: Record<Kind, number>;
let thread = 0;
const hands = new Map<Who, Remote>();

async function line(): Promise<string> {
  const next = await lines.next();
  if (next.done === true) throw new Error("the server ended");
  return next.value;
}

async function tell(command: string): Promise<void> {
  server.stdin?.write(`${command}\n`);
  expect(await line()).toBe(`DONE ${command}`);
}

beforeAll(async () => {
  if (!usable) return;
  dir = mkdtempSync(join(tmpdir(), "synthproc-conformance-"));
  chmodSync(dir, 0o755);
  const script = fileURLToPath(new URL("./server.ts", import.meta.url));
  server = spawn(process.execPath, ["--import", "tsx", script, dir, "2"], { stdio: ["pipe", "pipe", "inherit"] });
  lines = createInterface({ input: server.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  ({ pids, thread } = JSON.parse(await line()) as { pids: Record<Kind, number>; thread: number });
  for (const [who, id] of Object.entries(IDS)) hands.set(who as Who, new Remote(dir, id, id));
});

afterAll(async () => {
  for (const remote of hands.values()) remote.close();
  if (!usable) return;
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  await ended;
  rmdirSync(dir);
});

const as = (who: Who): Remote => hands.get(who) as Remote;

const view: View = {
  name: "mounted",
  pid: (kind) => pids[kind],
  get thread() {
    return thread;
  },
  as,
  owner: { uid: OWNER, gid: OWNER },
};

describe.skipIf(!usable)("mounted /proc", () => {
  checkProcessDirectories(() => view);

  test("names that the kernel kept don't outlive the process, and a pid that is used again is another process", async () => {
    const pid = pids.ordinary;
    const root = as("root");
    const first = root.lstat(`${pid}`);
    expect([errnoName(first), errnoName(root.cat(`${pid}/stat`)), errnoName(root.cat(`${pid}/io`))]).toEqual(
      Array.from({ length: 3 }, () => "ok"),
    );
    await tell(`kill ${pid}`);
    for (const name of [`${pid}`, `${pid}/fd`, `${pid}/exe`])
      expect([name, errnoName(root.lstat(name))]).toEqual([name, "ENOENT"]);
    expect(errnoName(root.ls(`${pid}`))).toBe("ENOENT");
    // Below a directory that the kernel still knows, a real /proc may answer either.
    expect(["ENOENT", "ESRCH"]).toContain(errnoName(root.cat(`${pid}/stat`)));
    await tell(`revive ${pid}`);
    const again = root.cat(`${pid}/stat`);
    expect("value" in again && again.value.startsWith(`${pid} (`)).toBe(true);
    expect(errnoName(root.lstat(`${pid}/fd`))).toBe("ok");
  });

  test("creating, removing and changing modes are refused as on a real one", () => {
    const root = as("root");
    const O_CREAT = 0o100;
    expect(errnoName(root.open("newfile", O_CREAT | 1))).toBe("ENOENT");
    expect(errnoName(root.open("1/stat", O_CREAT))).toBe("ok");
    expect(errnoName(root.open("1/stat", 0o1001))).toBe("ok");
  });

  test("targets of fd and ns links can be followed", () => {
    const root = as("root");
    const pid = pids.undumpable;
    const text = root.readlink(`${pid}/ns/net`);
    expect("value" in text && text.value).toMatch(/^net:\[\d+\]$/);
    expect(errnoName(root.open(`${pid}/ns/net`, 0))).toBe("ok");
  });
});
