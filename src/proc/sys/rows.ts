/** The leaves of /proc/sys. */
import { MAX_SYSCTLS } from "../../kernel/layout.ts";
import type { HostView } from "../host-view.ts";
import type { Leaf } from "../root/tree.ts";
import { BOUND, COMPUTED } from "./computed.ts";
import { IPV4_CONF, IPV4_NEIGH, IPV6_CONF, IPV6_NEIGH } from "./interface-table.ts";
import { FIXED } from "./spec.ts";
import type { SysctlSpec } from "./spec.ts";
import { fixedStore, slotStore, sysctlLeaf } from "./sysctl.ts";
import { SYNTHPROC_LEAVES } from "./synthproc.ts";
import { SYSCTLS } from "./values.ts";

/** Interfaces' tables: directory, its lines, and the entries beside the interfaces. */
const PER_INTERFACE: readonly (readonly [string, readonly SysctlSpec[], readonly string[]])[] = [
  ["net/ipv4/conf", IPV4_CONF, ["all", "default"]],
  ["net/ipv4/neigh", IPV4_NEIGH, ["default"]],
  ["net/ipv6/conf", IPV6_CONF, ["all", "default"]],
  ["net/ipv6/neigh", IPV6_NEIGH, ["default"]],
];

/** A captured text of a sysctl is its initial value. */
function captured(host: HostView, path: string): string | undefined {
  return host.rawFiles[`sys/${path}`]?.replace(/\n$/, "");
}

function leafOf(host: HostView, spec: SysctlSpec, slot: number): Leaf {
  const [path, mode, rule, initial, needs] = spec;
  const bound = BOUND.get(path);
  if (bound !== undefined) return sysctlLeaf(spec, bound);
  const given = captured(host, path);
  const computed = COMPUTED.get(path);
  const start = given !== undefined ? () => given : (computed ?? (() => initial));
  // Every slot is taken: one interface more than the simulation can store the settings of.
  if (slot >= MAX_SYSCTLS) return sysctlLeaf([path, mode & 0o444, FIXED, initial, needs], fixedStore(start));
  return sysctlLeaf([path, mode, rule, initial, needs], slotStore(slot, start));
}

function interfaceSpecs(host: HostView): SysctlSpec[] {
  const specs: SysctlSpec[] = [];
  for (const [directory, table, others] of PER_INTERFACE) {
    for (const name of [...others, ...host.interfaces.map((one) => one.name)]) {
      for (const [file, mode, rule, initial] of table)
        specs.push([`${directory}/${name}/${file}`, mode, rule, initial]);
    }
  }
  return specs;
}

/** Captured files that the tables don't know: read-only. */
function capturedOnly(host: HostView, known: ReadonlySet<string>): Leaf[] {
  const leaves: Leaf[] = [];
  for (const path of Object.keys(host.rawFiles)) {
    if (!path.startsWith("sys/") || path.startsWith("sys/synthproc/") || known.has(path.slice(4))) continue;
    const text = captured(host, path.slice(4)) as string;
    leaves.push(
      sysctlLeaf(
        [path.slice(4), 0o444, FIXED, text],
        fixedStore(() => text),
      ),
    );
  }
  return leaves;
}

/** All sysctls of a host, with those of its interfaces and the simulation's own. */
export function sysctlLeaves(host: HostView): Leaf[] {
  const specs = [...SYSCTLS, ...interfaceSpecs(host)];
  const known = new Set(specs.map(([path]) => path));
  return [...specs.map((spec, slot) => leafOf(host, spec, slot)), ...capturedOnly(host, known), ...SYNTHPROC_LEAVES];
}
