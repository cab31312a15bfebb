/** Open files and directories of the mount: made by open, found by their handle, gone with release. */
import { Cache } from "../../kernel/caches.ts";
import { HOST, OPEN_NODE_BUCKETS } from "../../kernel/layout.ts";
import { OPEN_FILE } from "../../kernel/open-file.ts";
import { ArenaFullError } from "../../shm/slab.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { NULL } from "../../sync/atomics.ts";
import type { RequestContext } from "./context.ts";
import type { NodeHalves } from "./node-id.ts";

/** A new open file, or NULL if the arena is full. */
export function openFileNew(c: RequestContext, hi: number, lo: number, flags: number): Ptr {
  const { m } = c.k;
  const file = allocate(c);
  if (file === NULL) return NULL;
  m.plainStore(file + OPEN_FILE.nodeHi, hi | 0);
  m.plainStore(file + OPEN_FILE.nodeLo, lo | 0);
  m.plainStore(file + OPEN_FILE.flags, flags);
  m.add(bucketOf(hi, lo), 1);
  return file;
}

function allocate(c: RequestContext): Ptr {
  try {
    return c.k.slab.alloc(Cache.openFile);
  } catch (error) {
    if (error instanceof ArenaFullError) return NULL;
    throw error;
  }
}

/** Ends an open file. Nobody else may be using it: the transport releases after everything else. */
export function openFileFree(c: RequestContext, file: Ptr): void {
  const { m, slab } = c.k;
  m.add(bucketOf(m.load(file + OPEN_FILE.nodeHi), m.load(file + OPEN_FILE.nodeLo)), -1);
  slab.free(file);
}

/** True if a handle from outside is an open file of this node. */
export function isOpenFile(c: RequestContext, handle: number, hi: number, lo: number): boolean {
  const { m, slab } = c.k;
  if (!slab.isAlive(handle, Cache.openFile)) return false;
  return m.load(handle + OPEN_FILE.nodeHi) === (hi | 0) && m.load(handle + OPEN_FILE.nodeLo) === (lo | 0);
}

/** The node of an open file. @returns false if the handle is none */
export function openFileNode(c: RequestContext, handle: number, out: NodeHalves): boolean {
  const { m, slab } = c.k;
  if (!slab.isAlive(handle, Cache.openFile)) return false;
  out.nodeHi = m.loadU32(handle + OPEN_FILE.nodeHi);
  out.nodeLo = m.loadU32(handle + OPEN_FILE.nodeLo);
  return true;
}

/** True if somebody may have the node open; false for sure if nobody has. */
export function mayBeOpen(c: RequestContext, hi: number, lo: number): boolean {
  return c.k.m.load(bucketOf(hi, lo)) > 0;
}

/**
 * True if the caller has just been told that the node is stale. Who came by a path then walks it anew, and ends
 * elsewhere; who comes back to the same node has it as its working directory, and has no other way.
 */
export function wasToldStale(c: RequestContext, hi: number, lo: number): boolean {
  const tid = c.subject.tid();
  if (tid === 0) return false;
  const signature = mix(hi, lo) ^ Math.imul(tid, 0x27d4eb2f);
  const at = HOST.toldStale + (signature & (OPEN_NODE_BUCKETS - 1));
  return c.k.m.exchange(at, signature) === signature;
}

function bucketOf(hi: number, lo: number): Ptr {
  return HOST.openNodes + (mix(hi, lo) & (OPEN_NODE_BUCKETS - 1));
}

function mix(hi: number, lo: number): number {
  const mixed = Math.imul(hi ^ Math.imul(lo, 0x9e3779b1), 0x85ebca6b);
  return mixed ^ (mixed >>> 16);
}
