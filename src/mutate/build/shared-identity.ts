/** Credentials, limits and namespaces: one object for all processes of a group, as after fork. */
import { setGroups } from "../../kernel/cred.ts";
import { getCred, putCred } from "../../kernel/cred.ts";
import { Cache } from "../../kernel/caches.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { CRED, NSPROXY, RLIMITS, RLIM_INFINITY } from "../../kernel/layout.ts";
import { rlimitsGet, rlimitsNew, rlimitsPut } from "../../kernel/limits.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { refcountDecAndTest, refcountInc } from "../../sync/refcount.ts";
import type { CapabilitySet, Exact, Group, LimitName } from "../scenario-types.ts";
import { hashBetween } from "./hash.ts";

/** In the order of their RLIMIT_* numbers. */
export const LIMIT_NAMES: readonly LimitName[] = [
  "cpu",
  "fsize",
  "data",
  "stack",
  "core",
  "rss",
  "nproc",
  "nofile",
  "memlock",
  "as",
  "locks",
  "sigpending",
  "msgqueue",
  "nice",
  "rtprio",
  "rttime",
];

/** Fields of NSPROXY by the names of ns/. */
const NAMESPACES: readonly (readonly [string, number])[] = [
  ["net", NSPROXY.net],
  ["uts", NSPROXY.uts],
  ["ipc", NSPROXY.ipc],
  ["pid", NSPROXY.pid],
  ["pid_for_children", NSPROXY.pidForChildren],
  ["user", NSPROXY.user],
  ["mnt", NSPROXY.mnt],
  ["cgroup", NSPROXY.cgroup],
  ["time", NSPROXY.time],
  ["time_for_children", NSPROXY.timeForChildren],
];

/** Inode numbers of namespaces that are not the initial ones. */
const FIRST_NAMESPACE = 4_026_532_200;
const LAST_NAMESPACE = 4_026_560_000;

/** Makes each object once; holds a reference to each until {@link SharedIdentity.release}. */
export class SharedIdentity {
  private readonly k: Kernel;
  private readonly creds = new Map<number, Ptr>();
  private readonly limits = new Map<number, Ptr>();
  private readonly namespaces = new Map<string, Ptr>();
  private readonly namespaceOf = new Map<number, Ptr>();

  constructor(k: Kernel) {
    this.k = k;
  }

  /** A reference to the credentials of a group's processes. */
  cred(group: Group): Ptr {
    let cred = this.creds.get(group.index);
    if (cred === undefined) {
      cred = newCred(this.k, group);
      this.creds.set(group.index, cred);
    }
    return getCred(this.k, cred);
  }

  /** A reference to the limits of a group's processes. */
  rlimits(group: Group): Ptr {
    let limits = this.limits.get(group.index);
    if (limits === undefined) {
      limits = newLimits(this.k, group);
      this.limits.set(group.index, limits);
    }
    return rlimitsGet(this.k, limits);
  }

  /** A reference to a group's namespaces, or NULL if they are those of its parent. */
  nsproxy(group: Group, initial: Ptr): Ptr {
    let nsproxy = this.namespaceOf.get(group.index);
    if (nsproxy === undefined) {
      nsproxy = this.sharedNamespaces(group, initial);
      this.namespaceOf.set(group.index, nsproxy);
    }
    if (nsproxy !== 0) refcountInc(this.k.m, nsproxy + NSPROXY.count);
    return nsproxy;
  }

  /** Groups in the same namespaces have the same object; its reference stays with the cache. */
  private sharedNamespaces(group: Group, initial: Ptr): Ptr {
    const links = namespaceInodes(group);
    if (links.size === 0) return 0;
    const key = JSON.stringify([...links]);
    const known = this.namespaces.get(key);
    if (known !== undefined) return known;
    const made = newNamespaces(this.k, initial, links);
    this.namespaces.set(key, made);
    return made;
  }

  /** Drops the references that this object itself holds. */
  release(): void {
    const { k } = this;
    for (const cred of this.creds.values()) putCred(k, cred);
    for (const limits of this.limits.values()) rlimitsPut(k, limits);
    for (const nsproxy of this.namespaces.values()) {
      if (refcountDecAndTest(k.m, nsproxy + NSPROXY.count)) k.slab.freeRcu(nsproxy);
    }
    this.creds.clear();
    this.limits.clear();
    this.namespaces.clear();
    this.namespaceOf.clear();
  }
}

function newCred(k: Kernel, group: Group): Ptr {
  const { m } = k;
  const cred = k.slab.alloc(Cache.cred);
  m.plainStore(cred + CRED.usage, 1);
  const [uid, euid, suid, fsuid] = group.uids;
  const [gid, egid, sgid, fsgid] = group.gids;
  const ids: [number, number][] = [
    [CRED.uid, uid],
    [CRED.euid, euid],
    [CRED.suid, suid],
    [CRED.fsuid, fsuid],
    [CRED.gid, gid],
    [CRED.egid, egid],
    [CRED.sgid, sgid],
    [CRED.fsgid, fsgid],
  ];
  for (const [field, id] of ids) m.plainStore(cred + field, id | 0);
  storeSet(k, cred + CRED.capInheritable, group.caps.inheritable);
  storeSet(k, cred + CRED.capPermitted, group.caps.permitted);
  storeSet(k, cred + CRED.capEffective, group.caps.effective);
  storeSet(k, cred + CRED.capBset, group.caps.bounding);
  storeSet(k, cred + CRED.capAmbient, group.caps.ambient);
  setGroups(k, cred, group.groups);
  m.plainStore(cred + CRED.sigQueued, queuedElsewhere(group.exact));
  return cred;
}

/** The first number of SigQ, less the signals that the process itself has pending. */
function queuedElsewhere(exact: Exact | null): number {
  if (exact === null) return 0;
  const own = bits(exact.status["ShdPnd"]) + bits(exact.threads[0]?.status["SigPnd"]);
  return Math.max(0, Number.parseInt(exact.status["SigQ"] ?? "0", 10) - own);
}

/** Bits of a hexadecimal set. */
function bits(text: string | undefined): number {
  let count = 0;
  for (const digit of text ?? "") {
    for (let value = Number.parseInt(digit, 16) || 0; value > 0; value >>= 1) count += value & 1;
  }
  return count;
}

function storeSet(k: Kernel, at: Ptr, [low, high]: CapabilitySet): void {
  k.m.plainStore(at, low | 0);
  k.m.plainStore(at + 1, high | 0);
}

function newLimits(k: Kernel, group: Group): Ptr {
  const limits = rlimitsNew(k);
  for (let i = 0; i < LIMIT_NAMES.length; i++) {
    const { soft, hard } = group.limits[LIMIT_NAMES[i] as LimitName];
    k.m.plainStore64(limits + RLIMITS.limits + 4 * i, finite(soft));
    k.m.plainStore64(limits + RLIMITS.limits + 4 * i + 2, finite(hard));
  }
  return limits;
}

function finite(limit: number): number {
  return Math.min(limit, RLIM_INFINITY);
}

/** Inode by field of NSPROXY, of those namespaces that the group says something about. */
function namespaceInodes(group: Group): Map<number, number> {
  const inodes = new Map<number, number>();
  for (const [kind, field] of NAMESPACES) {
    const link = group.exact?.ns[kind];
    const label = group.namespaces[kind] ?? group.namespaces[kind.replace("_for_children", "")];
    if (link !== undefined) inodes.set(field, Number(/\[(\d+)\]/.exec(link)?.[1] ?? 0));
    else if (label !== undefined) {
      const key = `${kind.replace("_for_children", "")} ${label}`;
      inodes.set(field, hashBetween(key, FIRST_NAMESPACE, LAST_NAMESPACE));
    }
  }
  return inodes;
}

function newNamespaces(k: Kernel, initial: Ptr, inodes: ReadonlyMap<number, number>): Ptr {
  const { m } = k;
  const nsproxy = k.slab.alloc(Cache.nsproxy);
  m.plainStore(nsproxy + NSPROXY.count, 1);
  for (const [, field] of NAMESPACES)
    m.plainStore(nsproxy + field, (inodes.get(field) ?? m.loadU32(initial + field)) | 0);
  return nsproxy;
}
