/**
 * The scenario language: YAML text to a {@link Scenario} with every default filled in.
 *
 * The shape is checked against the published schema (`scenario.schema.json`); quantities and references afterwards.
 * Every complaint is a {@link ScenarioError} that names file, line and column.
 */
import { initProcess, kernelThreads } from "./base-system.ts";
import { Cursor } from "./cursor.ts";
import { addGroup } from "./normalise/groups.ts";
import type { GroupContext } from "./normalise/groups.ts";
import { normaliseHost } from "./normalise/host.ts";
import { Users } from "./normalise/identity.ts";
import { faults, phases } from "./normalise/phases.ts";
import { checkShape } from "./scenario-schema.ts";
import { ScenarioSource } from "./scenario-source.ts";
import type { Group, Scenario } from "./scenario-types.ts";
import { baseName } from "../kernel/path.ts";

export { ScenarioError } from "./scenario-error.ts";
export type { ScenarioErrorCode } from "./scenario-error.ts";
export type * from "./scenario-types.ts";

const RESERVED_PIDS = 300;
const SHORTEST_TICK_MS = 0.1;
const LONGEST_TICK_MS = 60_000;

/**
 * @param text YAML 1.2 (or JSON).
 * @param fileName only for error messages and for the default of `name`.
 * @throws ScenarioError for the first thing that is wrong.
 */
export function parseScenario(text: string, fileName: string): Scenario {
  const source = new ScenarioSource(text, fileName);
  const value = source.value();
  checkShape(value, source);
  const root = new Cursor(value, source);
  const host = normaliseHost(root.get("host"));
  const context: GroupContext = { host, users: new Users(host.users), groups: [], pids: new Set() };
  readProcesses(root, context, source);
  checkTaskCount(root.get("processes"), context);
  return {
    name: root.get("name").text(baseName(fileName).replace(/\.ya?ml$/, "")),
    description: root.get("description").text(""),
    tickMs: tick(root.get("tick")),
    host,
    groups: context.groups,
    phases: phases(root.get("phases"), context),
    faults: faults(root.get("faults")),
  };
}

/** Every thread needs a pid; those below 300 are never given out again. */
function checkTaskCount(processes: Cursor, { groups, host }: GroupContext): void {
  const counts: number[] = [];
  let tasks = 0;
  for (const group of groups) {
    const count = group.count * (counts[group.parent] ?? 1);
    counts.push(count);
    tasks += count * group.threads.reduce((sum, spec) => sum + spec.count, 1);
  }
  if (tasks > host.pidMax - RESERVED_PIDS) {
    throw processes.error(`${tasks} processes and threads don't fit below pid_max (${host.pidMax})`);
  }
}

function tick(cursor: Cursor): number {
  const value = cursor.duration(10);
  if (value < SHORTEST_TICK_MS || value > LONGEST_TICK_MS) {
    throw cursor.error(`"tick" must lie between ${SHORTEST_TICK_MS}ms and ${LONGEST_TICK_MS / 1000}s`);
  }
  return value;
}

function readProcesses(root: Cursor, context: GroupContext, source: ScenarioSource): void {
  const list = root.get("processes").items();
  const captured = list.some((item) => item.get("exact").exists());
  const hasPid = (pid: number): boolean => list.some((item) => item.isMap() && item.get("pid").value === pid);
  if (!captured && !hasPid(1)) {
    addGroup(new Cursor(initProcess(), source, ["processes"]), null, context);
  }
  if (root.get("host").get("kernel_threads").flag(!captured) && !hasPid(2)) {
    addGroup(new Cursor(kernelThreads(context.host), source, ["processes"]), null, context);
  }
  addTopLevel(list, context);
}

/** Flat lists may name a parent that comes later, so each round adds those whose parents are there. */
function addTopLevel(list: Cursor[], context: GroupContext): void {
  const byPid = new Map<number, Group>();
  const note = (from: number): void => {
    for (const group of context.groups.slice(from)) {
      if (group.pid !== null) {
        byPid.set(group.pid, group);
      }
    }
  };
  note(0);
  let waiting = list;
  while (waiting.length > 0) {
    const later: Cursor[] = [];
    for (const item of waiting) {
      const parent = parentOf(item, byPid);
      if (parent === undefined) {
        later.push(item);
        continue;
      }
      const from = context.groups.length;
      addGroup(item, parent, context);
      note(from);
    }
    if (later.length === waiting.length) {
      throw orphan(later[0]!);
    }
    waiting = later;
  }
}

/** The parent group, null for a child of pid 0, or undefined if it isn't there (yet). */
function parentOf(item: Cursor, byPid: ReadonlyMap<number, Group>): Group | null | undefined {
  if (item.get("ppid").exists()) {
    const ppid = item.get("ppid").number(0);
    return ppid === 0 ? null : byPid.get(ppid);
  }
  const pid = item.get("pid").value;
  if (pid === 1 || pid === 2) {
    return null;
  }
  return byPid.get(item.get("kernel").value === true ? 2 : 1);
}

function orphan(item: Cursor): Error {
  const ppid = item.get("ppid");
  if (ppid.exists()) {
    return ppid.error(`no process has the pid ${ppid.number(0)}`, "ESCENARIO_REFERENCE");
  }
  return item.error('no parent: name one with "ppid", or add a process with pid 1', "ESCENARIO_REFERENCE");
}
