/** The mount point before, during and after: what may be mounted on, stale mounts, mount(8), umount(8), abort. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { MountError, errorCode, errorText } from "./errors.ts";
import type { MountRecord } from "./mountinfo.ts";
import { connectionOf, isFuse, mountAt } from "./mountinfo.ts";

/** What a program said and how it ended. */
export interface ProgramResult {
  status: number;
  stderr: string;
}

/** Runs a program to its end, without blocking: it may well look at our own mount. `fd` becomes its descriptor 3. */
function runProgram(program: string, args: string[], fd?: number, timeoutMs = 10_000): Promise<ProgramResult> {
  return new Promise((done, reject) => {
    const stdio =
      fd === undefined ? (["ignore", "ignore", "pipe"] as const) : (["ignore", "ignore", "pipe", fd] as const);
    const child = spawn(program, args, { stdio: [...stdio] });
    // spawn's own timeout would keep this process from ending, for a program that was never started.
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    let stderr = "";
    child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.once("error", (error) => {
      clearTimeout(timer);
      if (errorCode(error) !== "ENOENT") reject(error);
      else reject(new MountError("ESYNTH_NO_MOUNT_PROGRAM", `${program}(8) is not installed (package mount).`));
    });
    child.once("close", (status) => {
      clearTimeout(timer);
      done({ status: status ?? 128, stderr: stderr.trim() });
    });
  });
}

/**
 * A directory's absolute path without symbolic links. A mount whose server is dead can't be looked at, but its parent can.
 * @throws what realpath(3) does
 */
export function realMountPath(dir: string): string {
  const absolute = resolve(dir);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (errorCode(error) !== "ENOTCONN") throw error;
    return join(realpathSync(dirname(absolute)), basename(absolute));
  }
}

/** As {@link realMountPath}, with a sentence for what is wrong. @throws MountError */
function realDirectory(dir: string): string {
  try {
    return realMountPath(dir);
  } catch (error) {
    if (errorCode(error) === "ENOENT") {
      throw new MountError("ESYNTH_NO_DIR", `The mount point ${dir} does not exist; create it first (mkdir ${dir}).`);
    }
    if (errorCode(error) === "ENOTDIR") {
      throw new MountError("ESYNTH_NOT_DIR", `The mount point ${dir} is not a directory.`);
    }
    throw new MountError("ESYNTH_PERMISSION", `The mount point ${dir} cannot be reached: ${errorText(error)}.`);
  }
}

/** True if the path answers as a mount without a server does. */
function isStale(dir: string): boolean {
  try {
    statSync(dir);
    return false;
  } catch (error) {
    return errorCode(error) === "ENOTCONN";
  }
}

export interface PreparedMountPoint {
  /** Absolute path without symbolic links. */
  dir: string;
  /** True if a dead mount of ours was cleared away. */
  clearedStale: boolean;
}

/**
 * Makes sure that the directory can be mounted on; clears a dead mount of ours.
 * @param name the fsname by which our own mounts are recognised
 * @throws MountError ESYNTH_NO_DIR, ESYNTH_NOT_DIR, ESYNTH_BUSY, ESYNTH_STALE, ESYNTH_PERMISSION
 */
export async function prepareMountPoint(given: string, name: string, procRoot: string): Promise<PreparedMountPoint> {
  const dir = realDirectory(given);
  const clearedStale = isStale(dir);
  if (clearedStale) await clearStale(dir, name, procRoot);
  if (!statSync(dir).isDirectory()) {
    throw new MountError("ESYNTH_NOT_DIR", `The mount point ${given} is not a directory.`);
  }
  const there = mountAt(dir, procRoot);
  if (there !== null) {
    throw new MountError(
      "ESYNTH_BUSY",
      `${given} is a mount point already (${there.type}, ${there.source}); unmount it or choose another directory.`,
    );
  }
  return { dir, clearedStale };
}

async function clearStale(dir: string, name: string, procRoot: string): Promise<void> {
  const there = mountAt(dir, procRoot);
  if (there === null || !isFuse(there) || there.source !== name) {
    const what = there === null ? "an unknown mount" : `a mount of ${there.source} (${there.type})`;
    throw new MountError("ESYNTH_STALE", `${dir} holds ${what} whose server is dead; clear it with umount -l ${dir}.`);
  }
  const result = await runProgram("umount", ["-i", "-l", "--", dir]);
  if (result.status !== 0) {
    throw new MountError("ESYNTH_STALE", `${dir} holds a dead mount of ours, but umount says: ${result.stderr}.`);
  }
}

/** What mount(8) and umount(8) say to those who may not. */
const NOT_PERMITTED = /permission denied|must be superuser|only root|operation not permitted/i;

/** Runs mount(8) on an open FUSE device. `options` come after those that FUSE needs. */
export async function mountDevice(fd: number, dir: string, name: string, options: readonly string[]): Promise<void> {
  const ids = `user_id=${process.getuid?.() ?? 0},group_id=${process.getgid?.() ?? 0}`;
  const all = ["fd=3", "rootmode=40555", ids, "allow_other", "nosuid", "nodev", "noexec", ...options].join(",");
  const result = await runProgram("mount", ["-i", "-t", "fuse", "-o", all, "--", name, dir], fd);
  if (result.status === 0) return;
  const said = result.stderr.replace(/\s*\n\s*/g, " ");
  if (NOT_PERMITTED.test(said)) {
    throw new MountError(
      "ESYNTH_PERMISSION",
      `Mounting on ${dir} is not permitted (${said}); run as root, or inside "unshare -Urm".`,
    );
  }
  if (/unknown filesystem type/i.test(said)) {
    throw new MountError("ESYNTH_NO_FUSE", `This kernel has no FUSE (${said}).`);
  }
  throw new MountError("ESYNTH_MOUNT_FAILED", `mount(8) failed on ${dir}: ${said}`);
}

/** How an unmount went. */
export type UnmountOutcome = "unmounted" | "busy" | "gone";

/** One try at a plain or lazy unmount of exactly this mount. */
export async function unmountOnce(
  dir: string,
  record: MountRecord,
  lazy: boolean,
  procRoot: string,
): Promise<UnmountOutcome> {
  if (mountAt(dir, procRoot)?.device !== record.device) return "gone";
  const result = await runProgram("umount", [...(lazy ? ["-l"] : []), "-i", "--", dir]);
  if (result.status === 0) return "unmounted";
  if (mountAt(dir, procRoot)?.device !== record.device) return "gone";
  if (/busy/i.test(result.stderr)) return "busy";
  if (NOT_PERMITTED.test(result.stderr)) {
    throw new MountError("ESYNTH_PERMISSION", `Unmounting ${dir} is not permitted (${result.stderr.trim()}).`);
  }
  throw new MountError("ESYNTH_UNMOUNT_FAILED", `umount(8) failed on ${dir}: ${result.stderr}`);
}

const CONNECTIONS = "/sys/fs/fuse/connections";
const LINGER_POLL_MS = 20;

/**
 * Waits for a detached mount's last user to leave.
 * @returns false if the connection still lives after `graceMs`
 */
export async function waitForConnectionEnd(record: MountRecord, graceMs: number): Promise<boolean> {
  await mountControl();
  const connection = `${CONNECTIONS}/${connectionOf(record)}`;
  const deadline = performance.now() + graceMs;
  while (existsSync(connection)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, LINGER_POLL_MS));
  }
  return true;
}

/**
 * Ends a FUSE connection: every waiting client gets an error, every serving thread an end. Mounts the control file
 * system where it is missing.
 * @returns false if the connection is gone already
 * @throws MountError ESYNTH_UNMOUNT_FAILED if there is no way to abort
 */
export async function abortConnection(record: MountRecord): Promise<boolean> {
  const connection = `${CONNECTIONS}/${connectionOf(record)}`;
  if (!existsSync(connection)) await mountControl();
  if (!existsSync(connection)) return false;
  try {
    writeFileSync(`${connection}/abort`, "1");
    return true;
  } catch (error) {
    if (errorCode(error) === "ENOENT") return false;
    throw new MountError("ESYNTH_UNMOUNT_FAILED", `${connection}/abort cannot be written: ${errorText(error)}.`);
  }
}

async function mountControl(): Promise<void> {
  if (mountAt(CONNECTIONS) !== null) return;
  const result = await runProgram("mount", ["-t", "fusectl", "fusectl", CONNECTIONS]);
  if (result.status === 0) return;
  throw new MountError("ESYNTH_UNMOUNT_FAILED", `${CONNECTIONS} cannot be mounted to abort with: ${result.stderr}.`);
}

/**
 * The last resort, when the process is already exiting and nothing asynchronous can run: detaches the mount, and aborts
 * the connection if somebody still uses it. Threads that sit in read(2) on the device would otherwise hold up the exit
 * for ever. What this cannot do is left to the watchdog.
 */
export function detachAtExit(dir: string, record: MountRecord, procRoot: string): void {
  if (mountAt(dir, procRoot)?.device !== record.device) return;
  spawnSync("umount", ["-l", "-i", "--", dir], { stdio: "ignore", timeout: 2000, killSignal: "SIGKILL" });
  const connection = `${CONNECTIONS}/${connectionOf(record)}`;
  if (existsSync(connection)) writeFileSync(`${connection}/abort`, "1");
}
