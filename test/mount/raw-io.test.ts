/** The fast way to read and write must be indistinguishable from Node's own. */
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { RawIo } from "../../mount/transport/raw-io.ts";
import { publicIo, rawIo } from "../../mount/transport/raw-io.ts";

const ways: [string, (fd: number) => RawIo][] = [
  ["rawIo", rawIo],
  ["publicIo", publicIo],
];

it.each(ways)("%s moves bytes and reports errors", (_, open) => {
  const folder = mkdtempSync(join(tmpdir(), "synthproc-test-"));
  const path = join(folder, "file");
  const out = openSync(path, "w");
  const writer = open(out);
  const text = Buffer.from("synthetic");
  expect(writer.write(text, 5)).toBe(0);
  expect(writer.write(text, 9)).toBe(0);
  expect(readFileSync(path, "latin1")).toBe("synthsynthetic");
  const bytes = new Uint8Array(64);
  expect([writer.read(bytes, 8), writer.code]).toEqual([0, "EBADF"]);
  const source = openSync(path, "r");
  const reader = open(source);
  expect(reader.read(bytes, 10)).toBe(10);
  expect(reader.read(bytes, 64)).toBe(4);
  expect([reader.read(bytes, 64), reader.code]).toEqual([0, ""]);
  expect([reader.write(text, 9), reader.code]).toEqual([-9, "EBADF"]);
  closeSync(out);
  closeSync(source);
  const full = openSync("/dev/full", "w");
  const failing = open(full);
  expect([failing.write(text, 9), failing.code]).toEqual([-28, "ENOSPC"]);
  closeSync(full);
  rmSync(folder, { recursive: true });
});

it("uses the fast way on Node 20, and only there", () => {
  const fd = openSync("/dev/null", "w");
  const fast = rawIo(fd).constructor !== publicIo(fd).constructor;
  closeSync(fd);
  expect(fast).toBe(process.versions.node.startsWith("20."));
});
