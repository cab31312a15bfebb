/** System-wide files of a real kernel handle: they agree with the kernel model and with each other. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CpuState, accountCpu, readCpuTime } from "../../src/kernel/cpu-time.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { HOST } from "../../src/kernel/layout.ts";
import type { HostView } from "../../src/proc/host-view.ts";
import { netRows } from "../../src/proc/net/rows.ts";
import { rootRows } from "../../src/proc/root/rows.ts";
import { advanceClock } from "../../src/time/clock.ts";
import { subject, testKernel } from "../support/kernel.ts";
import { TEST_HOST, directoriesOf, filesOf, rootContext, rowAt, textOf } from "../support/root-files.ts";
import { inThreads } from "../support/threads.ts";
import type { AccountJob } from "./root-threads.ts";

const SECOND = 1e9;

/** Files by path, as root reads them. */
function machine(config = {}, host: HostView = TEST_HOST): { k: Kernel; read: (path: string) => string } {
  const k = testKernel(config);
  const rows = rootRows(host);
  const net = netRows(host);
  const c = rootContext(k, subject(0), host);
  const read = (path: string): string =>
    textOf(path.startsWith("net/") ? rowAt(net, path.slice(4)) : rowAt(rows, path), c);
  return { k, read };
}

function field(text: string, name: string): number {
  const found = new RegExp(`^${name.replace(/[()]/g, "\\$&")}:?\\s+(\\d+)`, "m").exec(text);
  if (found === null) throw new Error(`no ${name}`);
  return Number(found[1]);
}

function columns(text: string, start: string): number[] {
  const line = text.split("\n").find((one) => one.startsWith(`${start} `));
  return line!.trim().split(/\s+/).slice(1).map(Number);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}

describe("CPU time", () => {
  test("columns add up to the uptime of all CPUs, and uptime's idle is stat's", () => {
    const { k, read } = machine();
    advanceClock(k, 100 * SECOND);
    accountCpu(k, 0, CpuState.user, 12.345 * SECOND);
    accountCpu(k, 1, CpuState.system, 0.5 * SECOND);
    accountCpu(k, 3, CpuState.iowait, 7 * SECOND);
    const stat = read("stat");
    expect(columns(stat, "cpu0")).toEqual([1234, 0, 0, 8766, 0, 0, 0, 0, 0, 0]);
    expect(columns(stat, "cpu3")).toEqual([0, 0, 0, 9300, 700, 0, 0, 0, 0, 0]);
    expect(sum(columns(stat, "cpu"))).toBe(100 * 100 * 4);
    const idle = columns(stat, "cpu")[CpuState.idle]!;
    expect(read("uptime")).toBe(`100.00 ${(idle / 100).toFixed(2)}\n`);
  });

  test("slices shorter than a tick add up", () => {
    const { k } = machine();
    advanceClock(k, 10 * SECOND);
    for (let i = 0; i < 1000; i++) accountCpu(k, 2, CpuState.user, 1e6 + 0.4);
    const line: number[] = [];
    readCpuTime(k, 2, 1000, line);
    expect(line[CpuState.user]).toBe(100);
  });

  test("guest time is within user time, and isn't taken off idle twice", () => {
    const { k } = machine();
    accountCpu(k, 0, CpuState.user, 2 * SECOND);
    accountCpu(k, 0, CpuState.guest, 2 * SECOND);
    const line: number[] = [];
    readCpuTime(k, 0, 1000, line);
    expect(line[CpuState.idle]).toBe(800);
  });

  test("idle time never runs backwards, though work is accounted late", () => {
    const { k } = machine();
    const line: number[] = [];
    readCpuTime(k, 0, 1000, line);
    expect(line[CpuState.idle]).toBe(1000);
    accountCpu(k, 0, CpuState.user, 1 * SECOND);
    readCpuTime(k, 0, 1010, line);
    expect(line[CpuState.idle]).toBe(1000);
    readCpuTime(k, 0, 1200, line);
    expect(line[CpuState.idle]).toBe(1100);
  });

  test("threads that account at once lose nothing", async () => {
    const { k } = machine();
    const job: AccountJob = { buffer: k.m.buffer, state: CpuState.user, rounds: 20000, ns: 3_333_333 };
    const module = new URL("root-threads.ts", import.meta.url).href;
    const sums = await inThreads<AccountJob, number>(module, "account", [job, job, job]);
    const line: number[] = [];
    readCpuTime(k, 0, 1e6, line);
    expect(line[CpuState.user]).toBe(Math.floor(sum(sums) / 1e7));
  });
});

describe("interrupts", () => {
  test("stat's sums are those of interrupts and softirqs, and only grow", () => {
    const { k, read } = machine();
    let last = 0;
    for (const raised of [0, 1, 999, 1e6, 123456789, 4e9]) {
      k.m.store64(HOST.interrupts, raised);
      k.m.store64(HOST.softirqs, raised);
      const stat = read("stat");
      const [total, ...numbers] = columns(stat, "intr");
      const table = read("interrupts").split("\n").slice(1, -1);
      const counts = table.map((line) =>
        sum(
          line
            .slice(4, 4 + 44)
            .match(/\d+/g)!
            .map(Number),
        ),
      );
      expect(total).toBe(sum(counts));
      for (let i = 0; i < table.length; i++) {
        const number = /^ *(\d+):/.exec(table[i]!)?.[1];
        if (number !== undefined) expect(numbers[Number(number)]).toBe(counts[i]);
      }
      const [softirqs, ...kinds] = columns(stat, "softirq");
      expect(softirqs).toBe(sum(kinds));
      const rows = read("softirqs").split("\n").slice(1, -1);
      expect(rows.map((row) => sum(row.slice(13).trim().split(/\s+/).map(Number)))).toEqual(kinds);
      expect(total).toBeGreaterThanOrEqual(last);
      expect(total).toBeLessThanOrEqual(raised);
      last = total!;
    }
  });
});

describe("memory", () => {
  test("meminfo follows the page counters, and the other files follow meminfo", () => {
    const { k, read } = machine();
    k.m.store(HOST.anonPages, 400000);
    k.m.store(HOST.filePages, 50000);
    k.m.store(HOST.shmemPages, 3000);
    k.m.store(HOST.swapPages, 1234);
    advanceClock(k, 17 * SECOND);
    const meminfo = read("meminfo");
    const vmstat = read("vmstat");
    expect(field(meminfo, "MemTotal")).toBe(8 * 2 ** 20);
    expect(field(meminfo, "AnonPages")).toBe(1600000);
    expect(field(meminfo, "Mapped")).toBe(53000 * 4);
    expect(field(meminfo, "SwapFree")).toBe(2 ** 20 - 1234 * 4);
    const same = { MemFree: "nr_free_pages", AnonPages: "nr_anon_pages", Mapped: "nr_mapped", Shmem: "nr_shmem" };
    for (const [name, counter] of Object.entries(same)) {
      expect(field(meminfo, name), name).toBe(field(vmstat, counter) * 4);
    }
    expect(field(meminfo, "KernelStack")).toBe(field(vmstat, "nr_kernel_stack"));
    const swap = read("swaps").split("\n")[1]!.trim().split(/\s+/);
    expect([Number(swap[2]), Number(swap[3])]).toEqual([2 ** 20, 1234 * 4]);
    const buddies = read("buddyinfo").split("\n").slice(0, -1);
    const free = buddies.map((line) =>
      sum(
        line
          .trim()
          .split(/\s+/)
          .slice(4)
          .map((count, order) => Number(count) * 2 ** order),
      ),
    );
    expect(sum(free) * 4).toBe(field(meminfo, "MemFree"));
    const zones = read("zoneinfo")
      .match(/nr_free_pages +\d+/g)!
      .map((line) => Number(line.split(/\s+/)[1]));
    expect(zones).toEqual(free);
    const managed = read("zoneinfo")
      .match(/managed +\d+/g)!
      .map((line) => Number(line.split(/\s+/)[1]));
    expect(sum(managed) * 4).toBe(field(meminfo, "MemTotal"));
  });

  test("without swap space swaps has only its header", () => {
    const { read } = machine({ swapTotal: 0 });
    expect(read("swaps")).toBe("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    expect(field(read("meminfo"), "SwapTotal")).toBe(0);
  });
});

describe("devices", () => {
  test("diskstats, partitions and vmstat tell of the same disks, and grow", () => {
    const { k, read } = machine();
    const sectors = (): number => Number(read("diskstats").split("\n")[0]!.trim().split(/\s+/)[5]);
    const before = sectors();
    expect(before * 512).toBe(2 ** 30);
    expect(field(read("vmstat"), "pgpgin")).toBe(before / 2);
    advanceClock(k, 100 * SECOND);
    expect((sectors() - before) * 512).toBe(100 * 40960);
    expect(field(read("vmstat"), "pgpgin")).toBe(sectors() / 2);
    const names = read("partitions")
      .split("\n")
      .slice(2, -1)
      .map((line) => line.trim().split(/\s+/)[3]);
    expect(names).toEqual(["vda", "vda1"]);
  });

  test("net/dev grows with time, and net/snmp counts the same packets", () => {
    const { k, read } = machine();
    advanceClock(k, 60 * SECOND);
    const lines = read("net/dev").split("\n").slice(2, -1);
    const rows = lines.map((line) => line.slice(7).trim().split(/\s+/).map(Number));
    expect(rows[1]!.slice(0, 1)).toEqual([1e6 + 60 * 1000]);
    expect(rows[1]![8]).toBe(2e6 + 60 * 500);
    const [names, values] = read("net/snmp")
      .split("\n")
      .map((line) => line.split(" "));
    expect(Number(values![names!.indexOf("InReceives")])).toBe(sum(rows.map((row) => row[1]!)));
  });

  test("sockets appear where they belong", () => {
    const { read } = machine();
    const tcp = read("net/tcp").split("\n");
    expect(tcp[1]!.slice(0, 40)).toBe("   0: 00000000:0050 00000000:0000 0A 000");
    expect(tcp[2]).toMatch(/^ {3}1: 0500000A:0050 0900000A:C350 01 .* 33 +0 10002 /);
    expect(read("net/tcp6")).toContain("00000000000000000000000001000000:1F90");
    expect(read("net/udp")).toMatch(/ 0100007F:0035 00000000:0000 07 .* 101 +0 10004 2 /);
    expect(read("net/unix")).toMatch(/^[0-9a-f]{16}: 00000002 00000000 00010000 0001 01 10005 \/run\/test\.sock$/m);
    expect(read("net/sockstat")).toContain("TCP: inuse 2 orphan 0 tw 0 alloc 3 mem 3\n");
    expect(read("net/route")).toMatch(/^eth0\t00000000\t0100000A\t0003\t/m);
  });
});

describe("the tables", () => {
  test("every file can be read, and ends with a newline or is empty", () => {
    const k = testKernel();
    const c = rootContext(k, subject(0));
    const files = [...filesOf(rootRows(TEST_HOST)), ...filesOf(netRows(TEST_HOST), "net/")];
    expect(files.length).toBeGreaterThan(900);
    for (const [path, row] of files) {
      if ((row.mode & 0o444) === 0) continue;
      expect(textOf(row, c), path).toMatch(/^$|\n$/);
    }
  });

  test("names are in the kernel's order and unique", () => {
    for (const rows of [rootRows(TEST_HOST), netRows(TEST_HOST)]) {
      const names = rows.map(({ name }) => name);
      expect(new Set(names).size).toBe(names.length);
      for (let i = 1; i < names.length; i++) {
        const [a, b] = [names[i - 1]!, names[i]!];
        expect(a.length < b.length || (a.length === b.length && a < b), `${a} ${b}`).toBe(true);
      }
    }
    const sysctls = rowAt(rootRows(TEST_HOST), "sys/kernel");
    const names = sysctls.type === "dir" ? sysctls.rows.map(({ name }) => name) : [];
    expect(names).toEqual([...names].sort());
  });

  test("modes are those of the running kernel, for every path that it has, too", () => {
    const files = [...filesOf(rootRows(TEST_HOST)), ...filesOf(netRows(TEST_HOST), "net/")];
    const directories = [...directoriesOf(rootRows(TEST_HOST)), ...directoriesOf(netRows(TEST_HOST), "net/")];
    let compared = 0;
    for (const [path, row] of [...files, ...directories]) {
      const stat = lstatSync(`/proc/${path}`, { throwIfNoEntry: false });
      // Hardware and kernel differ from machine to machine; the rest is decided by procfs.
      if (stat === undefined || /^(irq|bus)\//.test(path)) continue;
      expect(`${path} ${stat.isDirectory()} ${(stat.mode & 0o7777).toString(8)}`).toBe(
        `${path} ${row.type === "dir"} ${row.mode.toString(8)}`,
      );
      if (row.type === "dir" && row.nlink !== undefined) expect(stat.nlink, path).toBe(row.nlink);
      compared++;
    }
    expect(compared).toBeGreaterThan(200);
  });

  test("nothing at the root of the running kernel is missing but what is known to be", () => {
    const missing = ["config.gz", "kallsyms", "kcore", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "schedstat"];
    missing.push("timer_list", "vmallocinfo", "modules", "sysrq-trigger", "mdstat", "latency_stats", "fb");
    missing.push("dynamic_debug", "scsi", "asound", "bootconfig", "net", "self", "thread-self", "mounts", "allocinfo");
    const own = new Set(rootRows(TEST_HOST).map(({ name }) => name));
    const theirs = readdirSync("/proc").filter((name) => !/^\d+$/.test(name) && !missing.includes(name));
    expect(theirs.filter((name) => !own.has(name))).toEqual([]);
  });

  test("captured files win, and those that only the capture has are there, too", () => {
    const rawFiles = {
      meminfo: "MemTotal: 1 kB\n",
      "fs/x/y": "z\n",
      "net/arp": "a\n",
      "sys/vm/swappiness": "1\n",
      "sys/q/r": "5\n",
    };
    const { k, read } = machine({}, { ...TEST_HOST, rawFiles });
    expect(k.m.load(HOST.sysctlValues)).toBe(0);
    expect(read("meminfo")).toBe("MemTotal: 1 kB\n");
    expect(read("fs/x/y")).toBe("z\n");
    expect(read("net/arp")).toBe("a\n");
    expect(read("sys/vm/swappiness")).toBe("1\n");
    expect(read("sys/q/r")).toBe("5\n");
    for (const path of ["tty", "stat/x"]) {
      expect(() => rootRows({ ...TEST_HOST, rawFiles: { [path]: "" } })).toThrow("a file and a directory at once");
    }
  });

  test("physical addresses are for administrators", () => {
    const k = testKernel();
    const row = rowAt(rootRows(TEST_HOST), "iomem");
    expect(textOf(row, rootContext(k, subject(0)))).toContain("00100000-bfffffff : System RAM\n");
    expect(textOf(row, rootContext(k, subject(1000)))).toContain("00000000-00000000 : System RAM\n");
  });

  test("a read-only value is printed in the same form as the running kernel's", () => {
    const { read } = machine();
    expect(read("sys/kernel/random/boot_id")).toBe(`${TEST_HOST.bootId}\n`);
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/;
    expect(readFileSync("/proc/sys/kernel/random/uuid", "latin1")).toMatch(uuid);
    const [first, second] = [read("sys/kernel/random/uuid"), read("sys/kernel/random/uuid")];
    expect(first).toMatch(uuid);
    expect(second).toMatch(uuid);
    expect(second).not.toBe(first);
  });
});
