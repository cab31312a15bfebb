/** The table of system-wide files: everything in /proc that belongs to no process. */
import type { HostView } from "../host-view.ts";
import type { Row } from "../row.ts";
import { sysctlLeaves } from "../sys/rows.ts";
import { diskRecords, partitionRecords, swapRecords } from "./block.ts";
import { cgroupLeaf, devicesText, irqLeaves, pciDevices, showIomem } from "./hardware.ts";
import { interruptRecords, irqLines, showSoftirqs } from "./irq.ts";
import { showMeminfo } from "./meminfo.ts";
import { PRESSURE_LEAVES } from "./pressure.ts";
import { SlabRecords } from "./slabinfo.ts";
import { formatStat, gatherStat, showLoadavg, showUptime } from "./stat.ts";
import * as texts from "./texts.ts";
import type { Leaf } from "./tree.ts";
import { alphabetically, directory, fixed, one, records, shortestFirst, tree, withCaptured } from "./tree.ts";
import { cpuRecords, showCommandLine, showVersion } from "./version.ts";
import { VmstatRecords } from "./vmstat.ts";
import { BuddyRecords, showPageTypes, ZoneRecords } from "./zones.ts";

/** What the kernel model adds up to. */
const LIVE: readonly Leaf[] = [
  one("meminfo", 0o444, "Where the memory is (meminfo_proc_show).", showMeminfo),
  one("uptime", 0o444, "Seconds since boot, and idle ones of all CPUs (uptime_proc_show).", showUptime),
  one("loadavg", 0o444, "Load averages, running tasks, last pid (loadavg_proc_show).", showLoadavg),
  one("version", 0o444, "Kernel release and build (version_proc_show).", showVersion),
  one("cmdline", 0o444, "Command line of the kernel (cmdline_proc_show).", showCommandLine),
  one("softirqs", 0o444, "Softirqs by kind and CPU (show_softirqs).", showSoftirqs),
  one("pagetypeinfo", 0o400, "Free blocks by mobility (pagetypeinfo_show).", showPageTypes),
  one("iomem", 0o444, "Physical address space (r_show).", showIomem),
  records("cpuinfo", 0o444, "One paragraph a processor (show_cpuinfo).", cpuRecords),
  records("diskstats", 0o444, "I/O of each disk (diskstats_show).", diskRecords),
  records("partitions", 0o444, "Sizes of disks (show_partition).", partitionRecords),
  records("swaps", 0o444, "Swap areas (swap_show).", swapRecords),
  cgroupLeaf(),
  ...PRESSURE_LEAVES,
];

/** What is the same on many machines. */
const STILL: readonly Leaf[] = [
  fixed("filesystems", 0o444, "File systems known (filesystems_proc_show).", texts.FILESYSTEMS),
  fixed("consoles", 0o444, "Consoles (show_console_dev).", texts.CONSOLES),
  fixed("misc", 0o444, "Miscellaneous devices (misc_seq_show).", texts.MISC),
  fixed("dma", 0o444, "ISA DMA channels (proc_dma_show).", texts.DMA),
  fixed("execdomains", 0o444, "Execution domains (execdomains_proc_show).", texts.EXECDOMAINS),
  fixed("ioports", 0o444, "I/O ports (r_show).", texts.IOPORTS),
  fixed("crypto", 0o444, "Algorithms (c_show, crypto/proc.c).", texts.CRYPTO),
  fixed("key-users", 0o444, "Keys by user (proc_key_users_show).", texts.KEY_USERS),
  fixed("keys", 0o444, "Keys that the caller may see (proc_keys_show).", texts.KEYS),
  fixed("locks", 0o444, "File locks (locks_show).", ""),
  fixed("mtrr", 0o644, "Memory type ranges (mtrr_seq_show).", ""),
  fixed("tty/drivers", 0o444, "Terminal drivers (show_tty_driver).", texts.TTY_DRIVERS),
  fixed("tty/ldiscs", 0o444, "Line disciplines (tty_ldiscs_seq_show).", texts.TTY_LDISCS),
  directory("tty/driver", 0o500, "Statistics of terminal drivers."),
  directory("tty/ldisc", 0o555, "Nothing, as in the kernel."),
  fixed("sysvipc/msg", 0o444, "Message queues (sysvipc_msg_proc_show).", texts.SYSV_MESSAGES),
  fixed("sysvipc/sem", 0o444, "Semaphores (sysvipc_sem_proc_show).", texts.SYSV_SEMAPHORES),
  fixed("sysvipc/shm", 0o444, "Shared memory (sysvipc_shm_proc_show).", texts.SYSV_SHARED_MEMORY),
  fixed("bus/input/devices", 0o444, "Input devices (input_devices_seq_show).", ""),
  fixed("bus/input/handlers", 0o444, "Input handlers (input_handlers_seq_show).", texts.INPUT_HANDLERS),
  directory("acpi", 0o555, "Nothing on most machines."),
  directory("driver", 0o555, "Nothing on most machines."),
  directory("fs/ext4", 0o555, "One directory for each mounted ext4."),
  directory("fs/jbd2", 0o555, "One directory for each journal."),
];

/** Paths that other tables own: process directories, and the network's. */
function belongsHere(path: string): boolean {
  return !/^(\d+|self|thread-self|net|mounts|sys|synthproc)(\/|$)/.test(path);
}

function capturedAtRoot(host: HostView): Map<string, string> {
  return new Map(Object.entries(host.rawFiles).filter(([path]) => belongsHere(path)));
}

/** nlink of everything in /proc/sys is 1. */
function withoutLinkCount(row: Row): Row {
  return row.type === "dir" ? { ...row, nlink: 1, rows: row.rows.map(withoutLinkCount) } : row;
}

/**
 * All rows at the root but those that the framework adds (self, thread-self, mounts, net, synthproc, processes), in the
 * kernel's order. Built for one host: its interfaces, disks and captured files decide what there is.
 */
export function rootRows(host: HostView): Row[] {
  const lines = irqLines(host);
  const machine = [
    one("stat", 0o444, "CPU time, interrupts, switches, forks (show_stat).", (c, out) =>
      formatStat(gatherStat(c.k, lines), out),
    ),
    records("vmstat", 0o444, "Memory events and levels (vmstat_show).", new VmstatRecords()),
    records("buddyinfo", 0o444, "Free blocks by order (frag_show).", new BuddyRecords()),
    records("zoneinfo", 0o444, "Zones of memory (zoneinfo_show).", new ZoneRecords()),
    records("slabinfo", 0o400, "Slab caches (slab_show).", new SlabRecords()),
    records("interrupts", 0o444, "Interrupts by source and CPU (show_interrupts).", interruptRecords(lines)),
    fixed("devices", 0o444, "Device numbers in use (devinfo_show).", devicesText(host)),
    fixed("bus/pci/devices", 0o444, "PCI devices (show_device).", pciDevices(lines)),
    ...irqLeaves(host, lines),
  ];
  const rows = tree(withCaptured([...LIVE, ...STILL, ...machine], capturedAtRoot(host)), "", shortestFirst);
  const sysctls: Row = {
    type: "dir",
    name: "sys",
    mode: 0o555,
    doc: "Settings of the kernel (proc_sys_init).",
    rows: tree(sysctlLeaves(host), "sys/", alphabetically),
  };
  return [...rows, withoutLinkCount(sysctls)].sort((a, b) => shortestFirst(a.name, b.name));
}
