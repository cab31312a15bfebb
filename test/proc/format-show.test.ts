/** The show functions against a real simulated kernel: live processes, threads, kernel threads, zombies, strangers. */
import { beforeEach, describe, expect, test } from "vitest";
import { EACCES, EINVAL, EIO, ENOENT, EPERM, ERANGE, ESRCH } from "../../src/kernel/errno.ts";
import { exitGroup } from "../../src/kernel/exit.ts";
import { fileNew, installFd } from "../../src/kernel/files.ts";
import { TASK_INTERRUPTIBLE } from "../../src/kernel/flags.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { accountIo } from "../../src/kernel/io-accounting.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FileKind, HOST, MM, TASK } from "../../src/kernel/layout.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { pathNew, pathUnlink } from "../../src/kernel/path.ts";
import { MAP_PRIVATE, PROT_READ } from "../../src/mm/flags.ts";
import { mmapWriteLock, mmapWriteUnlock, vmaStartWrite } from "../../src/mm/lock.ts";
import { allVmas } from "../../src/mm/mm.ts";
import { mmap } from "../../src/mm/mmap.ts";
import { touch } from "../../src/mm/resident.ts";
import { findTask } from "../../src/kernel/pid.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { setTaskComm, setTaskState } from "../../src/kernel/task.ts";
import { Wait } from "../../src/kernel/wait-kinds.ts";
import { childrenSeq } from "../../src/proc/task/array-children.ts";
import { showStat, showStatm } from "../../src/proc/task/array-stat.ts";
import { showStatus } from "../../src/proc/task/array-status.ts";
import {
  showCgroup,
  showComm,
  showCpuset,
  showLoginuid,
  targetCwd,
  targetExe,
  writeComm,
  writeLoginuid,
} from "../../src/proc/task/base-identity.ts";
import {
  openMaps,
  openMmAttach,
  openMmRead,
  readCmdline,
  readEnviron,
  readMem,
  releaseMm,
} from "../../src/proc/task/base-mem.ts";
import { showCoredumpFilter, writeClearRefs, writeCoredumpFilter } from "../../src/proc/task/base-mem.ts";
import { openMounts } from "../../src/proc/task/base-mounts.ts";
import { showLimits, showTimensOffsets } from "../../src/proc/task/base-namespaces.ts";
import {
  showOomAdj,
  showOomScore,
  showOomScoreAdj,
  writeOomAdj,
  writeOomScoreAdj,
} from "../../src/proc/task/base-oom.ts";
import {
  showAutogroup,
  showSched,
  showSchedstat,
  showTimerslack,
  writeTimerslack,
} from "../../src/proc/task/base-sched.ts";
import { timersSeq } from "../../src/proc/task/base-timers.ts";
import { openTimers, showIo, showStack, showSyscall, showWchan } from "../../src/proc/task/base-trace.ts";
import { showFdinfo } from "../../src/proc/task/fdinfo.ts";
import type { HostView } from "../../src/proc/host-view.ts";
import type { Context, SeqOperations } from "../../src/proc/row.ts";
import { Scratch } from "../../src/proc/task/snapshots.ts";
import { mapsSeq, numaMapsSeq, showSmapsRollup, smapsSeq } from "../../src/proc/task/task-mmu.ts";
import { readPagemap } from "../../src/proc/task/task-mmu-pagemap.ts";
import { Text } from "../../src/proc/text.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { timerCreate, timerDelete } from "../../src/time/posix-timers.ts";
import { joinKernel, subject, testKernel } from "../support/kernel.ts";
import { cloneThread, fork, startInit } from "../support/processes.ts";

const HOST_VIEW = { mountinfo: ["22 1 254:0 / / rw - ext4 /dev/vda rw"] } as unknown as HostView;
const encoder = new TextEncoder();

let k: Kernel;
let init: number;
let c: Context;

beforeEach(() => {
  k = testKernel();
  init = startInit(k);
  c = context(init, subject(0));
});

function context(task: number, who: Subject, whole = true): Context {
  const tid = task === 0 ? 0 : k.m.load(task + TASK.pid);
  return {
    k,
    host: HOST_VIEW,
    scratch: new Scratch(),
    subject: who,
    task,
    tid,
    generation: 0,
    whole,
    index: 0,
    file: 0,
  };
}

type Show = (c: Context, out: Text) => number;

function shown(show: Show, at: Context): string {
  const out = new Text(64);
  expect(show(at, out)).toBe(0);
  return out.toString();
}

function refused(show: Show, at: Context): number {
  const out = new Text(64);
  const result = show(at, out);
  expect(out.length).toBe(0);
  return result;
}

function all(seq: SeqOperations, at: Context): string {
  const out = new Text(64);
  const cursor = { index: 0, entry: 0 };
  let result = seq.start(at, cursor);
  while (result > 0) {
    const length = out.length;
    if (seq.show(at, cursor, out) !== 0) out.length = length;
    result = seq.next(at, cursor);
  }
  seq.stop(at, cursor);
  expect(result).toBe(0);
  return out.toString();
}

function write(writer: (c: Context, offset: number, data: Uint8Array) => number, at: Context, text: string): number {
  return writer(at, 0, encoder.encode(text));
}

function statFields(text: string): string[] {
  return text
    .slice(text.lastIndexOf(")") + 2)
    .trimEnd()
    .split(" ");
}

/** Field of stat by its number in proc_pid_stat(5), from 3 on. */
function statField(at: Context, number: number): number {
  return Number(statFields(shown(showStat, at))[number - 3]);
}

function statusLine(at: Context, name: string): string {
  return new RegExp(`^${name}:\t(.*)$`, "m").exec(shown(showStatus, at))?.[1] ?? "absent";
}

describe("stat, statm and status agree", () => {
  test("on memory", () => {
    const [size, resident, shared, , , data] = shown(showStatm, c).split(" ").map(Number) as number[];
    expect(statField(c, 23)).toBe((size as number) * 4096);
    expect(statField(c, 24)).toBe(resident);
    expect(parseInt(statusLine(c, "VmSize"), 10)).toBe((size as number) * 4);
    expect(parseInt(statusLine(c, "VmRSS"), 10)).toBe((resident as number) * 4);
    const kb = (name: string): number => parseInt(statusLine(c, name), 10);
    expect(kb("RssFile") + kb("RssShmem")).toBe((shared as number) * 4);
    expect(kb("RssAnon") + kb("RssFile") + kb("RssShmem")).toBe(kb("VmRSS"));
    expect(kb("VmData") + kb("VmStk")).toBe((data as number) * 4);
    expect(kb("VmPeak")).toBeGreaterThanOrEqual(kb("VmSize"));
    expect(kb("VmExe") + kb("VmLib")).toBeGreaterThan(0);
  });

  test("on identity", () => {
    const child = context(fork(k, init), subject(0));
    const pid = k.m.load(child.task + TASK.pid);
    expect(statusLine(child, "Pid")).toBe(String(pid));
    expect(statusLine(child, "PPid")).toBe("1");
    expect(statField(child, 4)).toBe(1);
    expect(shown(showStat, child).startsWith(`${pid} (prog) R 1 `)).toBe(true);
    expect(all(childrenSeq, c)).toBe(`${pid} `);
    expect(statField(c, 4)).toBe(0);
  });

  test("a group is the sum of its threads", () => {
    const thread = cloneThread(k, init);
    const threads = [init, thread].map((task) => context(task, subject(0), false));
    k.m.store(init + TASK.minFlt, 7);
    k.m.store(thread + TASK.minFlt, 5);
    k.m.store64(init + TASK.utime, 3e9);
    k.m.store64(thread + TASK.utime, 2e9);
    expect(threads.map((at) => statField(at, 14))).toEqual([300, 200]);
    expect(threads.map((at) => statField(at, 10))).toEqual([7, 5]);
    expect(statField(c, 14)).toBe(500);
    expect(statField(c, 10)).toBe(12);
    expect(statField(c, 20)).toBe(2);
    expect(statusLine(c, "Threads")).toBe("2");
    expect(threads.map((at) => statField(at, 38))).toEqual([17, -1]);
    expect(shown(showSchedstat, c).split(" ")[0]).toBe(String(3e9));
  });

  test("what a stranger may not see is hidden", () => {
    setTaskState(k, init, TASK_INTERRUPTIBLE, Wait.epoll);
    const stranger = context(init, subject(3002));
    const mine = statFields(shown(showStat, c));
    const theirs = statFields(shown(showStat, stranger));
    const hidden = new Map([26, 27].map((number) => [number, "1"]));
    for (const number of [28, 29, 30, 35, 45, 46, 47, 48, 49, 50, 51, 52]) hidden.set(number, "0");
    expect(theirs).toEqual(mine.map((value, i) => hidden.get(i + 3) ?? value));
    expect(mine[35 - 3]).toBe("1");
    expect(shown(showWchan, c)).toBe("do_epoll_wait");
    expect(shown(showWchan, stranger)).toBe("0");
    expect(shown(showStatus, stranger)).toBe(shown(showStatus, c));
  });

  test("kernel threads and zombies have no memory", () => {
    const kthread = context(
      findTask(k, copyProcess(k, k.m.load(HOST.idleTask), 0, { pid: 2, kernelThread: true })),
      c.subject,
    );
    expect(statusLine(kthread, "Kthread")).toBe("1");
    expect(statusLine(kthread, "VmSize")).toBe("absent");
    expect(statField(kthread, 38)).toBe(0);
    expect(refused(targetExe, kthread)).toBe(-ENOENT);
    expect(shown(targetCwd, kthread)).toBe("/");
    const zombie = context(fork(k, init), subject(0));
    exitGroup(k, zombie.task, 7 << 8);
    expect(shown(showStatus, zombie).trimEnd().split("\n")).toHaveLength(39);
    expect(statusLine(zombie, "State")).toBe("Z (zombie)");
    expect(statusLine(zombie, "FDSize")).toBe("0");
    expect(statField(zombie, 52)).toBe(7 << 8);
    expect(shown(showStatm, zombie)).toBe("0 0 0 0 0 0 0\n");
    expect(shown(showSyscall, zombie)).toBe("-1 0x0 0x0\n");
    expect(shown(showWchan, zombie)).toBe("0");
    expect(shown(showOomScore, zombie)).toBe("0\n");
    expect(shown(showCoredumpFilter, zombie)).toBe("");
    expect(shown(showTimensOffsets, zombie)).toBe("");
    expect(refused(targetExe, zombie)).toBe(-ENOENT);
    expect(refused(targetCwd, zombie)).toBe(-ENOENT);
    expect(openMounts(zombie)).toBe(-EINVAL);
    expect(shown(showAutogroup, kthread)).toBe("");
  });
});

describe("names and places", () => {
  test("comm, exe, cwd, cgroup, cpuset, loginuid", () => {
    setTaskComm(k, init, encoder.encode("a b\n"));
    expect(shown(showComm, c)).toBe("a b\n\n");
    expect(shown(targetExe, c)).toBe("/usr/bin/prog");
    expect(shown(targetCwd, c)).toBe("/");
    expect(refused(targetExe, context(init, subject(3002)))).toBe(-EACCES);
    expect(shown(showCgroup, c)).toBe("0::/\n");
    expect(shown(showCpuset, c)).toBe("/\n");
    expect(shown(showLoginuid, c)).toBe("4294967295");
    expect(write(writeLoginuid, c, "5")).toBe(-EPERM);
  });

  test("who may open comm for writing renames the thread", () => {
    expect(write(writeComm, c, "a name that is too long\n")).toBe(24);
    expect(shown(showComm, c)).toBe("a name that is \n");
  });
});

describe("guarded files", () => {
  test("io of a group and of a thread", () => {
    const thread = cloneThread(k, init);
    accountIo(k, thread, { rchar: 10, wchar: 20, syscr: 1, syscw: 2, readBytes: 4096, writeBytes: 8192 });
    const text =
      "rchar: 10\nwchar: 20\nsyscr: 1\nsyscw: 2\nread_bytes: 4096\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n";
    expect(shown(showIo, c)).toBe(text);
    expect(shown(showIo, context(thread, subject(0), false))).toBe(text);
    expect(shown(showIo, context(init, subject(0), false))).toContain("rchar: 0\n");
    expect(refused(showIo, context(init, subject(3002)))).toBe(-EACCES);
  });

  test("stack needs CAP_SYS_ADMIN, syscall and personality the right to attach", () => {
    setTaskState(k, init, TASK_INTERRUPTIBLE, Wait.pause);
    expect(shown(showStack, c).split("\n")[0]).toBe("[<0>] __do_sys_pause+0x2b/0x50");
    expect(refused(showStack, context(init, subject(3002)))).toBe(-EACCES);
    expect(shown(showSyscall, c)).toMatch(/^34( 0x[0-9a-f]+){8}\n$/);
    expect(shown(showSyscall, c)).toBe(shown(showSyscall, c));
    expect(refused(showSyscall, context(init, subject(3002)))).toBe(-EPERM);
    setTaskState(k, init, 0, Wait.running);
    expect(shown(showSyscall, c)).toBe("running\n");
  });

  test("timers, newest first, without deleted ones", () => {
    const spec = { clock: 1, signo: 12, value: 0, notify: 0, notifyPid: 1 };
    for (let i = 0; i < 3; i++) timerCreate(k, init, spec);
    const entry = (id: number): string => `ID: ${id}\nsignal: 12/0000000000000000\nnotify: signal/pid.1\nClockID: 1\n`;
    expect(all(timersSeq, c)).toBe(entry(2) + entry(1) + entry(0));
    timerDelete(k, init, 1);
    expect(all(timersSeq, c)).toBe(entry(2) + entry(0));
    expect(openTimers(context(init, subject(3002)))).toBe(-EACCES);
  });
});

/** A context with an open file of `open`'s making; the result of open is checked. */
function opened(at: Context, open: (c: Context) => number, expected = 0): Context {
  const file = k.slab.alloc(Cache.openFile);
  const result = { ...at, file };
  expect(open(result)).toBe(expected);
  return result;
}

describe("address spaces", () => {
  test("environ and cmdline", () => {
    const at = opened(c, openMmRead);
    const dest = new Uint8Array(64);
    const read = (reader: typeof readEnviron, offset: number, size = 64): string =>
      Buffer.from(dest.subarray(0, reader(at, offset, dest.subarray(0, size)))).toString("latin1");
    expect(read(readEnviron, 0)).toBe("HOME=/root\0LANG=C\0");
    expect(read(readEnviron, 11, 3)).toBe("LAN");
    expect(read(readEnviron, 1000)).toBe("");
    expect(read(readCmdline, 0)).toBe("/usr/bin/prog\0--flag\0");
    expect(read(readCmdline, 14, 2)).toBe("--");
    expect(readMem(at, 0, dest)).toBe(-EIO);
    const mm = k.m.load(init + TASK.mm);
    const argStart = k.m.load64(mm + MM.argStart);
    expect(Buffer.from(dest.subarray(0, readMem(at, argStart, dest))).toString()).toContain("--flag");
    releaseMm(at);
  });

  test("an open file pins the mm, not its mappings", () => {
    const child = context(fork(k, init), subject(0));
    const at = opened(child, openMmRead);
    exitGroup(k, child.task, 0);
    expect(readEnviron(at, 0, new Uint8Array(8))).toBe(0);
    expect(readPagemap(at, 0, new Uint8Array(8))).toBe(0);
    expect(readMem(at, 0, new Uint8Array(8))).toBe(0);
    releaseMm(at);
    opened(child, openMmRead, -ESRCH);
    opened(child, openMaps, 0);
    opened(context(init, subject(3002)), openMaps, -EACCES);
    opened(context(init, subject(3002)), openMmAttach, -EACCES);
  });

  test("pagemap has as many present pages as are resident", () => {
    const at = opened(c, openMmRead);
    expect(readPagemap(at, 4, new Uint8Array(8))).toBe(-EINVAL);
    expect(readPagemap(at, 0, new Uint8Array(9))).toBe(-EINVAL);
    const dest = new Uint8Array(2 ** 20);
    let present = 0;
    for (const line of all(mapsSeq, at).split("\n").slice(0, -2)) {
      const [start, end] = line
        .split(" ", 1)
        .join("")
        .split("-")
        .map((hex) => parseInt(hex, 16)) as [number, number];
      const bytes = ((end - start) / 4096) * 8;
      expect(readPagemap(at, (start / 4096) * 8, dest.subarray(0, bytes))).toBe(bytes);
      for (let i = 7; i < bytes; i += 8) present += (dest[i] as number) >> 7;
    }
    expect(present).toBeGreaterThan(0);
    expect(present).toBe(statField(c, 24));
    expect(readPagemap(at, (0x7ffffffff000 / 4096) * 8, dest)).toBe(0);
    releaseMm(at);
  });

  test("coredump_filter and clear_refs", () => {
    expect(shown(showCoredumpFilter, c)).toBe("00000033\n");
    expect(write(writeCoredumpFilter, c, "0x7f\n")).toBe(5);
    expect(shown(showCoredumpFilter, c)).toBe("0000007f\n");
    expect(write(writeCoredumpFilter, c, "4294967296")).toBe(-ERANGE);
    expect(write(writeClearRefs, c, "7")).toBe(-EINVAL);
    expect(write(writeClearRefs, c, "5\n")).toBe(2);
  });
});

describe("maps, smaps, smaps_rollup, numa_maps", () => {
  const sumOf = (text: string, pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);

  test("agree with status and each other", () => {
    const at = opened(c, openMaps);
    const smaps = all(smapsSeq, at);
    const kb = (name: string): number => parseInt(statusLine(c, name), 10);
    // The gate area isn't part of the process.
    expect(sumOf(smaps, /^Size: +(\d+) kB/gm) - 4).toBe(kb("VmSize"));
    expect(sumOf(smaps, /^Rss: +(\d+) kB/gm)).toBe(kb("VmRSS"));
    expect(sumOf(smaps, /^Anonymous: +(\d+) kB/gm)).toBe(kb("RssAnon"));
    const rollup = shown(showSmapsRollup, at);
    expect(sumOf(rollup, /^Rss: +(\d+) kB/gm)).toBe(kb("VmRSS"));
    expect(sumOf(rollup, /^Pss_(?:Anon|File|Shmem): +(\d+) kB/gm)).toBeLessThanOrEqual(
      sumOf(rollup, /^Pss: +(\d+) kB/gm),
    );
    const maps = all(mapsSeq, at).split("\n").slice(0, -1);
    expect(smaps.split("\n").filter((line) => /^[0-9a-f]+-/.test(line))).toEqual(maps);
    const first = (maps[0] as string).split("-")[0] as string;
    const last = /-([0-9a-f]+)/.exec(maps.at(-2) as string)?.[1] as string;
    expect(rollup.split("\n")[0]).toBe(`${first}-${last} ---p 00000000 00:00 0`.padEnd(73) + "[rollup]");
    const numa = all(numaMapsSeq, at).split("\n").slice(0, -1);
    expect(numa).toHaveLength(maps.length - 1);
    expect(sumOf(numa.join("\n"), / N0=(\d+)/g) * 4).toBe(kb("VmRSS"));
    expect(numa.map((line) => line.split(" ")[0])).toEqual(maps.slice(0, -1).map((line) => line.split("-")[0]));
    releaseMm(at);
  });

  test("a walk that stops and starts at each record gives the same text, in both forms", () => {
    const at = opened(c, openMaps);
    const whole = all(mapsSeq, at);
    expect(whole).toMatch(/^[0-9a-f]+-[0-9a-f]+ r--p 00000000 fe:00 1001 +\/usr\/bin\/prog\n/);
    expect(whole).toMatch(
      /\[heap\]\n.*\[vdso\]\n.*\[stack\]\nffffffffff600000-ffffffffff601000 --xp .*\[vsyscall\]\n$/s,
    );
    for (const mode of [LOCKFREE, LOCKED]) {
      k.m.store(HOST.pathMode + Path.maps, mode);
      expect(all(mapsSeq, at)).toBe(whole);
      const out = new Text(64);
      const cursor = { index: 0, entry: 0 };
      for (;;) {
        const result = mapsSeq.start(at, cursor);
        if (result > 0) {
          mapsSeq.show(at, cursor, out);
          mapsSeq.next(at, cursor);
        }
        mapsSeq.stop(at, cursor);
        if (result === 0) break;
      }
      expect(out.toString()).toBe(whole);
    }
    releaseMm(at);
  });

  test("a reader that must not sleep is told so by a writer, and goes on later where it was", () => {
    const at = opened(c, openMaps);
    const whole = all(mapsSeq, at);
    const mm = k.m.load(init + TASK.mm);
    const writer = joinKernel(k.m.buffer);
    const out = new Text(64);
    const cursor = { index: 0, entry: 0 };
    k.t.maySleep = false;
    expect(mapsSeq.start(at, cursor)).toBe(1);
    mapsSeq.show(at, cursor, out);
    expect(mapsSeq.next(at, cursor)).toBe(1);
    mapsSeq.stop(at, cursor);
    const position = cursor.index;
    mmapWriteLock(writer, mm);
    for (const vma of allVmas(writer, mm)) vmaStartWrite(writer, mm, vma);
    expect(mapsSeq.start(at, cursor)).toBe(WOULD_WAIT);
    mapsSeq.stop(at, cursor);
    expect(cursor.index).toBe(position);
    expect(refused(showSmapsRollup, at)).toBe(WOULD_WAIT);
    mmapWriteUnlock(writer, mm);
    for (let result = mapsSeq.start(at, cursor); result > 0; result = mapsSeq.next(at, cursor)) {
      mapsSeq.show(at, cursor, out);
    }
    mapsSeq.stop(at, cursor);
    expect(out.toString()).toBe(whole);
    k.t.maySleep = true;
    writer.idle();
    releaseMm(at);
  });

  test("names with blanks and newlines, unlinked files", () => {
    const mm = k.m.load(init + TASK.mm);
    const path = pathNew(k, { name: "/tmp/a b\nc\\d", ino: 77 });
    const address = mmap(k, mm, 0, 4096, PROT_READ, MAP_PRIVATE, path, 0);
    expect(address).toBeGreaterThan(0);
    touch(k, mm, address, 1);
    const at = opened(c, openMaps);
    const line = (text: string): string => text.split("\n").find((each) => each.startsWith(address.toString(16))) ?? "";
    expect(line(all(mapsSeq, at)).slice(73)).toBe("/tmp/a b\\012c\\d");
    pathUnlink(k, path);
    expect(line(all(mapsSeq, at)).slice(73)).toBe("/tmp/a b\\012c\\d (deleted)");
    expect(line(all(numaMapsSeq, at))).toContain(" default file=/tmp/a\\040b\\012c\\d\\040(deleted)");
    releaseMm(at);
  });

  test("are empty, or gone, without mappings", () => {
    const child = context(fork(k, init), subject(0));
    const at = opened(child, openMaps);
    exitGroup(k, child.task, 0);
    expect(all(mapsSeq, at) + all(smapsSeq, at) + all(numaMapsSeq, at)).toBe("");
    expect(refused(showSmapsRollup, at)).toBe(-ESRCH);
    releaseMm(at);
  });
});

describe("adjustments", () => {
  test("oom scores", () => {
    const child = context(fork(k, init), subject(0));
    expect(shown(showOomScore, c)).toBe("0\n");
    expect(shown(showOomScore, child)).toBe("666\n");
    expect(write(writeOomScoreAdj, child, "-1001")).toBe(-EINVAL);
    expect(write(writeOomScoreAdj, child, "junk")).toBe(-EINVAL);
    expect(write(writeOomScoreAdj, child, "1000\n")).toBe(5);
    expect(shown(showOomScore, child)).toBe("1332\n");
    expect(shown(showOomAdj, child)).toBe("15\n");
    const stranger = context(child.task, subject(3002));
    expect(write(writeOomScoreAdj, stranger, "500")).toBe(-EACCES);
    expect(write(writeOomAdj, stranger, "0")).toBe(-EACCES);
    expect(write(writeOomAdj, child, "-17")).toBe(3);
    expect(shown(showOomScoreAdj, child)).toBe("-1000\n");
    expect(shown(showOomScore, child)).toBe("0\n");
    expect(write(writeOomAdj, child, "16")).toBe(-EINVAL);
  });

  test("timer slack needs CAP_SYS_NICE", () => {
    expect(shown(showTimerslack, c)).toBe("50000\n");
    expect(write(writeTimerslack, c, "7")).toBe(1);
    expect(shown(showTimerslack, c)).toBe("7\n");
    expect(write(writeTimerslack, c, "0")).toBe(1);
    expect(shown(showTimerslack, c)).toBe("50000\n");
    expect(refused(showTimerslack, context(init, subject(3002)))).toBe(-EPERM);
  });

  test("limits and sched", () => {
    expect(shown(showLimits, c).split("\n")[4]).toBe(
      "Max stack size            8388608              unlimited            bytes     ",
    );
    expect(shown(showSched, c).split("\n")[0]).toBe("prog (1, #threads: 1)");
  });
});

test("fdinfo", () => {
  const files = k.m.load(init + TASK.files);
  const fd = installFd(k, files, fileNew(k, { kind: FileKind.eventfd, flags: 2, data: 3 }), 0, true);
  const at = { ...c, index: fd };
  expect(shown(showFdinfo, at)).toMatch(
    /^pos:\t0\nflags:\t02000002\nmnt_id:\t17\nino:\t\d+\neventfd-count: {16}3\neventfd-id: \d+\neventfd-semaphore: 0\n$/,
  );
  expect(refused(showFdinfo, { ...c, index: fd + 1 })).toBe(-ENOENT);
});
