/** What the writers do, seen through the files of /proc: each command, and what its readers find before and after. */
import { beforeEach, describe, expect, test } from "vitest";
import { finishHeldExecs, heldExecs } from "../../src/kernel/exec-hold.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { Mutator } from "../../src/mutate/run/mutator.ts";
import { publishMembers } from "../../src/mutate/run/members.ts";
import type { World } from "../../src/mutate/control/control.ts";
import { runCommand } from "../../src/mutate/control/control.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { advanceClock, bootTimeNs } from "../../src/time/clock.ts";
import { buildText } from "../build/kernel.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import { errnoOf } from "../proc/vfs-client.ts";

const SCENARIO = `
host: { cpus: 2, uptime: 1h, users: { worker: 1000 } }
processes:
  - { name: parent, pid: 400, command: /usr/sbin/parent, children: [
      { name: server, pid: 500, command: "/usr/sbin/server --first", user: worker, threads: 3, memory: 8M,
        timers: 2, fds: [ "/var/log/server.log a" ] } ] }
  - { name: other, pid: 600, command: /usr/sbin/other }
`;
const WAITS = -WAIT_WOULD_BLOCK;
const EPERM = 1;
const ENOENT = 2;
const ESRCH = 3;
const ENOEXEC = 8;
const EACCES = 13;
const EINVAL = 22;

let k: Kernel;
let world: World;
/** What root reads; it never waits. */
let proc: VfsClient;
let made: ReturnType<typeof buildText>;

beforeEach(() => {
  made = buildText(SCENARIO);
  ({ k } = made);
  world = { host: made.scenario.host };
  const reader = Kernel.attach(k.m.buffer, k.config, { debug: true });
  reader.t.maySleep = false;
  reader.busy();
  proc = fileSystem(reader, tablesOf(TEST_HOST)).client;
});

/** Runs a command that must succeed. @returns what it prints */
function ok(line: string): string {
  const { errno, text } = runCommand(k, line, world);
  expect(`${line}: ${errno} ${errno === 0 ? "" : text}`).toBe(`${line}: 0 `);
  return text;
}

function errnoOfCommand(line: string): number {
  return runCommand(k, line, world).errno;
}

const hex = (text: string): number => Number.parseInt(text, 16);

/** The value of a line of status. */
function status(pid: number | string, key: string): string {
  return new RegExp(`^${key}:\\t(.*)$`, "m").exec(proc.cat(`${pid}/status`))?.[1] ?? "";
}

/** Lines of maps that begin in [start, end), as "start-end perms". */
function mappings(pid: number, start: number, end: number): string[] {
  const lines = proc.cat(`${pid}/maps`).split("\n");
  return lines.flatMap((line) =>
    hex(line) >= start && hex(line) < end ? [line.split(" ").slice(0, 2).join(" ")] : [],
  );
}

function range(start: number, end: number, perms: string): string {
  return `${start.toString(16)}-${end.toString(16)} ${perms}`;
}

function timerIds(pid: number): number[] {
  return [...proc.cat(`${pid}/timers`).matchAll(/^ID: (\d+)$/gm)].map(([, id]) => Number(id));
}

/** Everything of a process that an exec changes. */
function portrait(pid: number): string[] {
  const files = ["maps", "cmdline", "environ", "status", "stat", "timers", "io", "auxv", "limits"];
  const texts = files.map((name) => `${name}: ${proc.cat(`${pid}/${name}`)}`);
  return [...texts, proc.readlink(`${pid}/exe`), ...proc.ls(`${pid}/fd`), ...proc.ls(`${pid}/task`)];
}

describe("exec", () => {
  test("from a thread: one thread is left, with the pid, the file, a fresh address space and no timers", () => {
    const tid = Number(proc.ls("500/task").at(-1));
    expect(tid).not.toBe(500);
    const before = proc.cat("500/maps");
    ok(`exec ${tid} /bin/true --comm renamed`);
    expect(proc.ls("500/task")).toEqual(["500"]);
    expect(proc.cat("500/comm")).toBe("renamed\n");
    expect(proc.cat("500/cmdline")).toBe("/bin/true\0");
    expect(proc.readlink("500/exe")).toBe("/bin/true");
    expect(proc.cat("500/maps")).not.toBe(before);
    expect(timerIds(500)).toEqual([]);
    expect(errnoOf(() => proc.stat(String(tid)))).toBe(ENOENT);
  });

  test("set-user-ID: new effective ids, and its files belong to root from then on", () => {
    expect(proc.stat("500/io").uid).toBe(1000);
    expect(proc.as(1000).cat("500/io")).toMatch(/^rchar/);
    ok("exec 500 /usr/bin/passwd");
    expect(status(500, "Uid")).toBe("1000\t0\t0\t0");
    expect(proc.stat("500/io").uid).toBe(0);
    expect(errnoOf(() => proc.as(1000).cat("500/io"))).toBe(EACCES);
  });

  test("a non-dumpable image before, and after", () => {
    ok("dumpable 500 0");
    expect(errnoOf(() => proc.as(1000).cat("500/io"))).toBe(EACCES);
    ok("exec 500 /bin/true");
    expect(proc.as(1000).cat("500/io")).toMatch(/^rchar/);
    ok("exec 500 /bin/true --non-dumpable");
    expect(errnoOf(() => proc.as(1000).cat("500/io"))).toBe(EACCES);
    expect(proc.stat("500/io").uid).toBe(0);
  });

  test.each([
    ["no such file", (): string => unlinked("/bin/true"), "", ENOENT],
    ["a file that may not be executed", (): string => library(), "", EACCES],
    ["a file that is no program", (): string => "/bin/true", "--fail before", ENOEXEC],
    ["a name that is no path", (): string => "true", "", EINVAL],
  ])("fails before it has begun: %s", (_, file, option, errno) => {
    const line = `exec 500 ${file()} ${option}`;
    const shown = portrait(500);
    expect(errnoOfCommand(line)).toBe(errno);
    expect(portrait(500)).toEqual(shown);
    expect(errnoOfCommand(`fork 500 --exec ${file()}`)).toBe(option === "" ? errno : 0);
    ok("comm 500 free");
  });

  function unlinked(path: string): string {
    runCommand(k, `unlink ${path}`, world);
    return path;
  }

  /** A library, which nobody has the right to execute. */
  function library(): string {
    const file = k.config.files.find(({ mode, segments }) => (mode & 0o111) === 0 && segments.length > 0);
    if (file === undefined) throw new Error("there is none");
    return file.path;
  }

  test("fails halfway: killed by SIGSEGV with the old credentials, for its parent to reap", () => {
    expect(ok("exec 500 /usr/bin/passwd --fail halfway")).toBe("500 was killed by SIGSEGV");
    expect(status(500, "State")).toBe("Z (zombie)");
    expect(status(500, "Uid")).toBe("1000\t1000\t1000\t1000");
    expect(proc.cat("500/stat").trimEnd().split(" ").at(-1)).toBe("11");
    expect(proc.cat("500/comm")).toBe("passwd\n");
    expect(proc.ls("500/task")).toEqual(["500"]);
    expect(proc.cat("500/maps")).toBe("");
    ok("reap 500");
    expect(errnoOf(() => proc.stat("500"))).toBe(ENOENT);
  });

  test("fails halfway, a child of init: gone", () => {
    ok("exec 600 /bin/true --fail halfway");
    expect(errnoOf(() => proc.stat("600"))).toBe(ENOENT);
  });

  test("held, and failing halfway in the end: readers wait meanwhile, and find it dead", () => {
    ok("exec 500 /usr/bin/passwd --hold 2s --fail halfway");
    expect(errnoOf(() => proc.cat("500/io"))).toBe(WAITS);
    expect(proc.cat("600/io")).toMatch(/^rchar/);
    advanceClock(k, 2e9);
    expect(finishHeldExecs(k, bootTimeNs(k))).toBe(1);
    expect(status(500, "State")).toBe("Z (zombie)");
    expect(errnoOf(() => proc.as(1000).cat("500/io"))).toBe(EACCES);
    ok("reap 500");
  });

  test("can't be held where it fails before it begins", () => {
    expect(runCommand(k, "exec 500 /bin/true --hold 1s --fail before", world)).toMatchObject({ errno: EINVAL });
    expect(runCommand(k, "exec 500 /bin/true --fail sometimes", world).text).toMatch(
      /--fail is one of before, halfway, not "sometimes"/,
    );
  });
});

describe("a held writer", () => {
  const HELD = ["io", "personality", "syscall", "stack", "maps", "environ"] as const;

  test.each(["exec 500 /usr/bin/passwd --hold 3s", "tsync 500 --hold 3s"])("%s: others wait", (line) => {
    ok(line);
    for (const file of HELD) expect(`${file} ${errnoOf(() => proc.cat(`500/${file}`))}`).toBe(`${file} ${WAITS}`);
    for (const file of HELD) expect(proc.cat(`600/${file}`)).not.toBe("");
    advanceClock(k, 2.9e9);
    expect(finishHeldExecs(k, bootTimeNs(k))).toBe(0);
    advanceClock(k, 0.2e9);
    expect(finishHeldExecs(k, bootTimeNs(k))).toBe(1);
    for (const file of HELD) expect(proc.cat(`500/${file}`)).not.toBe("");
    ok("comm 500 free");
  });

  test("TSYNC: all threads at once, when it is over", () => {
    const tids = proc.ls("500/task");
    expect(tids).toHaveLength(3);
    ok(`tsync ${tids[1]} --hold 1s`);
    const bound = (): string[] => tids.filter((tid) => status(`500/task/${tid}`, "NoNewPrivs") === "1");
    // The caller has to be so before it asks.
    expect(bound()).toEqual([tids[1]]);
    advanceClock(k, 1e9);
    finishHeldExecs(k, bootTimeNs(k));
    expect(bound()).toEqual(tids);
    expect(status(500, "Uid")).toBe("1000\t1000\t1000\t1000");
    expect(proc.as(1000).cat("500/io")).toMatch(/^rchar/);
    expect(ok("exec 500 /bin/true --setuid 0")).toBe("the user ids stay: it has no_new_privs");
    expect(status(500, "Uid")).toBe("1000\t1000\t1000\t1000");
  });

  test("while simulated time is paused, is said to wait for it", () => {
    ok("pause");
    expect(ok("exec 500 /bin/true --hold 1s")).toMatch(/paused.*resume/);
    expect(ok("tsync 600 --hold 1s")).toMatch(/paused.*resume/);
    expect(heldExecs(k)).toBe(2);
    ok("resume");
    expect(ok("pause")).toMatch(/^2 held .* until resume$/);
  });

  test("when simulated time ends, is finished; later ones aren't held at all, and that is said", () => {
    publishMembers(k, made.built);
    const mutator = new Mutator(k, made.scenario, made.built, { index: 0, count: 1, seed: 1 });
    k.idle();
    mutator.tick(1e6);
    k.busy();
    ok("exec 500 /bin/true --hold 1h");
    ok("tsync 600 --hold 1h");
    expect(k.m.load(HOST.clockEnded)).toBe(0);
    k.idle();
    mutator.end();
    k.busy();
    expect(heldExecs(k)).toBe(0);
    expect(proc.cat("500/cmdline")).toBe("/bin/true\0");
    expect(status(600, "NoNewPrivs")).toBe("1");
    expect(ok("exec 500 /usr/bin/env --hold 1s")).toMatch(/come to its end: this was finished at once/);
    expect(ok("tsync 500 --hold 1s")).toMatch(/come to its end: this was finished at once/);
    expect(proc.cat("500/cmdline")).toBe("/usr/bin/env\0");
  });
});

describe("memory", () => {
  test("split, merge, shrink, detach", () => {
    const at = hex(ok("mmap 500 64K"));
    const end = at + 65536;
    const text = at.toString(16);
    expect(mappings(500, at, end)).toEqual([range(at, end, "rw-p")]);
    ok(`split 500 ${(at + 8192).toString(16)}`);
    expect(mappings(500, at, end)).toEqual([range(at, at + 8192, "rw-p"), range(at + 8192, end, "r--p")]);
    ok(`mprotect 500 ${text} 64K rw-`);
    expect(mappings(500, at, end)).toEqual([range(at, end, "rw-p")]);
    expect(hex(ok(`mremap 500 ${text} 64K 16K`))).toBe(at);
    expect(mappings(500, at, end)).toEqual([range(at, at + 16384, "rw-p")]);
    ok(`munmap 500 ${text} 4K`);
    expect(mappings(500, at, end)).toEqual([range(at + 4096, at + 16384, "rw-p")]);
    ok(`munmap 500 ${text} 64K`);
    expect(mappings(500, at, end)).toEqual([]);
  });

  test("reuse-vma: gone here, there at once", () => {
    const at = hex(ok("mmap 500 64K --prot r--"));
    const moved = hex(ok(`reuse-vma 500 ${at.toString(16)} 600`));
    expect(mappings(500, at, at + 65536)).toEqual([]);
    expect(mappings(600, moved, moved + 65536)).toEqual([range(moved, moved + 65536, "r--s")]);
    expect(errnoOfCommand("reuse-vma 500 1000 600")).toBe(14);
    expect(errnoOfCommand(`reuse-vma 600 ${moved.toString(16)} 600`)).toBe(EINVAL);
    expect(errnoOfCommand(`reuse-vma 600 ${moved.toString(16)} 2`)).toBe(EINVAL);
    expect(errnoOfCommand(`reuse-vma 600 ${moved.toString(16)} 12345`)).toBe(ESRCH);
    expect(mappings(600, moved, moved + 65536)).toHaveLength(1);
  });
});

test("timers come first when they are new, and go", () => {
  const before = timerIds(500);
  expect(before).toHaveLength(2);
  const id = Number(ok("timer_create 500 --signal USR1"));
  expect(timerIds(500)).toEqual([id, ...before]);
  ok(`timer_delete 500 ${before[0]}`);
  expect(timerIds(500)).toEqual([id, before[1]]);
  ok("exec 500 /bin/true");
  expect(timerIds(500)).toEqual([]);
});

test("a thread that ends leaves its I/O to the process", () => {
  const rchar = (path: string): number => Number(/^rchar: (\d+)$/m.exec(proc.cat(path))?.[1]);
  const tid = Number(proc.ls("500/task").at(-1));
  ok(`io ${tid} 1M 0`);
  const whole = rchar("500/io");
  expect(rchar(`500/task/${tid}/io`)).toBeGreaterThanOrEqual(2 ** 20);
  ok(`exit-thread ${tid}`);
  expect(proc.ls("500/task")).toHaveLength(2);
  expect(rchar("500/io")).toBe(whole);
  const leader = rchar("500/task/500/io");
  expect(leader).toBeLessThan(whole);
});

test("exit, reap, and the pid used again: who still has a file of the old process open gets ESRCH", () => {
  const pid = Number(ok("fork 500"));
  const start = (): string => proc.cat(`${pid}/stat`).split(" ")[21] as string;
  const born = start();
  const old = proc.open(`${pid}/status`);
  ok(`exit ${pid} 3`);
  expect(status(pid, "State")).toBe("Z (zombie)");
  expect(old.read(4096).toString()).toContain("State:\tZ (zombie)");
  ok(`reap ${pid}`);
  expect(errnoOf(() => proc.stat(String(pid)))).toBe(ENOENT);
  expect(errnoOf(() => old.pread(4096, 0))).toBe(ESRCH);
  advanceClock(k, 5e9);
  expect(ok(`fork 600 --pid ${pid} --exec /usr/bin/env`)).toBe(String(pid));
  expect(proc.cat(`${pid}/cmdline`)).toBe("/usr/bin/env\0");
  expect(Number(start())).toBeGreaterThan(Number(born));
  expect(errnoOf(() => old.pread(4096, 0))).toBe(ESRCH);
  old.close();
  expect(errnoOfCommand(`fork 600 --pid ${pid}`)).toBe(17);
  expect(errnoOfCommand("kill 1 9")).toBe(EPERM);
});
