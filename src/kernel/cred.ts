/** Credentials: immutable once a task points at them, replaced as a whole, freed after a grace period. */
import { bytesGet, bytesPut } from "../shm/bytes.ts";
import { HEADER_WORDS } from "../shm/struct.ts";
import type { Ptr } from "../sync/atomics.ts";
import { refcountDecAndTest, refcountInc } from "../sync/refcount.ts";
import { Cache } from "./caches.ts";
import { SUID_DUMP_DISABLE } from "./flags.ts";
import type { Kernel } from "./kernel.ts";
import { CRED, MM, TASK } from "./layout.ts";

/** All 41 capabilities of this kernel (CAP_LAST_CAP 40), as two halves. */
const CAP_FULL_LOW = 0xffffffff | 0;
const CAP_FULL_HIGH = 0x1ff;

/** New credentials of root with all capabilities; one reference. */
export function rootCred(k: Kernel): Ptr {
  const cred = k.slab.alloc(Cache.cred);
  k.m.plainStore(cred + CRED.usage, 1);
  setCapabilities(k, cred, true);
  k.m.plainStore(cred + CRED.capBset, CAP_FULL_LOW);
  k.m.plainStore(cred + CRED.capBset + 1, CAP_FULL_HIGH);
  return cred;
}

/** Permitted and effective set all or nothing. @pre the credentials are not published */
export function setCapabilities(k: Kernel, cred: Ptr, full: boolean): void {
  for (const set of [CRED.capPermitted, CRED.capEffective]) {
    k.m.plainStore(cred + set, full ? CAP_FULL_LOW : 0);
    k.m.plainStore(cred + set + 1, full ? CAP_FULL_HIGH : 0);
  }
}

/** A private copy to change (prepare_creds); one reference. @pre RCU or a reference */
export function prepareCreds(k: Kernel, old: Ptr): Ptr {
  const { m } = k;
  const cred = k.slab.alloc(Cache.cred);
  for (let i = HEADER_WORDS; i < CRED.words; i++) m.plainStore(cred + i, m.load(old + i));
  m.plainStore(cred + CRED.usage, 1);
  bytesGet(m, m.load(old + CRED.groups));
  return cred;
}

/** Sets all four user ids. @pre the credentials are not published */
export function setUids(k: Kernel, cred: Ptr, uid: number): void {
  for (const field of [CRED.uid, CRED.suid, CRED.euid, CRED.fsuid]) k.m.plainStore(cred + field, uid);
}

/** Sets all four group ids. @pre the credentials are not published */
export function setGids(k: Kernel, cred: Ptr, gid: number): void {
  for (const field of [CRED.gid, CRED.sgid, CRED.egid, CRED.fsgid]) k.m.plainStore(cred + field, gid);
}

/** Sets the supplementary groups. @pre the credentials are not published */
export function setGroups(k: Kernel, cred: Ptr, groups: readonly number[]): void {
  bytesPut(k.m, k.slab, k.m.load(cred + CRED.groups));
  const bytes = new Uint8Array(4 * groups.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (groups[i >> 2] as number) >>> (8 * (i & 3));
  k.m.plainStore(cred + CRED.groups, groups.length === 0 ? 0 : k.bytes(bytes));
}

/**
 * Makes a task use new credentials (commit_creds); takes over the reference. A change of the effective or file-system
 * ids, or more permitted capabilities, makes the process undumpable, before the new credentials show.
 */
export function commitCreds(k: Kernel, task: Ptr, cred: Ptr): void {
  const { m } = k;
  const old = m.load(task + TASK.cred);
  const mm = m.load(task + TASK.mm);
  if (mm !== 0 && losesDumpable(k, old, cred)) m.store(mm + MM.dumpable, SUID_DUMP_DISABLE);
  m.store(task + TASK.cred, cred);
  putCred(k, old);
}

function losesDumpable(k: Kernel, old: Ptr, cred: Ptr): boolean {
  const { m } = k;
  for (const field of [CRED.euid, CRED.egid, CRED.fsuid, CRED.fsgid]) {
    if (m.load(old + field) !== m.load(cred + field)) return true;
  }
  const gained = (at: number): number => m.load(cred + at) & ~m.load(old + at);
  return gained(CRED.capPermitted) !== 0 || gained(CRED.capPermitted + 1) !== 0;
}

/** Takes a reference. @returns its argument. */
export function getCred(k: Kernel, cred: Ptr): Ptr {
  refcountInc(k.m, cred + CRED.usage);
  return cred;
}

/** Drops a reference. */
export function putCred(k: Kernel, cred: Ptr): void {
  if (!refcountDecAndTest(k.m, cred + CRED.usage)) return;
  bytesPut(k.m, k.slab, k.m.load(cred + CRED.groups));
  k.slab.freeRcu(cred);
}
