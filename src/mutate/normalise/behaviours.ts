/** Behaviours of a group: rates and their details, with defaults that suit an ordinary server process. */
import { baseName } from "../../kernel/path.ts";
import { splitCommandLine } from "../command-line.ts";
import { toBytes } from "../bytes.ts";
import type { Cursor } from "../cursor.ts";
import type { Users } from "./identity.ts";
import type { Behaviour, BehaviourKind, ClockName, ExecManner, Program, Rate, Spread } from "../scenario-types.ts";
import { parseFraction, parseRate, splitDeviation } from "../units.ts";

const KIB = 1024;
const MOST_CPUS = 8192;

type Make = (details: Cursor, rate: Rate, users: Users) => Behaviour;
type OfKind<K extends BehaviourKind> = Extract<Behaviour, { kind: K }>;
type OpenKind = OfKind<"open">["what"];

const fixed = (value: number): Spread => ({ min: value, max: value });

/** One row for each kind but `cpu`, whose rate is a share. */
const MAKERS: Record<Exclude<BehaviourKind, "cpu">, Make> = {
  io: (d, rate) => ({
    kind: "io",
    ...rate,
    read: d.get("read").sizes({ min: 0, max: 8 * KIB }),
    write: d.get("write").sizes({ min: 0, max: 4 * KIB }),
    cached: d.get("cached").fraction(0.9),
  }),
  fork: (d, rate) => ({
    kind: "fork",
    ...rate,
    lifetimeMs: d.get("lifetime").durations({ min: 100, max: 300 }),
    exec: programs(d.get("exec")),
    execManner: execManner(d, "exec_"),
    max: d.get("max").number(64),
    vfork: d.get("vfork").flag(false),
    zombieMs: d.get("zombie").durations(fixed(0)),
    orphan: d.get("orphan").fraction(0),
    exitStatus: statuses(d.get("exit")),
    depth: d.get("depth").number(1),
    cpu: d.get("cpu").fraction(0, MOST_CPUS),
    io: d.get("io").rate(0),
  }),
  exec: (d, rate) => ({
    kind: "exec",
    ...rate,
    programs: programs(d.get("programs")),
    ...execManner(d, ""),
    setuid: d.get("setuid").fraction(0),
    fromThread: d.get("from_thread").fraction(0),
    nonDumpable: d.get("non_dumpable").fraction(0),
  }),
  clone: (d, rate) => ({
    kind: "clone",
    ...rate,
    lifetimeMs: d.get("lifetime").durations({ min: 500, max: 1500 }),
    max: d.get("max").number(64),
    name: d.get("name").bytes(""),
  }),
  mmap: (d, rate) => ({
    kind: "mmap",
    ...rate,
    size: d.get("size").sizes({ min: 64 * KIB, max: 1024 * KIB }),
    keep: d.get("keep").number(16),
    path: d.get("path").bytes(""),
    touched: d.get("touched").fraction(0.5),
  }),
  split: (d, rate) => ({ kind: "split", ...rate, keep: d.get("keep").number(4) }),
  mremap: (d, rate) => ({ kind: "mremap", ...rate, size: d.get("size").sizes({ min: 64 * KIB, max: 1024 * KIB }) }),
  brk: (d, rate) => ({
    kind: "brk",
    ...rate,
    size: d.get("size").sizes(fixed(132 * KIB)),
    max: d.get("max").size(64 * KIB * KIB),
  }),
  timer: (d, rate) => ({
    kind: "timer",
    ...rate,
    keep: d.get("keep").number(8),
    signal: d.get("signal").number(14),
    notify: d.get("notify").text("signal") as OfKind<"timer">["notify"],
    clock: d.get("clock").text("monotonic") as ClockName,
  }),
  setuid: (d, rate, users) => ({
    kind: "setuid",
    ...rate,
    uids: d.get("uids").exists() ? userIds(d.get("uids"), users) : [0, 65534],
  }),
  rename: (d, rate) => ({
    kind: "rename",
    ...rate,
    names: d.get("names").exists() ? byteList(d.get("names")) : ["busy", "idle"],
  }),
  open: (d, rate) => ({
    kind: "open",
    ...rate,
    what: d.get("what").text("file") as OpenKind,
    path: d.get("path").bytes("/tmp/scratch"),
    keep: d.get("keep").number(16),
  }),
  block: (d, rate) => ({ kind: "block", ...rate, durationMs: d.get("duration").durations({ min: 5, max: 15 }) }),
  stop: (d, rate) => ({ kind: "stop", ...rate, durationMs: d.get("duration").durations({ min: 500, max: 1500 }) }),
  exit: (d, rate) => ({
    kind: "exit",
    ...rate,
    respawnMs: d.get("respawn").durations({ min: 50, max: 150 }),
    exitStatus: statuses(d.get("status")),
  }),
  tsync: (d, rate) => ({ kind: "tsync", ...rate, durationMs: d.get("duration").durations(fixed(0)) }),
  dumpable: (_, rate) => ({ kind: "dumpable", ...rate }),
  limit: (_, rate) => ({ kind: "limit", ...rate }),
};

/** The behaviours of a `rates:` map, in its order. */
export function behaviours(cursor: Cursor, users: Users): Behaviour[] {
  return cursor.entries().map(([kind, value]) => {
    if (kind === "cpu") {
      return cpu(value);
    }
    const details = value.isMap() ? value : value.none();
    return MAKERS[kind as Exclude<BehaviourKind, "cpu">](details, rateOf(value), users);
  });
}

/** `50/s`, `50/s±20%`, or a map with `rate`, `per` and `jitter`. */
function rateOf(cursor: Cursor): Rate {
  const written = cursor.isMap() ? cursor.get("rate") : cursor;
  const { rate, jitter } = written.parse(rateWithJitter);
  return {
    rate,
    per: cursor.isMap() ? (cursor.get("per").text("process") as Rate["per"]) : "process",
    jitter: cursor.isMap() ? cursor.get("jitter").fraction(jitter) : jitter,
  };
}

/** How execs go, from keys that begin with `prefix`. */
function execManner(details: Cursor, prefix: string): ExecManner {
  const halfway = details.get(`${prefix}fail_halfway`);
  const manner = {
    durationMs: details.get(`${prefix}duration`).durations(fixed(0)),
    failBefore: details.get(`${prefix}fail_before`).fraction(0),
    failHalfway: halfway.fraction(0),
  };
  if (manner.failBefore + manner.failHalfway > 1) {
    throw halfway.error(`"${prefix}fail_halfway" and "${prefix}fail_before" are more than 100% together`);
  }
  return manner;
}

function rateWithJitter(value: number | string): { rate: number; jitter: number } {
  if (typeof value === "number") {
    return { rate: parseRate(value), jitter: 1 };
  }
  const { base, by } = splitDeviation(value);
  return { rate: parseRate(base), jitter: by === undefined ? 1 : parseFraction(by) };
}

function cpu(cursor: Cursor): OfKind<"cpu"> {
  const details = cursor.isMap() ? cursor : cursor.none();
  const written = cursor.isMap() ? cursor.get("share") : cursor;
  const { base, by } = written.parse((value) => splitDeviation(String(value)));
  return {
    kind: "cpu",
    share: written.parse(() => parseFraction(base, MOST_CPUS)),
    user: details.get("user").fraction(0.8),
    jitter: details.get("jitter").fraction(by === undefined ? 0.2 : written.parse(() => parseFraction(by))),
  };
}

/** One command line, or command lines with weights. */
function programs(cursor: Cursor): Program[] {
  if (cursor.isText()) {
    return [program(cursor.text(""), 1, cursor)];
  }
  return cursor.entries().map(([line, weight]) => program(line, weight.number(1), weight));
}

function program(line: string, weight: number, place: Cursor): Program {
  const args = place.parse(() => splitCommandLine(line)).map(toBytes);
  const exe = args[0]!;
  if (!exe.startsWith("/")) {
    throw place.error(`"${line}" must begin with the absolute path of a program`);
  }
  return { exe, args: [baseName(exe), ...args.slice(1)], weight };
}

function statuses(cursor: Cursor): { status: number; weight: number }[] {
  if (!cursor.exists() || cursor.isNumber()) {
    return [{ status: cursor.number(0), weight: 1 }];
  }
  return cursor.entries().map(([status, weight]) => {
    if (!/^\d+$/.test(status) || Number(status) > 255) {
      throw weight.error(`"${status}" is not an exit status`, "ESCENARIO_VALUE", true);
    }
    return { status: Number(status), weight: weight.number(1) };
  });
}

function userIds(cursor: Cursor, users: Users): number[] {
  return cursor.items().map((item) => users.find(item).uid);
}

function byteList(cursor: Cursor): string[] {
  return cursor.items().map((item) => item.bytes(""));
}
