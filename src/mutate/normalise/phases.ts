/** Phases and faults. */
import { behaviours } from "./behaviours.ts";
import type { Cursor } from "../cursor.ts";
import type { Users } from "./identity.ts";
import type { Fault, Faults, Group, Phase, PhaseAction } from "../scenario-types.ts";
import { parseFraction, parseRate } from "../units.ts";

/** What a phase refers to. */
interface Known {
  groups: readonly Group[];
  users: Users;
}

/** @throws ScenarioError ESCENARIO_REFERENCE for an unknown group. */
export function phases(cursor: Cursor, known: Known): Phase[] {
  return cursor.items().map((item) => phase(item, known));
}

function phase(cursor: Cursor, known: Known): Phase {
  const at = cursor.get("at");
  const every = cursor.get("every");
  if (!at.exists() && !every.exists()) {
    throw cursor.error('a phase needs "at" or "every"', "ESCENARIO_MISSING_KEY");
  }
  const everyMs = every.duration(0);
  if (every.exists() && everyMs === 0) {
    throw every.error('"every" must be longer than nothing');
  }
  const actions = actionsOf(cursor, known);
  if (actions.length === 0) {
    throw cursor.error("a phase needs something to do (restart, stop, start, set, rotate_log or signal)");
  }
  return { atMs: at.duration(everyMs), everyMs, forMs: cursor.get("for").duration(0), actions };
}

function actionsOf(cursor: Cursor, known: Known): PhaseAction[] {
  const actions: PhaseAction[] = [];
  for (const [key, value] of cursor.entries()) {
    switch (key) {
      case "restart":
        actions.push({ kind: key, groups: named(value, known), downMs: cursor.get("down").duration(1000) });
        break;
      case "stop":
      case "start":
        actions.push({ kind: key, groups: named(value, known) });
        break;
      case "set":
        actions.push(...value.entries().map(([name, rates]) => setAction(name, rates, known)));
        break;
      case "rotate_log":
        actions.push(rotation(value, known));
        break;
      case "signal":
        actions.push({ kind: key, groups: named(value.get("group"), known), signal: value.get("number").number(0) });
        break;
    }
  }
  return actions;
}

function setAction(name: string, rates: Cursor, known: Known): PhaseAction {
  return { kind: "set", groups: indices(name, known, rates), behaviours: behaviours(rates, known.users) };
}

/** Without a path: the first file that the group appends to. */
function rotation(cursor: Cursor, known: Known): PhaseAction {
  const target = cursor.isMap() ? cursor.get("group") : cursor;
  const groups = named(target, known);
  const path = cursor.isMap() ? cursor.get("path").bytes("") : "";
  const log = path || firstLog(groups.map((index) => known.groups[index]!));
  if (log === "") {
    throw cursor.error(`"rotate_log": group "${target.text("")}" has no file open for appending`);
  }
  return { kind: "rotate_log", groups, path: log };
}

function firstLog(groups: Group[]): string {
  const append = 0o2000;
  for (const group of groups) {
    for (const fd of group.fds) {
      if (fd.kind === "file" && (fd.flags & append) !== 0) {
        return fd.path;
      }
    }
  }
  return "";
}

function named(cursor: Cursor, known: Known): number[] {
  const names = cursor.isList() ? cursor.items() : [cursor];
  return names.flatMap((name) => indices(name.text(""), known, name));
}

function indices(name: string, known: Known, place: Cursor): number[] {
  const found = known.groups.filter((group) => group.name === name).map((group) => group.index);
  if (found.length === 0) {
    throw place.error(`there is no group "${name}"`, "ESCENARIO_REFERENCE");
  }
  return found;
}

const HIDEPID: Record<string, Faults["hidepid"]> = { off: 0, noaccess: 1, invisible: 2, ptraceable: 4 };

export function faults(cursor: Cursor): Faults {
  const hidepid = cursor.get("hidepid");
  const slowExec = cursor.get("slow_exec");
  const duration = slowExec.isMap() ? slowExec.get("duration") : slowExec.none();
  return {
    exitBeforeOpen: fault(cursor.get("exit_before_open")),
    exitBeforeRead: fault(cursor.get("exit_before_read")),
    exitDuringRead: fault(cursor.get("exit_during_read")),
    pidReuse: fault(cursor.get("pid_reuse")),
    execDuringRead: fault(cursor.get("exec_during_read")),
    slowExec: fault(slowExec),
    slowExecMs: duration.durations({ min: 50, max: 150 }),
    shortRead: fault(cursor.get("short_read")),
    eintr: fault(cursor.get("eintr")),
    eacces: fault(cursor.get("eacces")),
    hidepid: hidepid.isText() ? HIDEPID[hidepid.text("off")]! : (hidepid.number(0) as Faults["hidepid"]),
  };
}

/** `1%` is a chance per occasion, `2/s` every occasion up to that rate; a map may say both. */
function fault(cursor: Cursor): Fault {
  if (!cursor.exists()) {
    return { chance: 0, maxPerSecond: Infinity };
  }
  if (cursor.isMap()) {
    const rate = cursor.get("rate");
    return { chance: cursor.get("chance").fraction(1), maxPerSecond: rate.exists() ? rate.rate(0) : Infinity };
  }
  return cursor.isText() && cursor.text("").includes("/")
    ? { chance: 1, maxPerSecond: cursor.parse(parseRate) }
    : { chance: cursor.parse((value) => parseFraction(value)), maxPerSecond: Infinity };
}
