/** What a scenario means once its defaults are filled in. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseScenario } from "../../src/mutate/scenario.ts";
import type { Group, Scenario } from "../../src/mutate/scenario.ts";

const scenarios = new URL("../../fixtures/scenarios/", import.meta.url);

function find(scenario: Scenario, name: string): Group {
  const group = scenario.groups.find((one) => one.name === name);
  expect(group, `group ${name}`).toBeDefined();
  return group!;
}

function only(yaml: string): Group {
  return parseScenario(`processes: [${yaml}]`, "x.yaml").groups.at(-1)!;
}

/** Processes and threads. */
function sizes(scenario: Scenario): { processes: number; threads: number } {
  const counts: number[] = [];
  let threads = 0;
  for (const group of scenario.groups) {
    const count = group.count * (counts[group.parent] ?? 1);
    counts.push(count);
    threads += count * group.threads.reduce((sum, spec) => sum + spec.count, 1);
  }
  return { processes: counts.reduce((sum, count) => sum + count, 0), threads };
}

describe("the shipped scenarios", () => {
  const files = readdirSync(scenarios).filter((name) => name.endsWith(".yaml"));

  test("are the promised ones", () => {
    expect(files.sort()).toEqual([
      "10k.yaml",
      "build.yaml",
      "churn.yaml",
      "database.yaml",
      "idle.yaml",
      "webserver.yaml",
    ]);
  });

  test.each(files)("%s is accepted, and parents come before children", (file) => {
    const scenario = parseScenario(readFileSync(new URL(file, scenarios), "utf8"), file);
    expect(scenario.name).toBe(file.replace(".yaml", ""));
    expect(scenario.groups.every((group, index) => group.index === index && group.parent < index)).toBe(true);
    expect(find(scenario, "systemd").pid).toBe(1);
    expect(find(scenario, "kthreadd").pid).toBe(2);
    expect(scenario.groups.every((group) => group.comm.length > 0 && (group.kernel || group.exe.startsWith("/")))).toBe(
      true,
    );
  });

  test("10k holds ten thousand processes", () => {
    const text = readFileSync(new URL("10k.yaml", scenarios), "utf8");
    expect(sizes(parseScenario(text, "10k.yaml")).processes).toBeGreaterThanOrEqual(10_000);
  });
});

describe("short forms", () => {
  test("a command line is a process", () => {
    const group = only(`"/usr/bin/env -i 'a b' c\\\\ d"`);
    expect(group.exe).toBe("/usr/bin/env");
    expect(group.args).toEqual(["/usr/bin/env", "-i", "a b", "c d"]);
    expect(group.comm).toBe("env");
  });

  test("a service under init leads its session and has its own cgroup", () => {
    const group = only("/usr/sbin/cron -f");
    expect(group).toMatchObject({
      sessionLeader: true,
      groupLeader: true,
      tty: null,
      cgroup: "/system.slice/cron.service",
    });
    expect(group.fds.map((fd) => fd.fd)).toEqual([0, 1, 2]);
  });

  test("a text as arguments is one argument, as of programs that set their title", () => {
    expect(only(`{exe: /usr/sbin/nginx, args: "nginx: worker process"}`).args).toEqual(["nginx: worker process"]);
  });

  test("children inherit user, terminal, directory, cgroup and limits", () => {
    const text = `
processes:
  - name: shell
    exe: /bin/bash
    user: www-data
    tty: pts/3
    cwd: /srv
    limits: { nofile: 10:20 }
    children: [/usr/bin/less x]
`;
    const scenario = parseScenario(text, "x.yaml");
    const less = find(scenario, "less");
    expect(less.parent).toBe(find(scenario, "shell").index);
    expect(less).toMatchObject({ uids: [33, 33, 33, 33], cwd: "/srv", tty: { name: "pts/3", major: 136, minor: 3 } });
    expect(less.limits.nofile).toEqual({ soft: 10, hard: 20 });
    expect(less.caps.effective).toEqual([0, 0]);
  });

  test("root has every capability, and sets can be named", () => {
    expect(only("/bin/a").caps.effective).toEqual([0xffffffff, 0x1ff]);
    expect(only("{exe: /bin/a, caps: [net_bind_service, cap_bpf]}").caps.permitted).toEqual([1 << 10, 1 << 7]);
  });

  test("threads count the main one, names and counts don't", () => {
    expect(only("{exe: /bin/a, threads: 4}").threads).toEqual([{ name: "", count: 3 }]);
    expect(only("{exe: /bin/a, threads: 1}").threads).toEqual([]);
    expect(only("{exe: /bin/a, threads: [x, y]}").threads).toHaveLength(2);
    expect(only("{exe: /bin/a, threads: {'w-{t}': 8}}").threads).toEqual([{ name: "w-{t}", count: 8 }]);
  });

  test("rates have regular and irregular forms", () => {
    const { behaviours } = only("{exe: /bin/a, rates: {io: 50/s, exec: {rate: 3/min±20%, per: group}, cpu: 150%}}");
    expect(behaviours[0]).toMatchObject({ kind: "io", rate: 50, per: "process", jitter: 1 });
    expect(behaviours[1]).toMatchObject({ kind: "exec", rate: 0.05, per: "group", jitter: 0.2 });
    expect(behaviours[2]).toMatchObject({ kind: "cpu", share: 1.5 });
  });

  test("descriptors", () => {
    const { fds } = only(
      `{exe: /bin/a, fds: ["/var/log/x a", "tcp 0.0.0.0:80 listen", {kind: pipe, fd: 9, flags: "01"}, eventpoll]}`,
    );
    expect(fds.slice(3)).toMatchObject([
      { kind: "file", path: "/var/log/x", flags: 0o102001, fd: null },
      { kind: "socket", family: "tcp", local: "0.0.0.0:80", state: "listen" },
      { kind: "pipe", fd: 9, flags: 1 },
      { kind: "eventpoll" },
    ]);
  });

  test("names and arguments become their UTF-8 bytes; base64 gives any bytes", () => {
    const group = only("{exe: /bin/a, name: café, args: [é, {base64: '/wD+'}]}");
    expect(group.comm).toBe("caf\xc3\xa9");
    expect(group.args).toEqual(["\xc3\xa9", "\xff\x00\xfe"]);
  });

  test("a date is seconds since the epoch", () => {
    const at = (date: string): number | null =>
      parseScenario(`{host: {boot_time: "${date}"}, processes: []}`, "x").host.bootTime;
    for (const date of [
      "1970-01-01T00:00:00Z",
      "2024-02-29T23:59:59Z",
      "2026-11-20T08:30:00Z",
      "2100-03-01T00:00:00Z",
    ]) {
      expect(at(date)).toBe(Date.parse(date) / 1000);
    }
  });

  test("faults are chances, bounds, or both", () => {
    const { faults } = parseScenario(
      "{processes: [], faults: {eintr: 1%, pid_reuse: 2/s, eacces: {chance: 5%, rate: 1/s}}}",
      "x",
    );
    expect(faults.eintr).toEqual({ chance: 0.01, maxPerSecond: Infinity });
    expect(faults.pidReuse).toEqual({ chance: 1, maxPerSecond: 2 });
    expect(faults.eacces).toEqual({ chance: 0.05, maxPerSecond: 1 });
    expect(faults.shortRead.chance).toBe(0);
  });
});

describe("phases", () => {
  test("refer to groups by name and find the log to rotate", () => {
    const text = `
processes:
  - { name: web, exe: /bin/web, fds: [/var/log/web.log a], rates: { io: 1/s } }
phases:
  - { every: 60s, rotate_log: web }
  - { at: 30s, for: 10s, set: { web: { io: 500/s } } }
  - { at: 1s, restart: web, down: 200ms }
`;
    const scenario = parseScenario(text, "x.yaml");
    const web = find(scenario, "web").index;
    expect(scenario.phases).toMatchObject([
      { atMs: 60_000, everyMs: 60_000, actions: [{ kind: "rotate_log", groups: [web], path: "/var/log/web.log" }] },
      { atMs: 30_000, everyMs: 0, forMs: 10_000, actions: [{ kind: "set", groups: [web] }] },
      { atMs: 1000, actions: [{ kind: "restart", groups: [web], downMs: 200 }] },
    ]);
  });
});

describe("mounts", () => {
  test("a line of mount(8) gets ids, device numbers and its parent", () => {
    const lines = [
      "/dev/sda1 on / type ext4 (rw,relatime,data=ordered)",
      "tmpfs on /run type tmpfs (rw,nosuid,size=1k)",
    ];
    lines.push("tmpfs on /run/lock type tmpfs (ro)");
    const { mounts } = parseScenario(JSON.stringify({ host: { mounts: lines }, processes: [] }), "x").host;
    expect(mounts[0]).toMatchObject({
      id: 22,
      parent: 1,
      major: 254,
      options: "rw,relatime",
      superOptions: "rw,data=ordered",
    });
    expect(mounts[1]).toMatchObject({ id: 23, parent: 22, major: 0, options: "rw,nosuid", superOptions: "rw,size=1k" });
    expect(mounts[2]).toMatchObject({ id: 24, parent: 23, options: "ro", superOptions: "ro" });
  });
});

describe("captured processes", () => {
  test("may be listed flat and in any order; nothing is added", () => {
    const text = `
processes:
  - { name: child, pid: 70, ppid: 50, exact: { cmdline: "child\\0", threads: [{ tid: 70, comm: child }] } }
  - name: top
    pid: 50
    ppid: 0
    exact:
      cmdline: { base64: dG9wAA== }
      threads: [{ tid: 50, comm: top, state: R, stat: { utime: 7 } }, { tid: 51 }]
      maps:
        - { vma: "555500000000-555500001000 r-xp 00001000 fe:01 77                         /usr/bin/a b ", smaps: { Rss: 4 }, flags: "rd ex mr" }
        - { vma: "7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 " }
`;
    const scenario = parseScenario(text, "x.yaml");
    expect(scenario.groups.map((group) => [group.pid, group.parent])).toEqual([
      [50, -1],
      [70, 0],
    ]);
    const exact = scenario.groups[0]!.exact!;
    expect(exact.cmdline).toBe("top\0");
    expect(exact.threads).toMatchObject([{ tid: 50, state: "R", stat: { utime: 7 } }, { tid: 51 }]);
    expect(exact.maps![0]).toEqual({
      start: 0x555500000000,
      end: 0x555500001000,
      perms: "r-xp",
      offset: 0x1000,
      major: 0xfe,
      minor: 1,
      inode: 77,
      path: "/usr/bin/a b ",
      smaps: { Rss: 4 },
      vmFlags: ["rd", "ex", "mr"],
    });
    expect(exact.maps![1]!.path).toBe("");
    expect(scenario.groups[1]!.exact!.environ).toBeNull();
  });
});
