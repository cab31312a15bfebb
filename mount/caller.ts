/**
 * Who is asking: what FUSE does not say about a caller, read from the real /proc of this machine.
 *
 * An answer is kept for {@link KEEP_MS}, because a tool that walks the tree asks thousands of times. The key holds uid
 * and gid, which come fresh with every request, so setuid(2) counts at once; dropping capabilities or groups without
 * changing either counts after that time.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { performance } from "node:perf_hooks";
import type { Caller, CallerFacts } from "../src/proc/vfs.ts";
import { errorCode } from "./errors.ts";

const KEEP_MS = 50;
const CACHED = 16;
/** Generations that are looked through for an ancestor. */
const MOST_ANCESTORS = 12;

/** What /proc/<pid>/status says. Capabilities are halves: low, high. */
export interface RealStatus {
  tgid: number;
  ppid: number;
  /** User and group; null if the process is gone. */
  real: readonly [uid: number, gid: number] | null;
  effective: readonly [number, number];
  permitted: readonly [number, number];
  groups: readonly number[];
}

interface Entry {
  pid: number;
  uid: number;
  gid: number;
  readAt: number;
  status: RealStatus;
}

/** A caller that is gone, or whose pid this pid namespace cannot name: no rights beyond its uid and gid. */
const NOBODY: RealStatus = { tgid: 0, ppid: 0, real: null, effective: [0, 0], permitted: [0, 0], groups: [] };

/** Parses the text of /proc/<pid>/status. */
function parseStatus(text: string): RealStatus {
  const field = (name: string): string => new RegExp(`^${name}:[\\t ]*(.*)$`, "m").exec(text)?.[1] ?? "";
  const capabilities = (name: string): readonly [number, number] => {
    const digits = field(name).padStart(16, "0");
    return [parseInt(digits.slice(8), 16) || 0, parseInt(digits.slice(0, 8), 16) || 0];
  };
  const groups = field("Groups").split(" ").filter(Boolean).map(Number);
  return {
    tgid: Number(field("Tgid")) || 0,
    ppid: Number(field("PPid")) || 0,
    real: [parseInt(field("Uid"), 10), parseInt(field("Gid"), 10)],
    effective: capabilities("CapEff"),
    permitted: capabilities("CapPrm"),
    groups,
  };
}

/** CallerFacts of the machine that this runs on. One per thread. */
export class RealCallers implements CallerFacts {
  private readonly procRoot: string;
  private readonly now: () => number;
  private readonly buffer = Buffer.alloc(16384);
  private readonly entries: Entry[] = [];
  private next = 0;

  /**
   * @param procRoot where the real proc is mounted (it may be hidden from others by the simulation)
   * @param now milliseconds
   */
  constructor(procRoot = "/proc", now: () => number = () => performance.now()) {
    this.procRoot = procRoot;
    this.now = now;
  }

  tgid(pid: number): number {
    return this.find(pid, -1, -1).tgid;
  }

  descends(pid: number, ancestor: number): boolean {
    let at = this.find(pid, -1, -1).ppid;
    for (let level = 0; at > 1 && level < MOST_ANCESTORS; level++) {
      if (at === ancestor) return true;
      at = this.find(at, -1, -1).ppid;
    }
    return false;
  }

  effective(caller: Caller): readonly [number, number] {
    return this.find(caller.pid, caller.uid, caller.gid).effective;
  }

  permitted(caller: Caller): readonly [number, number] {
    return this.find(caller.pid, caller.uid, caller.gid).permitted;
  }

  realIds(caller: Caller): readonly [uid: number, gid: number] | null {
    return this.find(caller.pid, caller.uid, caller.gid).real;
  }

  groups(caller: Caller): readonly number[] {
    return this.find(caller.pid, caller.uid, caller.gid).groups;
  }

  private find(pid: number, uid: number, gid: number): RealStatus {
    const now = this.now();
    for (const entry of this.entries) {
      if (entry.pid === pid && entry.uid === uid && entry.gid === gid && now - entry.readAt < KEEP_MS) {
        return entry.status;
      }
    }
    const status = this.read(pid);
    this.entries[this.next] = { pid, uid, gid, readAt: now, status };
    this.next = (this.next + 1) % CACHED;
    return status;
  }

  private read(pid: number): RealStatus {
    if (pid === 0) return NOBODY;
    try {
      const fd = openSync(`${this.procRoot}/${pid}/status`, "r");
      try {
        return parseStatus(this.buffer.toString("latin1", 0, readSync(fd, this.buffer)));
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      // The caller was killed while its request was under way.
      if (errorCode(error) === "ENOENT" || errorCode(error) === "ESRCH") return NOBODY;
      throw error;
    }
  }
}
