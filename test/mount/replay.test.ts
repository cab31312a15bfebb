/** Messages without a device: replayed, malformed, recorded. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import * as abi from "../../mount/abi.ts";
import { RealCallers } from "../../mount/caller.ts";
import type { SharedWords } from "../../mount/shared.ts";
import { ANSWER, parseRecording, recordedRequests } from "../../mount/transport/recording.ts";
import { replay } from "../../mount/transport/replay.ts";
import type { FileSystem } from "../../src/proc/vfs.ts";
import { cannotMount, client, mountTree, temporaryDirectory } from "./helpers.ts";
import { GONE, SLOW, createFileSystem, createGate } from "./tree-fs.ts";

let unique = 2;
let gate: SharedWords;
let fileSystem: FileSystem;

interface Answer {
  unique: number;
  error: number;
  body: Buffer;
}

/** A message: header and body, both as the kernel writes them. */
function message(opcode: number, node: number, body: Uint8Array = new Uint8Array(), length?: number): Buffer {
  const bytes = Buffer.alloc(abi.IN_HEADER_SIZE + body.length);
  bytes.writeUInt32LE(length ?? bytes.length, 0);
  bytes.writeUInt32LE(opcode, 4);
  bytes.writeUInt32LE((unique += 2), 8);
  bytes.writeUInt32LE(node, 16);
  bytes.writeUInt32LE(process.pid, 32);
  bytes.set(body, abi.IN_HEADER_SIZE);
  return bytes;
}

function words(...values: (number | bigint)[]): Buffer {
  const bytes = Buffer.alloc(values.length * 8);
  values.forEach((value, i) => bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), i * 8));
  return bytes;
}

const name = (text: string): Buffer => Buffer.from(`${text}\0`, "latin1");
const lookup = (text: string): Buffer => message(abi.LOOKUP, 1, name(text));
const read = (node: number, offset: bigint | number, size = 4096): Buffer =>
  message(abi.READ, node, words(0, offset, size, 0, 0));

function answers(requests: Buffer[], complaints: string[] = []): Answer[] {
  const options = { complain: (sentence: string) => void complaints.push(sentence) };
  return replay(fileSystem, requests, options).map((bytes) => {
    const reply = Buffer.from(bytes);
    expect(reply.readUInt32LE(0)).toBe(reply.length);
    return { unique: reply.readUInt32LE(8), error: reply.readInt32LE(4), body: reply.subarray(16) };
  });
}

function answer(request: Buffer): Answer {
  const [only, ...more] = answers([request]);
  expect(more).toEqual([]);
  expect(only?.unique).toBe(request.readUInt32LE(8));
  return only as Answer;
}

const HELLO = 17;
const BIG = 18;
const SLOW_FILE = 19;

beforeEach(() => {
  gate = createGate();
  fileSystem = createFileSystem({ gate: gate.buffer }, { callers: new RealCallers() });
});

describe("replay", () => {
  it("agrees on a protocol version", () => {
    const init = (major: number, minor: number): Answer =>
      answer(
        message(
          abi.INIT,
          0,
          Buffer.concat([Buffer.from(new Uint32Array([major, minor, 65536, -1]).buffer), Buffer.alloc(48)]),
        ),
      );
    const agreed = init(7, 45);
    expect(agreed.error).toBe(0);
    expect([agreed.body.readUInt32LE(0), agreed.body.readUInt32LE(4)]).toEqual([7, 45]);
    expect(agreed.body.readUInt32LE(20)).toBe(abi.MAX_WRITE);
    expect(agreed.body.readUInt16LE(28)).toBe(abi.MAX_PAGES);
    expect(init(7, 31).body.readUInt32LE(4)).toBe(31);
    expect(init(7, 99).body.readUInt32LE(4)).toBe(abi.FUSE_MINOR);
    expect(init(8, 0).body.readUInt32LE(0)).toBe(7);
    expect(init(7, 12).error).toBe(-71);
    expect(init(6, 45).error).toBe(-71);
  });

  it("answers look-ups, attributes, reads and listings", () => {
    expect(answer(lookup("hello")).body.readUInt32LE(0)).toBe(HELLO);
    expect(answer(lookup("nothing")).error).toBe(-2);
    expect(answer(message(abi.GETATTR, HELLO, words(0, 0))).body.length).toBe(104);
    expect(answer(read(HELLO, 0)).body.toString()).toBe("hello\n");
    expect(answer(read(HELLO, 2, 3)).body.toString()).toBe("llo");
    const list = answer(message(abi.READDIRPLUS, 1, words(0, 0, 4096, 0, 0)));
    expect(list.body.toString("latin1")).toContain("whoami");
  });

  it("gives the same bytes for the same requests", () => {
    const requests = [lookup("hello"), read(BIG, 100), message(abi.READDIR, 1, words(0, 0, 65536, 0, 0))];
    expect(replay(fileSystem, requests)).toEqual(replay(fileSystem, requests));
  });

  it("answers unknown opcodes with ENOSYS and stays silent on FORGET", () => {
    expect(answer(message(7, 1)).error).toBe(-38);
    expect(answer(message(4096, 1)).error).toBe(-38);
    expect(answer(message(0x7fffffff, 1)).error).toBe(-38);
    expect(answers([message(abi.FORGET, 1, words(1)), message(abi.BATCH_FORGET, 1, words(0))])).toEqual([]);
  });

  it("answers absurd offsets", () => {
    for (const offset of [2n ** 63n - 1n, 2n ** 53n, 2n ** 62n]) expect(answer(read(BIG, offset)).body.length).toBe(0);
    expect(answer(read(BIG, -1)).error).toBe(-22);
    expect(answer(read(BIG, -(2n ** 63n))).error).toBe(-22);
    const list = (offset: bigint): Answer => answer(message(abi.READDIR, 1, words(0, offset, 4096, 0, 0)));
    expect(list(2n ** 63n - 1n)).toMatchObject({ error: 0, body: Buffer.alloc(0) });
    expect(list(-5n).error).toBe(-22);
    expect(answer(message(abi.READDIR, 1, words(0, 0, 16, 0, 0))).error).toBe(-22);
    expect(answer(read(BIG, 0, 0xffffffff)).body.length).toBe(abi.MAX_READ);
    const write = (offset: bigint): Answer =>
      answer(message(abi.WRITE, 21, Buffer.concat([words(0, offset, 1, 0, 0), name("x")])));
    expect(write(2n ** 63n - 1n).error).toBe(-27);
    expect(write(-1n).error).toBe(-22);
  });

  it("keeps a request that waits, and answers it when it can go on", () => {
    const waiting = read(SLOW_FILE, 0);
    const opener = fileSystem.lookup.bind(fileSystem);
    fileSystem.lookup = (...args) => {
      gate.store(SLOW, 1);
      return opener(...args);
    };
    const [first, second] = answers([waiting, lookup("hello")]);
    expect(first?.body.length).toBe(128);
    expect(second?.body.toString()).toBe("released\n");
  });

  it("interrupts a request that waits, and has others sent again", () => {
    const waiting = read(SLOW_FILE, 0);
    const target = waiting.readUInt32LE(8);
    expect(answers([waiting, message(abi.INTERRUPT, 0, words(target))])).toMatchObject([{ unique: target, error: -4 }]);
    const early = message(abi.INTERRUPT, 0, words(12345678));
    expect(answers([early])).toMatchObject([{ unique: early.readUInt32LE(8), error: -11 }]);
    expect(answers([read(SLOW_FILE, 0)])).toMatchObject([{ error: -4 }]);
  });
});

describe("malformed messages", () => {
  it.each([
    ["a length that lies", message(abi.LOOKUP, 1, name("hello"), 999), -5],
    ["no room for the body", message(abi.READ, HELLO, words(0, 0)), -22],
    ["a name without NUL", message(abi.LOOKUP, 1, Buffer.from("hello")), -22],
    ["an empty name", message(abi.LOOKUP, 1, name("")), -22],
    ["a name with a slash", message(abi.LOOKUP, 1, name("a/b")), -22],
    ["a name of 256 bytes", message(abi.LOOKUP, 1, name("x".repeat(256))), -36],
    ["one name where two belong", message(abi.RENAME, 1, Buffer.concat([words(1), name("a")])), -22],
    ["less data than announced", message(abi.WRITE, 21, Buffer.concat([words(0, 0, 5000, 0, 0), name("x")])), -22],
    ["a short INIT", message(abi.INIT, 0, words(0x2d00000007)), -5],
    ["a header cut short", message(abi.GETATTR, 1).subarray(0, 24), -5],
  ])("%s is answered with an error", (_, request, error) => {
    const next = lookup("hello");
    const [bad, good] = answers([request, next]);
    expect(bad).toMatchObject({ unique: request.readUInt32LE(8), error });
    expect(good).toMatchObject({ unique: next.readUInt32LE(8), error: 0 });
  });

  it("too short to be answered is dropped", () => {
    const complaints: string[] = [];
    expect(answers([message(abi.LOOKUP, 1).subarray(0, 12), Buffer.alloc(0)], complaints)).toEqual([]);
    expect(complaints).toHaveLength(2);
    expect(complaints[0]).toContain("12 bytes");
  });

  it("of any random kind is answered at most once, by a whole reply", () => {
    let seed = 12345;
    const random = (limit: number): number => ((seed = (seed * 1103515245 + 12345) & 0x7fffffff) >> 8) % limit;
    for (let round = 0; round < 3000; round++) {
      const body = Buffer.from(Array.from({ length: random(120) }, () => random(256)));
      const request = message(random(60), random(30), body);
      if (random(4) === 0) request[random(request.length)] = random(256);
      expect(answers([request]).length).toBeLessThanOrEqual(1);
    }
  });
});

describe("recordings", () => {
  it("are refused when damaged", () => {
    expect(() => parseRecording(Buffer.alloc(5))).toThrow(/byte 0/);
    const record = Buffer.from([4, 0, 0, 0, 0x51, 0, 0, 0, 1, 2, 3, 4]);
    expect(parseRecording(record)).toHaveLength(1);
    expect(() => parseRecording(Buffer.concat([record, record.subarray(0, 10)]))).toThrow(/byte 12/);
  });

  it.skipIf(cannotMount("replay.test.ts"))("of a mount give the same answers without a device", async () => {
    const folder = temporaryDirectory();
    const record = join(folder, "messages");
    const tree = await mountTree({ workers: 1, record });
    await client("sh", "-c", `cat ${tree.dir}/hello ${tree.dir}/none; ls -l ${tree.dir}/many ${tree.dir}/3`);
    await tree.end();
    const file = readFileSync(record);
    expect(gate.load(GONE)).toBe(0);
    const replayed = replay(fileSystem, recordedRequests(file));
    const recorded = parseRecording(file).filter((message) => message.kind === ANSWER);
    expect(replayed.length).toBeGreaterThan(20);
    expect(replayed.length).toBe(recorded.length);
    const all = Buffer.concat(recorded.map((message) => message.bytes));
    expect(Buffer.concat(replayed).equals(all)).toBe(true);
    rmSync(folder, { recursive: true });
  });
});
