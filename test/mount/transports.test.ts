/** Real programs on real mounts, through both transports. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestMount } from "./helpers.ts";
import { cannotMount, client, mountTree, until } from "./helpers.ts";
import { BIG_SIZE, MANY, OPENED, PIDS, bigByte } from "./tree-fs.ts";

function bigHash(): string {
  const bytes = Buffer.alloc(BIG_SIZE);
  for (let i = 0; i < BIG_SIZE; i++) bytes[i] = bigByte(i);
  return createHash("md5").update(bytes).digest("hex");
}

const skip = cannotMount("transports.test.ts");

describe.skipIf(skip).each(["dev", "fuse-native"] as const)("transport %s", (transport) => {
  let tree: TestMount;
  beforeAll(async () => {
    tree = await mountTree({ workers: 2, transport });
  });
  afterAll(async () => {
    await tree.end();
  });
  const at = (name: string): string => `${tree.dir}/${name}`;

  it("reads files whose st_size is 0", async () => {
    expect(await client("cat", at("hello"))).toEqual({ status: 0, signal: null, stdout: "hello\n", stderr: "" });
    expect((await client("stat", "-c", "%s %F %a %h %o", at("hello"))).stdout).toBe(
      "0 regular empty file 644 1 1024\n",
    );
  });

  it("reads a large file with every block size", async () => {
    for (const size of ["1000", "4096", "131072", "2M"]) {
      const { stdout } = await client("sh", "-c", `dd if=${at("big")} bs=${size} status=none | md5sum`);
      expect(stdout.slice(0, 32), `block size ${size}`).toBe(bigHash());
    }
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
    const long = await client(
      "sh",
      "-c",
      `head -c 90000 /dev/zero | tr '\\0' x | dd of=${at("notes")} bs=90000 status=none`,
    );
    expect(long).toEqual({ status: 0, signal: null, stdout: "", stderr: "" });
    expect((await client("sh", "-c", `md5sum < ${at("notes")}`)).stdout.slice(0, 32)).toBe(
      createHash("md5").update("x".repeat(90000)).digest("hex"),
    );
    expect((await client("sh", "-c", `echo no | dd conv=notrunc of=${at("hello")}`)).stderr).toContain(
      "Invalid argument",
    );
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
    const direct = transport === "dev";
    expect(stdout.split("\n")).toEqual([
      direct ? "EINVAL [] ENOTSUP ENOTSUP" : "EINVAL ENOTSUP ENOTSUP ENOTSUP",
      "ENOTTY b'' b''",
      `${direct ? "EINVAL" : "ENXIO"} 9223372036854775807 EINVAL`,
      "True True False",
      "4096 0 255",
      "",
    ]);
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
