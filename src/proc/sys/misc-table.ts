/** /proc/sys/{abi,debug,dev,user}. */
import { ANY_INT, BOOL, int } from "./spec.ts";
import type { SysctlSpec } from "./spec.ts";

export const MISC_SYSCTLS: readonly SysctlSpec[] = [
  ["abi/vsyscall32", 0o644, ANY_INT, "1"],
  ["debug/exception-trace", 0o644, ANY_INT, "1"],
  ["dev/tty/ldisc_autoload", 0o644, BOOL, "1"],
  ["dev/tty/legacy_tiocsti", 0o644, BOOL, "1"],
  ["user/max_cgroup_namespaces", 0o644, int(0), "96365"],
  ["user/max_fanotify_groups", 0o644, int(0), "128"],
  ["user/max_fanotify_marks", 0o644, int(0), "205039"],
  ["user/max_inotify_instances", 0o644, int(0), "128"],
  ["user/max_inotify_watches", 0o644, int(0), "192536"],
  ["user/max_ipc_namespaces", 0o644, int(0), "96365"],
  ["user/max_mnt_namespaces", 0o644, int(0), "96365"],
  ["user/max_net_namespaces", 0o644, int(0), "96365"],
  ["user/max_pid_namespaces", 0o644, int(0), "96365"],
  ["user/max_time_namespaces", 0o644, int(0), "96365"],
  ["user/max_user_namespaces", 0o644, int(0), "96365"],
  ["user/max_uts_namespaces", 0o644, int(0), "96365"],
];
