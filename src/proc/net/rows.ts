/** The table of /proc/<pid>/net: one network namespace, the host's. */
import type { HostView } from "../host-view.ts";
import type { Row } from "../row.ts";
import * as config from "./config.ts";
import { devSnmp6Text, deviceRecords, formatColumn, showNetstat, showSnmp, showSnmp6 } from "./counters.ts";
import { softnetRecords } from "./counters.ts";
import * as sockets from "./sockets.ts";
import * as texts from "./texts.ts";
import type { Leaf, Records } from "../root/tree.ts";
import { directory, fixed, one, records, shortestFirst, tree, withCaptured } from "../root/tree.ts";

/** Nobody opens these for writing against the mode, not even root: the mode decides alone. */
const STRICT = { strictMode: true };
/** Readable by root and its group only: names of the packet filter. */
const FILTER_MODE = 0o440;
const PADDED = 127;

function text(name: string, doc: string, content: string, mode = 0o444): Leaf {
  return fixed(`net/${name}`, mode, doc, content, STRICT);
}

function listed(name: string, doc: string, source: Records): Leaf {
  return records(`net/${name}`, 0o444, doc, source, STRICT);
}

function socketLeaves(host: HostView): Leaf[] {
  return [
    listed("tcp", "TCP sockets (tcp4_seq_show).", sockets.tcpRecords(host, "tcp")),
    listed("tcp6", "TCP sockets over IPv6 (tcp6_seq_show).", sockets.tcpRecords(host, "tcp6")),
    listed("udp", "UDP sockets (udp4_seq_show).", sockets.datagramRecords(host, "udp")),
    listed("udp6", "UDP sockets over IPv6 (udp6_seq_show).", sockets.datagramRecords(host, "udp6")),
    listed("raw", "Raw sockets (raw_seq_show).", sockets.datagramRecords(host, "raw")),
    listed("raw6", "Raw sockets over IPv6 (raw6_seq_show).", sockets.datagramRecords(host, "raw6")),
    listed("unix", "Unix sockets (unix_seq_show).", sockets.unixRecords(host)),
    listed("netlink", "Netlink sockets (netlink_native_seq_show).", sockets.netlinkRecords(host)),
    listed("packet", "Packet sockets (packet_seq_show).", sockets.packetRecords(host)),
    text("sockstat", "Sockets by protocol (sockstat_seq_show).", sockets.sockstatText(host)),
    text("sockstat6", "Sockets by protocol (sockstat6_seq_show).", sockets.sockstat6Text(host)),
    text("protocols", "Protocols (proto_seq_show).", sockets.protocolsText(host)),
    text("udplite", "UDP-Lite sockets.", `${texts.UDP_HEADER.padEnd(PADDED)}\n`),
    text("udplite6", "UDP-Lite sockets over IPv6.", `${texts.UDP6_HEADER}\n`),
    text("icmp", "Ping sockets (ping_v4_seq_show).", `${texts.ICMP_HEADER.padEnd(PADDED)}\n`),
    text("icmp6", "Ping sockets (ping_v6_seq_show).", `${texts.UDP6_HEADER}\n`),
  ];
}

function counterLeaves(host: HostView): Leaf[] {
  return [
    listed("dev", "Traffic of the interfaces (dev_seq_show).", deviceRecords),
    listed("softnet_stat", "Packets by CPU (softnet_seq_show).", softnetRecords),
    one("net/snmp", 0o444, "Counters of IPv4 (snmp_seq_show).", showSnmp, STRICT),
    one("net/netstat", 0o444, "More counters of IPv4 (netstat_seq_show).", showNetstat, STRICT),
    one("net/snmp6", 0o444, "Counters of IPv6 (snmp6_seq_show).", showSnmp6, STRICT),
    one("net/xfrm_stat", 0o444, "Counters of IPsec (xfrm_statistics_seq_show).", showXfrm, STRICT),
    ...host.interfaces.map(({ name }) => text(`dev_snmp6/${name}`, "Its counters.", devSnmp6Text(host, name))),
    ...texts.CACHE_STATS.map(([name], i) => text(`stat/${name}`, "Statistics.", config.cacheStatText(host, i))),
    text("stat/synproxy", "SYN proxy statistics.", synproxyText(host.cpus)),
  ];
}

const showXfrm: Parameters<typeof one>[3] = (_c, out) => {
  for (const name of texts.XFRM_NAMES) formatColumn(name, 0, 24, out);
};

function synproxyText(cpus: number): string {
  const header = "entries\t\tsyn_received\tcookie_invalid\tcookie_valid\tcookie_retrans\tconn_reopened\n";
  return header + `${new Array<string>(6).fill("00000000").join("\t")}\n`.repeat(cpus);
}

function configLeaves(host: HostView): Leaf[] {
  return [
    text("route", "Routes (fib_route_seq_show).", config.routeText(host)),
    text("arp", "Neighbours (arp_seq_show).", config.arpText(host)),
    text("if_inet6", "IPv6 addresses (if6_seq_show).", config.ifInet6Text(host)),
    text("ipv6_route", "IPv6 routes (rt6_info_seq_show).", config.ipv6RouteText(host)),
    text("igmp", "Multicast groups (igmp_mc_seq_show).", config.igmpText(host)),
    text("igmp6", "Multicast groups (igmp6_mc_seq_show).", config.igmp6Text(host)),
    text("dev_mcast", "Multicast hardware addresses (dev_mc_seq_show).", config.devMcastText(host)),
    text("fib_trie", "Routes as a tree (fib_trie_seq_show).", config.fibTrieText(host)),
    text("fib_triestat", "Size of that tree (fib_triestat_seq_show).", config.fibTrieStatText(host)),
  ];
}

/** Files that are empty, or nothing but a header, on most machines. */
const STILL: readonly Leaf[] = [
  text("anycast6", "Anycast addresses.", ""),
  text("connector", "Connectors (cn_proc_show).", "Name            ID\ncn_proc         1:1\n"),
  text("mcfilter", "Multicast filters.", `${texts.MC_FILTER_HEADER}\n`),
  text("mcfilter6", "Multicast filters.", `${texts.MC_FILTER6_HEADER}\n`),
  text("ip_mr_vif", "Multicast routing.", `${texts.MR_VIF_HEADER}\n`),
  text("ip_mr_cache", "Multicast routing.", `${texts.MR_CACHE_HEADER}\n`),
  text("ip6_mr_vif", "Multicast routing.", `${texts.MR_VIF6_HEADER}\n`),
  text("ip6_mr_cache", "Multicast routing.", `${texts.MR_CACHE6_HEADER}\n`),
  text("ip6_flowlabel", "Flow labels.", `${texts.FLOW_LABEL_HEADER}\n`),
  text("psched", "Resolution of packet schedulers.", "000003e8 00000040 000f4240 3b9aca00\n"),
  text("rt_cache", "Nothing but a header since 3.6.", `${texts.RT_CACHE_HEADER.padEnd(PADDED)}\n`),
  text("rt6_stats", "IPv6 routing statistics.", "0009 0006 000a 0007 0000 0000 0000\n"),
  text("pnp", "What the boot protocol said (pnp_seq_show).", "#MANUAL\n"),
  text(
    "ptype",
    "Packet handlers (ptype_seq_show).",
    "Type Device      Function\n0800          ip_rcv\n0004          llc_rcv\n0806          arp_rcv\n86dd          ipv6_rcv\n",
  ),
  ...["arp_tables", "ip_tables", "ip6_tables"].flatMap((family) =>
    ["matches", "names", "targets"].map((kind) => text(`${family}_${kind}`, "Packet filter.", "", FILTER_MODE)),
  ),
  text("nf_conntrack", "Connections tracked.", "", FILTER_MODE),
  text("nf_conntrack_expect", "Connections expected.", "", FILTER_MODE),
  text("netfilter/nf_log", "Loggers.", ""),
  text("ipconfig/ntp_servers", "Time servers that the boot protocol named.", ""),
  directory("net/dev_snmp6", 0o555, "Counters of IPv6, one file an interface."),
  directory("net/ip6t_hashlimit", 0o555, "Tables of the hashlimit match."),
  directory("net/ipt_hashlimit", 0o555, "Tables of the hashlimit match."),
  directory("net/xt_recent", 0o555, "Tables of the recent match."),
];

function captured(host: HostView): Map<string, string> {
  return new Map(Object.entries(host.rawFiles).filter(([path]) => path.startsWith("net/")));
}

/** All rows of net/, in the kernel's order, for one host. */
export function netRows(host: HostView): Row[] {
  const leaves = [...socketLeaves(host), ...counterLeaves(host), ...configLeaves(host), ...STILL];
  return tree(withCaptured(leaves, captured(host)), "net/", shortestFirst);
}
