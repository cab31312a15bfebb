/** System-wide files through the file system: reads of any size, and who may open and write what, as measured. */
import { describe, expect, test } from "vitest";
import { EACCES, EINVAL, EIO, EPERM } from "../../src/kernel/errno.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { testKernel } from "../support/kernel.ts";
import { startInit } from "../support/processes.ts";
import { TEST_HOST, directoriesOf, filesOf } from "../support/root-files.ts";
import { TEST_FACTS, TEST_SYNTHPROC } from "./file-system.ts";
import { VfsClient, errnoOf } from "./vfs-client.ts";

const O_WRONLY = 1;

const k = testKernel();
startInit(k);
const tables = tablesOf(TEST_HOST);
const fs = new ProcFs({ kernel: k, host: TEST_HOST, facts: TEST_FACTS, tables, synthproc: TEST_SYNTHPROC });
const root = new VfsClient(fs, { uid: 0, gid: 0, pid: 0 });
const other = root.as(3002);

/** Where opening for writing, or writing, fails: "open EACCES"; "" if neither does. */
function writing(client: VfsClient, path: string, text: string): string {
  const open = errnoOf(() => client.open(path, O_WRONLY).close());
  if (open !== 0) return `open ${open}`;
  const write = errnoOf(() => client.echo(text, path));
  return write === 0 ? "" : `write ${write}`;
}

describe("reading", () => {
  test("reads of any size give the same bytes", () => {
    for (const path of ["cpuinfo", "vmstat", "interrupts", "zoneinfo", "meminfo", "1/net/snmp", "1/net/dev"]) {
      const whole = root.cat(path);
      expect(whole.length, path).toBeGreaterThan(300);
      for (const size of [37, 1000, 4096]) expect(root.cat(path, size), `${path} by ${size}`).toBe(whole);
    }
  });

  test("a read ends at a record, within a page", () => {
    const file = root.open("cpuinfo");
    const first = file.read(65536).toString("latin1");
    const second = file.read(65536).toString("latin1");
    file.close();
    expect(first.length).toBeLessThanOrEqual(4096);
    expect(first.endsWith("\n\n")).toBe(true);
    expect(second.startsWith("processor\t: ")).toBe(true);
  });

  test("every file at the root opens for root, and those with the mode for others", () => {
    for (const [path, row] of filesOf(tables.root.filter(({ type }) => type !== "link"))) {
      if ((row.mode & 0o400) !== 0)
        expect(
          errnoOf(() => root.cat(path)),
          path,
        ).toBe(0);
      const expected = (row.mode & 0o004) !== 0 ? 0 : EACCES;
      expect(
        errnoOf(() => other.open(path).close()),
        path,
      ).toBe(expected);
    }
  });
});

describe("writing", () => {
  test.each([
    ["uptime", `write ${EIO}`, `open ${EACCES}`],
    ["meminfo", `write ${EIO}`, `open ${EACCES}`],
    ["slabinfo", `write ${EIO}`, `open ${EACCES}`],
    ["pressure/cpu", `write ${EINVAL}`, `write ${EINVAL}`],
    ["1/net/tcp", `open ${EACCES}`, `open ${EACCES}`],
    ["sys/kernel/osrelease", `open ${EACCES}`, `open ${EACCES}`],
    ["sys/vm/swappiness", `write ${EINVAL}`, `open ${EACCES}`],
    ["sys/kernel/ns_last_pid", `write ${EINVAL}`, `write ${EPERM}`],
    ["sys/synthproc/maps", `write ${EINVAL}`, `open ${EACCES}`],
  ])("junk to %s", (path, byRoot, byOther) => {
    expect(writing(root, path, "junk\n")).toBe(byRoot);
    expect(writing(other, path, "junk\n")).toBe(byOther);
  });

  test("what is only there to be written can't be opened for reading, not even by root", () => {
    expect(errnoOf(() => root.open("sys/vm/drop_caches").close())).toBe(EACCES);
    expect(writing(root, "sys/vm/drop_caches", "3\n")).toBe("");
  });

  test("a setting holds, and the kernel follows", () => {
    root.echo("locked\n", "sys/synthproc/maps");
    expect(root.cat("sys/synthproc/maps")).toBe("locked\n");
    root.echo("lockfree\n", "sys/synthproc/maps");
    root.echo("40000", "sys/kernel/pid_max");
    expect(k.m.load(HOST.pidMax)).toBe(40000);
  });
});

describe("directories", () => {
  test("nlink: 1 in sys, 2 and the directories inside elsewhere", () => {
    expect(root.stat("sys").nlink).toBe(1);
    expect(root.stat("sys/net/ipv4").nlink).toBe(1);
    expect(root.stat("1/net").nlink).toBe(9);
    expect(root.stat("tty").nlink).toBe(4);
  });

  test("are listed in the table's order", () => {
    for (const [path, row] of directoriesOf(tables.root)) {
      const names = row.type === "dir" ? row.rows.map(({ name }) => name) : [];
      if (errnoOf(() => root.opendir(path).close()) === 0) expect(root.ls(path), path).toEqual(names);
    }
  });
});
