/** /proc/net/{route,arp,if_inet6,ipv6_route,igmp,igmp6,dev_mcast,fib_trie,fib_triestat}: how interfaces are set up. */
import type { HostView } from "../host-view.ts";
import { addressed, colonHex, hardwareAddress, inNetwork, interfaceIndex, ipv4Hex } from "./address.ts";
import { linkLocal, plainHex } from "./address.ts";
import { ARP_HEADER, CACHE_STATS, ROUTE_HEADER } from "./texts.ts";

const ROUTE_WIDTH = 127;
const ROUTE_UP = 1;
const ROUTE_GATEWAY = 2;

function routeLine(name: string, target: string, gateway: string, flags: number, mask: string): string {
  const flagText = flags.toString(16).toUpperCase().padStart(4, "0");
  return `${name}\t${target}\t${gateway}\t${flagText}\t0\t0\t0\t${mask}\t0\t0\t0`.padEnd(ROUTE_WIDTH) + "\n";
}

/** The default route over the first interface's .1, and each interface's network (fib_route_seq_show). */
export function routeText(host: HostView): string {
  const interfaces = addressed(host);
  let text = `${ROUTE_HEADER.padEnd(ROUTE_WIDTH)}\n`;
  for (const { name, address } of interfaces.slice(0, 1)) {
    text += routeLine(name, "00000000", ipv4Hex(inNetwork(address, 1)), ROUTE_UP | ROUTE_GATEWAY, "00000000");
  }
  for (const { name, address } of interfaces) {
    text += routeLine(name, ipv4Hex(inNetwork(address, 0)), "00000000", ROUTE_UP, ipv4Hex("255.255.255.0"));
  }
  return text;
}

/** The gateway is known (arp_seq_show). */
export function arpText(host: HostView): string {
  let text = `${ARP_HEADER}\n`;
  for (const { name, address } of addressed(host).slice(0, 1)) {
    const gateway = inNetwork(address, 1);
    text += `${gateway.padEnd(16)} 0x1         0x2         ${colonHex(hardwareAddress(gateway))}     *        ${name}\n`;
  }
  return text;
}

function inet6Line(bytes: string, index: number, prefix: string, scope: string, name: string): string {
  return `${bytes} ${index.toString(16).padStart(2, "0")} ${prefix} ${scope} 80 ${name.padStart(8)}\n`;
}

const LOOPBACK6 = "1".padStart(32, "0");

/** Link-local addresses, and the loopback's (if6_seq_show). */
export function ifInet6Text(host: HostView): string {
  let text = "";
  for (const { name } of addressed(host)) {
    text += inet6Line(plainHex(linkLocal(name)), interfaceIndex(host, name), "40", "20", name);
  }
  return text + inet6Line(LOOPBACK6, 1, "80", "10", "lo");
}

const ANY6 = "0".repeat(32);

function route6Line(target: string, prefix: string, metric: string, references: string, flags: string, name: string) {
  return `${target} ${prefix} ${ANY6} 00 ${ANY6} ${metric} ${references} 00000000 ${flags} ${name.padStart(8)}\n`;
}

/** Link-local networks, own addresses, and the route that rejects (rt6_info_seq_show). */
export function ipv6RouteText(host: HostView): string {
  let text = "";
  for (const { name } of addressed(host)) {
    text += route6Line(`fe80${"0".repeat(28)}`, "40", "00000100", "00000002", "00000001", name);
  }
  text += route6Line(LOOPBACK6, "80", "00000000", "00000002", "80200001", "lo");
  for (const { name } of addressed(host)) {
    text += route6Line(plainHex(linkLocal(name)), "80", "00000000", "00000002", "80200001", name);
    text += route6Line(`ff${"0".repeat(30)}`, "08", "00000100", "00000003", "00000001", name);
  }
  return text + route6Line(ANY6, "00", "ffffffff", "00000001", "00200200", "lo");
}

/** Interfaces in order of their index. */
function byIndex(host: HostView): readonly (readonly [string, number])[] {
  const all = host.interfaces.map((one) => [one.name, interfaceIndex(host, one.name)] as const);
  return all.sort((a, b) => a[1] - b[1]);
}

/** All hosts of the network are the one group joined (igmp_mc_seq_show). */
export function igmpText(host: HostView): string {
  let text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n";
  for (const [name, index] of byIndex(host)) {
    text += `${index}\t${name.padEnd(10)}:     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n`;
  }
  return text;
}

export function igmp6Text(host: HostView): string {
  let text = "";
  for (const [name, index] of byIndex(host)) {
    const start = `${String(index).padEnd(4)} ${name.padEnd(15)}`;
    text += `${start} ff02${"0".repeat(27)}1     1 0000000C 0\n${start} ff01${"0".repeat(27)}1     1 00000008 0\n`;
  }
  return text;
}

export function devMcastText(host: HostView): string {
  let text = "";
  for (const [name, index] of byIndex(host)) {
    if (name === "lo") continue;
    for (const group of ["333300000001", "01005e000001"]) {
      text += `${String(index).padEnd(4)} ${name.padEnd(15)} 1     0     ${group}\n`;
    }
  }
  return text;
}

/** The branch of one /24 network with one own address in it. */
function trieBranch(address: string, depth: string): string {
  const network = inNetwork(address, 0);
  return (
    `${depth}+-- ${network}/24 2 0 2\n` +
    `${depth}   +-- ${network}/${address.endsWith(".1") ? 31 : 30} 2 0 2\n` +
    `${depth}      |-- ${network}\n${depth}         /24 link UNICAST\n` +
    `${depth}      |-- ${address}\n${depth}         /32 host LOCAL\n` +
    `${depth}   |-- ${inNetwork(address, 255)}\n${depth}      /32 link BROADCAST\n`
  );
}

const LOOPBACK_BRANCH =
  "     +-- 127.0.0.0/8 2 0 2\n        +-- 127.0.0.0/31 1 0 0\n           |-- 127.0.0.0\n" +
  "              /8 host LOCAL\n           |-- 127.0.0.1\n              /32 host LOCAL\n" +
  "        |-- 127.255.255.255\n           /32 link BROADCAST\n";

/** The table of routes as a tree, in two views of the same (fib_trie_seq_show). */
export function fibTrieText(host: HostView): string {
  const interfaces = addressed(host);
  const root = "  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n";
  const branches = interfaces.map(({ address }) => trieBranch(address, "     ")).join("");
  const view = (interfaces.length > 0 ? root : "") + LOOPBACK_BRANCH + branches;
  return `Main:\n${view}Local:\n${view}`;
}

/** Sizes of that tree (fib_triestat_seq_show). */
export function fibTrieStatText(host: HostView): string {
  const networks = addressed(host).length;
  const leaves = 3 + networks * 3 + (networks > 0 ? 1 : 0);
  const nodes = 3 + networks * 2;
  const view = (name: string): string =>
    `${name}:\n\tAver depth:     2.42\n\tMax depth:      3\n\tLeaves:         ${leaves}\n\tPrefixes:       ${leaves}\n` +
    `\tInternal nodes: ${nodes}\n\t  1: 1  2: ${nodes - 2}  3: 1\n\tPointers: ${10 + 4 * (nodes - 2)}\n` +
    `Null ptrs: ${10 + 4 * (nodes - 2) - leaves - nodes + 1}\nTotal size: 2  kB\n`;
  return `Basic info: size of leaf: 48 bytes, size of tnode: 40 bytes.\n${view("Main")}${view("Local")}`;
}

/** net/stat/*: the number of entries, and zeros, a line a CPU. */
export function cacheStatText(host: HostView, index: number): string {
  const [, header, rest] = CACHE_STATS[index]!;
  return `${header}\n${`00000002${rest}\n`.repeat(host.cpus)}`;
}
