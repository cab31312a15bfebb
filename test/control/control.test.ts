/** Every control command does what its line in the help says, or says why not. */
import { beforeEach, describe, expect, test } from "vitest";
import { actBegin, actEnd } from "../../src/kernel/actor.ts";
import { finishHeldExecs, heldExecs } from "../../src/kernel/exec-hold.ts";
import { fdLookup, nextFd } from "../../src/kernel/files.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { CRED, FILE, FileKind, HOST, IO, MM, PATH, SIGNAL, TASK, VMA } from "../../src/kernel/layout.ts";
import { rlimit } from "../../src/kernel/limits.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { seqcountTryBegin } from "../../src/sync/seqcount.ts";
import { isZombie, taskComm, threadCount } from "../../src/kernel/task.ts";
import { COMMANDS, controlHandler, helpText, runCommand } from "../../src/mutate/control/control.ts";
import type { World } from "../../src/mutate/control/control.ts";
import { exitAll } from "../../src/mutate/build/teardown.ts";
import { findVma } from "../../src/mm/vma-tree.ts";
import { vmaEnd, vmaStart } from "../../src/mm/vma.ts";
import { bytesText } from "../../src/shm/bytes.ts";
import { WAIT_WOULD_BLOCK } from "../../src/sync/thread.ts";
import { advanceClock, bootTimeNs } from "../../src/time/clock.ts";
import { timersStart } from "../../src/time/posix-timers.ts";
import { buildText } from "../build/kernel.ts";

const SCENARIO = `
host: { cpus: 2, uptime: 1h }
processes:
  - { name: server, pid: 500, command: /usr/sbin/server --first, threads: 2, memory: 8M }
  - { name: other, pid: 600, command: /usr/sbin/other }
  - { name: dead, pid: 700, command: /usr/sbin/dead, state: Z }
`;

let k: Kernel;
let world: World;

beforeEach(() => {
  const made = buildText(SCENARIO);
  k = made.k;
  world = { host: made.scenario.host };
});

/** Runs a command that must succeed. @returns what it prints */
function ok(line: string): string {
  const { errno, text } = runCommand(k, line, world);
  expect(`${line}: ${errno} ${errno === 0 ? "" : text}`).toBe(`${line}: 0 `);
  return text;
}

function fails(line: string): { errno: number; text: string } {
  const result = runCommand(k, line, world);
  expect(result.errno).toBeGreaterThan(0);
  expect(result.text).not.toBe("");
  return result;
}

const task = (pid: number): number => findTask(k, pid);
const signal = (pid: number): number => k.m.load(task(pid) + TASK.signal);
const mm = (pid: number): number => k.m.load(task(pid) + TASK.mm);
const cred = (pid: number): number => k.m.load(task(pid) + TASK.cred);
const hex = (text: string): number => Number.parseInt(text, 16);

function comm(pid: number): string {
  const out = new Uint8Array(16);
  return Buffer.from(out.subarray(0, taskComm(k, task(pid), out))).toString("latin1");
}

function parent(pid: number): number {
  return k.m.load(k.m.load(signal(pid) + SIGNAL.parent) + SIGNAL.tgid);
}

function argv(pid: number): string {
  return bytesText(k.m, k.m.load(mm(pid) + MM.argv));
}

function exe(pid: number): string {
  return bytesText(k.m, k.m.load(k.m.load(mm(pid) + MM.exeFile) + PATH.name));
}

/** [start, end, protection] of the mapping at or above an address. */
function mapping(pid: number, address: number): [number, number, number] {
  const vma = findVma(k, mm(pid), address);
  return [vmaStart(k.m, vma), vmaEnd(k.m, vma), k.m.load(vma + VMA.vmFlags) & 7];
}

describe("processes", () => {
  test("fork", () => {
    const pid = Number(ok("fork 500"));
    expect(parent(pid)).toBe(500);
    expect(comm(pid)).toBe("server");
    expect(mm(pid)).not.toBe(mm(500));
    expect(ok("fork 500 --pid 4242")).toBe("4242");
    expect(fails("fork 500 --pid 4242").errno).toBe(17);
    expect(fails("fork 12345").errno).toBe(3);
    expect(fails("fork 700").errno).toBe(3);
  });

  test("fork --exec", () => {
    const pid = Number(ok("fork 500 --exec /opt/new/tool -- -x 'two words'"));
    expect(argv(pid)).toBe("/opt/new/tool\0-x\0two words\0");
    expect(exe(pid)).toBe("/opt/new/tool");
    expect(comm(pid)).toBe("tool");
    expect(fails("fork 2 --exec /bin/sh").errno).toBe(22);
  });

  test("vfork shares the address space until exec", () => {
    const pid = Number(ok("vfork 500"));
    expect(mm(pid)).toBe(mm(500));
    ok(`exec ${pid} /bin/true`);
    expect(mm(pid)).not.toBe(mm(500));
  });

  test("clone and exit-thread", () => {
    const tid = Number(ok("clone 500 --name helper"));
    expect(threadCount(k, task(500))).toBe(3);
    expect(comm(tid)).toBe("helper");
    ok(`exit-thread ${tid}`);
    expect(threadCount(k, task(500))).toBe(2);
    expect(task(tid)).toBe(0);
  });

  test("exec keeps the environment, and ends other threads", () => {
    const environ = bytesText(k.m, k.m.load(mm(500) + MM.envp));
    ok("exec 500 /usr/bin/passwd -S");
    expect(argv(500)).toBe("/usr/bin/passwd\0-S\0");
    expect(bytesText(k.m, k.m.load(mm(500) + MM.envp))).toBe(environ);
    expect(threadCount(k, task(500))).toBe(1);
    ok("exec 600 /bin/true --comm renamed --non-dumpable");
    expect(comm(600)).toBe("renamed");
    expect(k.m.load(mm(600) + MM.dumpable)).toBe(0);
    expect(fails("exec 2 /bin/true").errno).toBe(22);
    expect(fails("exec 600 relative").errno).toBe(22);
  });

  test("exec --setuid", () => {
    ok("setuid 600 1000");
    ok("exec 600 /bin/true --setuid 0");
    expect([CRED.uid, CRED.euid, CRED.suid].map((at) => k.m.load(cred(600) + at))).toEqual([1000, 0, 0]);
  });

  test("exec from a thread takes over the process", () => {
    const tid = Number(ok("clone 600"));
    ok(`exec ${tid} /bin/true`);
    expect(task(tid)).toBe(0);
    expect(comm(600)).toBe("true");
    expect(threadCount(k, task(600))).toBe(1);
  });

  test("exec --hold keeps the lock until its time has come", () => {
    ok("exec 500 /bin/true --hold 4s");
    expect(heldExecs(k)).toBe(1);
    expect(seqcountTryBegin(k.m, signal(500) + SIGNAL.execUpdateSeq)).toBeLessThan(0);
    expect(comm(500)).toBe("server");
    k.t.maySleep = false;
    expect(runCommand(k, "comm 500 x", world).errno).toBe(WAIT_WOULD_BLOCK);
    k.t.maySleep = true;
    expect(finishHeldExecs(k, bootTimeNs(k))).toBe(0);
    advanceClock(k, 4e9);
    expect(finishHeldExecs(k, bootTimeNs(k))).toBe(1);
    expect(comm(500)).toBe("true");
    ok("comm 500 x");
  });

  test("exit and reap", () => {
    const child = Number(ok("fork 500"));
    ok(`exit ${child} 3`);
    expect(isZombie(k, task(child))).toBe(true);
    expect(k.m.load(task(child) + TASK.exitCode)).toBe(3 << 8);
    ok(`reap ${child}`);
    expect(task(child)).toBe(0);
    expect(fails("reap 600").errno).toBe(10);
    ok("reap 700");
    // Init waits for its own children by itself.
    ok("exit 600");
    expect(task(600)).toBe(0);
  });

  test("signals", () => {
    ok("stop 500");
    expect(k.m.load(task(500) + TASK.state)).toBe(4);
    ok("cont 500");
    expect(k.m.load(task(500) + TASK.state)).toBe(1);
    ok("kill 500 SIGTERM");
    expect(task(500)).toBe(0);
    expect(fails("kill 1 9").errno).toBe(1);
    expect(fails("kill 600 NONSENSE").errno).toBe(22);
  });
});

describe("memory", () => {
  test("mmap, munmap, mprotect, split, mremap, touch", () => {
    const at = hex(ok("mmap 500 64K"));
    expect(mapping(500, at)).toEqual([at, at + 65536, 3]);
    ok(`split 500 ${(at + 8192).toString(16)}`);
    expect(mapping(500, at)).toEqual([at, at + 8192, 3]);
    expect(mapping(500, at + 8192)).toEqual([at + 8192, at + 65536, 1]);
    ok(`mprotect 500 0x${at.toString(16)} 64K rw-`);
    expect(mapping(500, at)).toEqual([at, at + 65536, 3]);
    expect(ok(`touch 500 ${at.toString(16)} 4`)).toBe("4");
    const moved = hex(ok(`mremap 500 ${at.toString(16)} 64K 1M`));
    expect(mapping(500, moved)).toEqual([moved, moved + 2 ** 20, 3]);
    ok(`munmap 500 ${moved.toString(16)} 1M`);
    expect(mapping(500, moved)[0]).toBeGreaterThan(moved);
    expect(fails("split 500 1000").errno).toBe(14);
    expect(fails("mmap 2 4K").errno).toBe(22);
    expect(fails("mmap 500 0").errno).toBe(22);
  });

  test("files, names, heap, locks", () => {
    const at = hex(ok("mmap 500 8K --file /srv/data.bin --prot r--"));
    const vma = findVma(k, mm(500), at);
    expect(bytesText(k.m, k.m.load(k.m.load(vma + VMA.vmFile) + PATH.name))).toBe("/srv/data.bin");
    const named = hex(ok("mmap 500 8K --addr 10000000"));
    expect(named).toBe(0x10000000);
    ok("madvise-name 500 10000000 8K pool");
    expect(bytesText(k.m, k.m.load(findVma(k, mm(500), named) + VMA.anonName))).toBe("pool");
    const before = k.m.load64(mm(500) + MM.brk);
    expect(hex(ok("brk 500 64K"))).toBe(before + 65536);
    expect(hex(ok("brk 500 -64K"))).toBe(before);
    ok("mlock 500 10000000 8K");
    expect(k.m.load(mm(500) + MM.lockedVm)).toBe(2);
    ok("munlock 500 10000000 8K");
    expect(k.m.load(mm(500) + MM.lockedVm)).toBe(0);
  });
});

describe("identity", () => {
  test("users, groups, sessions", () => {
    ok("setgid 600 50");
    ok("setgroups 600 4 24 27");
    ok("setuid 600 1000");
    expect([CRED.uid, CRED.gid].map((at) => k.m.load(cred(600) + at))).toEqual([1000, 50]);
    expect(bytesText(k.m, k.m.load(cred(600) + CRED.groups))).toHaveLength(12);
    expect(fails("setsid 600").errno).toBe(1);
    const child = Number(ok("fork 600"));
    expect(ok(`setsid ${child}`)).toBe(String(child));
    const second = Number(ok("fork 600"));
    ok(`setpgid ${second} 0`);
    expect(k.m.load(signal(second) + SIGNAL.pgrp)).toBe(second);
  });

  test("names, limits, accounting, filters", () => {
    ok("comm 600 'new name'");
    expect(comm(600)).toBe("new name");
    ok("dumpable 600 0");
    expect(k.m.load(mm(600) + MM.dumpable)).toBe(0);
    expect(fails("dumpable 600 2").errno).toBe(22);
    ok("limit 600 nofile 100 200");
    expect([rlimit(k, signal(600), 7, false), rlimit(k, signal(600), 7, true)]).toEqual([100, 200]);
    expect(fails("limit 600 nofile 300 200").errno).toBe(22);
    const before = k.m.load64(task(600) + TASK.ioac + IO.rchar);
    ok("io 600 10000 5000");
    expect(k.m.load64(task(600) + TASK.ioac + IO.rchar)).toBe(before + 10000);
    const used = k.m.load64(task(600) + TASK.utime);
    ok("cpu 600 20 5");
    expect(k.m.load64(task(600) + TASK.utime)).toBe(used + 20e6);
    ok("nice 600 -5");
    expect(k.m.load(task(600) + TASK.nice)).toBe(-5);
    ok("oom_score_adj 600 -900");
    expect(k.m.load(signal(600) + SIGNAL.oomScoreAdj)).toBe(-900);
    ok("tsync 500");
    expect(k.m.load(task(500) + TASK.noNewPrivs)).toBe(1);
  });

  test("timers", () => {
    expect(ok("timer_create 600 --signal USR1 --clock realtime --interval 2s")).toBe("0");
    expect(ok("timer_create 600")).toBe("1");
    ok("timer_settime 600 1 5s 1s");
    ok("timer_delete 600 0");
    expect(timersStart(k, task(600), 0)).not.toBe(0);
    expect(timersStart(k, task(600), 1)).toBe(0);
    expect(fails("timer_delete 600 0").errno).toBe(22);
  });
});

describe("files", () => {
  test("open, dup, close", () => {
    const fd = Number(ok("open 600 /var/log/x.log --mode a"));
    expect(k.m.load(fdLookup(k, task(600), fd) + FILE.flags)).toBe(0o102001);
    const pipe = Number(ok("open 600 pipe"));
    expect(k.m.load(fdLookup(k, task(600), pipe) + FILE.kind)).toBe(FileKind.pipe);
    const copy = Number(ok(`dup 600 ${pipe}`));
    expect(fdLookup(k, task(600), copy)).toBe(fdLookup(k, task(600), pipe));
    ok(`close 600 ${pipe}`);
    expect(fdLookup(k, task(600), pipe)).toBe(0);
    expect(fails(`close 600 ${pipe}`).errno).toBe(9);
    expect(fails("open 600 relative").errno).toBe(22);
  });

  test("unlink", () => {
    ok("open 600 /srv/data.bin");
    ok("mmap 500 8K --file /srv/data.bin");
    ok("unlink /srv/data.bin");
    const fd = nextFd(k, task(600), 3);
    expect(k.m.load(k.m.load(fdLookup(k, task(600), fd) + FILE.path) + PATH.deleted)).toBe(1);
    expect(fails("unlink /srv/data.bin").errno).toBe(2);
    ok("unlink /bin/true");
    expect(fails("exec 600 /bin/true").errno).toBe(2);
  });
});

test("the machine", () => {
  ok("pause");
  expect(k.m.load(HOST.mutatorPaused)).toBe(1);
  ok("resume");
  ok("speed 250");
  expect([k.m.load(HOST.mutatorPaused), k.m.load(HOST.mutatorSpeed)]).toEqual([0, 250]);
});

describe("mistakes", () => {
  test.each([
    ["", /command line/],
    ["fork 'x", /command line/],
    ["frok 1", /no command "frok"/],
    ["fork", /PID is missing; usage: fork PID/],
    ["fork 0", /PID is a number from 1/],
    ["fork 500 600", /one word too many/],
    ["fork 500 --what", /no option --what/],
    ["fork 500 --pid", /--pid needs a value/],
    ["mmap 500 lots", /lots/],
    ["munmap 500 xyz 4K", /hexadecimal/],
    ["limit 500 nothing 1", /NAME is one of cpu, /],
    ["help nonsense", /no command "nonsense"/],
    ["speed 0", /PERCENT is a number from 1/],
  ])("%s", (line, reason) => {
    const result = fails(line);
    expect(result.errno).toBe(22);
    expect(result.text).toMatch(reason);
  });
});

test("the help names every command", () => {
  const lines = helpText().split("\n");
  expect(lines.map((line) => line.split(/[ :]/)[0])).toEqual(COMMANDS.map(({ name }) => name));
  expect(lines[0]).toBe(
    "fork PID [--pid N] [--exec FILE [ARG...]]: a child of PID, which may execute FILE; prints its pid",
  );
  expect(ok("help exec")).toContain("exec PID FILE [ARG...] [--hold TIME]");
  expect(controlHandler(world).help).toBe(`${helpText()}\n`);
});

test("a command that would have to wait has done nothing", () => {
  const held = actBegin(k, 500);
  // The thread serves requests and must not sleep; somebody else acts as the process.
  k.t.lockdep.handOff([1]);
  k.t.maySleep = false;
  const before = k.slab.live(1);
  const lines = [
    "fork 500",
    "vfork 500",
    "clone 500",
    "exec 500 /bin/true",
    "exit 500",
    "kill 500 9",
    "mmap 500 4K",
    "brk 500 4K",
    "setuid 500 1",
    "comm 500 x",
    "open 500 pipe",
    "timer_create 500",
  ];
  for (const line of lines) expect(runCommand(k, line, world), line).toEqual({ errno: WAIT_WOULD_BLOCK, text: "" });
  expect(k.slab.live(1)).toBe(before);
  expect(comm(500)).toBe("server");
  k.t.maySleep = true;
  k.t.lockdep.takeOver([1]);
  actEnd(k, held);
  ok("comm 500 x");
});

test("whatever commands have made goes with its processes", () => {
  for (const line of ["fork 500 --exec /bin/sh", "clone 600", "mmap 500 1M", "open 600 socket", "timer_create 600"]) {
    ok(line);
  }
  exitAll(k);
  expect(k.m.load(HOST.nrThreads)).toBe(0);
  // The idle task is left, and what it has.
  for (const cache of [1, 2, 3, 6, 7]) expect(k.slab.live(cache)).toBe(1);
  for (const cache of [8, 10, 11, 12, 13]) expect(k.slab.live(cache)).toBe(0);
});
