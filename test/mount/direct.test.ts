/** Real programs on a real mount through /dev/fuse. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestMount } from "./helpers.ts";
import { cannotMount, client, mountTree, until } from "./helpers.ts";
import { BIG_SIZE, ENTRY_VALID, GONE, MANY, OPENED, PIDS, bigByte } from "./tree-fs.ts";
import { INVALIDATE, NotifyRing } from "../../mount/notify.ts";
import { createMountShared } from "../../mount/options.ts";

function bigHash(): string {
  const bytes = Buffer.alloc(BIG_SIZE);
  for (let i = 0; i < BIG_SIZE; i++) bytes[i] = bigByte(i);
  return createHash("md5").update(bytes).digest("hex");
}

const skip = cannotMount("direct.test.ts");

describe.skipIf(skip)("direct transport", () => {
  let tree: TestMount;
  beforeAll(async () => {
    tree = await mountTree({ workers: 2 });
  });
  afterAll(async () => {
    await tree.end();
  });
  const at = (name: string): string => `${tree.dir}/${name}`;

  it("reads files whose st_size is 0", async () => {
    expect(await client("cat", at("hello"))).toEqual({ status: 0, stdout: "hello\n", stderr: "" });
    expect((await client("stat", "-c", "%s %F %a %h %o", at("hello"))).stdout).toBe("0 regular empty file 644 1 1024\n");
  });

  it("reads a large file with every block size", async () => {
    for (const size of ["1000", "4096", "131072", "2M"]) {
      const { stdout } = await client("sh", "-c", `dd if=${at("big")} bs=${size} status=none | md5sum`);
      expect(stdout.slice(0, 32), `block size ${size}`).toBe(bigHash());
    }
  });

  it("fetches a large file in messages of up to 1 MiB", async () => {
    const before = tree.mounted.stats().messages.READ ?? 0;
    await client("dd", `if=${at("big")}`, "bs=4M", "of=/dev/null", "status=none");
    expect((tree.mounted.stats().messages.READ ?? 0) - before).toBeLessThanOrEqual(6);
  });

  it("lists 10,000 entries, each once and in order", async () => {
    const { stdout } = await client("ls", "-U", at("many"));
    const names = stdout.trim().split("\n");
    expect(names).toEqual(Array.from({ length: MANY }, (_, i) => `f${i}`));
    const long = await client("ls", "-l", at("many"));
    expect(long.stdout.trim().split("\n")).toHaveLength(MANY + 1);
    expect(long.stderr).toBe("");
  });

  it("finds names of every kind, and not what isn't there", async () => {
    expect((await client("readlink", at("link"))).stdout).toBe("hello\n");
    expect((await client("cat", at("link"))).stdout).toBe("hello\n");
    expect((await client("cat", at(`${PIDS}/io`))).stdout).toContain("rchar");
    const missing = await client("cat", at(`${PIDS + 1}/io`));
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain("No such file or directory");
  });

  it("takes writes, in pieces if they are long", async () => {
    expect((await client("sh", "-c", `echo remember > ${at("notes")}; cat ${at("notes")}`)).stdout).toBe("remember\n");
    const long = await client("sh", "-c", `head -c 90000 /dev/zero | tr '\\0' x | dd of=${at("notes")} bs=90000 status=none`);
    expect(long).toEqual({ status: 0, stdout: "", stderr: "" });
    expect((await client("sh", "-c", `md5sum < ${at("notes")}`)).stdout.slice(0, 32)).toBe(
      createHash("md5").update("x".repeat(90000)).digest("hex"),
    );
    expect((await client("sh", "-c", `echo no | dd of=${at("hello")}`)).stderr).toContain("Invalid argument");
  });

  it("refuses to change the tree, with the file system's errors", async () => {
    expect((await client("touch", at("new"))).stderr).toContain("No such file or directory");
    expect((await client("mkdir", at("new"))).stderr).toContain("Operation not permitted");
    expect((await client("rm", "-f", at("hello"))).stderr).toContain("Operation not permitted");
    expect((await client("mv", at("hello"), at("bye"))).stderr).toContain("Operation not permitted");
    expect((await client("ln", "-s", "x", at("bye"))).stderr).toContain("Operation not permitted");
  });

  it("answers what tools try beside reading as procfs does", async () => {
    const script = `
import os, errno, fcntl, termios, select
def t(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode[e.errno]
p = "${at("hello")}"
fd = os.open(p, os.O_RDONLY)
print(t(os.fsync, fd), t(os.listxattr, p), t(os.getxattr, p, "user.x"), t(os.setxattr, p, "user.x", b"1"))
print(t(fcntl.ioctl, fd, termios.TCGETS, b"\\0" * 60), t(os.pread, fd, 9, 2**63 - 10), t(os.pread, fd, 9, 2**53))
print(t(os.lseek, fd, 0, os.SEEK_DATA), t(os.lseek, fd, 2**63 - 1, os.SEEK_SET), t(os.read, fd, 5))
print(select.select([fd], [], [], 0)[0] == [fd], os.access(p, os.R_OK), os.access(p, os.W_OK))
v = os.statvfs(p)
print(v.f_bsize, v.f_blocks, v.f_namemax)
`;
    const { stdout, stderr } = await client("python3", "-c", script);
    expect(stderr).toBe("");
    expect(stdout.split("\n")).toEqual([
      "EINVAL [] ENOTSUP ENOTSUP",
      "ENOTTY b'' b''",
      "EINVAL 9223372036854775807 EINVAL",
      "True True False",
      "4096 0 255",
      "",
    ]);
  });

  it("knows its callers: user, group, thread, groups and capabilities", async () => {
    const { stdout } = await client("setpriv", "--reuid", "1234", "--regid", "4321", "--groups", "7,9", "cat", at("whoami"));
    const who = JSON.parse(stdout) as Record<string, unknown>;
    expect(who).toMatchObject({ uid: 1234, gid: 4321, groups: [7, 9], effective: [0, 0], permitted: [0, 0] });
    expect(who.tgid).toBe(who.pid);
    const root = JSON.parse((await client("cat", at("whoami"))).stdout) as { effective: number[] };
    expect(root.effective[0]).not.toBe(0);
    const script = `
import threading
t = threading.Thread(target=lambda: print(open("${at("whoami")}").read()))
t.start(); t.join()`;
    const thread = JSON.parse((await client("python3", "-c", script)).stdout) as { pid: number; tgid: number };
    expect(thread.tgid).not.toBe(thread.pid);
  });

  it("lives on when the file system throws", async () => {
    expect((await client("cat", at("broken"))).stderr).toContain("Input/output error");
    await until(() => tree.log.some((line) => line.includes("broken on purpose")), "the failure is logged");
    expect((await client("cat", at("hello"))).stdout).toBe("hello\n");
  });

  it("releases what was opened", async () => {
    await until(() => tree.gate.load(OPENED) === 0, "every open file is released");
  });
});

describe.skipIf(skip)("kept names", () => {
  it("make open-read-close four messages", async () => {
    const tree = await mountTree({ workers: 1 });
    tree.gate.store(ENTRY_VALID, 3600);
    const read = `for i in 1 2 3 4 5 6 7 8 9 10; do read x < ${tree.dir}/3/io; done`;
    await client("bash", "-c", read);
    const before = tree.mounted.stats().messages;
    await client("bash", "-c", `exec 3< ${tree.dir}/3/io; cat <&3 > /dev/null; cat <&3 > /dev/null`);
    const after = tree.mounted.stats().messages;
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(grown("LOOKUP")).toBe(0);
    expect(grown("OPEN")).toBe(1);
    expect(grown("FLUSH")).toBe(0);
    await tree.end();
  });

  it("are forgotten when the kernel is told", async () => {
    const shared = createMountShared();
    const tree = await mountTree({ workers: 1, shared });
    const ring = new NotifyRing(shared.ring);
    tree.gate.store(ENTRY_VALID, 3600);
    const state = async (): Promise<string> => (await client("sh", "-c", `test -e ${tree.dir}/7 && echo there`)).stdout;
    const known = async (): Promise<string> => (await client("sh", "-c", `cd ${tree.dir}/8 && echo there`)).stdout;
    expect(await state()).toBe("there\n");
    expect(await known()).toBe("there\n");
    const lookups = (): number => tree.mounted.stats().messages.LOOKUP ?? 0;
    let before = lookups();
    await known();
    expect(lookups()).toBe(before);
    tree.gate.store(GONE, 1);
    ring.push(INVALIDATE, 0, 1, 0, 0, "8");
    await new Promise((resolve) => setTimeout(resolve, 100));
    before = lookups();
    await known();
    expect(lookups()).toBe(before + 1);
    ring.push(INVALIDATE, 0, 1, 0, 0, "7");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await state()).toBe("");
    // A name that does not fit makes the kernel doubt every name.
    await known();
    before = lookups();
    ring.push(INVALIDATE, 0, 1, 0, 0, "x".repeat(100));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await known();
    expect(lookups()).toBeGreaterThan(before);
    expect(tree.mounted.stats().notificationsDropped).toBe(1);
    await tree.end();
  });
});
