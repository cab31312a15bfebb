/** How the tasks of a scenario wait: the kinds beyond the built-in ones, and which of them fits a process. */
import type { KernelConfig, WaitKind } from "../../kernel/config.ts";
import { BUILT_IN_WAIT_KINDS } from "../../kernel/wait-kinds.ts";
import type { Exact, Group, Scenario } from "../scenario-types.ts";

const SYSCALL_TAIL = ["do_syscall_64+0x82/0x190", "entry_SYSCALL_64_after_hwframe+0x76/0x7e"];
const KTHREAD_TAIL = ["kthread+0xf0/0x120", "ret_from_fork+0x31/0x50", "ret_from_fork_asm+0x1a/0x30"];

function kernelWait(name: string, symbol: string): WaitKind {
  return { name, wchan: symbol.slice(0, symbol.indexOf("+")), syscall: -1, stack: [symbol, ...KTHREAD_TAIL] };
}

function systemCall(name: string, syscall: number, stack: string[]): WaitKind {
  const wchan = (stack[0] as string).slice(0, (stack[0] as string).indexOf("+"));
  return { name, wchan, syscall, stack: [...stack, ...SYSCALL_TAIL] };
}

/** Kinds that every simulation has after the built-in ones. */
const MORE_KINDS: readonly WaitKind[] = [
  systemCall("tty", 0, [
    "wait_woken+0x50/0x60",
    "n_tty_read+0x5d4/0x690",
    "file_tty_read.constprop.0+0x142/0x2b0",
    "vfs_read+0x2f1/0x350",
    "ksys_read+0xaf/0xe0",
  ]),
  systemCall("unix-accept", 288, [
    "unix_accept+0x9b/0x180",
    "do_accept+0xfb/0x1a0",
    "__sys_accept4+0xbe/0x140",
    "__x64_sys_accept4+0x1c/0x30",
  ]),
  systemCall("sigsuspend", 130, ["sigsuspend+0x4f/0x60", "__x64_sys_rt_sigsuspend+0x32/0x50"]),
  kernelWait("smpboot", "smpboot_thread_fn+0x21e/0x2d0"),
  kernelWait("rescuer", "rescuer_thread+0x348/0x3c0"),
  kernelWait("rcu", "rcu_gp_kthread+0xf2/0x1b0"),
  kernelWait("kswapd", "kswapd+0x1f2/0x3c0"),
  kernelWait("kcompactd", "kcompactd+0x2a4/0x3f0"),
  kernelWait("khugepaged", "khugepaged+0x1c4/0x8b0"),
  kernelWait("ksm", "ksm_scan_thread+0x1b1/0x260"),
  kernelWait("devtmpfs", "devtmpfs_work_loop+0x2c5/0x2d0"),
  kernelWait("kauditd", "kauditd_thread+0x22f/0x280"),
  kernelWait("watchdog", "watchdog+0x294/0x700"),
  kernelWait("oom_reaper", "oom_reaper+0x107/0x3a0"),
  kernelWait("journal", "kjournald2+0x211/0x280"),
];

/** Which kernel thread waits how, by name. */
const KERNEL_THREADS: readonly (readonly [RegExp, string])[] = [
  [/^kthreadd$/, "kthread"],
  [/^kworker\/R-/, "rescuer"],
  [/^(kworker|pool_workqueue)/, "worker"],
  [/^rcu_/, "rcu"],
  [/^(ksoftirqd|migration|cpuhp|idle_inject|irq_work)/, "smpboot"],
  [/^kswapd/, "kswapd"],
  [/^kcompactd/, "kcompactd"],
  [/^khugepaged$/, "khugepaged"],
  [/^ksmd$/, "ksm"],
  [/^kdevtmpfs$/, "devtmpfs"],
  [/^kauditd$/, "kauditd"],
  [/^(khungtaskd|watchdogd)$/, "watchdog"],
  [/^oom_reaper$/, "oom_reaper"],
  [/^jbd2\//, "journal"],
];

/** Which program waits how, by its name; others by what they have open. */
const PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/^(cron|crond|sleep|still|tail|watch)$/, "nanosleep"],
  [/^(make|sudo|su|supervisord|batch|forker)$/, "wait4"],
  [/^(agetty|getty)$/, "tty"],
  [/^(sshd|top|htop|tmux.*)$/, "poll"],
  [/^php/, "unix-accept"],
  [/^(nginx|redis|systemd|dbus|postgres|node)/, "epoll"],
];

/** The kinds that a scenario needs beside the built-in ones, those of its captured processes last. */
export function scenarioWaitKinds(scenario: Scenario): WaitKind[] {
  const kinds = [...MORE_KINDS];
  const seen = new Set<string>();
  for (const group of scenario.groups) {
    if (group.exact === null) continue;
    const kind = capturedKind(group.exact);
    if (seen.has(kind.name)) continue;
    seen.add(kind.name);
    kinds.push(kind);
  }
  return kinds;
}

/** The kind of a captured process: its wchan, system call and stack, as far as they could be read. */
function capturedKind(exact: Exact): WaitKind {
  const wchan = exact.files["wchan"] ?? "0";
  const syscall = Number.parseInt(exact.files["syscall"] ?? "-1", 10);
  const stack = (exact.files["stack"] ?? "").split("\n").filter(Boolean);
  const symbols = stack.map((line) => line.replace(/^\[<[0-9a-f]+>\] /, ""));
  const number = Number.isNaN(syscall) ? -1 : syscall;
  const shown = wchan === "0" ? "" : wchan;
  return { name: `captured ${shown} ${number} ${symbols.join(" ")}`, wchan: shown, syscall: number, stack: symbols };
}

/** The id of a wait kind by name. @throws RangeError if there is none */
export function waitKindId(config: KernelConfig, name: string): number {
  const builtIn = BUILT_IN_WAIT_KINDS.findIndex((kind) => kind.name === name);
  if (builtIn >= 0) return builtIn;
  const extra = config.waitKinds.findIndex((kind) => kind.name === name);
  if (extra < 0) throw new RangeError(`no wait kind "${name}"`);
  return BUILT_IN_WAIT_KINDS.length + extra;
}

/** The wait kind in which the processes of a group usually are. `hasChildren`: whether groups start below it. */
export function groupWaitKind(config: KernelConfig, group: Group, hasChildren: boolean): number {
  if (group.exact !== null) return waitKindId(config, capturedKind(group.exact).name);
  return waitKindId(config, group.kernel ? kernelThreadWait(group.comm) : programWait(group, hasChildren));
}

function kernelThreadWait(comm: string): string {
  for (const [pattern, name] of KERNEL_THREADS) if (pattern.test(comm)) return name;
  return "worker";
}

function programWait(group: Group, hasChildren: boolean): string {
  for (const [pattern, name] of PROGRAMS) if (pattern.test(group.comm)) return name;
  if (group.fds.some((fd) => fd.kind === "eventpoll")) return "epoll";
  if (group.tty !== null) return hasChildren ? "wait4" : "tty";
  return group.threads.length > 0 ? "futex" : "poll";
}
