/** Addresses as the files in net/ print them. */
import type { HostInterface, HostView } from "../host-view.ts";

/** An address and a port. */
export interface Endpoint {
  /** As hexadecimal digits, in the file's byte order. */
  readonly hex: string;
  readonly port: number;
}

const V4_NONE = "00000000";
const V6_NONE = "00000000000000000000000000000000";

/** Each 32-bit word with its bytes reversed: how a little-endian kernel prints addresses in network order. */
function reversed(bytes: readonly number[]): string {
  let text = "";
  for (let word = 0; word < bytes.length; word += 4) {
    for (let i = 3; i >= 0; i--) text += bytes[word + i]!.toString(16).padStart(2, "0");
  }
  return text.toUpperCase();
}

/** Four bytes of a dotted quad; zeros if it is none. */
function ipv4Bytes(address: string): number[] {
  const parts = address.split(".").map(Number);
  return parts.length === 4 && parts.every((part) => part >= 0 && part <= 255) ? parts : [0, 0, 0, 0];
}

/** Sixteen bytes of an IPv6 address, which may have `::` and end in a dotted quad. */
function ipv6Bytes(address: string): number[] {
  const quad = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address);
  if (quad !== null) {
    const [a, b, c, d] = ipv4Bytes(quad[2]!) as [number, number, number, number];
    return ipv6Bytes(`${quad[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`);
  }
  const [head = "", tail = ""] = address.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === "" ? [] : tail.split(":");
  const middle = new Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0");
  const words = [...front, ...middle, ...back].slice(0, 8).map((part) => parseInt(part, 16) || 0);
  return words.flatMap((part) => [part >> 8, part & 255]);
}

export function ipv4Hex(address: string): string {
  return reversed(ipv4Bytes(address));
}

/** Splits `ADDRESS:PORT`; an IPv4 address among IPv6 ones is mapped. */
export function endpoint(text: string, six: boolean): Endpoint {
  const match = /^\[?(.*?)\]?(?::(\d+|\*))?$/.exec(text);
  const address = match?.[1] ?? "";
  const port = Number(match?.[2] ?? 0) || 0;
  if (address === "" || address === "*") return { hex: six ? V6_NONE : V4_NONE, port };
  if (!six) return { hex: ipv4Hex(address), port };
  const full = address.includes(":") ? address : `::ffff:${address}`;
  return { hex: reversed(ipv6Bytes(full)), port };
}

/** 32 bits that look random and belong to a number: what %p prints of a pointer. */
export function hashed(value: number): string {
  let x = (value ^ 0x5bd1e995) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0;
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0;
  return `00000000${((x ^ (x >>> 15)) >>> 0).toString(16).padStart(8, "0")}`;
}

/** Six bytes of an interface's hardware address, as in virtual machines. */
export function hardwareAddress(name: string): number[] {
  let sum = 17;
  for (let i = 0; i < name.length; i++) sum = (sum * 31 + name.charCodeAt(i)) & 0xffffff;
  return [0x52, 0x54, 0x00, sum >> 16, (sum >> 8) & 255, sum & 255];
}

export function colonHex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Sixteen bytes of the link-local address that follows from the hardware address (EUI-64). */
export function linkLocal(name: string): number[] {
  const [a, b, c, d, e, f] = hardwareAddress(name) as [number, number, number, number, number, number];
  return [0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f];
}

export function plainHex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Interfaces with an IPv4 address other than loopback; their networks are /24. */
export function addressed(host: HostView): HostInterface[] {
  return host.interfaces.filter((one) => one.name !== "lo" && one.address !== "");
}

/** The first three bytes of an address, and a last one. */
export function inNetwork(address: string, last: number): string {
  return [...ipv4Bytes(address).slice(0, 3), last].join(".");
}

/** ifindex: 1 is lo, the others follow. */
export function interfaceIndex(host: HostView, name: string): number {
  if (name === "lo") return 1;
  const others = host.interfaces.filter((one) => one.name !== "lo");
  return 2 + others.findIndex((one) => one.name === name);
}
