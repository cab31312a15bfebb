/** The file system as a whole, over real tables and a small machine: names, cursors, links, exits, rights, control. */
import { beforeEach, describe, expect, test } from "vitest";
import { EACCES, EBADF, EINVAL, EIO, ENOENT, ENOTTY, ENXIO, EPERM, ESRCH, ESTALE } from "../../src/kernel/errno.ts";
import { Cache } from "../../src/kernel/caches.ts";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { exitGroup, exitThread, reap } from "../../src/kernel/exit.ts";
import { closeFd, installFd, fileNew } from "../../src/kernel/files.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { FileKind, HOST, TASK } from "../../src/kernel/layout.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { Random } from "../../src/kernel/random.ts";
import { lockrefCount } from "../../src/sync/lockref.ts";
import type { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { Attr, OpenFile } from "../../src/proc/vfs.ts";
import { testKernel } from "../support/kernel.ts";
import { cloneThread } from "../support/processes.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { OpenedFile, VfsClient } from "./vfs-client.ts";
import { errnoOf, inodeOf } from "./vfs-client.ts";
import type { World } from "./world.ts";
import { OWNER, buildWorld, spawn } from "./world.ts";

let k: Kernel;
let world: World;
let fs: ProcFs;
let root: VfsClient;
let owner: VfsClient;
let other: VfsClient;

beforeEach(() => {
  k = testKernel();
  world = buildWorld(k);
  ({ fs, client: root } = fileSystem(k, tablesOf(TEST_HOST)));
  owner = root.as(OWNER);
  other = root.as(OWNER + 1);
});

function pidOf(task: number): number {
  return k.m.load(task + TASK.pid);
}

/** Kills a process and has its parent take note. */
function kill(task: number): void {
  exitGroup(k, task, 9);
  reap(k, task);
}

describe("the root", () => {
  test("static entries by length, then name; self and thread-self; then pids", () => {
    const names = root.ls("");
    const pids = names.filter((name) => /^\d/.test(name));
    const statics = names.slice(0, names.length - pids.length - 2);
    const sorted = [...statics].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
    expect(statics).toEqual(sorted);
    expect(names.slice(statics.length, statics.length + 2)).toEqual(["self", "thread-self"]);
    expect(pids.map(Number)).toEqual(
      [world.init, world.kthread, world.ordinary, world.undumpable, world.zombie, world.deadleader].map(pidOf),
    );
    expect(statics).toContain("mounts");
    expect(statics).toContain("synthproc");
  });

  test("cursors: a pid's is 258 more, and each entry's offset is that of the next one", () => {
    const directory = root.opendir("");
    const all = directory.list();
    expect(all.slice(0, 2).map(({ name, next }) => [name, next])).toEqual([
      [".", 1],
      ["..", 2],
    ]);
    const self = all.findIndex(({ name }) => name === "self");
    expect(all[self - 1]?.next).toBe(256);
    expect(all[self]?.next).toBe(257);
    expect(all[self + 1]?.next).toBe(1 + 258);
    const pids = all.slice(self + 2);
    for (let i = 0; i + 1 < pids.length; i++) expect(pids[i]?.next).toBe(Number(pids[i + 1]?.name) + 258);
    expect(pids[pids.length - 1]?.next).toBe(4194304 + 258);
    for (let i = 0; i < all.length; i++) expect(directory.list(all[i]?.next)).toEqual(all.slice(i + 1));
    directory.close();
  });

  test("in small pieces it is the same listing, and survives that processes come and go", () => {
    const directory = root.opendir("");
    const all = directory.list();
    const pieces = [];
    for (let offset = 0; ;) {
      const some = directory.list(offset, 3, true);
      if (some.length === 0) break;
      pieces.push(...some);
      offset = some[some.length - 1]?.next as number;
    }
    expect(pieces).toEqual(all);
    const at = all.findIndex(({ name }) => name === String(pidOf(world.ordinary)));
    const next = all[at]?.next as number;
    kill(world.undumpable);
    expect(directory.list(next).map(({ name }) => name)).toEqual(
      [world.zombie, world.deadleader].map((task) => String(pidOf(task))),
    );
    directory.close();
  });

  test("every listed name is found, with the inode number and type that the listing gave", () => {
    for (const path of [
      "",
      `${pidOf(world.ordinary)}`,
      `${pidOf(world.ordinary)}/task`,
      `${pidOf(world.ordinary)}/fd`,
      `${pidOf(world.ordinary)}/map_files`,
      `${pidOf(world.ordinary)}/net`,
      `${pidOf(world.ordinary)}/ns`,
      "sys/kernel",
      "synthproc",
    ]) {
      const directory = root.opendir(path);
      for (const { name, ino, type } of directory.list()) {
        if (name === "." || name === "..") continue;
        const attr = root.lstat(`${path}/${name}`);
        expect([path, name, inodeOf(attr), attr.mode >>> 12]).toEqual([path, name, ino, type]);
      }
      directory.close();
    }
  });

  test("inode numbers: the root 1, fixed ones, and . and .. as stat has them", () => {
    expect(inodeOf(root.lstat(""))).toBe(1);
    const numbers = ["self", "thread-self", "mounts", "net"].map((name) => inodeOf(root.lstat(name)));
    expect(numbers).toEqual([4026531840, 4026531841, 4026531842, 4026531843]);
    const pid = pidOf(world.ordinary);
    const parents = [
      ["", ""],
      [`${pid}`, ""],
      [`${pid}/task`, `${pid}`],
      [`${pid}/task/${pid}`, `${pid}/task`],
      [`${pid}/task/${pid}/fd`, `${pid}/task/${pid}`],
      ["sys/kernel", "sys"],
    ] as const;
    for (const [path, parent] of parents) {
      const [dot, dots] = root.opendir(path).list(0, 2);
      expect([path, dot?.ino, dots?.ino]).toEqual([path, inodeOf(root.lstat(path)), inodeOf(root.lstat(parent))]);
    }
  });

  test("inode numbers differ across the whole tree", () => {
    const seen = new Map<string, string>();
    const visit = (path: string): void => {
      for (const name of root.ls(path)) {
        const below = `${path}/${name}`;
        const attr = root.lstat(below);
        const number = `${attr.inoHi}:${attr.inoLo}`;
        expect(`${number} ${seen.get(number) ?? "unused"}`).toBe(`${number} unused`);
        seen.set(number, below);
        if ((attr.mode & 0o170000) === 0o040000 && !below.startsWith("/sys/")) {
          if (errnoOf(() => root.ls(below)) === 0) visit(below);
        }
      }
    };
    visit("");
    expect(seen.size).toBeGreaterThan(1000);
  });

  test("nlink counts directories and processes", () => {
    const directories = root
      .ls("")
      .filter((name) => !/^\d/.test(name) && (root.lstat(name).mode & 0o170000) === 0o040000);
    expect(root.lstat("").nlink).toBe(2 + directories.length + 6);
    spawn(k, world.init);
    expect(root.lstat("").nlink).toBe(2 + directories.length + 7);
    expect(root.lstat("sys").nlink).toBe(1);
  });
});

describe("directories of a process", () => {
  test("cursors count, those of fd are descriptor + 2", () => {
    const pid = pidOf(world.ordinary);
    const cursors = (path: string): [string, number][] => {
      const directory = root.opendir(path);
      const out = directory.list().map(({ name, next }): [string, number] => [name, next]);
      directory.close();
      return out;
    };
    expect(cursors(`${pid}`).map(([, next]) => next)).toEqual(Array.from({ length: 56 }, (_, i) => i + 1));
    expect(cursors(`${pid}/task`).map(([, next]) => next)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(cursors(`${pid}/fd`)).toEqual([
      [".", 1],
      ["..", 2],
      ["0", 3],
      ["1", 4],
      ["2", 11],
      ["9", 66],
    ]);
  });

  test("a thread that exits doesn't make the listing of task skip another", () => {
    const [first, second, third] = world.threads as [number, number, number];
    const pid = pidOf(world.ordinary);
    const directory = root.opendir(`${pid}/task`);
    const some = directory.list(0, 4);
    expect(some.map(({ name }) => name)).toEqual([".", "..", String(pid), String(pidOf(first))]);
    exitThread(k, first, 0);
    const rest = directory.list(some[3]?.next as number);
    expect(rest.map(({ name }) => name)).toEqual([second, third].map((task) => String(pidOf(task))));
    directory.close();
  });

  test("attributes in a listing are those of stat", () => {
    const pid = pidOf(world.ordinary);
    for (const path of [
      "",
      `${pid}`,
      `${pid}/task`,
      `${pid}/fd`,
      `${pid}/fdinfo`,
      `${pid}/ns`,
      `${pid}/net`,
      `${pid}/map_files`,
    ]) {
      const directory = root.opendir(path);
      const { node, handle } = directory;
      const listed: Record<string, Attr> = {};
      fs.readdir(node.hi, node.lo, handle, 0, true, root.caller, (name, _hi, _lo, _type, _next, attr) => {
        if (attr !== null) listed[name] = Object.assign(new Attr(), attr);
        return true;
      });
      directory.close();
      expect(Object.keys(listed).length).toBeGreaterThan(3);
      for (const [name, attr] of Object.entries(listed)) {
        const found = new Attr();
        expect(fs.lookup(node.hi, node.lo, name, root.caller, found)).toBe(0);
        expect(attr).toEqual(found);
      }
    }
  });
});

describe("links", () => {
  test("self, thread-self, mounts and net", () => {
    const caller = root.as(0, 0, 90002);
    expect(caller.readlink("self")).toBe("90000");
    expect(caller.readlink("thread-self")).toBe("90000/task/90002");
    expect(caller.readlink("mounts")).toBe("self/mounts");
    expect(caller.readlink("net")).toBe("self/net");
    expect([caller.lstat("mounts").size, caller.lstat("net").size, caller.lstat("self").size]).toEqual([11, 8, 0]);
    expect(errnoOf(() => root.readlink("self"))).toBe(ENOENT);
  });

  test("the caller's own pid is a link to the real one, for nobody else, and never listed", () => {
    const caller = root.as(OWNER, OWNER, 90002);
    expect(caller.readlink("90000")).toBe("/run/real-proc/90000");
    expect(caller.readlink("80000")).toBe("/run/real-proc/80000");
    expect(errnoOf(() => caller.lstat("80001"))).toBe(ENOENT);
    expect(caller.lstat("90000").uid).toBe(OWNER);
    expect(caller.lstat("90000").entryValid).toBe(0);
    expect(errnoOf(() => root.as(0, 0, 80000).lstat("90000"))).toBe(ENOENT);
    expect(caller.ls("")).not.toContain("90000");
    const { nodeHi, nodeLo } = caller.lstat("90000");
    const dest = new Uint8Array(100);
    expect(fs.readlink(nodeHi, nodeLo, { uid: 0, gid: 0, pid: 80000 }, dest)).toBe(-ESTALE);
  });

  test("the caller finds itself even where a simulated process has its pid; everybody else finds that one", () => {
    const pid = pidOf(world.ordinary);
    expect(root.as(0, 0, pid).readlink(String(pid))).toBe(`/run/real-proc/${pid}`);
    expect(root.as(0, 0, pid + 1).lstat(String(pid)).mode & 0o170000).toBe(0o040000);
  });

  test("of fd: their texts, modes, and what they lead to", () => {
    const pid = pidOf(world.ordinary);
    const texts = root
      .ls(`${pid}/fd`)
      .map((fd) => [root.readlink(`${pid}/fd/${fd}`), (root.lstat(`${pid}/fd/${fd}`).mode & 0o777).toString(8)]);
    expect(texts).toEqual([
      ["/srv/data", "500"],
      ["socket:[22810]", "700"],
      ["pipe:[22816]", "300"],
      ["anon_inode:[eventpoll]", "700"],
    ]);
    const types = ["1", "2", "9"].map((fd) => {
      const attr = root.stat(`${pid}/fd/${fd}`);
      return [(attr.mode >>> 0).toString(8), inodeOf(attr), attr.entryValid];
    });
    expect(types).toEqual([
      ["140777", 22810, 0],
      ["10600", 22816, 0],
      ["100600", 1038, 0],
    ]);
    expect(errnoOf(() => root.open(`${pid}/fd/9`))).toBe(ENXIO);
    expect(root.ls(`${pid}/fd`)).toEqual(["0", "1", "2", "9"]);
    for (const name of ["socket:[1]", "pipe:[22810]", "socket:[]", "anon_inode:[timerfd]", "/srv/data"]) {
      const directory = root.stat(`${pid}/fd`);
      expect([name, fs.lookup(directory.nodeHi, directory.nodeLo, name, root.caller, new Attr())]).toEqual([
        name,
        -ENOENT,
      ]);
    }
    expect(errnoOf(() => other.stat(`${pid}/fd/1`))).toBe(EACCES);
  });

  test("of fd: O_PATH files have no permission bits, closed ones are gone", () => {
    const pid = pidOf(world.ordinary);
    const files = k.m.load(world.ordinary + TASK.files);
    installFd(k, files, fileNew(k, { kind: FileKind.regular, flags: 0o10000000 }), 20);
    expect(root.lstat(`${pid}/fd/20`).mode & 0o777).toBe(0);
    const { nodeHi, nodeLo } = root.lstat(`${pid}/fd/1`);
    closeFd(k, files, 1);
    expect(errnoOf(() => root.lstat(`${pid}/fd/1`))).toBe(ENOENT);
    expect(fs.getattr(nodeHi, nodeLo, 0, root.caller, new Attr())).toBe(-ESTALE);
  });

  test("of ns: followed to a file with that inode number, which can be opened, and answers EPERM to NS_GET_*", () => {
    const pid = pidOf(world.ordinary);
    expect(root.readlink(`${pid}/ns/pid_for_children`)).toBe("pid:[4026531836]");
    const attr = root.stat(`${pid}/ns/net`);
    expect([(attr.mode >>> 0).toString(8), inodeOf(attr)]).toEqual(["100444", 4026531833]);
    const file = root.open(`${pid}/ns/net`);
    expect(errnoOf(() => file.read(1))).toBe(EINVAL);
    for (const command of [0xb701, 0xb702]) {
      expect(fs.ioctl(file.node.hi, file.node.lo, file.handle, command, root.caller)).toBe(-EPERM);
    }
    expect(fs.ioctl(file.node.hi, file.node.lo, file.handle, 0x5401, root.caller)).toBe(-ENOTTY);
    file.close();
    expect(errnoOf(() => root.lstat(`${pid}/ns/net:[1]`))).toBe(ENOENT);
  });

  test("of map_files: named by range, found only exactly", () => {
    const pid = pidOf(world.ordinary);
    const names = root.ls(`${pid}/map_files`);
    const mapped = root
      .cat(`${pid}/maps`)
      .split("\n")
      .filter((line) => line.includes("/"));
    expect(names).toEqual(mapped.map((line) => (line.split(" ")[0] as string).replace(/\b0+/g, "")));
    expect(root.readlink(`${pid}/map_files/${names[0]}`)).toBe("/usr/bin/prog");
    expect(root.lstat(`${pid}/map_files/${names[0]}`).mode.toString(8)).toBe("120400");
    const [start, end] = (names[0] as string).split("-") as [string, string];
    for (const name of [`${start}-${start}`, `0${start}-${end}`, `${start}-`, `${start}-fffffffffffff`, start]) {
      expect([name, errnoOf(() => root.lstat(`${pid}/map_files/${name}`))]).toEqual([name, ENOENT]);
    }
  });
});

describe("after the process is gone", () => {
  const STILL_DATA = ["auxv", "uid_map", "gid_map", "projid_map", "setgroups", "mounts", "mountinfo", "mountstats"];
  const AT_END = ["environ", "mem", "pagemap"];

  test("what an open file answers is what a real one does", () => {
    const pid = pidOf(world.ordinary);
    const files = root
      .ls(`${pid}`)
      .filter((name) => (root.lstat(`${pid}/${name}`).mode & 0o170000) === 0o100000)
      .map((name): [string, OpenedFile] => [name, root.open(`${pid}/${name}`)]);
    files.push(["attr/current", root.open(`${pid}/attr/current`)], ["fdinfo/0", root.open(`${pid}/fdinfo/0`)]);
    files.push(["net/tcp", root.open(`${pid}/net/tcp`)]);
    kill(world.ordinary);
    for (const [name, file] of files) {
      let got = 0;
      const errno = errnoOf(() => (got = file.read(4096).length));
      const expected = [...STILL_DATA, "net/tcp"].includes(name)
        ? [0, true]
        : AT_END.includes(name)
          ? [0, false]
          : name === "fdinfo/0"
            ? [ENOENT, false]
            : name === "clear_refs"
              ? [EINVAL, false]
              : [ESRCH, false];
      expect([name, errno, got > 0]).toEqual([name, ...expected]);
      expect([name, errnoOf(() => file.stat())]).toEqual([name, 0]);
      file.close();
    }
    expect(k.slab.live(Cache.openFile)).toBe(0);
  });

  test("what was formatted before is still delivered", () => {
    const pid = pidOf(world.ordinary);
    const maps = root.open(`${pid}/maps`);
    const status = root.open(`${pid}/status`);
    const whole = root.cat(`${pid}/status`);
    maps.read(10);
    status.read(100);
    kill(world.ordinary);
    expect(maps.read(4096).toString()).toMatch(/\n$/);
    expect(errnoOf(() => maps.read(4096))).toBe(ESRCH);
    expect(status.read(4096).toString()).toBe(whole.slice(100));
    expect(status.read(4096).length).toBe(0);
    maps.close();
    status.close();
  });

  test("a zombie still answers, a reaped one's directories don't", () => {
    const pid = pidOf(world.ordinary);
    const names = ["", "task", "fd", "fdinfo", "ns", "net", "attr", "map_files", `task/${pid}`];
    const open = names.map((name) => root.opendir(`${pid}/${name}`));
    exitGroup(k, world.ordinary, 0);
    const counts = open.map((directory) => (errnoOf(() => directory.list()) === 0 ? directory.list().length : -1));
    expect(counts).toEqual([56, 3, 2, 2, 12, -1, 8, 2, 49]);
    expect(errnoOf(() => open[5]?.list())).toBe(EINVAL);
    reap(k, world.ordinary);
    const listing = open.map((directory) => errnoOf(() => directory.list()));
    expect(listing).toEqual([ENOENT, ENOENT, ENOENT, ENOENT, ENOENT, EINVAL, ENOENT, ENOENT, ENOENT]);
    const lookups = open.map((directory) => errnoOf(() => directory.openAt("stat")));
    expect(lookups).toEqual([ESRCH, ESRCH, ENOENT, ESRCH, ENOENT, ENOENT, ENOENT, ENOENT, ENOENT]);
    const stats = open.map((directory) => errnoOf(() => directory.stat()));
    expect(stats).toEqual([0, 0, ENOENT, 0, 0, 0, 0, 0, 0]);
    for (const directory of open) directory.close();
  });

  test("a kept node answers ESTALE, so that the path is walked again", () => {
    const pid = pidOf(world.ordinary);
    const kept = ["", "stat", "fd", "exe", "ns/net", "task", "attr/current", `task/${pid}/stat`].map((name) =>
      root.lstat(`${pid}/${name}`),
    );
    kill(world.ordinary);
    const { caller } = root;
    for (const { nodeHi, nodeLo } of kept) {
      expect(fs.getattr(nodeHi, nodeLo, 0, caller, new Attr())).toBe(-ESTALE);
      expect(fs.open(nodeHi, nodeLo, 0, caller, new OpenFile())).toBe(-ESTALE);
      expect(fs.opendir(nodeHi, nodeLo, caller, new OpenFile())).toBe(-ESTALE);
      expect(fs.readlink(nodeHi, nodeLo, caller, new Uint8Array(99))).toBe(-ESTALE);
      expect(fs.access(nodeHi, nodeLo, 0, caller)).toBe(-ESTALE);
      expect(fs.setattr(nodeHi, nodeLo, 0, caller, new Attr())).toBe(-ESTALE);
    }
    expect(errnoOf(() => root.lstat(`${pid}/stat`))).toBe(ENOENT);
  });

  test("a working directory that is gone isn't stale for its user", () => {
    const pid = pidOf(world.ordinary);
    const { nodeHi, nodeLo } = root.lstat(`${pid}`);
    const ns = root.lstat(`${pid}/ns`);
    kill(world.ordinary);
    const caller = { uid: 0, gid: 0, pid: 90001 };
    const attr = new Attr();
    // The kernel tries twice: the second time it would have walked a path anew.
    expect(fs.getattr(nodeHi, nodeLo, 0, caller, attr)).toBe(-ESTALE);
    expect(fs.getattr(nodeHi, nodeLo, 0, { ...caller, pid: 90002 }, attr)).toBe(-ESTALE);
    expect(fs.getattr(nodeHi, nodeLo, 0, caller, attr)).toBe(0);
    expect([attr.mode.toString(8), attr.uid]).toEqual(["40555", 0]);
    expect(fs.opendir(nodeHi, nodeLo, caller, new OpenFile())).toBe(-ESRCH);
    expect(fs.opendir(ns.nodeHi, ns.nodeLo, caller, new OpenFile())).toBe(-ESTALE);
    expect(fs.opendir(ns.nodeHi, ns.nodeLo, caller, new OpenFile())).toBe(-ENOENT);
  });

  test("a pid that is used again is another process", () => {
    const pid = pidOf(world.ordinary);
    const before = root.lstat(`${pid}/stat`);
    const open = root.open(`${pid}/stat`);
    kill(world.ordinary);
    expect(copyProcess(k, world.init, 0, { pid })).toBe(pid);
    const after = root.lstat(`${pid}/stat`);
    expect([after.nodeHi, after.nodeLo]).not.toEqual([before.nodeHi, before.nodeLo]);
    expect(fs.open(before.nodeHi, before.nodeLo, 0, root.caller, new OpenFile())).toBe(-ESTALE);
    expect(errnoOf(() => open.read(100))).toBe(ESRCH);
    expect(root.cat(`${pid}/stat`)).toMatch(new RegExp(`^${pid} `));
    open.close();
  });

  test("names to take back: the process, or a thread of it", () => {
    const names: string[] = [];
    const notifier = {
      invalidate: (hi: number, lo: number, name: string) => {
        const attr = new Attr();
        names.push(fs.getattr(hi, lo, 0, root.caller, attr) === 0 ? `${inodeOf(attr)}/${name}` : `gone/${name}`);
      },
    };
    const pid = pidOf(world.ordinary);
    const tid = pidOf(world.threads[0] as number);
    exitThread(k, world.threads[0] as number, 0);
    fs.invalidateReaped(pid, tid, notifier);
    expect(names).toEqual([`1/${tid}`, `${inodeOf(root.lstat(`${pid}/task`))}/${tid}`]);
    names.length = 0;
    kill(world.ordinary);
    fs.invalidateReaped(pid, pid, notifier);
    expect(names).toEqual([`1/${pid}`]);
  });
});

describe("rights", () => {
  const FATTR = { mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32, atimeNow: 128, mtimeNow: 256 };

  test("chmod is refused, chown and truncate and utimes do nothing", () => {
    const stat = `${pidOf(world.ordinary)}/stat`;
    expect(errnoOf(() => root.setattr(stat, FATTR.mode))).toBe(EPERM);
    for (const valid of [FATTR.uid | FATTR.gid, FATTR.size, FATTR.atime | FATTR.mtime]) {
      expect(errnoOf(() => root.setattr(stat, valid))).toBe(0);
      expect(errnoOf(() => other.setattr(stat, valid))).toBe(valid === FATTR.size ? EACCES : EPERM);
    }
    expect(errnoOf(() => other.setattr(stat, FATTR.atime | FATTR.mtime | FATTR.atimeNow | FATTR.mtimeNow))).toBe(
      EACCES,
    );
    expect(errnoOf(() => owner.setattr(stat, FATTR.atime | FATTR.mtime))).toBe(0);
    expect(root.lstat(stat).uid).toBe(OWNER);
  });

  test("what can't be written says so at write", () => {
    const pid = pidOf(world.ordinary);
    const errno = (path: string): number => errnoOf(() => root.echo("junk\n", path));
    const files = ["stat", "io", "maps", "limits", "timers", "mounts", "cmdline", "oom_score", "fdinfo/0"];
    for (const name of files) expect([name, errno(`${pid}/${name}`)]).toEqual([name, EINVAL]);
    for (const name of ["autogroup", "clear_refs", "coredump_filter", "oom_adj", "oom_score_adj", "timerslack_ns"]) {
      expect([name, errno(`${pid}/${name}`)]).toEqual([name, EINVAL]);
    }
    for (const name of ["uid_map", "gid_map", "projid_map", "attr/current", "attr/exec"]) {
      expect([name, errno(`${pid}/${name}`)]).toEqual([name, EPERM]);
    }
    for (const name of ["uptime", "stat", "meminfo", "loadavg", "version"])
      expect([name, errno(name)]).toEqual([name, EIO]);
    for (const path of [`${pid}/net/tcp`, "sys/kernel/ostype", "sys/kernel/osrelease"]) {
      expect([path, errno(path)]).toEqual([path, EACCES]);
    }
    expect(errno(`${pid}/sched`)).toBe(0);
  });

  test("namespace operations", () => {
    for (const operation of ["create", "mkdir", "mknod", "symlink", "link", "rename"] as const) {
      expect([operation, fs.refuse(operation)]).toEqual([operation, -ENOENT]);
    }
    expect([fs.refuse("unlink"), fs.refuse("rmdir")]).toEqual([-EPERM, -EPERM]);
  });

  test.each([
    [0, "stat", 0, true],
    [1, "stat", EPERM, true],
    [2, "stat", ENOENT, false],
    [4, "stat", ENOENT, false],
  ])("hidepid=%i", (hidepid, name, errno, listed) => {
    const pid = pidOf(world.ordinary);
    const kept = other.lstat(`${pid}/${name}`);
    k.m.store(HOST.hidepid, hidepid);
    expect(errnoOf(() => other.open(`${pid}/${name}`).close())).toBe(errno);
    expect(other.ls("").includes(String(pid))).toBe(listed);
    for (const client of [root, owner]) {
      expect(errnoOf(() => client.cat(`${pid}/${name}`))).toBe(0);
      expect(client.ls("")).toContain(String(pid));
    }
    // A name that the kernel kept from before doesn't help.
    const opened = new OpenFile();
    const result = fs.open(kept.nodeHi, kept.nodeLo, 0, other.caller, opened);
    expect(result === 0).toBe(hidepid === 0);
    expect(root.lstat(`${pid}`).entryValid > 0).toBe(hidepid === 0);
  });

  test("hidepid's group may see everything", () => {
    k.m.store(HOST.hidepid, 2);
    k.m.store(HOST.hidepidGid, 4242);
    expect(root.as(OWNER + 1, 4242).ls("")).toContain(String(pidOf(world.ordinary)));
  });
});

describe("revalidation", () => {
  function walks(): [number, number] {
    return [eventCount(k, Path.revalidate, Event.rcuWalk), eventCount(k, Path.revalidate, Event.refWalk)];
  }

  test("walks take no reference, or one each as before; both find the same", () => {
    const path = `${pidOf(world.ordinary)}/stat`;
    const [rcu, ref] = walks();
    const lockfree = root.cat(path);
    expect(walks()[0]).toBeGreaterThan(rcu);
    expect(walks()[1]).toBe(ref);
    k.m.store(HOST.pathMode + Path.revalidate, LOCKED);
    const before = walks();
    expect(root.cat(path)).toBe(lockfree);
    expect(walks()[0]).toBe(before[0]);
    expect(walks()[1]).toBeGreaterThan(before[1]);
    expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
    kill(world.ordinary);
    expect(errnoOf(() => root.cat(path))).toBe(ENOENT);
    k.m.store(HOST.pathMode + Path.revalidate, LOCKFREE);
    expect(errnoOf(() => root.cat(path))).toBe(ENOENT);
    expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
  });
});

describe("/proc/synthproc", () => {
  test("ctl: the errno tells, and the reason can be read back from the same open file", () => {
    const file = root.open("synthproc/ctl", 2);
    expect(file.pread(100, 0).toString()).toBe("say WORD\n");
    expect(file.write("say hello\n")).toBe(10);
    expect(file.pread(100, 0).toString()).toBe("hello\n");
    expect(errnoOf(() => file.write("frob"))).toBe(EINVAL);
    expect(file.pread(100, 0).toString()).toBe('"frob" is no command\n');
    expect(file.pread(3, 1).toString()).toBe("fro");
    expect(errnoOf(() => file.write("say a\nsay b\n"))).toBe(EINVAL);
    file.close();
  });

  test("ctl: a caller without the right gets EPERM at write", () => {
    const file = other.open("synthproc/ctl", 2);
    expect(errnoOf(() => file.write("say hello"))).toBe(EPERM);
    expect(file.pread(100, 0).toString()).toMatch(/CAP_SYS_ADMIN/);
    file.close();
  });

  test("stats, scenario and version", () => {
    root.cat(`${pidOf(world.ordinary)}/io`);
    const stats = root.cat("synthproc/stats");
    expect(stats).toMatch(/^io\.speculated [1-9]/m);
    expect(stats).toMatch(/^revalidate\.rcu_walk [1-9]/m);
    expect(stats).toMatch(/^processes 6$/m);
    expect(root.cat("synthproc/version")).toBe("1.2.3\n");
    expect(root.cat("synthproc/scenario")).toBe("name: test\n");
  });
});

test("no request, however malformed, does harm", () => {
  const random = new Random(3);
  const attr = new Attr();
  const opened = new OpenFile();
  const dest = new Uint8Array(256);
  const nodes = [...root.ls(""), ...root.ls("3").map((name) => `3/${name}`)].map((path) => root.lstat(path));
  for (let i = 0; i < 20_000; i++) {
    const node = nodes[random.below(nodes.length)] as Attr;
    const wild = random.below(2) === 0;
    const hi = wild ? random.u32() : (node.nodeHi ^ (1 << random.below(32))) >>> 0;
    const lo = wild ? random.u32() : (node.nodeLo ^ (1 << random.below(32))) >>> 0;
    const caller = { uid: random.below(2) * OWNER, gid: 0, pid: random.below(100000) };
    const results = [
      fs.lookup(hi, lo, ["stat", "0", "..", "", "\0", "9".repeat(255)][random.below(6)] as string, caller, attr),
      fs.getattr(hi, lo, random.below(2) * random.u32(), caller, attr),
      fs.setattr(hi, lo, random.u32(), caller, attr),
      fs.readlink(hi, lo, caller, dest),
      fs.access(hi, lo, random.u32(), caller),
      fs.read(hi, lo, random.u32(), random.u32(), dest, caller),
      fs.write(hi, lo, random.u32(), random.u32(), dest, caller),
      fs.readdir(hi, lo, random.u32(), random.u32(), true, caller, () => true),
      fs.ioctl(hi, lo, 0, random.u32(), caller),
    ];
    for (const result of results) expect(result).toBeLessThanOrEqual(dest.length);
    opened.handle = 0;
    if (fs.open(hi, lo, random.u32(), caller, opened) === 0) fs.release(opened.handle);
    if (fs.opendir(hi, lo, caller, opened) === 0) fs.releasedir(opened.handle);
    fs.release(random.u32());
  }
  expect(k.slab.live(Cache.openFile)).toBe(0);
  expect(fs.read(0, 1, 1, 0, dest, root.caller)).toBe(-EBADF);
});

/** Not all: pagemap is as long as the address space. */
function readSome(file: OpenedFile): void {
  try {
    file.readAll(3000, 8);
  } finally {
    file.close();
  }
}

test("a world that has ended leaves nothing behind", () => {
  const before = k.slab.live(Cache.task);
  const task = spawn(k, world.init);
  const pid = pidOf(task);
  cloneThread(k, task);
  for (const client of [root, owner, other]) {
    for (const name of client.ls(`${pid}`)) errnoOf(() => readSome(client.open(`${pid}/${name}`)));
  }
  kill(task);
  for (let i = 0; i < 4; i++) {
    k.quiescent();
    k.slab.reclaim();
  }
  expect(findTask(k, pid)).toBe(0);
  expect(k.slab.live(Cache.task)).toBe(before);
});
