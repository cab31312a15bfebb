/** Walks to names of fd, fdinfo and map_files: the same answers in both forms, each counted, with the owner of the moment. */
import { beforeEach, describe, expect, test } from "vitest";
import { Event, eventCount } from "../../src/kernel/counters.ts";
import { EACCES, ENOENT } from "../../src/kernel/errno.ts";
import { execUpdateWriteBegin, execUpdateWriteEnd } from "../../src/kernel/exec-update.ts";
import { closeFd, fdLookup } from "../../src/kernel/files.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { FILE, HOST, MM, SIGNAL, TASK } from "../../src/kernel/layout.ts";
import { PROT_READ } from "../../src/mm/flags.ts";
import { mprotect } from "../../src/mm/mprotect.ts";
import { munmap } from "../../src/mm/mmap.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { LockClass } from "../../src/sync/lockdep.ts";
import { lockrefCount } from "../../src/sync/lockref.ts";
import { joinKernel, testKernel } from "../support/kernel.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";
import type { VfsClient } from "./vfs-client.ts";
import { errnoOf } from "./vfs-client.ts";
import type { World } from "./world.ts";
import { OWNER, buildWorld } from "./world.ts";

const PAGE = 4096;
const EVENTS = { lockfree: [Event.rcuWalk, Event.refWalk], locked: [Event.refWalk, Event.rcuWalk] } as const;

describe.each([
  ["lockfree", LOCKFREE],
  ["locked", LOCKED],
] as const)("%s", (form, mode) => {
  const [counted, other] = EVENTS[form];
  let k: Kernel;
  let world: World;
  let root: VfsClient;
  let owner: VfsClient;
  let pid: number;

  beforeEach(() => {
    k = testKernel();
    world = buildWorld(k);
    root = fileSystem(k, tablesOf(TEST_HOST)).client;
    owner = root.as(OWNER);
    pid = k.m.load(world.ordinary + TASK.pid);
    k.m.store(HOST.pathMode + Path.revalidate, mode);
  });

  function walks(event: typeof counted | typeof other): number {
    return eventCount(k, Path.revalidate, event);
  }

  function firstMapping(): { name: string; start: number; end: number } {
    const name = root.ls(`${pid}/map_files`)[0] as string;
    const [start, end] = name.split("-").map((address) => parseInt(address, 16)) as [number, number];
    return { name, start, end };
  }

  test.each(["fd", "fdinfo"])("%s: there as long as the descriptor is open", (directory) => {
    const before = walks(counted);
    expect(root.lstat(`${pid}/${directory}/0`).uid).toBe(OWNER);
    // /proc/<pid>, the directory, the descriptor, and the attributes of it.
    expect(walks(counted) - before).toBeGreaterThanOrEqual(3);
    expect(walks(other)).toBe(0);
    for (const name of ["8", "77", "1048576", "00", "x"]) {
      expect(
        errnoOf(() => root.lstat(`${pid}/${directory}/${name}`)),
        name,
      ).toBe(ENOENT);
    }
    closeFd(k, k.m.load(world.ordinary + TASK.files), 0);
    expect(errnoOf(() => root.lstat(`${pid}/${directory}/0`))).toBe(ENOENT);
    expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
  });

  test("fd: no reference stays behind, and the mode is that of the file", () => {
    const file = fdLookup(k, world.ordinary, 1);
    const task = k.m.load(world.ordinary + TASK.usage);
    expect(root.lstat(`${pid}/fd/1`).mode & 0o777).toBe(0o700);
    expect(k.m.load(file + FILE.count)).toBe(1);
    expect(k.m.load(world.ordinary + TASK.usage)).toBe(task);
  });

  test("the owner is that of the moment", () => {
    const { name } = firstMapping();
    const files = ["fd/0", "fdinfo/0", `map_files/${name}`];
    for (const uid of [OWNER + 5, OWNER + 6]) {
      setIdentity(k, world.ordinary, uid, uid, []);
      k.m.store(k.m.load(world.ordinary + TASK.mm) + MM.dumpable, 1);
      for (const file of files) expect(root.lstat(`${pid}/${file}`)).toMatchObject({ uid, gid: uid });
    }
    k.m.store(k.m.load(world.ordinary + TASK.mm) + MM.dumpable, 0);
    for (const file of files) expect(root.lstat(`${pid}/${file}`)).toMatchObject({ uid: 0, gid: 0 });
  });

  test("map_files: there as long as a mapping of a file has exactly these bounds", () => {
    const mm = k.m.load(world.ordinary + TASK.mm);
    const users = k.m.load(mm + MM.mmUsers);
    const { name, start, end } = firstMapping();
    const before = walks(counted);
    expect(owner.readlink(`${pid}/map_files/${name}`)).toBe("/usr/bin/prog");
    expect(walks(counted) - before).toBeGreaterThanOrEqual(3);
    expect(walks(other)).toBe(0);
    const hex = (address: number): string => address.toString(16);
    const names = [
      `${hex(start)}-${hex(end + PAGE)}`,
      `${hex(start + PAGE)}-${hex(end)}`,
      `${hex(end)}-${hex(start)}`,
      "0-0",
    ];
    for (const wrong of names)
      expect(
        errnoOf(() => root.lstat(`${pid}/map_files/${wrong}`)),
        wrong,
      ).toBe(ENOENT);
    mprotect(k, mm, start + PAGE, end - start - PAGE, 0);
    expect(errnoOf(() => root.lstat(`${pid}/map_files/${name}`))).toBe(ENOENT);
    expect(root.ls(`${pid}/map_files`).slice(0, 2)).toEqual([
      `${hex(start)}-${hex(start + PAGE)}`,
      `${hex(start + PAGE)}-${hex(end)}`,
    ]);
    mprotect(k, mm, start + PAGE, end - start - PAGE, PROT_READ);
    expect(owner.readlink(`${pid}/map_files/${name}`)).toBe("/usr/bin/prog");
    munmap(k, mm, start, end - start);
    expect(errnoOf(() => root.lstat(`${pid}/map_files/${name}`))).toBe(ENOENT);
    expect(k.m.load(mm + MM.mmUsers)).toBe(users);
    expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
  });

  test("map_files: whom the refusal comes first for", () => {
    const { name } = firstMapping();
    const stranger = root.as(OWNER + 1);
    expect(errnoOf(() => stranger.lstat(`${pid}/map_files/${name}`))).toBe(EACCES);
    expect(errnoOf(() => stranger.lstat(`${pid}/map_files/0-0`))).toBe(EACCES);
    for (const task of [world.kthread, world.zombie]) {
      const other = k.m.load(task + TASK.pid);
      expect(errnoOf(() => stranger.lstat(`${other}/map_files/${name}`))).toBe(EACCES);
      expect(errnoOf(() => root.lstat(`${other}/map_files/${name}`))).toBe(ENOENT);
    }
  });

  test("map_files: a walk waits for an exec, since access and mapping must be of one image", () => {
    const { name } = firstMapping();
    const directory = root.lstat(`${pid}/map_files`);
    const signal = k.m.load(world.ordinary + TASK.signal);
    const writer = joinKernel(k.m.buffer);
    k.t.maySleep = false;
    const taken = k.t.lockdep.taken[LockClass.execUpdate];
    execUpdateWriteBegin(writer, signal);
    const out = root.lstat(String(pid));
    expect(root.fs.lookup(directory.nodeHi, directory.nodeLo, name, root.caller, out)).toBe(WOULD_WAIT);
    // A descriptor's walk doesn't ask.
    expect(root.lstat(`${pid}/fd/0`).uid).toBe(OWNER);
    execUpdateWriteEnd(writer, signal);
    expect(root.fs.lookup(directory.nodeHi, directory.nodeLo, name, root.caller, out)).toBe(0);
    expect(lockrefCount(k.t, HOST.rootDentry)).toBe(1);
    expect(k.m.load(signal + SIGNAL.execUpdateLock)).toBe(0);
    // Who had to wait takes the lock, and doesn't speculate again.
    expect(k.t.lockdep.taken[LockClass.execUpdate]).toBe((taken as number) + 1);
    writer.idle();
  });
});
