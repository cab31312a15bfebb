/** The checks on this machine's own /proc: what the simulation is measured against must pass them itself. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { checkProcessDirectories } from "./checks.ts";
import { Remote } from "./remote.ts";
import type { Kind, View, Who } from "./view.ts";

const OWNER = 3001;
const OTHER = 3002;
const usable = process.getuid?.() === 0 && existsSync("/proc/self/arch_status");
if (!usable) console.log("conformance checks of the real /proc need root and a procfs: skipped");

/** Rows whose presence or behaviour depends on the kernel's configuration: only checked where they are. */
const CONFIGURED = new Set([
  "autogroup",
  "ksm_stat",
  "ksm_merging_pages",
  "numa_maps",
  "arch_status",
  "oom_adj",
  "stack",
]);

let folder = "";
const children: ChildProcess[] = [];
const pids = new Map<Kind, number>();
let thread = 0;
const hands = new Map<Who, Remote>();

/** In a session of its own: only that gives a process an autogroup, and a machine's init may have started none. */
function start(command: string, args: string[]): number {
  const child = spawn(command, args, { uid: OWNER, gid: OWNER, cwd: "/", stdio: "ignore", detached: true });
  children.push(child);
  return child.pid as number;
}

function until<T>(what: string, body: () => T | undefined): T {
  for (let i = 0; i < 500; i++) {
    const found = body();
    if (found !== undefined) return found;
    spawnSync("sleep", ["0.01"]);
  }
  throw new Error(`${what} did not come about`);
}

/** The first child of a process, once it is a zombie. */
function zombieOf(parent: number): number {
  return until("a zombie", () => {
    const text = readFileSync(`/proc/${parent}/task/${parent}/children`, "latin1").trim();
    const pid = Number(text.split(" ")[0]);
    return pid > 0 && readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ") ? pid : undefined;
  });
}

/** A process whose main thread has ended while another one sleeps. */
function deadLeader(): number {
  const program =
    "import ctypes, threading, time; threading.Thread(target=time.sleep, args=[1000]).start(); " +
    "ctypes.CDLL(None).pthread_exit(None)";
  const pid = start("/usr/bin/python3", ["-c", program]);
  return until("a dead leader", () => (readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z ") ? pid : undefined));
}

function isKernelThread(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && /^Kthread:\t1$/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
}

beforeAll(() => {
  if (!usable) return;
  folder = mkdtempSync(join(tmpdir(), "synthproc-real-"));
  chmodSync(folder, 0o755);
  const unreadable = join(folder, "unreadable");
  copyFileSync("/bin/sleep", unreadable);
  chmodSync(unreadable, 0o711);
  pids.set("ordinary", start(process.execPath, ["-e", "setInterval(() => undefined, 1000)"]));
  pids.set("undumpable", start(unreadable, ["1000"]));
  pids.set("zombie", zombieOf(start("/bin/sh", ["-c", "sleep 0 & exec sleep 1000"])));
  pids.set("kthread", isKernelThread(2) ? 2 : 0);
  pids.set("deadleader", deadLeader());
  const ordinary = pids.get("ordinary") as number;
  thread = until("a second thread", () => {
    const tids = readdirSync(`/proc/${ordinary}/task`).map(Number);
    return tids.length > 4 ? tids.find((tid) => tid !== ordinary) : undefined;
  });
  const ids = { root: 0, owner: OWNER, other: OTHER };
  for (const [who, id] of Object.entries(ids)) hands.set(who as Who, new Remote("/proc", id, id));
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const remote of hands.values()) remote.close();
  if (folder !== "") rmSync(folder, { recursive: true, force: true });
});

const view: View = {
  name: "real",
  pid: (kind) => pids.get(kind) ?? 0,
  get thread() {
    return thread;
  },
  as: (who) => hands.get(who) as Remote,
  owner: { uid: OWNER, gid: OWNER },
};

const noKernelThreads = !isKernelThread(2);
if (noKernelThreads) console.log("conformance checks of the real /proc: no kernel threads here, theirs are skipped");

describe.skipIf(!usable)("real /proc", () => {
  checkProcessDirectories(() => view, {
    except: (row, column) =>
      (CONFIGURED.has(row.name) && !existsSync(`/proc/1/${row.name}`)) ||
      (noKernelThreads && column?.startsWith("kthread/") === true),
  });
});
