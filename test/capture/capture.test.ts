/** A captured machine, built again, shows the same bytes for every process that holds still. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { capture } from "../../mount/capture.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { buildScenario } from "../../src/mutate/build/build.ts";
import { kernelConfig } from "../../src/mutate/build/config.ts";
import { hostView } from "../../src/mutate/build/host.ts";
import { exitAll } from "../../src/mutate/build/teardown.ts";
import { parseScenario } from "../../src/mutate/scenario.ts";
import type { Group, Scenario } from "../../src/mutate/scenario.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { TEST_FACTS, TEST_SYNTHPROC } from "../proc/file-system.ts";
import { VfsClient } from "../proc/vfs-client.ts";

const GIB = 2 ** 30;
const STILL = fileURLToPath(new URL("./still.py", import.meta.url));
/** Files of a process whose bytes must come back. */
const FILES =
  "stat statm status limits cmdline environ maps auxv comm io cgroup oom_score_adj loginuid sessionid personality " +
  "schedstat autogroup timers timerslack_ns coredump_filter wchan stack uid_map gid_map setgroups cpuset";
/** Files of a thread. */
const THREAD_FILES = "stat status comm io";

let children: ChildProcess[];
let yaml: string;
let scenario: Scenario;
let k: Kernel;
let simulated: VfsClient;
const notes: string[] = [];

async function start(command: string, args: string[], ready: boolean): Promise<ChildProcess> {
  const env = { PATH: process.env["PATH"], MARK: "caf\u00e9", EMPTY: "" };
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env });
  if (ready) expect(String((await once(child.stdout!, "data"))[0])).toBe("READY\n");
  else await once(child, "spawn");
  return child;
}

beforeAll(async () => {
  children = [
    await start("python3", [STILL], true),
    await start("python3", [STILL, "unprivileged"], true),
    await start("sleep", ["1000"], false),
    // A zombie: its parent doesn't wait for it.
    await start("python3", ["-c", "import os,time\nif os.fork():print('READY',flush=True);time.sleep(1000)"], true),
  ];
  // Everything they do at the start is over then.
  await sleep(300);
  yaml = await capture({ pids: [], procRoot: "/proc", environ: true, note: (sentence) => notes.push(sentence) });
  scenario = parseScenario(yaml, "captured.yaml");
  const config = kernelConfig(scenario, { seed: 1, now: 0 });
  k = Kernel.create(GIB, config, { debug: true });
  buildScenario(k, scenario);
  k.busy();
  const host = hostView(scenario, config, { realProc: "/proc", netOf: "self", mountsOf: "self" });
  const fs = new ProcFs({ kernel: k, host, facts: TEST_FACTS, tables: tablesOf(host), synthproc: TEST_SYNTHPROC });
  simulated = new VfsClient(fs, { uid: 0, gid: 0, pid: 0 });
});

afterAll(async () => {
  for (const child of children) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

function real(path: string): string {
  return readFileSync(`/proc/${path}`, "latin1");
}

const RSS = 24;
const UTIME = 14;
const STIME = 15;

/**
 * Takes out what doesn't hold still though its process does: SigQ counts for all of a user's processes; the resident
 * sizes of stat and statm come from per-CPU counters that aren't added up, unlike those of status and smaps.
 */
function still(name: string, text: string): string {
  if (name === "stat") return fields(text, [RSS]).join(" ");
  return name === "statm" ? text.replace(/^(\d+) \d+ \d+/, "$1") : text.replace(/^SigQ:.*$/m, "");
}

/** Fields of stat, numbered from 1, some of them blank. */
function fields(text: string, blank: number[]): string[] {
  const end = text.lastIndexOf(")") + 1;
  const all = [text.slice(0, text.indexOf(" ")), text.slice(text.indexOf("("), end), ...text.slice(end + 1).split(" ")];
  return all.map((field, index) => (blank.includes(index + 1) ? "" : field));
}

/** The kernel rounds the times of threads apart from those of their process, which are the ones that are kept. */
function expectThreadStat(path: string): void {
  const ours = fields(simulated.cat(path), [RSS]);
  const theirs = fields(real(path), [RSS]);
  for (const time of [UTIME, STIME]) {
    expect(Math.abs(Number(ours[time - 1]) - Number(theirs[time - 1])), path).toBeLessThanOrEqual(1);
    ours[time - 1] = theirs[time - 1]!;
  }
  expect(ours, path).toEqual(theirs);
}

const pids = (): number[] => children.map((child) => child.pid!);

test("files of processes that hold still", () => {
  for (const pid of pids()) {
    for (const name of FILES.split(" ")) {
      const path = `${pid}/${name}`;
      // As for stat of a thread: the sum of user and system time is that of the process.
      if (name === "schedstat" && readdirSync(`/proc/${pid}/task`).length > 1) continue;
      expect(still(name, simulated.cat(path)), path).toBe(still(name, real(path)));
    }
  }
});

test("their threads", () => {
  for (const pid of pids()) {
    // Node sorts names as text; /proc lists threads by number.
    const tids = readdirSync(`/proc/${pid}/task`).sort((a, b) => Number(a) - Number(b));
    expect(simulated.ls(`${pid}/task`)).toEqual(tids);
    for (const tid of tids) {
      for (const name of THREAD_FILES.split(" ")) {
        const path = `${pid}/task/${tid}/${name}`;
        if (name === "stat") expectThreadStat(path);
        else expect(still(name, simulated.cat(path)), path).toBe(still(name, real(path)));
      }
    }
  }
});

test("their descriptors and links", () => {
  for (const pid of pids()) {
    for (const name of ["exe", "cwd", "root"]) {
      expect(simulated.readlink(`${pid}/${name}`)).toBe(readlinkSync(`/proc/${pid}/${name}`, "latin1"));
    }
    for (const folder of ["fd", "ns"]) {
      const names = readdirSync(`/proc/${pid}/${folder}`).sort();
      expect(simulated.ls(`${pid}/${folder}`).sort()).toEqual(names);
      for (const name of names) {
        const path = `${pid}/${folder}/${name}`;
        expect(simulated.readlink(path), path).toBe(readlinkSync(`/proc/${path}`, "latin1"));
        if (folder === "ns") continue;
        expect(simulated.lstat(path).mode & 0o777).toBe(fdMode(path));
        expect(simulated.cat(`${pid}/fdinfo/${name}`), path).toBe(real(`${pid}/fdinfo/${name}`));
      }
    }
  }
});

/** Permission bits of fd/N by the flags of its fdinfo. */
function fdMode(path: string): number {
  const flags = Number.parseInt(/flags:\t(\d+)/.exec(real(path.replace("/fd/", "/fdinfo/")))![1]!, 8);
  return [0o500, 0o300, 0o700][flags & 3]!;
}

test("the zombie among them", () => {
  const parent = pids()[3]!;
  const zombie = Number(real(`${parent}/task/${parent}/children`));
  expect(simulated.cat(`${zombie}/stat`)).toBe(real(`${zombie}/stat`));
  expect(still("status", simulated.cat(`${zombie}/status`))).toBe(still("status", real(`${zombie}/status`)));
});

test("the tree: same pids, parents, users, names", () => {
  const groups = new Map(scenario.groups.map((group): [number, Group] => [group.pid!, group]));
  const listed = simulated
    .ls("")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  expect(listed).toEqual([...groups.keys()].sort((a, b) => a - b));
  for (const pid of listed) {
    const status = simulated.cat(`${pid}/status`);
    const group = groups.get(pid)!;
    const parent = group.parent < 0 ? 0 : scenario.groups[group.parent]!.pid;
    expect(status).toContain(`\nPPid:\t${parent}\n`);
    expect(status).toContain(`\nUid:\t${group.uids.join("\t")}\n`);
    expect(simulated.cat(`${pid}/comm`)).toBe(`${group.comm}\n`);
  }
});

test("the machine", () => {
  for (const name of ["version", "cpuinfo", "filesystems", "cmdline", "sys/kernel/hostname", "sys/kernel/osrelease"]) {
    expect(simulated.cat(name), name).toBe(real(name));
  }
  expect(simulated.cat("meminfo").split("\n")[0]).toBe(real("meminfo").split("\n")[0]);
  const btime = /^btime \d+$/m;
  expect(btime.exec(simulated.cat("stat"))![0]).toBe(btime.exec(real("stat"))![0]);
});

describe("a part of the machine", () => {
  test("named processes come with their ancestors", async () => {
    const pid = pids()[2]!;
    const text = await capture({ pids: [pid], procRoot: "/proc", environ: false, note: () => undefined });
    const groups = parseScenario(text, "part.yaml").groups;
    const chain: number[] = [];
    for (let at = pid; at > 0; at = Number(/^PPid:\t(\d+)$/m.exec(real(`${at}/status`))![1])) chain.unshift(at);
    expect(groups.map((group) => group.pid)).toEqual(chain);
    expect(groups.every((group) => group.exact!.environ === null)).toBe(true);
  });

  test("processes that don't exist", async () => {
    const options = { procRoot: "/proc", environ: true, note: (): void => undefined };
    await expect(capture({ ...options, pids: [4194303] })).rejects.toThrow("There is no process 4194303 to capture.");
    await expect(capture({ ...options, pids: [], procRoot: "/nowhere" })).rejects.toThrow(/nowhere can't be read/);
  });
});

test("processes that come and go meanwhile", { timeout: 60_000 }, async () => {
  const storm = spawn("sh", ["-c", "while :; do /bin/true & /bin/true; done"], { stdio: "ignore" });
  await once(storm, "spawn");
  try {
    for (let round = 0; round < 5; round++) {
      const text = await capture({ pids: [], procRoot: "/proc", environ: true, note: () => undefined });
      const seen = parseScenario(text, "storm.yaml").groups.map((group) => group.pid);
      expect(seen).toEqual(expect.arrayContaining(pids()));
    }
  } finally {
    storm.kill("SIGKILL");
    await once(storm, "exit");
  }
});

test("nothing is left when the captured processes have ended", () => {
  exitAll(k);
  for (const cache of [8, 10, 11, 12, 13]) expect(k.slab.live(cache)).toBe(0);
});
