/** /proc/interrupts, /proc/softirqs and the sums of them in /proc/stat (kernel/irq/proc.c, fs/proc/softirqs.c). */
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST } from "../../kernel/layout.ts";
import type { HostView } from "../host-view.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { isPartition } from "./block.ts";
import { readCounter64 } from "./counter.ts";
import type { Records } from "./tree.ts";

/** One source of interrupts. */
export interface IrqLine {
  /** Number, or the three letters of an architecture's own counter. */
  readonly label: string;
  /** Chip, such as `IO-APIC`; empty for the architecture's own. */
  readonly chip: string;
  /** Number at the chip and way of triggering, such as `2-edge`. */
  readonly hardware: number;
  readonly trigger: string;
  readonly name: string;
  /** Share of all interrupts, in millionths. */
  readonly share: number;
  /** The only CPU that takes it, or -1 for all. */
  readonly cpu: number;
}

const MILLION = 1e6;

function device(label: number, chip: string, hardware: number, name: string, share: number, cpu: number): IrqLine {
  return { label: String(label), chip, hardware, trigger: "edge", name, share, cpu };
}

function own(label: string, name: string, share: number): IrqLine {
  return { label, chip: "", hardware: 0, trigger: "", name, share, cpu: -1 };
}

/** The machine's sources: the legacy ones, then queues of disks and interfaces, then the architecture's own. */
export function irqLines(host: HostView): IrqLine[] {
  const lines = [
    device(1, "IO-APIC", 1, "i8042", 9, 0),
    device(4, "IO-APIC", 4, "ttyS0", 60, 0),
    device(8, "IO-APIC", 8, "rtc0", 1, 0),
    device(9, "IO-APIC", 9, "acpi", 0, 0),
    device(12, "IO-APIC", 12, "i8042", 140, 0),
  ];
  const names = queueNames(host);
  for (let i = 0; i < names.length; i++) {
    const [chip, hardware, name, share] = names[i]!;
    lines.push(device(24 + i, chip, hardware, name, share, i % host.cpus));
  }
  return [...lines, ...ARCHITECTURE];
}

type Queue = readonly [chip: string, hardware: number, name: string, share: number];

function queueNames(host: HostView): Queue[] {
  const queues: Queue[] = [];
  const disks = host.disks.filter((disk) => !isPartition(disk, host.disks));
  const interfaces = host.interfaces.filter((one) => one.name !== "lo");
  for (let i = 0; i < disks.length; i++) {
    const chip = `PCI-MSIX-0000:00:${(4 + i).toString(16).padStart(2, "0")}.0`;
    queues.push([chip, 0, `virtio${i}-config`, 0], [chip, 1, `virtio${i}-req.0`, Math.floor(60000 / disks.length)]);
  }
  for (let i = 0; i < interfaces.length; i++) {
    const number = disks.length + i;
    const chip = `PCI-MSIX-0000:00:${(4 + number).toString(16).padStart(2, "0")}.0`;
    const share = Math.floor(90000 / interfaces.length);
    queues.push([chip, 0, `virtio${number}-config`, 0], [chip, 1, `virtio${number}-input.0`, share]);
    queues.push([chip, 2, `virtio${number}-output.0`, Math.floor(share / 8)]);
  }
  return queues;
}

const ARCHITECTURE: readonly IrqLine[] = [
  own("NMI", "Non-maskable interrupts", 0),
  own("LOC", "Local timer interrupts", 470000),
  own("SPU", "Spurious interrupts", 0),
  own("PMI", "Performance monitoring interrupts", 0),
  own("IWI", "IRQ work interrupts", 40),
  own("RTR", "APIC ICR read retries", 0),
  own("RES", "Rescheduling interrupts", 110000),
  own("CAL", "Function call interrupts", 190000),
  own("TLB", "TLB shootdowns", 28000),
  own("TRM", "Thermal event interrupts", 0),
  own("HYP", "Hypervisor callback interrupts", 950),
];

/** Counters that are one for the whole machine, or always zero. */
const ERRORS = ["ERR", "MIS"] as const;
const POSTED: readonly IrqLine[] = [
  own("PIN", "Posted-interrupt notification event", 0),
  own("NPI", "Nested posted-interrupt event", 0),
  own("PIW", "Posted-interrupt wakeup event", 0),
];

/** How often a source interrupted one CPU, when `total` interrupts came in. Grows with `total`. */
function irqCount(line: IrqLine, cpu: number, cpus: number, total: number): number {
  const share = line.share / MILLION;
  if (line.cpu >= 0) return line.cpu === cpu ? Math.floor(total * share) : 0;
  // CPU 0 is somewhat busier than the others.
  const weight = cpu === 0 ? 1.2 : 1 - 0.2 / Math.max(1, cpus - 1);
  return Math.floor((total * share * (cpus === 1 ? 1 : weight)) / cpus);
}

/** Numbers that /proc/stat lists: all that this kernel could hand out on x86 (arch_probe_nr_irqs). */
function numberOfIrqs(cpus: number): number {
  return Math.min(408 + 8 * cpus, 256 * cpus);
}

export interface IrqSums {
  readonly total: number;
  readonly byNumber: readonly number[];
}

/** The sums of /proc/interrupts, as /proc/stat has them. */
export function gatherIrqs(k: Kernel, lines: readonly IrqLine[]): IrqSums {
  const { cpus } = k.config;
  const raised = readCounter64(k, HOST.interrupts);
  const byNumber = new Array<number>(numberOfIrqs(cpus)).fill(0);
  let total = 0;
  for (const line of lines) {
    let sum = 0;
    for (let cpu = 0; cpu < cpus; cpu++) sum += irqCount(line, cpu, cpus, raised);
    total += sum;
    const number = Number(line.label);
    if (number < byNumber.length) byNumber[number] = sum;
  }
  return { total, byNumber };
}

/** `names` of the CPUs, each over a column of eleven characters. */
function cpuHeader(indent: number, cpus: number, out: Text): void {
  for (let i = 0; i < indent; i++) out.byte(32);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const start = out.length;
    out.str("CPU").dec(cpu).padTo(start, 11);
  }
  out.byte(10);
}

/** Digits of the largest interrupt number, three at least: the width of the first column. */
function labelWidth(cpus: number): number {
  return Math.max(3, String(numberOfIrqs(cpus)).length);
}

export function formatIrqHeader(width: number, cpus: number, out: Text): void {
  cpuHeader(width + 8, cpus, out);
}

/** @param width of the first column; @param counts one per CPU */
export function formatIrqLine(width: number, line: IrqLine, counts: readonly number[], out: Text): void {
  out.str(line.label.padStart(width)).byte(58);
  for (const count of counts) out.byte(32).dec(count, 10);
  if (line.chip === "") {
    out.str("   ").str(line.name).byte(10);
    return;
  }
  out.byte(32).str(line.chip.padStart(8)).byte(32).dec(line.hardware, width);
  out.byte(45).str(line.trigger.padEnd(8)).str("  ").str(line.name).byte(10);
}

/** A counter of the whole machine. */
export function formatIrqError(width: number, label: string, count: number, out: Text): void {
  out.str(label.padStart(width)).str(": ").dec(count, 10).byte(10);
}

function showLine(c: Context, line: IrqLine, out: Text): void {
  const { cpus } = c.k.config;
  const raised = readCounter64(c.k, HOST.interrupts);
  const counts: number[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) counts.push(irqCount(line, cpu, cpus, raised));
  formatIrqLine(labelWidth(cpus), line, counts, out);
}

/** Records of /proc/interrupts: the header, one line a source, the machine's own counters. */
export function interruptRecords(lines: readonly IrqLine[]): Records {
  const count = 1 + lines.length + ERRORS.length + POSTED.length;
  return {
    count: () => count,
    show: (c, index, out) => {
      if (index === 0) return formatIrqHeader(labelWidth(c.k.config.cpus), c.k.config.cpus, out);
      const line = index - 1;
      if (line < lines.length) return showLine(c, lines[line]!, out);
      const error = line - lines.length;
      if (error < ERRORS.length) return formatIrqError(labelWidth(c.k.config.cpus), ERRORS[error]!, 0, out);
      return showLine(c, POSTED[error - ERRORS.length]!, out);
    },
  };
}

/** Kinds of softirqs in the kernel's order, each with its share in millionths. */
const SOFTIRQ_KINDS: readonly (readonly [name: string, share: number])[] = [
  ["HI", 10],
  ["TIMER", 150000],
  ["NET_TX", 90],
  ["NET_RX", 70000],
  ["BLOCK", 90000],
  ["IRQ_POLL", 0],
  ["TASKLET", 200],
  ["SCHED", 430000],
  ["HRTIMER", 0],
  ["RCU", 250000],
];

function softirqCount(kind: number, cpu: number, cpus: number, total: number): number {
  return irqCount(own("", "", SOFTIRQ_KINDS[kind]![1]), cpu, cpus, total);
}

export interface SoftirqSums {
  readonly total: number;
  readonly byKind: readonly number[];
  /** Per kind and CPU. */
  readonly counts: readonly (readonly number[])[];
}

export function gatherSoftirqs(k: Kernel): SoftirqSums {
  const { cpus } = k.config;
  const raised = readCounter64(k, HOST.softirqs);
  const counts: number[][] = [];
  const byKind: number[] = [];
  let total = 0;
  for (let kind = 0; kind < SOFTIRQ_KINDS.length; kind++) {
    const line: number[] = [];
    let sum = 0;
    for (let cpu = 0; cpu < cpus; cpu++) {
      line.push(softirqCount(kind, cpu, cpus, raised));
      sum += line[cpu]!;
    }
    counts.push(line);
    byKind.push(sum);
    total += sum;
  }
  return { total, byKind, counts };
}

/** @param counts per kind and CPU */
export function formatSoftirqs(cpus: number, counts: readonly (readonly number[])[], out: Text): void {
  cpuHeader(20, cpus, out);
  for (let kind = 0; kind < counts.length; kind++) {
    out.str(SOFTIRQ_KINDS[kind]![0].padStart(12)).byte(58);
    for (const count of counts[kind]!) out.byte(32).dec(count, 10);
    out.byte(10);
  }
}

export function showSoftirqs(c: Context, out: Text): void {
  formatSoftirqs(c.k.config.cpus, gatherSoftirqs(c.k).counts, out);
}
