/** Files at the root that describe the machine: /proc/iomem, /proc/cgroups, /proc/irq, /proc/bus/pci/devices. */
import { CAP_SYS_ADMIN } from "../../kernel/subject.ts";
import type { HostView } from "../host-view.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import type { IrqLine } from "./irq.ts";
import { BLOCK_DRIVERS, CGROUP_CONTROLLERS, CHARACTER_DEVICES } from "./texts.ts";
import type { Leaf } from "./tree.ts";
import { directory, fixed, one } from "./tree.ts";

type Region = readonly [depth: number, start: number, end: number, name: string];

const GIB = 2 ** 30;

function regions(memory: number): Region[] {
  const low = Math.min(memory, 3 * GIB);
  const high: Region[] = memory > 3 * GIB ? [[0, 4 * GIB, 4 * GIB + memory - low - 1, "System RAM"]] : [];
  return [
    [0, 0, 0xfff, "Reserved"],
    [0, 0x1000, 0x9fbff, "System RAM"],
    [0, 0x9fc00, 0xfffff, "Reserved"],
    [1, 0xf0000, 0xfffff, "System ROM"],
    [0, 0x100000, low - 1, "System RAM"],
    [1, 0x1000000, 0x220bb07, "Kernel code"],
    [1, 0x2400000, 0x2e09fff, "Kernel rodata"],
    [1, 0x3000000, 0x327c13f, "Kernel data"],
    [1, 0x3b34000, 0x3c57fff, "Kernel bss"],
    [0, 3 * GIB + 0x1000, 0xeebfffff, "PCI Bus 0000:00"],
    [0, 0xfec00000, 0xfec003ff, "IOAPIC 0"],
    ...high,
  ];
}

/** Addresses are zeros for callers without CAP_SYS_ADMIN (r_show, kernel/resource.c). */
export function showIomem(c: Context, out: Text): void {
  const seen = c.subject.capable(CAP_SYS_ADMIN);
  for (const [depth, start, end, name] of regions(c.k.config.memTotal)) {
    for (let i = 0; i < depth; i++) out.str("  ");
    out
      .hex(seen ? start : 0, 8)
      .byte(45)
      .hex(seen ? end : 0, 8);
    out.str(" : ").str(name).byte(10);
  }
}

/** The unified hierarchy holds all controllers. */
function showCgroups(c: Context, out: Text): void {
  out.str("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
  const count = Math.max(1, c.k.config.cgroups.length);
  for (const name of CGROUP_CONTROLLERS) out.str(name).str("\t0\t").dec(count).str("\t1\n");
}

/** Character devices, then the drivers of the host's disks and those that every kernel has (devinfo_show). */
export function devicesText(host: HostView): string {
  const majors = new Set([7, 259, ...host.disks.map(({ major }) => major)]);
  const names = new Map(BLOCK_DRIVERS);
  const lines = [...majors]
    .sort((a, b) => a - b)
    .map((major) => {
      const own = host.disks.find((disk) => disk.major === major)?.name.replace(/\d.*$/, "");
      return `${String(major).padStart(3)} ${names.get(major) ?? own}\n`;
    });
  return `${CHARACTER_DEVICES}\nBlock devices:\n${lines.join("")}`;
}

/** A mask of CPUs in hexadecimal, 32 bits a group. */
function cpuMask(cpus: number): string {
  const groups: string[] = [];
  for (let first = 0; first < cpus; first += 32) {
    const bits = Math.min(32, cpus - first);
    groups.unshift((2 ** bits - 1).toString(16).padStart(first + 32 < cpus ? 8 : 1, "0"));
  }
  return `${groups.join(",")}\n`;
}

function cpuList(cpus: number): string {
  return cpus > 1 ? `0-${cpus - 1}\n` : "0\n";
}

/** One directory for each numbered interrupt. */
export function irqLeaves(host: HostView, lines: readonly IrqLine[]): Leaf[] {
  const leaves = [
    fixed("irq/default_smp_affinity", 0o644, "CPUs of new interrupts.", cpuMask(host.cpus)),
    directory("irq", 0o555, "One directory for each interrupt (register_irq_proc)."),
  ];
  for (const line of lines) {
    if (line.chip === "") continue;
    const path = `irq/${line.label}`;
    leaves.push(
      directory(`${path}/${line.name}`, 0o555, "The device that raises it."),
      fixed(`${path}/affinity_hint`, 0o444, "The driver's wish.", "0\n"),
      fixed(`${path}/effective_affinity`, 0o444, "Where it goes.", cpuMaskOf(line.cpu)),
      fixed(`${path}/effective_affinity_list`, 0o444, "Where it goes.", `${line.cpu}\n`),
      fixed(`${path}/node`, 0o444, "NUMA node.", "-1\n"),
      fixed(`${path}/smp_affinity`, 0o644, "Where it may go.", cpuMask(host.cpus)),
      fixed(`${path}/smp_affinity_list`, 0o644, "Where it may go.", cpuList(host.cpus)),
      fixed(`${path}/spurious`, 0o444, "Unhandled ones.", "count 0\nunhandled 0\nlast_unhandled 0 ms\n"),
    );
  }
  return leaves;
}

function cpuMaskOf(cpu: number): string {
  return `${(2 ** (cpu % 32)).toString(16)}${",00000000".repeat(Math.floor(cpu / 32))}\n`;
}

/** A host bridge, and a virtio device for each disk and interface. */
export function pciDevices(lines: readonly IrqLine[]): string {
  const blank = " ".repeat(15);
  const zeros = (count: number): string => `${blank}0\t`.repeat(count);
  let text = `0000\t80860d57\t0\t${zeros(14)}\n`;
  const numbers = [...new Set(lines.map((line) => /:(\w\w)\.0$/.exec(line.chip)?.[1] ?? ""))].filter(Boolean);
  for (const number of numbers) {
    const slot = parseInt(number, 16);
    const bar = (0x4000000000 + slot * 0x80000 + 4).toString(16).padStart(16);
    const size = "80000".padStart(16);
    text += `${(slot * 8).toString(16).padStart(4, "0")}\t1af41041\t0\t${bar}\t${zeros(6)}${size}\t${zeros(6)}virtio-pci\n`;
  }
  return text;
}

export function cgroupLeaf(): Leaf {
  return one("cgroups", 0o444, "Controllers (proc_cgroupstats_show).", showCgroups);
}
