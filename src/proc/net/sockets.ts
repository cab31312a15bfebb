/** /proc/net/{tcp,tcp6,udp,udp6,raw,raw6,unix,netlink,packet,sockstat,sockstat6,protocols}. */
import type { HostSocket, HostView } from "../host-view.ts";
import type { Text } from "../text.ts";
import { endpoint, hashed } from "./address.ts";
import * as texts from "./texts.ts";
import type { Records } from "../root/tree.ts";

/** Widths that lines of IPv4 files are padded to, without the newline. */
const TCP_WIDTH = 149;
const UDP_WIDTH = 127;

const TCP_STATES = { listen: 10, established: 1, close_wait: 8, time_wait: 6, none: 7 } as const;

/** One line of an internet socket. */
export interface InetLine {
  readonly index: number;
  /** `ADDRESS:PORT` in hexadecimal. */
  readonly local: string;
  readonly remote: string;
  readonly state: number;
  readonly timer: number;
  readonly timerExpires: number;
  readonly uid: number;
  readonly inode: number;
  readonly references: number;
  /** What %pK prints. */
  readonly pointer: string;
  /** TCP: the rest of the line; others: drops. */
  readonly rest: string;
}

export function formatInet(s: InetLine, indexWidth: number, padding: number, out: Text): void {
  const start = out.length;
  out.dec(s.index, indexWidth).str(": ").str(s.local).byte(32).str(s.remote).byte(32);
  out.str(hex(s.state, 2)).str(" 00000000:00000000 ");
  out.str(hex(s.timer, 2)).byte(58).str(hex(s.timerExpires, 8)).str(" 00000000 ");
  out.dec(s.uid, 5).byte(32).dec(0, 8).byte(32).dec(s.inode).byte(32).dec(s.references).byte(32).str(s.pointer);
  if (s.rest !== "") out.byte(32).str(s.rest);
  out.padTo(start, padding).byte(10);
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

function ends(socket: HostSocket): { local: string; remote: string; localPort: number } {
  const six = socket.family.endsWith("6");
  const local = endpoint(socket.local, six);
  const remote = endpoint(socket.remote, six);
  return {
    local: `${local.hex}:${hex(local.port, 4)}`,
    remote: `${remote.hex}:${hex(remote.port, 4)}`,
    localPort: local.port,
  };
}

function tcpLine(socket: HostSocket, index: number): InetLine {
  const waiting = socket.state === "time_wait";
  const listening = socket.state === "listen";
  const rest = listening ? "100 0 0 10 0" : "20 4 30 10 -1";
  return {
    index,
    ...ends(socket),
    state: TCP_STATES[socket.state],
    timer: waiting ? 3 : 0,
    // Ticks that are left of a minute.
    timerExpires: waiting ? 1500 + (socket.inode % 4000) : 0,
    uid: waiting ? 0 : socket.uid,
    inode: waiting ? 0 : socket.inode,
    references: waiting ? 3 : 1,
    pointer: hashed(socket.inode),
    rest: waiting ? "" : rest,
  };
}

/** UDP and raw sockets: connected or not; UDP lines are numbered by their hash bucket. */
function datagramLine(socket: HostSocket): InetLine {
  const { local, remote, localPort } = ends(socket);
  const bucket = socket.family.startsWith("udp") ? (localPort + 7000) % 16384 : localPort;
  return {
    index: bucket,
    local,
    remote,
    state: socket.state === "established" ? 1 : 7,
    timer: 0,
    timerExpires: 0,
    uid: socket.uid,
    inode: socket.inode,
    references: 2,
    pointer: hashed(socket.inode),
    rest: "0",
  };
}

export function socketsOf(host: HostView, family: HostSocket["family"]): HostSocket[] {
  return (host.sockets ?? []).filter((socket) => socket.family === family);
}

/** A header, and a line a socket. */
function listing(header: string, sockets: readonly HostSocket[], line: (index: number, out: Text) => void): Records {
  return {
    count: () => 1 + sockets.length,
    show: (_c, index, out) => {
      if (index === 0) out.str(header).byte(10);
      else line(index - 1, out);
    },
  };
}

/** net/tcp and net/tcp6 (tcp4_seq_show, tcp6_seq_show). */
export function tcpRecords(host: HostView, family: "tcp" | "tcp6"): Records {
  const sockets = socketsOf(host, family);
  const width = family === "tcp" ? TCP_WIDTH : 0;
  const header = family === "tcp" ? texts.TCP_HEADER.padEnd(TCP_WIDTH) : texts.TCP6_HEADER;
  return listing(header, sockets, (index, out) => formatInet(tcpLine(sockets[index]!, index), 4, width, out));
}

/** net/udp, udp6, raw and raw6 (udp4_seq_show, …). */
export function datagramRecords(host: HostView, family: "udp" | "udp6" | "raw" | "raw6"): Records {
  const sockets = socketsOf(host, family);
  const width = family === "udp" ? UDP_WIDTH : 0;
  const headers = {
    udp: texts.UDP_HEADER.padEnd(UDP_WIDTH),
    udp6: texts.UDP6_HEADER,
    raw: texts.RAW_HEADER,
    raw6: texts.UDP6_HEADER,
  };
  const indexWidth = family.startsWith("udp") ? 5 : 4;
  return listing(headers[family], sockets, (index, out) =>
    formatInet(datagramLine(sockets[index]!), indexWidth, width, out),
  );
}

/** One line of net/unix. */
export interface UnixLine {
  readonly pointer: string;
  readonly references: number;
  readonly flags: number;
  readonly type: number;
  readonly state: number;
  readonly inode: number;
  readonly path: string;
}

export function formatUnix(s: UnixLine, out: Text): void {
  out.str(s.pointer).str(": ").hex(s.references, 8).str(" 00000000 ").hex(s.flags, 8).byte(32);
  out.hex(s.type, 4).byte(32).hex(s.state, 2).byte(32).dec(s.inode, 5);
  if (s.path !== "") out.byte(32).str(s.path);
  out.byte(10);
}

const UNIX_LISTENING = 0x10000;

/** net/unix (unix_seq_show). */
export function unixRecords(host: HostView): Records {
  const sockets = socketsOf(host, "unix");
  return listing(texts.UNIX_HEADER, sockets, (index, out) => {
    const { inode, state, local } = sockets[index]!;
    const listens = state === "listen";
    formatUnix(
      {
        pointer: hashed(inode),
        references: listens ? 2 : 3,
        flags: listens ? UNIX_LISTENING : 0,
        type: 1,
        state: listens || state === "none" ? 1 : 3,
        inode,
        path: local,
      },
      out,
    );
  });
}

/** Sockets of the kernel itself: protocol and inode. */
const KERNEL_NETLINK: readonly (readonly [number, number])[] = [
  [0, 4],
  [4, 565],
  [6, 567],
  [7, 179],
  [9, 6],
  [10, 1041],
  [11, 1026],
  [12, 566],
  [15, 8],
  [16, 5],
];

export function formatNetlink(pointer: string, protocol: number, port: number, inode: number, out: Text): void {
  out.str(pointer).byte(32).str(String(protocol).padEnd(3)).byte(32).str(String(port).padEnd(10));
  out.str(" 00000000 0        0        0     2        0        ").str(String(inode).padEnd(8)).byte(10);
}

/** net/netlink (netlink_native_seq_show): the kernel's own sockets first. */
export function netlinkRecords(host: HostView): Records {
  const sockets = socketsOf(host, "netlink");
  const own = KERNEL_NETLINK.length;
  return {
    count: () => 1 + own + sockets.length,
    show: (_c, index, out) => {
      if (index === 0) {
        out.str(texts.NETLINK_HEADER).byte(10);
        return;
      }
      const kernel = KERNEL_NETLINK[index - 1];
      if (kernel !== undefined) return formatNetlink(hashed(kernel[1]), kernel[0], 0, kernel[1], out);
      const { local, inode } = sockets[index - 1 - own]!;
      return formatNetlink(hashed(inode), parseInt(local, 10) || 0, inode, inode, out);
    },
  };
}

/** net/packet (packet_seq_show). */
export function packetRecords(host: HostView): Records {
  const sockets = socketsOf(host, "packet");
  return listing(texts.PACKET_HEADER, sockets, (index, out) => {
    const { inode, uid } = sockets[index]!;
    out.str(hashed(inode)).str(" 3      3    0003   0     1 0      ");
    out.str(String(uid).padEnd(6)).byte(32).str(String(inode).padEnd(6)).byte(10);
  });
}

/** net/sockstat: sockets in use by protocol (sockstat_seq_show). */
export function sockstatText(host: HostView): string {
  const waiting = socketsOf(host, "tcp").filter((socket) => socket.state === "time_wait").length;
  const tcp = socketsOf(host, "tcp").length - waiting;
  const tcp6 = socketsOf(host, "tcp6").length;
  const udp = socketsOf(host, "udp").length;
  const used = (host.sockets ?? []).length - waiting + KERNEL_NETLINK.length;
  return (
    `sockets: used ${used}\nTCP: inuse ${tcp} orphan 0 tw ${waiting} alloc ${tcp + tcp6} mem ${tcp + tcp6}\n` +
    `UDP: inuse ${udp} mem ${udp}\nUDPLITE: inuse 0\nRAW: inuse ${socketsOf(host, "raw").length}\n` +
    "FRAG: inuse 0 memory 0\n"
  );
}

export function sockstat6Text(host: HostView): string {
  const count = (family: HostSocket["family"]): number => socketsOf(host, family).length;
  return (
    `TCP6: inuse ${count("tcp6")}\nUDP6: inuse ${count("udp6")}\nUDPLITE6: inuse 0\n` +
    `RAW6: inuse ${count("raw6")}\nFRAG6: inuse 0 memory 0\n`
  );
}

const PROTOCOL_FAMILIES: Readonly<Record<string, HostSocket["family"]>> = {
  PACKET: "packet",
  RAWv6: "raw6",
  UDPv6: "udp6",
  TCPv6: "tcp6",
  "UNIX-STREAM": "unix",
  RAW: "raw",
  UDP: "udp",
  TCP: "tcp",
};

/** net/protocols (proto_seq_show). */
export function protocolsText(host: HostView): string {
  let text = texts.PROTOCOLS_HEADER;
  for (const [name, size, memory, header, slab, methods] of texts.PROTOCOLS) {
    const family = PROTOCOL_FAMILIES[name];
    const own = name === "NETLINK" ? KERNEL_NETLINK.length + socketsOf(host, "netlink").length : 0;
    const sockets = family === undefined ? own : socketsOf(host, family).length;
    const press = memory >= 0 && /^TCP/.test(name) ? "no" : "NI";
    text += `${name.padEnd(9)} ${String(size).padStart(4)} ${String(sockets).padStart(6)}  ${String(memory).padStart(6)}`;
    text += `   ${press.padEnd(2)} ${String(header).padStart(5)}   ${slab.padEnd(3)}  ${"kernel".padEnd(10)}`;
    text += ` ${methods.split(" ").join("  ")}\n`;
  }
  return text;
}
