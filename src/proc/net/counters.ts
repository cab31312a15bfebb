/** /proc/net/{dev,snmp,netstat,snmp6,softnet_stat}: traffic of the interfaces, which grows with time. */
import type { Kernel } from "../../kernel/kernel.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { HostInterface, HostView } from "../host-view.ts";
import type { Context } from "../row.ts";
import type { Text } from "../text.ts";
import { interfaceIndex } from "./address.ts";
import { socketsOf } from "./sockets.ts";
import * as texts from "./texts.ts";
import type { Records } from "../root/tree.ts";

/** Bytes of a usual packet, where the host doesn't say how many packets there were. */
const PACKET_BYTES = 700;

export interface Traffic {
  readonly rxBytes: number;
  readonly rxPackets: number;
  readonly txBytes: number;
  readonly txPackets: number;
}

/** Packets that so many bytes came in, in the proportion at boot. */
function packets(bytes: number, bytesAtBoot: number, packetsAtBoot: number | undefined): number {
  const perPacket = packetsAtBoot !== undefined && packetsAtBoot > 0 ? bytesAtBoot / packetsAtBoot : 0;
  return Math.ceil(bytes / (perPacket > 0 ? perPacket : PACKET_BYTES));
}

function trafficOf(k: Kernel, one: HostInterface): Traffic {
  const seconds = bootTimeNs(k) / 1e9;
  const rxBytes = Math.floor(one.rxBytes + one.rxRate * seconds);
  const txBytes = Math.floor(one.txBytes + one.txRate * seconds);
  return {
    rxBytes,
    rxPackets: packets(rxBytes, one.rxBytes, one.rxPackets),
    txBytes,
    txPackets: packets(txBytes, one.txBytes, one.txPackets),
  };
}

/** Traffic of all interfaces together. */
function allTraffic(c: Context): Traffic {
  const sum = { rxBytes: 0, rxPackets: 0, txBytes: 0, txPackets: 0 };
  for (const one of c.host.interfaces) {
    const traffic = trafficOf(c.k, one);
    sum.rxBytes += traffic.rxBytes;
    sum.rxPackets += traffic.rxPackets;
    sum.txBytes += traffic.txBytes;
    sum.txPackets += traffic.txPackets;
  }
  return sum;
}

export const DEV_HEADER =
  "Inter-|   Receive                                                |  Transmit\n" +
  " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier" +
  " compressed\n";

const DEV_WIDTHS = [7, 7, 4, 4, 4, 5, 10, 9, 8, 7, 4, 4, 4, 5, 7, 10];

/** @param counters sixteen: received, then sent */
export function formatDevice(name: string, counters: readonly number[], out: Text): void {
  out.str(name.padStart(6)).byte(58);
  for (let i = 0; i < DEV_WIDTHS.length; i++) out.byte(32).dec(counters[i]!, DEV_WIDTHS[i]!);
  out.byte(10);
}

/** net/dev (dev_seq_show). */
export const deviceRecords: Records = {
  count: (c) => 1 + c.host.interfaces.length,
  show: (c, index, out) => {
    if (index === 0) {
      out.str(DEV_HEADER);
      return;
    }
    const one = c.host.interfaces[index - 1]!;
    const t = trafficOf(c.k, one);
    const counters = [t.rxBytes, t.rxPackets, 0, 0, 0, 0, 0, 0, t.txBytes, t.txPackets, 0, 0, 0, 0, 0, 0];
    formatDevice(one.name, counters, out);
  },
};

export type Counters = Readonly<Record<string, number>>;

/** Two lines: names, and values (those not given are 0). */
export function formatCounters(title: string, names: readonly string[], values: Counters, out: Text): void {
  out.str(title).byte(58);
  for (const name of names) out.byte(32).str(name);
  out.byte(10).str(title).byte(58);
  for (const name of names) out.byte(32).dec(values[name] ?? 0);
  out.byte(10);
}

/** Share of the packets that are UDP, and connections per TCP packet. */
const UDP_SHARE = 0.05;
const CONNECTIONS = 1 / 40;

function ipCounters(t: Traffic): Counters {
  return {
    Forwarding: 2,
    DefaultTTL: 64,
    InReceives: t.rxPackets,
    InDelivers: t.rxPackets,
    OutRequests: t.txPackets,
    OutTransmits: t.txPackets,
  };
}

function established(host: HostView): number {
  const open = (family: "tcp" | "tcp6"): number =>
    socketsOf(host, family).filter(({ state }) => state === "established" || state === "close_wait").length;
  return open("tcp") + open("tcp6");
}

function tcpCounters(c: Context, t: Traffic): Counters {
  const received = t.rxPackets - Math.floor(t.rxPackets * UDP_SHARE);
  const sent = t.txPackets - Math.floor(t.txPackets * UDP_SHARE);
  return {
    RtoAlgorithm: 1,
    RtoMin: 200,
    RtoMax: 120000,
    MaxConn: -1,
    ActiveOpens: Math.floor(sent * CONNECTIONS * 0.4),
    PassiveOpens: Math.floor(received * CONNECTIONS),
    CurrEstab: established(c.host),
    InSegs: received,
    OutSegs: sent,
    RetransSegs: Math.floor(sent / 5000),
    OutRsts: Math.floor(sent / 900),
  };
}

function udpCounters(t: Traffic): Counters {
  return { InDatagrams: Math.floor(t.rxPackets * UDP_SHARE), OutDatagrams: Math.floor(t.txPackets * UDP_SHARE) };
}

/** net/snmp (snmp_seq_show). */
export function showSnmp(c: Context, out: Text): void {
  const t = allTraffic(c);
  formatCounters("Ip", texts.IP_NAMES, ipCounters(t), out);
  formatCounters("Icmp", texts.ICMP_NAMES, {}, out);
  formatCounters("Tcp", texts.TCP_NAMES, tcpCounters(c, t), out);
  formatCounters("Udp", texts.UDP_NAMES, udpCounters(t), out);
  formatCounters("UdpLite", texts.UDP_NAMES, {}, out);
}

/** net/netstat (netstat_seq_show). */
export function showNetstat(c: Context, out: Text): void {
  const t = allTraffic(c);
  const extended = {
    TW: Math.floor(t.rxPackets * CONNECTIONS * 0.5),
    DelayedACKs: Math.floor(t.rxPackets / 60),
    TCPHPHits: Math.floor(t.rxPackets / 5),
    TCPPureAcks: Math.floor(t.rxPackets / 4),
    TCPHPAcks: Math.floor(t.rxPackets / 3),
    TCPRcvCoalesce: Math.floor(t.rxPackets / 9),
    TCPAutoCorking: Math.floor(t.txPackets / 30),
    TCPOrigDataSent: Math.floor(t.txPackets / 2),
    TCPDelivered: Math.floor(t.txPackets / 2),
  };
  formatCounters("TcpExt", texts.TCP_EXT_NAMES, extended, out);
  const octets = { InOctets: t.rxBytes, OutOctets: t.txBytes, InNoECTPkts: t.rxPackets };
  formatCounters("IpExt", texts.IP_EXT_NAMES, octets, out);
  formatCounters("MPTcpExt", texts.MPTCP_EXT_NAMES, {}, out);
}

/** A name in 32 columns, a tab, a value: net/snmp6, dev_snmp6/*, xfrm_stat, xfrm's a little narrower. */
export function formatColumn(name: string, value: number, width: number, out: Text): void {
  out.str(name.padEnd(width)).byte(9).dec(value).byte(10);
}

export function showSnmp6(_c: Context, out: Text): void {
  for (const name of texts.SNMP6_NAMES) formatColumn(name, 0, 32, out);
}

/** net/dev_snmp6/<interface> (snmp6_dev_seq_show). */
export function devSnmp6Text(host: HostView, name: string): string {
  const names = texts.SNMP6_NAMES.filter((one) => /^(Ip6|Icmp6)/.test(one));
  const lines = [["ifIndex", interfaceIndex(host, name)] as const, ...names.map((one) => [one, 0] as const)];
  return lines.map(([one, value]) => `${one.padEnd(32)}\t${value}\n`).join("");
}

const SOFTNET_COLUMNS = 15;
const SOFTNET_CPU_COLUMN = 12;

/** net/softnet_stat: a line a CPU, packets spread evenly (softnet_seq_show). */
export const softnetRecords: Records = {
  count: (c) => c.k.config.cpus,
  show: (c, cpu, out) => {
    const share = Math.floor(allTraffic(c).rxPackets / c.k.config.cpus);
    for (let column = 0; column < SOFTNET_COLUMNS; column++) {
      const value = column === 0 ? share % 4294967296 : column === SOFTNET_CPU_COLUMN ? cpu : 0;
      out.hex(value, 8).byte(column === SOFTNET_COLUMNS - 1 ? 10 : 32);
    }
  },
};
