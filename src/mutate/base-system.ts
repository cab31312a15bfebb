/** What runs on every machine: init and the kernel's own threads. Scenarios that don't name them get these. */
import type { Host } from "./scenario-types.ts";

type Entry = Record<string, unknown>;

/** Pid 1 in the form of the scenario language. */
export function initProcess(): Entry {
  return {
    name: "systemd",
    pid: 1,
    exe: "/usr/lib/systemd/systemd",
    args: ["/sbin/init"],
    session: true,
    memory: { rss: "12M", vmas: 60 },
    start: 0,
    cpu_time: "12s",
    fds: ["/dev/null rw", "eventpoll", "signalfd", "inotify", "timerfd", "unix /run/systemd/notify"],
  };
}

/** Pid 2 with its children; per-CPU threads come once for each CPU. */
export function kernelThreads(host: Host): Entry {
  const once = ["pool_workqueue_release", "kworker/R-rcu_gp", "kworker/R-slub_flushwq", "kworker/R-netns"];
  const perCpu = [
    "cpuhp/{i}",
    "migration/{i}",
    "ksoftirqd/{i}",
    "kworker/{i}:0H-events_highpri",
    "kworker/{i}:1-events",
  ];
  const later = ["kdevtmpfs", "kauditd", "khungtaskd", "oom_reaper", "kcompactd0", "ksmd", "khugepaged", "kswapd0"];
  const disk = ["jbd2/vda1-8", "kworker/R-ext4-rsv-conver"];
  const names = [...once, "rcu_preempt", ...perCpu, ...later, ...disk];
  return {
    name: "kthreadd",
    pid: 2,
    kernel: true,
    state: "S",
    start: 0,
    children: names.map((comm) => ({
      name: comm.replace("{i}", "N"),
      comm,
      kernel: true,
      count: comm.includes("{i}") ? host.cpus : 1,
      state: /kworker|rcu_preempt|pool_/.test(comm) ? "I" : "S",
      start: 0,
    })),
  };
}
