/** Mounts of ours, as seen by another process: finding one, and the server behind it. */
import { readdirSync, readFileSync } from "node:fs";
import { errorCode } from "../errors.ts";
import { connectionOf, isFuse, mountAt } from "../mountinfo.ts";
import type { MountRecord } from "../mountinfo.ts";
import { realMountPath } from "../mount-point.ts";
import { MOUNT_NAME } from "../options.ts";
import { EXIT } from "./exit-codes.ts";
import { CommandError } from "./failure.ts";

export interface OurMount {
  /** Absolute path without symbolic links. */
  dir: string;
  record: MountRecord;
}

/** @throws CommandError if nothing of ours is mounted there. */
export function findOurMount(given: string): OurMount {
  const dir = realPath(given);
  const record = mountAt(dir);
  if (record === null) {
    throw new CommandError(EXIT.mountPoint, `nothing is mounted on ${given}`);
  }
  if (!isFuse(record) || record.source !== MOUNT_NAME) {
    throw new CommandError(EXIT.mountPoint, `${given} holds a mount of ${record.source} (${record.type}), not ours`);
  }
  return { dir, record };
}

function realPath(given: string): string {
  try {
    return realMountPath(given);
  } catch (error) {
    throw new CommandError(EXIT.mountPoint, `${given} cannot be reached (${errorCode(error)})`, { cause: error });
  }
}

/**
 * Processes that hold the device of a mount open. Kernels that don't say which connection a descriptor belongs to
 * give an empty list.
 */
export function serversOf(record: MountRecord): number[] {
  const wanted = new RegExp(`^fuse_connection:\\s*${connectionOf(record)}$`, "m");
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => holds(`/proc/${pid}/fdinfo`, wanted))
    .map(Number);
}

function holds(folder: string, wanted: RegExp): boolean {
  try {
    return readdirSync(folder).some((fd) => wanted.test(readFileSync(`${folder}/${fd}`, "latin1")));
  } catch (error) {
    // Processes and descriptors come and go while we look, and those of other users are not ours.
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(errorCode(error))) {
      return false;
    }
    throw error;
  }
}

/** True if there is such a process, zombies not counted. */
export function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(errorCode(error))) {
      return false;
    }
    throw error;
  }
}
