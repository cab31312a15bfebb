/** Formatters of system-wide files, against the running kernel's own files: parse them, print them, get the same bytes. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  formatDisk,
  formatPartition,
  formatPartitionHeader,
  formatSwap,
  formatSwapHeader,
} from "../../src/proc/root/block.ts";
import { formatIrqError, formatIrqHeader, formatIrqLine, formatSoftirqs } from "../../src/proc/root/irq.ts";
import { formatMeminfo, meminfoLines } from "../../src/proc/root/meminfo.ts";
import { deriveMemory } from "../../src/proc/root/memory.ts";
import { DEV_HEADER, formatColumn, formatCounters, formatDevice } from "../../src/proc/net/counters.ts";
import { formatInet, formatNetlink, formatUnix } from "../../src/proc/net/sockets.ts";
import * as headers from "../../src/proc/net/texts.ts";
import { formatPressure } from "../../src/proc/root/pressure.ts";
import { formatSlab, formatSlabHeader } from "../../src/proc/root/slabinfo.ts";
import { formatLoadavg, formatStat, formatUptime } from "../../src/proc/root/stat.ts";
import type { VmstatName } from "../../src/proc/root/vmstat.ts";
import { formatVmstat } from "../../src/proc/root/vmstat.ts";
import { formatCpu } from "../../src/proc/root/version.ts";
import { formatBuddy } from "../../src/proc/root/zones.ts";
import { Text } from "../../src/proc/text.ts";

function real(name: string): string {
  return readFileSync(`/proc/${name}`, "latin1");
}

function lines(name: string): string[] {
  return real(name).split("\n").slice(0, -1);
}

function numbers(text: string): number[] {
  return text.trim().split(/\s+/).map(Number);
}

function printed(print: (out: Text) => void): string {
  const out = new Text(16);
  print(out);
  return out.toString();
}

describe("the same bytes as the running kernel", () => {
  test("stat", () => {
    const text = real("stat");
    const all = text.split("\n");
    const find = (name: string): number[] => numbers(all.find((line) => line.startsWith(`${name} `))!).slice(1);
    const [interrupts, ...irqs] = find("intr");
    const [softirqs, ...softirqKinds] = find("softirq");
    const stat = {
      cpus: all.filter((line) => /^cpu\d/.test(line)).map((line) => numbers(line).slice(1)),
      all: find("cpu"),
      interrupts: interrupts!,
      irqs,
      contextSwitches: find("ctxt")[0]!,
      bootTime: find("btime")[0]!,
      forks: find("processes")[0]!,
      running: find("procs_running")[0]!,
      blocked: find("procs_blocked")[0]!,
      softirqs: softirqs!,
      softirqKinds,
    };
    expect(printed((out) => formatStat(stat, out))).toBe(text);
  });

  test("uptime", () => {
    const text = real("uptime");
    const [up, idle] = text.split(" ").map((part) => Math.round(Number(part) * 100));
    expect(printed((out) => formatUptime(up!, idle!, out))).toBe(text);
  });

  test("loadavg: the averages are rounded to hundredths as the kernel rounds them", () => {
    const text = real("loadavg");
    const [one, five, fifteen, tasks, last] = text.trim().split(" ");
    const [running, threads] = tasks!.split("/").map(Number);
    // The smallest average that prints so: a hundredth is 20.48, less the rounding offset.
    const averages = [one, five, fifteen].map((value) => Math.max(0, Math.ceil(Number(value) * 2048 - 1e-6) - 10));
    const load = { averages, running: running!, threads: threads!, lastPid: Number(last) };
    expect(printed((out) => formatLoadavg(load, out))).toBe(text);
  });

  test("meminfo", () => {
    const text = real("meminfo");
    const parsed = text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const [, name, value, unit] = /^(.+?):\s+(\d+)( kB)?$/.exec(line)!;
        return { name: name!, value: Number(value), unit: unit !== undefined };
      });
    expect(printed((out) => formatMeminfo(parsed, out))).toBe(text);
  });

  test("vmstat", () => {
    const text = lines("vmstat");
    for (const line of text) {
      const [name, value] = line.split(" ");
      const known = name as VmstatName;
      expect(printed((out) => formatVmstat(known, Number(value), out))).toBe(`${line}\n`);
    }
  });

  test("diskstats and partitions", () => {
    for (const line of lines("diskstats")) {
      const [major, minor, name, ...counters] = line.trim().split(/\s+/);
      const disk = { major: Number(major), minor: Number(minor), name: name!, counters: counters.map(Number) };
      expect(printed((out) => formatDisk(disk, out))).toBe(`${line}\n`);
    }
    const text = real("partitions");
    const rows = text
      .split("\n")
      .slice(2, -1)
      .map((line) => line.trim().split(/\s+/));
    const partitions = printed((out) => {
      formatPartitionHeader(out);
      for (const [major, minor, blocks, name] of rows) {
        formatPartition({ major: Number(major), minor: Number(minor), blocks: Number(blocks), name: name! }, out);
      }
    });
    expect(partitions).toBe(text);
  });

  test("swaps", () => {
    const text = real("swaps");
    const rows = text
      .split("\n")
      .slice(1, -1)
      .map((line) => line.trim().split(/\s+/));
    const swaps = printed((out) => {
      formatSwapHeader(out);
      for (const [path, type, size, used, priority] of rows) {
        const line = { path: path!, partition: type === "partition" };
        formatSwap({ ...line, size: Number(size), used: Number(used), priority: Number(priority) }, out);
      }
    });
    expect(swaps).toBe(text);
  });

  test.skipIf(!existsSync("/proc/pressure"))("pressure", () => {
    for (const kind of ["cpu", "io", "memory"]) {
      for (const line of lines(`pressure/${kind}`)) {
        const [, name, ten, sixty, more, total] =
          /^(\w+) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line)!;
        // A little more than the hundredth, since a fraction in binary may lie just below it.
        const averages = [ten, sixty, more].map((value) => Number(value) + 1e-6);
        expect(printed((out) => formatPressure(name!, { averages, total: Number(total) }, out))).toBe(`${line}\n`);
      }
    }
  });

  test("softirqs", () => {
    const text = real("softirqs");
    const rows = text
      .split("\n")
      .slice(1, -1)
      .map((line) => numbers(line.slice(line.indexOf(":") + 1)));
    expect(printed((out) => formatSoftirqs(rows[0]!.length, rows, out))).toBe(text);
  });

  test("interrupts", () => {
    const [header, ...rest] = lines("interrupts");
    const cpus = header!.trim().split(/\s+/).length;
    const width = header!.indexOf("CPU0") - 8;
    expect(printed((out) => formatIrqHeader(width, cpus, out))).toBe(`${header}\n`);
    let compared = 0;
    for (const line of rest) {
      const label = line.slice(0, line.indexOf(":")).trim();
      const error = /^\s*\w+: +(\d+)$/.exec(line);
      if (error !== null && cpus > 1) {
        expect(printed((out) => formatIrqError(width, label, Number(error[1]), out))).toBe(`${line}\n`);
        continue;
      }
      const counts = numbers(line.slice(width + 1, width + 1 + 11 * cpus));
      const text = line.slice(width + 1 + 11 * cpus);
      const device = /^ +(\S+) +(\d+)-(\w+) +(.*)$/.exec(text);
      if (/^\d+$/.test(label) && device === null) continue;
      const [, chip, hardware, trigger, name] = device ?? [];
      const irq = { label, share: 0, cpu: -1, trigger: trigger ?? "", name: name ?? text.trim() };
      const source = { ...irq, chip: chip ?? "", hardware: Number(hardware ?? 0) };
      expect(printed((out) => formatIrqLine(width, source, counts, out))).toBe(`${line}\n`);
      compared++;
    }
    expect(compared).toBeGreaterThan(10);
  });

  test("buddyinfo", () => {
    for (const line of lines("buddyinfo")) {
      const [, zone, counts] = /^Node 0, zone +(\S+) (.*)$/.exec(line)!;
      expect(printed((out) => formatBuddy(zone!, numbers(counts!), out))).toBe(`${line}\n`);
    }
  });

  test.skipIf(process.getuid?.() !== 0)("slabinfo", () => {
    const [version, columns, ...rest] = lines("slabinfo");
    expect(printed((out) => formatSlabHeader(out))).toBe(`${version}\n${columns}\n`);
    for (const line of rest) {
      const [name, active, objects, size, perSlab, pagesPerSlab] = line.split(/\s+/);
      const slabs = Number(/slabdata +(\d+)/.exec(line)![1]);
      const numbersOf = { active: Number(active), objects: Number(objects), size: Number(size) };
      const slab = { name: name!, ...numbersOf, perSlab: Number(perSlab), pagesPerSlab: Number(pagesPerSlab), slabs };
      expect(printed((out) => formatSlab(slab, out))).toBe(`${line}\n`);
    }
  });

  test("net/dev", () => {
    const text = real("net/dev");
    const rows = text.split("\n").slice(2, -1);
    const again = printed((out) => {
      out.str(DEV_HEADER);
      for (const row of rows) formatDevice(row.split(":")[0]!.trim(), numbers(row.split(":")[1]!), out);
    });
    expect(again).toBe(text);
  });

  test("net/snmp, net/netstat and net/snmp6", () => {
    for (const file of ["net/snmp", "net/netstat"]) {
      const all = lines(file);
      for (let i = 0; i < all.length; i += 2) {
        const [title, ...names] = all[i]!.replace(":", "").split(" ");
        const values = numbers(all[i + 1]!.slice(all[i + 1]!.indexOf(":") + 1));
        const counters = Object.fromEntries(names.map((name, at) => [name, values[at]!]));
        expect(printed((out) => formatCounters(title!, names, counters, out))).toBe(`${all[i]}\n${all[i + 1]}\n`);
      }
    }
    for (const line of lines("net/snmp6")) {
      const [name, value] = line.split(/\s+/);
      expect(printed((out) => formatColumn(name!, Number(value), 32, out))).toBe(`${line}\n`);
    }
  });

  test("net/netlink", () => {
    for (const line of lines("net/netlink").slice(1)) {
      const [pointer, protocol, port, groups, receive, send, dump, locks, drops, inode] = line.trim().split(/\s+/);
      if ([groups, receive, send, dump, locks, drops].join(" ") !== "00000000 0 0 0 2 0") continue;
      const text = printed((out) => formatNetlink(pointer!, Number(protocol), Number(port), Number(inode), out));
      expect(text).toBe(`${line}\n`);
    }
  });
});

describe("lines as they were measured", () => {
  test("tcp, tcp6, udp, udp6 and unix", () => {
    const listening = { timer: 0, timerExpires: 0, uid: 0, references: 2 };
    const tcp = { index: 1, local: "0100007F:46A0", remote: "00000000:0000", state: 10, inode: 53206 };
    const row =
      "   1: 0100007F:46A0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 53206 2 00000000f49b913d 100 0 0 10 0";
    const inet = { ...listening, ...tcp, pointer: "00000000f49b913d", rest: "100 0 0 10 0" };
    expect(printed((out) => formatInet(inet, 4, 149, out))).toBe(`${row.padEnd(149)}\n`);
    const none = "0".repeat(32);
    const udp6 = { ...listening, index: 9549, local: `${none}:4686`, remote: `${none}:0000`, state: 7, inode: 53209 };
    const udpRow = ` 9549: ${none}:4686 ${none}:0000 07 00000000:00000000 00:00000000 00000000     0        0 53209 2 0000000078cfdcae 0\n`;
    const datagram = { ...udp6, pointer: "0000000078cfdcae", rest: "0" };
    expect(printed((out) => formatInet(datagram, 5, 0, out))).toBe(udpRow);
    const unix = { pointer: "00000000e25ca3ba", references: 2, flags: 0x10000, type: 1, state: 1, inode: 53210 };
    expect(printed((out) => formatUnix({ ...unix, path: "/tmp/x.sock" }, out))).toBe(
      "00000000e25ca3ba: 00000002 00000000 00010000 0001 01 53210 /tmp/x.sock\n",
    );
  });

  test("a swap file and a large swap partition", () => {
    const text = printed((out) => {
      formatSwap({ path: "/swapfile", partition: false, size: 2097148, used: 5, priority: -2 }, out);
      formatSwap({ path: "/dev/vdb", partition: true, size: 33554428, used: 12345678, priority: 10 }, out);
    });
    const [file, partition] = text.split("\n");
    expect(file).toBe(`${"/swapfile".padEnd(40)}file\t\t2097148\t\t5\t\t-2`);
    expect(partition).toBe(`${"/dev/vdb".padEnd(40)}partition\t33554428\t12345678\t10`);
  });
});

describe("names", () => {
  const modern = Number(readFileSync("/proc/sys/kernel/osrelease", "latin1").split(".")[0]) >= 6;

  test.skipIf(!modern)("headers of sockets are the running kernel's", () => {
    const first = (file: string): string => lines(file)[0]!;
    expect(first("net/tcp")).toBe(headers.TCP_HEADER.padEnd(149));
    expect(first("net/udp")).toBe(headers.UDP_HEADER.padEnd(127));
    expect(first("net/unix")).toBe(headers.UNIX_HEADER);
    expect(first("net/netlink")).toBe(headers.NETLINK_HEADER);
    expect(first("net/route")).toBe(headers.ROUTE_HEADER.padEnd(127));
  });

  test("a processor's paragraph has the fields that tools look for", () => {
    const names = ["processor", "vendor_id", "cpu family", "model name", "cpu MHz", "cache size", "flags", "bogomips"];
    const own = lines("cpuinfo").map((line) => line.split(":")[0]!.trim());
    const info = { vendor: "v", family: 6, model: 1, name: "n", stepping: 1, microcode: "0x1", mhz: 2599.9984 };
    const more = {
      cacheKb: 1,
      siblings: 2,
      cpuidLevel: 1,
      flags: "fpu",
      bugs: "",
      bogomips: 5199.999,
      addressSizes: "",
    };
    const text = printed((out) => formatCpu({ ...info, ...more }, 3, out));
    for (const name of names) {
      expect(own).toContain(name);
      expect(text).toMatch(new RegExp(`^${name}\t+: `, "m"));
    }
    expect(text).toContain("cpu MHz\t\t: 2599.998\n");
    expect(text).toContain("bogomips\t: 5199.99\n");
    expect(text.endsWith("power management:\n\n")).toBe(true);
  });
});

describe("memory adds up", () => {
  const base = {
    total: 2097152,
    swapTotal: 524288,
    cpus: 4,
    threads: 300,
    processes: 150,
    overcommitRatio: 50,
    uptime: 90,
  };
  const shares = { cached: 0.3, buffers: 0.01, slab: 0.03 };
  const usual = { ...base, shares, minFree: 16896, anon: 300000, file: 90000, shmem: 5000, swapped: 1000 };

  function check(inputs: Parameters<typeof deriveMemory>[0]): void {
    const m = deriveMemory(inputs);
    const slab = m.slabReclaimable + m.slabUnreclaimable;
    const sum = m.free + m.buffers + m.cached + slab + m.anon + m.kernelStack + m.pageTables + m.percpu;
    expect(sum).toBe(m.total);
    expect(m.activeAnon + m.inactiveAnon + m.unevictable).toBe(m.anon + m.shmem);
    expect(m.activeFile + m.inactiveFile).toBe(m.cached - m.shmem + m.buffers);
    expect(m.mapped).toBeLessThanOrEqual(m.cached);
    expect(m.available).toBeLessThanOrEqual(m.total);
    expect(m.swapFree).toBeLessThanOrEqual(m.swapTotal);
    for (const line of meminfoLines(m)) expect(line.value, line.name).toBeGreaterThanOrEqual(0);
  }

  test("usually", () => {
    check(usual);
    expect(deriveMemory(usual).anon).toBe(300000);
    expect(deriveMemory(usual).free).toBeGreaterThan(usual.minFree);
  });

  test("with more mapped than there is: caches shrink first, and free memory stays at the minimum", () => {
    for (const anon of [1_500_000, 2_000_000, 9_000_000]) check({ ...usual, anon });
    check({ ...usual, shmem: 5_000_000, file: 5_000_000, swapped: 9_999_999 });
    const tight = deriveMemory({ ...usual, anon: 1_900_000 });
    expect(tight.free).toBe(usual.minFree);
    expect(tight.cached).toBeLessThan(deriveMemory(usual).cached);
  });

  test("on a tiny machine", () => {
    check({ ...usual, total: 16384, minFree: 800, anon: 2000, file: 100, shmem: 10 });
  });
});
