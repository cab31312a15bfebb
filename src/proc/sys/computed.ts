/** Sysctls whose value follows from the machine or from the kernel model: by path below /proc/sys. */
import { Cache } from "../../kernel/caches.ts";
import { HOST } from "../../kernel/layout.ts";
import { Random } from "../../kernel/random.ts";
import { EINVAL } from "../../kernel/errno.ts";
import { minFreePages } from "../root/memory-limits.ts";
import type { Context } from "../row.ts";
import { wordStore } from "./sysctl.ts";
import type { Store } from "./sysctl.ts";

type Compute = (c: Context) => string;

function memoryKb(c: Context): number {
  return Math.floor(c.k.config.memTotal / 1024);
}

/** Half of what the memory allows for threads: the limit of namespaces, and RLIMIT_NPROC. */
function halfOfThreads(c: Context): string {
  return String(Math.floor(c.k.m.load(HOST.threadsMax) / 2));
}

/** Marks that one user may have: memory for a hundredth of it, at 1600 bytes each (inotify_user_setup). */
function watches(c: Context): string {
  return String(Math.min(1048576, Math.max(8192, Math.floor((memoryKb(c) * 1024) / 100 / 1312))));
}

/** files_maxfiles_init: a tenth of memory, at a kilobyte a file. */
function fileMax(c: Context): string {
  return String(Math.max(8192, Math.floor(memoryKb(c) / 10)));
}

function inodes(c: Context): number {
  return 20000 + c.k.slab.live(Cache.path) + c.k.slab.live(Cache.file);
}

function openFiles(c: Context): string {
  return `${c.k.slab.live(Cache.file)}\t0\t${fileMax(c)}`;
}

function dentries(c: Context): string {
  const all = inodes(c) + 12000;
  return `${all}\t${Math.floor(all * 0.6)}\t45\t0\t${Math.floor(all * 0.15)}\t0`;
}

/** Pages for a protocol's buffers: low, pressure, high (tcp_init_mem, udp_table_init). */
function socketMemory(c: Context, sixteenths: number): string {
  const pressure = Math.max(128, Math.floor((memoryKb(c) / 4 / 256) * sixteenths));
  return `${Math.floor((pressure * 3) / 4)}\t${pressure}\t${Math.floor((pressure * 3) / 4) * 2}`;
}

/** A random number generator's version 4 UUID; a new one each time. */
function uuid(c: Context): string {
  const random = new Random(c.k.config.seed, c.k.m.add(HOST.uuidsMade, 1) + 1);
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  const version = 0x4000 | random.below(0x1000);
  const variant = 0x8000 | random.below(0x4000);
  const node = hex(random.below(0x10000), 4) + hex(random.u32(), 8);
  return `${hex(random.u32(), 8)}-${hex(random.below(0x10000), 4)}-${hex(version, 4)}-${hex(variant, 4)}-${node}`;
}

function cpuList(c: Context): string {
  return c.k.config.cpus > 1 ? `0-${c.k.config.cpus - 1}` : "0";
}

const NAMESPACE_LIMITS = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"].map(
  (kind): readonly [string, Compute] => [`user/max_${kind}_namespaces`, halfOfThreads],
);

/** The value before anybody writes one, or always for those that can't be written. */
export const COMPUTED: ReadonlyMap<string, Compute> = new Map<string, Compute>([
  ["kernel/hostname", (c) => c.host.hostname],
  ["kernel/domainname", (c) => c.host.domainname],
  ["kernel/osrelease", (c) => c.host.release],
  ["kernel/version", (c) => c.host.version],
  ["kernel/random/boot_id", (c) => c.host.bootId],
  ["kernel/random/uuid", uuid],
  ["kernel/watchdog_cpumask", cpuList],
  ["fs/file-max", fileMax],
  ["fs/file-nr", openFiles],
  ["fs/inode-nr", (c) => `${inodes(c)}\t0`],
  ["fs/inode-state", (c) => `${inodes(c)}\t0\t0\t0\t0\t0\t0`],
  ["fs/dentry-state", dentries],
  ["fs/epoll/max_user_watches", (c) => String(Math.floor((memoryKb(c) * 1024) / 25 / 184))],
  ["fs/inotify/max_user_watches", watches],
  ["fs/fanotify/max_user_marks", watches],
  ["user/max_inotify_watches", watches],
  ["user/max_fanotify_marks", watches],
  ["vm/min_free_kbytes", (c) => String(minFreePages(Math.floor(c.k.config.memTotal / 4096)) * 4)],
  ["net/ipv4/tcp_mem", (c) => socketMemory(c, 16)],
  ["net/ipv4/udp_mem", (c) => socketMemory(c, 32)],
  ...NAMESPACE_LIMITS,
]);

/** The next pid is the one after (pid_ns_ctl_handler). */
const lastPid: Store = {
  get: (c) => String(c.k.m.load(HOST.lastPid)),
  set: (c, value) => {
    if (Number(value) >= c.k.m.load(HOST.pidMax)) return -EINVAL;
    c.k.m.store(HOST.pidCursor, Number(value) + 1);
    c.k.m.store(HOST.lastPid, Number(value));
    return 0;
  },
};

/** Sysctls that change how the simulated kernel works. */
export const BOUND: ReadonlyMap<string, Store> = new Map<string, Store>([
  ["kernel/pid_max", wordStore(HOST.pidMax)],
  ["kernel/threads-max", wordStore(HOST.threadsMax)],
  ["kernel/ns_last_pid", lastPid],
]);
