/** Threads of the test of pids that are used again while others look. */
import { exitGroup, reap } from "../../src/kernel/exit.ts";
import { copyProcess } from "../../src/kernel/fork.ts";
import { setIdentity } from "../../src/kernel/identity.ts";
import { LOCKED, LOCKFREE, Path } from "../../src/kernel/knobs.ts";
import { HOST } from "../../src/kernel/layout.ts";
import { findTask } from "../../src/kernel/pid.ts";
import { ESRCH, ESTALE } from "../../src/kernel/errno.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { Attr, OpenFile } from "../../src/proc/vfs.ts";
import { joinKernel } from "../support/kernel.ts";
import { TEST_HOST, fileSystem } from "./file-system.ts";

export interface ReuseArgument {
  readonly arena: SharedArrayBuffer;
  /** A word that is 1 once the readers shall end. */
  readonly stop: SharedArrayBuffer;
  readonly role: "mutator" | "reader";
  readonly lives: number;
}

export interface ReuseResult {
  readonly reads: number;
  /** Nodes whose process was gone when they were used. */
  readonly stale: number;
  readonly wrong: readonly string[];
}

const FIRST_PID = 500;
const PIDS = 4;
/** Uid of the first life; each further one has the next. */
const FIRST_UID = 10_000;

export function run(argument: ReuseArgument): ReuseResult {
  return argument.role === "mutator" ? mutate(argument) : read(argument);
}

/** Gives the same few pids out again and again, each time to another user. */
function mutate({ arena, stop, lives }: ReuseArgument): ReuseResult {
  const k = joinKernel(arena);
  const init = findTask(k, 1);
  for (let life = 0; life < lives; life++) {
    if (life % 500 === 0) k.m.store(HOST.pathMode + Path.revalidate, life % 1000 === 0 ? LOCKFREE : LOCKED);
    const pid = FIRST_PID + (life % PIDS);
    const old = findTask(k, pid);
    if (old !== 0) {
      exitGroup(k, old, 0);
      reap(k, old);
    }
    copyProcess(k, init, 0, { pid });
    setIdentity(k, findTask(k, pid), FIRST_UID + life, FIRST_UID + life, []);
    k.quiescent();
    k.slab.reclaim();
  }
  Atomics.store(new Int32Array(stop), 0, 1);
  k.idle();
  return { reads: 0, stale: 0, wrong: [] };
}

/** Looks processes up, and takes care that a node never turns into another process. */
function read({ arena, stop }: ReuseArgument): ReuseResult {
  const k = joinKernel(arena);
  k.t.maySleep = false;
  const { fs, client } = fileSystem(k, tablesOf(TEST_HOST));
  const stopped = new Int32Array(stop);
  const [attr, file, opened, dest] = [new Attr(), new Attr(), new OpenFile(), Buffer.alloc(4096)];
  const wrong: string[] = [];
  let reads = 0;
  let stale = 0;
  for (let i = 0; Atomics.load(stopped, 0) === 0; i++) {
    k.quiescent();
    const pid = FIRST_PID + (i % PIDS);
    if (fs.lookup(0, 1, String(pid), client.caller, attr) !== 0) continue;
    k.quiescent();
    const found = fs.lookup(attr.nodeHi, attr.nodeLo, "status", client.caller, file);
    if (found === 0) k.quiescent();
    const result = found === 0 ? fs.open(file.nodeHi, file.nodeLo, 0, client.caller, opened) : found;
    if (result !== 0) {
      stale++;
      if (result !== -ESRCH && result !== -ESTALE) wrong.push(`lookup or open: ${result}`);
      continue;
    }
    k.quiescent();
    const count = fs.read(file.nodeHi, file.nodeLo, opened.handle, 0, dest, client.caller);
    fs.release(opened.handle);
    if (count === -ESRCH) {
      stale++;
      continue;
    }
    reads++;
    const text = dest.toString("latin1", 0, Math.max(count, 0));
    const uid = Number(/^Uid:\t(\d+)/m.exec(text)?.[1] ?? -1);
    const said = Number(/^Pid:\t(\d+)/m.exec(text)?.[1] ?? -1);
    // A new process is root's for a moment, as its parent is.
    const owners = new Set([attr.uid, file.uid, uid].filter((owner) => owner !== 0));
    if (said !== pid || owners.size > 1) wrong.push(`pid ${pid}: ${said}, owners ${[...owners].join(" ")}, ${count}`);
  }
  k.idle();
  return { reads, stale, wrong: wrong.slice(0, 5) };
}

/** Reads one open file from several threads; each read's bytes must be those of its offset. */
export interface SharedReadArgument {
  readonly arena: SharedArrayBuffer;
  readonly node: readonly [number, number];
  readonly handle: number;
  readonly whole: string;
  readonly seed: number;
  readonly rounds: number;
}

export function readShared({ arena, node, handle, whole, seed, rounds }: SharedReadArgument): string[] {
  const k = joinKernel(arena);
  const { fs, client } = fileSystem(k, tablesOf(TEST_HOST));
  const wrong: string[] = [];
  let offset = seed * 131;
  for (let i = 0; i < rounds; i++) {
    k.quiescent();
    const dest = Buffer.alloc(1 + ((i * 37 + seed) % 900));
    const count = fs.read(node[0], node[1], handle, offset, dest, client.caller);
    const expected = whole.slice(offset, offset + dest.length);
    const got = dest.toString("latin1", 0, Math.max(count, 0));
    // A read ends at a page's last record at the latest.
    if (count < 0 || !expected.startsWith(got) || (got === "" && expected !== "")) wrong.push(`${offset}: ${count}`);
    offset = i % 3 === 0 ? (i * 613 + seed) % whole.length : (offset + got.length) % whole.length;
  }
  k.idle();
  return wrong;
}
