/** Reading and writing rows of system-wide files in-process, without a file system around them. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import type { HostView } from "../../src/proc/host-view.ts";
import type { Context, Row, SeqRow } from "../../src/proc/row.ts";
import { SEQ_SKIP } from "../../src/proc/row.ts";
import { Scratch } from "../../src/proc/task/snapshots.ts";
import { Text } from "../../src/proc/text.ts";

export const TEST_HOST: HostView = {
  hostname: "test-host",
  domainname: "(none)",
  release: "6.18.0-test",
  version: "#1 SMP PREEMPT_DYNAMIC",
  versionText: "Linux version 6.18.0-test (build@host) #1 SMP PREEMPT_DYNAMIC",
  bootId: "0bf5a8d2-3f57-4b6e-9a0f-52ddf0e06a11",
  commandLine: "root=/dev/vda1 ro",
  cpuModel: "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz",
  cpuMhz: 2000,
  cpus: 4,
  mountinfo: [],
  interfaces: [
    { name: "lo", rxBytes: 5000, txBytes: 5000, rxRate: 0, txRate: 0, address: "127.0.0.1" },
    { name: "eth0", rxBytes: 1e6, txBytes: 2e6, rxRate: 1000, txRate: 500, address: "10.0.0.5" },
  ],
  disks: [
    { major: 254, minor: 0, name: "vda", blocks: 41943040, readBytes: 2 ** 30, writtenBytes: 2 ** 31, readRate: 40960 },
    { major: 254, minor: 1, name: "vda1", blocks: 41940992, readBytes: 2 ** 30, writtenBytes: 2 ** 31 },
  ],
  sockets: [
    { family: "tcp", local: "0.0.0.0:80", remote: "", state: "listen", uid: 0, inode: 10001 },
    { family: "tcp", local: "10.0.0.5:80", remote: "10.0.0.9:50000", state: "established", uid: 33, inode: 10002 },
    { family: "tcp6", local: "[::1]:8080", remote: "", state: "listen", uid: 33, inode: 10003 },
    { family: "udp", local: "127.0.0.1:53", remote: "", state: "none", uid: 101, inode: 10004 },
    { family: "unix", local: "/run/test.sock", remote: "", state: "listen", uid: 0, inode: 10005 },
  ],
  rawFiles: {},
  realProc: "/proc",
  netOf: "self",
  mountsOf: "self",
};

export function rootContext(k: Kernel, subject: Subject, host: HostView = TEST_HOST): Context {
  return {
    k,
    host,
    scratch: new Scratch(),
    subject,
    task: 0,
    tid: 0,
    generation: 0,
    whole: true,
    index: 0,
    file: 0,
  };
}

/** The row at a path. @throws Error if there is none */
export function rowAt(rows: readonly Row[], path: string): Row {
  let level = rows;
  let found: Row | undefined;
  for (const part of path.split("/")) {
    found = level.find((row) => row.name === part);
    if (found === undefined) throw new Error(`no row ${part} of ${path}`);
    level = found.type === "dir" ? found.rows : [];
  }
  return found as Row;
}

/** Every row that isn't a directory, with its path. */
export function filesOf(rows: readonly Row[], prefix = ""): [string, Row][] {
  return rows.flatMap((row): [string, Row][] =>
    row.type === "dir" ? filesOf(row.rows, `${prefix}${row.name}/`) : [[`${prefix}${row.name}`, row]],
  );
}

/** Directories with their paths. */
export function directoriesOf(rows: readonly Row[], prefix = ""): [string, Row][] {
  return rows.flatMap((row): [string, Row][] =>
    row.type === "dir" ? [[`${prefix}${row.name}`, row], ...directoriesOf(row.rows, `${prefix}${row.name}/`)] : [],
  );
}

/** The whole text of a file. */
export function textOf(row: Row, c: Context): string {
  const out = new Text(64);
  if (row.type === "one" || row.type === "small") {
    const result = row.show(c, out);
    if (result !== 0) throw new Error(`${row.name}: ${result}`);
    return out.toString();
  }
  if (row.type === "seq") return seqText(row, c, out);
  if (row.type !== "raw") throw new Error(`${row.name} is no file`);
  const bytes = new Uint8Array(65536);
  const length = row.read(c, 0, bytes);
  if (length < 0) throw new Error(`${row.name}: ${length}`);
  return Buffer.from(bytes.subarray(0, length)).toString("latin1");
}

function seqText(row: SeqRow, c: Context, out: Text): string {
  const cursor = { index: 0, entry: 0 };
  let more = row.seq.start(c, cursor);
  while (more === 1) {
    const result = row.seq.show(c, cursor, out);
    if (result !== 0 && result !== SEQ_SKIP) throw new Error(`${row.name}: ${result}`);
    more = row.seq.next(c, cursor);
  }
  row.seq.stop(c, cursor);
  if (more < 0) throw new Error(`${row.name}: ${more}`);
  return out.toString();
}

/** What a write at an offset answers. */
export function writeTo(row: Row, c: Context, text: string, offset = 0): number {
  if (row.write === undefined) throw new Error(`${row.name} takes no writes`);
  return row.write(c, offset, Buffer.from(text, "latin1"));
}
