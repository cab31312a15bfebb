/**
 * Node ids: 64 bits that say all about a node, so that any thread can serve it and nothing has to be remembered.
 *
 *     bits of the high half           bits of the low half
 *     tag 4                                                    0: only 0:1, the root
 *     row    | row 12, generation 16  | generation 10, tid 22  a file or directory of the tables
 *     fd     | fd 20, generation 8    | generation 10, tid 22  an entry of fd/ or fdinfo/, of a process or a thread
 *     map    | page 28                | page 7, generation 3, tid 22   an entry of map_files/, by its first page
 *     target | kind 4, -, tid 22      | inode 32               what a link of fd/ or ns/ leads to
 *     own    | -                      | pid 32                 the link that a caller's own pid is
 *
 * A generation is the low bits of the pid's (see kernel/pid.ts); rows outside of process directories have tid 0, and in
 * place of it nothing, or a number that tells look-ups of one row apart (Row.separate).
 */
import { ROOT_INODE } from "./inode.ts";

/** What a node id stands for. */
export const Tag = {
  invalid: 0,
  row: 1,
  fd: 2,
  fdOfThread: 3,
  fdinfo: 4,
  fdinfoOfThread: 5,
  map: 6,
  target: 7,
  own: 8,
} as const;
export type TagId = (typeof Tag)[keyof typeof Tag];

/** Most rows that the tables can have together. */
export const MAX_ROWS = 4096;
/** Largest file descriptor + 1 that an id can hold. */
export const MAX_FD = 1 << 20;
/** First address that an id of map_files can't hold. */
export const MAP_LIMIT = 2 ** 47;

const TID_BITS = 22;
const TID_MASK = 0x3fffff;
const PAGE = 4096;

/** Number of the row of the root directory. */
export const ROOT_ROW = 0;

const ROW_GENERATION = 0x3ffffff;
const FD_GENERATION = 0x3ffff;
const MAP_GENERATION = 0x7;

/** Where an encoded id goes: both halves unsigned. */
export interface NodeHalves {
  nodeHi: number;
  nodeLo: number;
}

/** A decoded id; reused. */
export class NodeId {
  tag: TagId = Tag.invalid;
  /** Row number, or the kind of a target. */
  row = 0;
  tid = 0;
  /** Low bits of the generation, and which of them count. */
  generation = 0;
  generationMask = 0;
  /** File descriptor, first address of a mapping, or inode number of a target. */
  index = 0;
}

/** A file or directory of the tables. */
export function encodeRow(out: NodeHalves, row: number, tid: number, generation: number): void {
  if (row === ROOT_ROW) {
    out.nodeHi = 0;
    out.nodeLo = ROOT_INODE;
    return;
  }
  out.nodeHi = ((Tag.row << 28) | (row << 16) | ((generation >>> 10) & 0xffff)) >>> 0;
  out.nodeLo = (((generation & 0x3ff) << TID_BITS) | tid) >>> 0;
}

/** An entry of fd/ or fdinfo/. */
export function encodeFd(out: NodeHalves, tag: TagId, fd: number, tid: number, generation: number): void {
  out.nodeHi = ((tag << 28) | (fd << 8) | ((generation >>> 10) & 0xff)) >>> 0;
  out.nodeLo = (((generation & 0x3ff) << TID_BITS) | tid) >>> 0;
}

/** An entry of map_files/, by the address at which the mapping starts. */
export function encodeMap(out: NodeHalves, address: number, tid: number, generation: number): void {
  const page = address / PAGE;
  const high = Math.floor(page / 128);
  out.nodeHi = ((Tag.map << 28) | high) >>> 0;
  out.nodeLo = (((page - high * 128) << 25) | ((generation & MAP_GENERATION) << TID_BITS) | tid) >>> 0;
}

/** What a link leads to: kind is one of fd.ts's, `inode` that of the target. */
export function encodeTarget(out: NodeHalves, kind: number, inode: number, tid: number): void {
  out.nodeHi = ((Tag.target << 28) | (kind << 24) | tid) >>> 0;
  out.nodeLo = inode >>> 0;
}

/** The link that stands for the caller's own process. */
export function encodeOwn(out: NodeHalves, pid: number): void {
  out.nodeHi = (Tag.own << 28) >>> 0;
  out.nodeLo = pid >>> 0;
}

/** Takes an id apart; any 64 bits may come. @returns false if it is none that was ever given out */
export function decodeNode(hi: number, lo: number, out: NodeId): boolean {
  const tag = (hi >>> 28) as TagId;
  out.tag = tag;
  switch (tag) {
    case Tag.row:
      return decodeRow(hi, lo, out);
    case Tag.fd:
    case Tag.fdOfThread:
    case Tag.fdinfo:
    case Tag.fdinfoOfThread:
      return decodeFd(hi, lo, out);
    case Tag.map:
      return decodeMap(hi, lo, out);
    case Tag.target:
      return decodeTarget(hi, lo, out);
    case Tag.own:
      out.tid = 0;
      out.index = lo >>> 0;
      return (hi & 0xfffffff) === 0 && out.index !== 0;
    default:
      return decodeRoot(hi, lo, out);
  }
}

function decodeRoot(hi: number, lo: number, out: NodeId): boolean {
  if (hi !== 0 || lo !== ROOT_INODE) return false;
  out.tag = Tag.row;
  out.row = ROOT_ROW;
  out.tid = 0;
  return true;
}

function decodeRow(hi: number, lo: number, out: NodeId): boolean {
  out.row = (hi >>> 16) & 0xfff;
  out.tid = lo & TID_MASK;
  out.generation = ((hi & 0xffff) << 10) | (lo >>> TID_BITS);
  out.generationMask = ROW_GENERATION;
  return out.row !== ROOT_ROW;
}

function decodeFd(hi: number, lo: number, out: NodeId): boolean {
  out.index = (hi >>> 8) & 0xfffff;
  out.tid = lo & TID_MASK;
  out.generation = ((hi & 0xff) << 10) | (lo >>> TID_BITS);
  out.generationMask = FD_GENERATION;
  return out.tid !== 0;
}

function decodeMap(hi: number, lo: number, out: NodeId): boolean {
  out.index = ((hi & 0xfffffff) * 128 + (lo >>> 25)) * PAGE;
  out.tid = lo & TID_MASK;
  out.generation = (lo >>> TID_BITS) & MAP_GENERATION;
  out.generationMask = MAP_GENERATION;
  return out.tid !== 0;
}

function decodeTarget(hi: number, lo: number, out: NodeId): boolean {
  out.row = (hi >>> 24) & 0xf;
  out.tid = hi & TID_MASK;
  out.index = lo >>> 0;
  return out.tid !== 0 && (hi & 0xc00000) === 0;
}
