/** Transaction files: one write of an open file, then its result, read in whatever way; and ctl, which takes many. */
import { describe, expect, test } from "vitest";
import { Cache } from "../../src/kernel/caches.ts";
import { EBADF, EBUSY, EFBIG, EINVAL, ENOENT, EPERM, ESRCH } from "../../src/kernel/errno.ts";
import { execBegin, execFinish, execTask } from "../../src/kernel/exec.ts";
import { dupFd, fileNew, installFd } from "../../src/kernel/files.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { FileKind, TASK } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { joinKernel, testKernel } from "../support/kernel.ts";
import { execSpec, fork, startInit } from "../support/processes.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { OpenedFile, VfsClient } from "./vfs-client.ts";
import { errnoOf } from "./vfs-client.ts";

const O_RDWR = 2;
const USER = 1000;
const CALLS = ["kcmp", "get_robust_list", "pidfd_getfd"];

interface World {
  k: Kernel;
  client: VfsClient;
  /** A process of root, and one of a user. */
  root: number;
  user: number;
}

function world(): World {
  const k = testKernel();
  const init = startInit(k);
  const task = fork(k, init);
  const files = k.m.load(task + TASK.files);
  installFd(k, files, fileNew(k, { kind: FileKind.socket, flags: 2, ino: 4711 }));
  dupFd(k, files, 0);
  installFd(k, files, fileNew(k, { kind: FileKind.eventpoll, flags: 2, data: 1 }));
  setIdentity(k, task, USER, USER, []);
  const reader = joinKernel(k.m.buffer);
  reader.t.maySleep = false;
  return { k, client: fileSystem(reader, tablesOf(TEST_HOST)).client, root: 1, user: k.m.load(task + TASK.pid) };
}

function opened(client: VfsClient, name: string): OpenedFile {
  return client.open(`synthproc/${name}`, O_RDWR);
}

/** What a call answers: the text, or the errno and the reason. */
function call(client: VfsClient, name: string, text: string): string {
  const file = opened(client, name);
  const errno = errnoOf(() => file.write(text));
  const answer = file.pread(4096, 0).toString("latin1");
  file.close();
  return errno === 0 ? answer.trimEnd() : `${errno}: ${answer.trimEnd()}`;
}

describe("the calls", () => {
  test("kcmp: types by number and by name, descriptors, slots", () => {
    const { client, root, user } = world();
    for (const type of ["1", "VM", "vm", "KCMP_VM"]) {
      expect(call(client, "kcmp", `${user} ${user} ${type}`)).toBe("0");
      expect(["1", "2"]).toContain(call(client, "kcmp", `${root} ${user} ${type}\n`));
    }
    expect(call(client, "kcmp", `\t${user}\n${user}  FILE 0 1\n`)).toBe("0");
    expect(["1", "2"]).toContain(call(client, "kcmp", `${user} ${user} FILE 0 2`));
    expect(call(client, "kcmp", `${user} ${user} EPOLL_TFD 1 2:0:0`)).toBe("0");
    expect(call(client, "kcmp", `${user} ${user} EPOLL_TFD 1 2:1:0`)).toBe(
      `${ENOENT}: the epoll file doesn't watch that`,
    );
    expect(call(client, "kcmp", `${user} ${user} EPOLL_TFD 1 1:0:0`)).toBe(`${EINVAL}: EFD is no epoll file`);
    expect(call(client, "kcmp", `${user} ${user} FILE 0 9`)).toBe(`${EBADF}: no such descriptor`);
    expect(call(client, "kcmp", `${user} ${user} 8`)).toBe(`${EINVAL}: there is no type 8`);
    expect(call(client, "kcmp", `${user} 3999999 VM`)).toBe(`${ESRCH}: there is no process or thread 3999999`);
  });

  test("get_robust_list and pidfd_getfd", () => {
    const { client, user } = world();
    expect(call(client, "get_robust_list", String(user))).toMatch(/^0x7[0-9a-f]{11} 24$/);
    expect(call(client, "get_robust_list", "0")).toMatch(new RegExp(`^${ESRCH}: 0 is the caller`));
    expect(call(client, "pidfd_getfd", `${user} 0`)).toBe(
      "link:\tsocket:[4711]\npos:\t0\nflags:\t02000002\nmnt_id:\t10\nino:\t4711",
    );
    expect(call(client, "pidfd_getfd", `${user} 9`)).toBe(`${EBADF}: no such descriptor`);
    expect(call(client, "pidfd_getfd", `${user} 0 1`)).toMatch(new RegExp(`^${EINVAL}: FLAGS are reserved`));
    expect(call(client, "pidfd_getfd", "3999999 0")).toMatch(new RegExp(`^${ESRCH}: `));
  });

  test("it is the caller who counts", () => {
    const { client, k, root, user } = world();
    const who = client.as(USER);
    // setuid made it undumpable; an exec makes it dumpable again.
    expect(call(who, "kcmp", `${user} ${user} VM`)).toMatch(new RegExp(`^${EPERM}: `));
    execAs(k, user);
    expect(call(who, "kcmp", `${user} ${user} VM`)).toBe("0");
    expect(call(who, "pidfd_getfd", `${user} 0`)).toContain("socket:[4711]");
    for (const other of [client.as(USER + 1), who]) {
      const pid = other === who ? root : user;
      expect(call(other, "kcmp", `${pid} ${pid} VM`)).toMatch(new RegExp(`^${EPERM}: `));
      expect(call(other, "get_robust_list", String(pid))).toMatch(new RegExp(`^${EPERM}: `));
      expect(call(other, "pidfd_getfd", `${pid} 0`)).toMatch(new RegExp(`^${EPERM}: `));
    }
  });

  test.each([
    ["kcmp", ""],
    ["kcmp", "\n"],
    ["kcmp", "1"],
    ["kcmp", "1 1"],
    ["kcmp", "1 1 FRUIT"],
    ["kcmp", "1 x VM"],
    ["kcmp", "0x1 1 VM"],
    ["kcmp", "1.5 1 VM"],
    ["kcmp", "1 99999999999 VM"],
    ["kcmp", "1 1 FILE"],
    ["kcmp", "1 1 FILE 0"],
    ["kcmp", "1 1 FILE 0 y"],
    ["kcmp", "1 1 EPOLL_TFD 0 1"],
    ["kcmp", "1 1 EPOLL_TFD 0 1:2"],
    ["kcmp", "1 1 EPOLL_TFD 0 1:2:z"],
    ["kcmp", "1 1 VM 0 0 0"],
    ["kcmp", "1 1 VM\0"],
    ["get_robust_list", "one"],
    ["get_robust_list", "1 2"],
    ["pidfd_getfd", "1"],
    ["pidfd_getfd", "1 0 0 0"],
  ])("%s %j makes no sense: EINVAL, and the usage", (name, text) => {
    const { client } = world();
    expect(call(client, name, text)).toMatch(new RegExp(`^${EINVAL}: [^\n]+; usage: ${name} PID`));
  });
});

function execAs(k: Kernel, pid: number): void {
  execTask(k, findTask(k, pid), execSpec(k, 0, 3));
}

describe("one transaction an open file", () => {
  test.each(CALLS)("%s: without having been written to it is empty, and reading changes nothing", (name) => {
    const { client } = world();
    const file = opened(client, name);
    expect(file.pread(100, 0)).toHaveLength(0);
    expect(errnoOf(() => file.write("nonsense"))).toBe(EINVAL);
    expect(file.pread(4096, 0).toString()).toContain("usage: ");
    file.close();
  });

  test("a second write is EBUSY, whether the first one succeeded or not; the first answer stays", () => {
    const { client, user } = world();
    for (const first of [`${user} ${user} VM`, "nonsense"]) {
      const file = opened(client, "kcmp");
      errnoOf(() => file.write(first));
      const before = file.pread(4096, 0).toString();
      expect(errnoOf(() => file.write(`1 ${user} VM`))).toBe(EBUSY);
      expect(file.pread(4096, 0).toString()).toBe(before);
      file.close();
    }
  });

  test("more than a page is EFBIG, and was no write", () => {
    const { client } = world();
    const file = opened(client, "kcmp");
    const text = "1 1 VM";
    expect(errnoOf(() => file.write(text.padEnd(4088)))).toBe(EFBIG);
    expect(errnoOf(() => file.write(text.padEnd(100_000)))).toBe(EFBIG);
    expect(file.write(text.padEnd(4087))).toBe(4087);
    expect(file.read(10).toString()).toBe("0\n");
    file.close();
  });

  test("the answer is read on from the write, or by position, in pieces of any size", () => {
    const { client, user } = world();
    const text = `${user} 0\n`;
    const answer = call(client, "pidfd_getfd", text) + "\n";
    for (const size of [1, 2, 3, text.length, 7, 64, 4096]) {
      for (const start of [0, text.length]) {
        const file = opened(client, "pidfd_getfd");
        file.write(text);
        let read = "";
        for (let at = start; ; at += size) {
          const piece = file.pread(size, at).toString();
          read += piece;
          if (piece.length < size) break;
        }
        expect([size, start, read]).toEqual([size, start, answer]);
        file.close();
      }
    }
  });

  test("by position, there and back", () => {
    const { client, user } = world();
    const answer = call(client, "pidfd_getfd", `${user} 0`) + "\n";
    const file = opened(client, "pidfd_getfd");
    file.write(`${user} 0`);
    for (const at of [0, 3, 40, 20, 1, answer.length, answer.length - 1, 0]) {
      expect([at, file.pread(5, at).toString()]).toEqual([at, answer.slice(at, at + 5)]);
    }
    file.close();
  });

  test("who has to wait has not written yet: another may come first, and then the first one is late", () => {
    const { k, client, root, user } = world();
    const waits = (file: OpenedFile, text: string): number => {
      const { fs, caller } = client;
      return fs.write(file.node.hi, file.node.lo, file.handle, 0, Buffer.from(text), caller);
    };
    const task = findTask(k, user);
    const exec = execBegin(k, task, execSpec(k));
    const file = opened(client, "kcmp");
    const WOULD_WAIT = -0x10000;
    expect(waits(file, `${root} ${user} VM`)).toBe(WOULD_WAIT);
    expect(waits(file, `${root} ${user} VM`)).toBe(WOULD_WAIT);
    expect(file.write(`${root} ${root} VM`)).toBeGreaterThan(0);
    expect(errnoOf(() => file.write(`${root} ${user} VM`))).toBe(EBUSY);
    execFinish(k, exec);
    expect(errnoOf(() => file.write(`${root} ${user} VM`))).toBe(EBUSY);
    expect(file.pread(9, 0).toString()).toBe("0\n");
    file.close();
  });

  test("nothing is left of closed files", () => {
    const { k, client, user } = world();
    const live = (): number[] => {
      while (k.slab.reclaiming()) {
        k.slab.reclaim();
        k.quiescent();
        client.fs.idle();
        client.fs.busy();
      }
      const caches = [Cache.openFile, Cache.file];
      for (let cache = 24; cache < 40; cache++) caches.push(cache as typeof Cache.file);
      return caches.map((cache) => k.slab.live(cache));
    };
    const before = live();
    for (let i = 0; i < 20; i++) {
      for (const text of [`${user} 0`, "nonsense", `${user} 99`]) call(client, "pidfd_getfd", text);
      opened(client, "kcmp").close();
    }
    expect(live()).toEqual(before);
  });
});

test("ctl may be written to again and again, and reads as its help before", () => {
  const { client } = world();
  const file = opened(client, "ctl");
  expect(file.pread(4096, 0).toString()).toBe("say WORD\n");
  for (const word of ["one", "a-much-longer-word-than-that", "two"]) {
    expect(file.write(`say ${word}`)).toBe(4 + word.length);
    expect(file.pread(4096, 0).toString()).toBe(`${word}\n`);
    expect(errnoOf(() => file.write("frob"))).toBe(EINVAL);
    expect(file.pread(4096, 0).toString()).toBe('"frob" is no command\n');
  }
  expect(errnoOf(() => file.write("say one\nsay two"))).toBe(EINVAL);
  expect(errnoOf(() => file.write("say ".padEnd(4100, "x")))).toBe(EINVAL);
  file.close();
});
