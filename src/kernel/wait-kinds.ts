/** How tasks wait: the symbols and system calls that wchan, stack and syscall show (x86-64 numbers). */
import type { KernelConfig, WaitKind } from "./config.ts";

const ENTRY = ["do_syscall_64+0x82/0x190", "entry_SYSCALL_64_after_hwframe+0x76/0x7e"];

/** Ids of the built-in wait kinds. */
export const Wait = {
  running: 0,
  epoll: 1,
  futex: 2,
  nanosleep: 3,
  read: 4,
  poll: 5,
  wait4: 6,
  accept: 7,
  pause: 8,
  kthread: 9,
  worker: 10,
  stopped: 11,
  disk: 12,
  select: 13,
  signal: 14,
  exited: 15,
} as const;

export const BUILT_IN_WAIT_KINDS: readonly WaitKind[] = [
  { name: "running", wchan: "", syscall: -1, stack: [] },
  {
    name: "epoll",
    wchan: "do_epoll_wait",
    syscall: 232,
    stack: ["do_epoll_wait+0x698/0x7d0", "__x64_sys_epoll_wait+0x6f/0x110", ...ENTRY],
  },
  {
    name: "futex",
    wchan: "futex_do_wait",
    syscall: 202,
    stack: [
      "futex_do_wait+0x38/0x70",
      "__futex_wait+0x91/0x100",
      "futex_wait+0x78/0x120",
      "do_futex+0xc5/0x190",
      "__x64_sys_futex+0x127/0x200",
      ...ENTRY,
    ],
  },
  {
    name: "nanosleep",
    wchan: "hrtimer_nanosleep",
    syscall: 230,
    stack: [
      "hrtimer_nanosleep+0xc7/0x1b0",
      "common_nsleep+0x40/0x60",
      "__x64_sys_clock_nanosleep+0xca/0x140",
      ...ENTRY,
    ],
  },
  {
    name: "read",
    wchan: "anon_pipe_read",
    syscall: 0,
    stack: ["anon_pipe_read+0x3be/0x4a0", "vfs_read+0x2f1/0x350", "ksys_read+0xaf/0xe0", ...ENTRY],
  },
  {
    name: "poll",
    wchan: "poll_schedule_timeout.constprop.0",
    syscall: 7,
    stack: [
      "poll_schedule_timeout.constprop.0+0x32/0x60",
      "do_sys_poll+0x4a7/0x610",
      "__x64_sys_poll+0x47/0x150",
      ...ENTRY,
    ],
  },
  {
    name: "wait4",
    wchan: "do_wait",
    syscall: 61,
    stack: ["do_wait+0x64/0x130", "kernel_wait4+0xb2/0x160", "__do_sys_wait4+0xa4/0xb0", ...ENTRY],
  },
  {
    name: "accept",
    wchan: "inet_csk_accept",
    syscall: 43,
    stack: [
      "inet_csk_accept+0x2a1/0x2f0",
      "inet_accept+0x50/0xd0",
      "do_accept+0xfb/0x1a0",
      "__sys_accept4+0xbe/0x140",
      "__x64_sys_accept+0x18/0x20",
      ...ENTRY,
    ],
  },
  { name: "pause", wchan: "__do_sys_pause", syscall: 34, stack: ["__do_sys_pause+0x2b/0x50", ...ENTRY] },
  {
    name: "kthread",
    wchan: "kthreadd",
    syscall: -1,
    stack: ["kthreadd+0x2ac/0x2f0", "ret_from_fork+0x31/0x50", "ret_from_fork_asm+0x1a/0x30"],
  },
  {
    name: "worker",
    wchan: "worker_thread",
    syscall: -1,
    stack: [
      "worker_thread+0x1f0/0x340",
      "kthread+0xf0/0x120",
      "ret_from_fork+0x31/0x50",
      "ret_from_fork_asm+0x1a/0x30",
    ],
  },
  {
    name: "stopped",
    wchan: "do_signal_stop",
    syscall: 234,
    stack: [
      "do_signal_stop+0x14f/0x200",
      "get_signal+0x6a7/0x820",
      "arch_do_signal_or_restart+0x2e/0x250",
      "syscall_exit_to_user_mode+0x1ba/0x1f0",
      ...ENTRY,
    ],
  },
  {
    name: "disk",
    wchan: "folio_wait_bit_common",
    syscall: 17,
    stack: [
      "folio_wait_bit_common+0x138/0x310",
      "filemap_read+0x320/0x420",
      "vfs_read+0x2f1/0x350",
      "__x64_sys_pread64+0x98/0xd0",
      ...ENTRY,
    ],
  },
  {
    name: "select",
    wchan: "do_select",
    syscall: 23,
    stack: ["do_select+0x6c2/0x830", "core_sys_select+0x3ba/0x530", "kern_select+0xaa/0x160", ...ENTRY],
  },
  {
    name: "signal",
    wchan: "do_sigtimedwait",
    syscall: 128,
    stack: ["do_sigtimedwait+0x170/0x210", "__x64_sys_rt_sigtimedwait+0x78/0xd0", ...ENTRY],
  },
  { name: "exited", wchan: "", syscall: -1, stack: [] },
];

/** The wait kind of an id. */
export function waitKind(config: KernelConfig, id: number): WaitKind {
  const extra = id - BUILT_IN_WAIT_KINDS.length;
  return (extra < 0 ? BUILT_IN_WAIT_KINDS[id] : config.waitKinds[extra]) as WaitKind;
}
