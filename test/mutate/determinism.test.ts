/** The same seed makes the same tree, to the last byte of every file; another seed another one. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { VfsClient } from "../proc/vfs-client.ts";
import { ErrnoError } from "../proc/vfs-client.ts";
import { simulate } from "../support/simulation.ts";

const FILES = ["stat", "statm", "status", "cmdline", "comm", "environ", "io", "maps", "timers", "limits", "wchan"];
const MORE = [
  "syscall",
  "stack",
  "schedstat",
  "oom_score",
  "oom_score_adj",
  "cgroup",
  "mountinfo",
  "auxv",
  "smaps_rollup",
];
const LINKS = ["exe", "cwd", "root"];
const ROOT_FILES = ["stat", "meminfo", "loadavg", "uptime", "vmstat", "interrupts", "softirqs", "diskstats"];

/** Everything that /proc shows, as one text: what can't be read shows its errno. */
function dump(client: VfsClient): { text: string; hash: string; processes: number } {
  const hash = createHash("sha256");
  let text = "";
  const add = (name: string, read: () => string): void => {
    const part = `== ${name}\n${orErrno(read)}\n`;
    hash.update(part, "latin1");
    if (text.length < 400_000_000) text += part;
  };
  for (const file of ROOT_FILES) add(file, () => client.cat(`/${file}`));
  const pids = client.ls("/").filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    for (const file of [...FILES, ...MORE]) add(`${pid}/${file}`, () => client.cat(`/${pid}/${file}`));
    for (const link of LINKS) add(`${pid}/${link}`, () => client.readlink(`/${pid}/${link}`));
    for (const fd of names(client, `/${pid}/fd`)) add(`${pid}/fd/${fd}`, () => client.readlink(`/${pid}/fd/${fd}`));
    for (const tid of names(client, `/${pid}/task`)) {
      for (const file of ["stat", "status", "io"]) {
        add(`${pid}/task/${tid}/${file}`, () => client.cat(`/${pid}/task/${tid}/${file}`));
      }
    }
  }
  return { text, hash: hash.digest("hex"), processes: pids.length };
}

function names(client: VfsClient, path: string): string[] {
  try {
    return client.ls(path).filter((name) => !name.startsWith("."));
  } catch (error) {
    if (error instanceof ErrnoError) return [];
    throw error;
  }
}

function orErrno(read: () => string): string {
  try {
    return read();
  } catch (error) {
    if (error instanceof ErrnoError) return `errno ${error.errno}`;
    throw error;
  }
}

function history(name: string, seed: number, ticks: number): { text: string; hash: string; processes: number } {
  const simulation = simulate(name, seed);
  simulation.run(ticks);
  // An exec may be half done: a read that had to wait for it would wait for ever, as time stands still.
  simulation.k.t.maySleep = false;
  return dump(simulation.client);
}

describe("determinism", () => {
  test.each([
    ["churn", 150],
    ["webserver", 500],
    ["build", 150],
    ["database", 100],
  ])("%s: %i ticks from one seed, twice", { timeout: 300_000 }, (name, ticks) => {
    const first = history(name, 7, ticks);
    const second = history(name, 7, ticks);
    expect(first.processes).toBeGreaterThan(20);
    if (first.hash !== second.hash) expect(second.text).toBe(first.text);
    expect(second.hash).toBe(first.hash);
    expect(history(name, 8, ticks).hash).not.toBe(first.hash);
  });
});
