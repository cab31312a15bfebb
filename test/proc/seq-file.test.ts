/** Reads of files of records: the same bytes however they are asked for, and the kernel's rules on where reads end. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EINTR, EIO } from "../../src/kernel/errno.ts";
import { Cache } from "../../src/kernel/caches.ts";
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { ProcFs } from "../../src/proc/procfs.ts";
import type { Row, SeqOperations } from "../../src/proc/row.ts";
import { SEQ_SKIP } from "../../src/proc/row.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { testKernel } from "../support/kernel.ts";
import { fileSystem } from "./file-system.ts";
import type { VfsClient } from "./vfs-client.ts";
import { ErrnoError, errnoOf } from "./vfs-client.ts";

/** A list that a test may change under the reader; negative entries are errors, null is a record left out. */
type Records = (string | number | null)[];

class ListSeq implements SeqOperations {
  readonly records: Records;
  started = 0;
  stopped = 0;

  constructor(records: Records) {
    this.records = records;
  }

  start(_c: unknown, cursor: { index: number }): number {
    this.started++;
    return cursor.index < this.records.length ? 1 : 0;
  }

  next(_c: unknown, cursor: { index: number }): number {
    cursor.index++;
    return cursor.index < this.records.length ? 1 : 0;
  }

  stop(): void {
    this.stopped++;
  }

  show(_c: unknown, cursor: { index: number }, out: { str(text: string): unknown }): number {
    const record = this.records[cursor.index];
    if (record === null) return SEQ_SKIP;
    if (typeof record === "number") return record;
    out.str(record as string);
    return 0;
  }
}

let k: Kernel;

beforeEach(() => {
  k = testKernel();
});

afterEach(() => {
  k.quiescent();
});

function serve(seq: SeqOperations, extra: Row[] = []): { client: VfsClient; fs: ProcFs } {
  const rows: Row[] = [{ type: "seq", name: "records", mode: 0o444, doc: "", seq }, ...extra];
  return fileSystem(k, { root: rows, process: [], thread: [] });
}

function lines(count: number, width = 50): string[] {
  return Array.from({ length: count }, (_, i) => `${String(i).padStart(width - 1, "0")}\n`);
}

/** Where the kernel would cut: records while a byte of the page stays free. */
function pages(records: string[], page = 4096): number[] {
  const out: number[] = [];
  let sum = 0;
  for (const record of records) {
    if (sum + record.length >= page && sum > 0) {
      out.push(sum);
      sum = 0;
    }
    sum += record.length;
  }
  return sum > 0 ? [...out, sum] : out;
}

describe("where reads end", () => {
  test("a large buffer gets one page, cut at a record", () => {
    const records = lines(500, 47);
    const file = serve(new ListSeq(records)).client.open("records");
    const sizes: number[] = [];
    for (let got = file.read(1 << 20); got.length > 0; got = file.read(1 << 20)) sizes.push(got.length);
    expect(sizes).toEqual(pages(records));
    file.close();
  });

  test("a record that fills the page to the last byte doesn't fit", () => {
    const records = ["a".repeat(4000), "b".repeat(96), "c"];
    const file = serve(new ListSeq(records)).client.open("records");
    expect(file.read(65536).length).toBe(4000);
    expect(file.read(65536).toString()).toBe(`${"b".repeat(96)}c`);
    file.close();
  });

  test("a record that leaves one byte free does", () => {
    const file = serve(new ListSeq(["a".repeat(4000), "b".repeat(95), "c"])).client.open("records");
    expect(file.read(65536).length).toBe(4095);
    file.close();
  });

  test("a record longer than a page grows the buffer, and it stays grown", () => {
    const records = ["a".repeat(10000), ...lines(400, 100)];
    const file = serve(new ListSeq(records)).client.open("records");
    expect(file.read(1 << 20).length).toBe(16300);
    expect(file.read(1 << 20).length).toBe(16300);
    file.close();
  });

  test("small buffers are filled exactly, also within a record", () => {
    const records = lines(300, 61);
    const file = serve(new ListSeq(records)).client.open("records");
    const whole = records.join("");
    let at = 0;
    for (;;) {
      const got = file.read(100);
      expect(got.toString()).toBe(whole.slice(at, at + 100));
      at += got.length;
      if (got.length < 100) break;
    }
    expect(at).toBe(whole.length);
    file.close();
  });
});

describe("the same bytes", () => {
  const records: Records = [];
  for (let i = 0; i < 400; i++) records.push(i % 7 === 3 ? null : `${i}:${"x".repeat((i * 37) % 211)}\n`);
  const whole = records.filter((record) => typeof record === "string").join("");

  test.each([1, 2, 3, 17, 100, 1024, 4095, 4096, 4097, 65536])("read in pieces of %i", (size) => {
    expect(serve(new ListSeq(records)).client.cat("records", size)).toBe(whole);
  });

  test("at odd offsets, forwards and backwards", () => {
    const file = serve(new ListSeq(records)).client.open("records");
    for (const offset of [1, 37, 4095, 4096, 4097, 12345, 0, 50, 20000, 3]) {
      const got = file.pread(33, offset).toString();
      expect(got).toBe(whole.slice(offset, offset + 33));
    }
    expect(file.pread(100, whole.length).length).toBe(0);
    expect(file.pread(100, whole.length + 5000).length).toBe(0);
    expect(file.pread(10, 0).toString()).toBe(whole.slice(0, 10));
    file.close();
  });

  test("by several threads' file systems in turn", () => {
    const tables = { root: [{ type: "seq", name: "records", mode: 0o444, doc: "", seq: new ListSeq(records) } as Row] };
    const first = fileSystem(k, { ...tables, process: [], thread: [] });
    const second = fileSystem(k, { ...tables, process: [], thread: [] });
    const { node, handle } = first.client.open("records");
    let text = "";
    for (let turn = 0; ; turn++) {
      const dest = Buffer.alloc(777);
      const { fs } = turn % 2 === 0 ? first : second;
      const got = fs.read(node.hi, node.lo, handle, text.length, dest, first.client.caller);
      if (got === 0) break;
      text += dest.toString("latin1", 0, got);
    }
    expect(text).toBe(whole);
    first.fs.release(handle);
  });
});

describe("records that change", () => {
  test("text left over is kept, and reading goes on at the position, not at a byte offset", () => {
    const seq = new ListSeq(lines(200));
    const file = serve(seq).client.open("records");
    expect(file.read(75).length).toBe(75);
    for (let i = 0; i < 200; i++) seq.records[i] = "changed\n";
    const second = file.read(4096).toString();
    expect(second.slice(0, 25)).toBe(`${"0".repeat(23)}1\n`);
    expect(second.slice(25, 33)).toBe("changed\n");
    file.close();
  });

  test("an error shows only if there is nothing else", () => {
    const seq = new ListSeq(["one\n", "two\n", -EIO]);
    const file = serve(seq).client.open("records");
    expect(file.read(100).toString()).toBe("one\ntwo\n");
    expect(errnoOf(() => file.read(100))).toBe(EIO);
    seq.records[2] = "three\n";
    expect(file.read(100).toString()).toBe("three\n");
    file.close();
  });

  test("a read that would have to wait leaves no trace", () => {
    const seq = new ListSeq([...lines(3), WOULD_WAIT, "last\n"]);
    const { client } = serve(seq);
    const file = client.open("records");
    expect(file.read(60).length).toBe(60);
    expect(file.read(90).length).toBe(90);
    const live = k.slab.live(Cache.openFile);
    expect(errnoOf(() => file.read(10))).toBe(-WOULD_WAIT);
    expect(errnoOf(() => file.pread(10, 149))).toBe(-WOULD_WAIT);
    expect(file.pread(1, 149).toString()).toBe("\n");
    expect(errnoOf(() => file.pread(1, 150))).toBe(-WOULD_WAIT);
    expect(k.slab.live(Cache.openFile)).toBe(live);
    seq.records[3] = "fourth\n";
    expect(file.pread(100, 150).toString()).toBe("fourth\nlast\n");
    expect(seq.started).toBe(seq.stopped);
    file.close();
  });

  test("an interrupted read can be repeated", () => {
    const seq = new ListSeq([-EINTR, "text\n"]);
    const file = serve(seq).client.open("records");
    expect(errnoOf(() => file.read(10))).toBe(EINTR);
    seq.records[0] = "first\n";
    expect(file.readAll()).toBe("first\ntext\n");
    file.close();
  });
});

describe("one record", () => {
  let text = "value\n";
  const row: Row = {
    type: "one",
    name: "single",
    mode: 0o444,
    doc: "",
    show: (_c, out) => {
      out.str(text);
      return 0;
    },
  };

  test("is shown once, unless read from the start again", () => {
    const file = serve(new ListSeq([]), [row]).client.open("single");
    text = "value\n";
    expect(file.read(100).toString()).toBe("value\n");
    text = "other\n";
    expect(file.read(100).length).toBe(0);
    expect(file.pread(100, 0).toString()).toBe("other\n");
    expect(file.pread(100, 2).toString()).toBe("her\n");
    file.close();
  });

  test("read bit by bit it belongs to one moment", () => {
    const file = serve(new ListSeq([]), [row]).client.open("single");
    text = "abcdef\n";
    expect(file.read(2).toString()).toBe("ab");
    text = "ABCDEF\n";
    expect(file.readAll(2)).toBe("cdef\n");
    file.close();
  });

  test("longer than a page it comes in one read", () => {
    text = "x".repeat(100_000);
    const file = serve(new ListSeq([]), [row]).client.open("single");
    expect(file.read(1 << 20).length).toBe(100_000);
    file.close();
  });
});

test("nothing is left in the arena", () => {
  const { client } = serve(new ListSeq(lines(1000)));
  const before = liveBytes();
  for (let round = 0; round < 20; round++) {
    const file = client.open("records");
    for (let i = 0; i <= round; i++) file.read(101);
    file.pread(5, 33);
    file.close();
  }
  for (let i = 0; i < 4; i++) {
    k.quiescent();
    k.slab.reclaim();
  }
  expect(k.slab.live(Cache.openFile)).toBe(0);
  expect(liveBytes()).toBe(before);
});

function liveBytes(): number {
  let sum = 0;
  for (let cache = 24; cache < 47; cache++) sum += k.slab.live(cache);
  return sum;
}

test("a handle that is none is refused", () => {
  const { fs, client } = serve(new ListSeq(lines(3)));
  const file = client.open("records");
  const dest = Buffer.alloc(10);
  for (const handle of [0, -1, 1, 12345678, file.handle + 1, 2 ** 31]) {
    expect(fs.read(file.node.hi, file.node.lo, handle, 0, dest, client.caller)).toBe(-9);
  }
  expect(fs.read(file.node.hi, file.node.lo + 1, file.handle, 0, dest, client.caller)).toBe(-9);
  file.close();
  expect(() => file.read(10)).toThrow(ErrnoError);
});
