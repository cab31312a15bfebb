/**
 * A private /proc: a command runs in a mount namespace of its own, in which the simulation is bound over /proc and the
 * real proc is kept at a hidden place, for links to the callers' own processes.
 *
 * Nothing of this is visible outside of the namespace, and it ends with the last process in it.
 */
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The folders of one private /proc. */
export interface PrivatePlaces {
  readonly base: string;
  /** Where the simulation is to be mounted. */
  readonly simulation: string;
  /** Where the command finds the real proc. */
  readonly real: string;
}

/** Makes the folders, empty, with a name that no one else has. */
export function makePrivatePlaces(): PrivatePlaces {
  const base = mkdtempSync(join(tmpdir(), "synthproc-"));
  const places = { base, simulation: join(base, "proc"), real: join(base, "real") };
  // Whatever user the command turns into has to get through to the real proc.
  chmodSync(base, 0o755);
  mkdirSync(places.simulation);
  mkdirSync(places.real);
  return places;
}

/** Removes the folders. @pre nothing is mounted on them */
export function removePrivatePlaces(places: PrivatePlaces): void {
  for (const dir of [places.simulation, places.real, places.base]) rmdirSync(dir);
}

/**
 * The steps inside of the namespace. `exec` last, so that the command has the process that its starter waits for. The
 * shell has its whole program before /proc changes under it. Status 125: the namespace could not be set up.
 */
const SET_UP = 'mount --bind /proc "$1" && mount --bind "$2" /proc || exit 125; shift 2; exec "$@"';

/** Exit status of {@link startPrivately}'s child if the namespace could not be set up. */
export const PRIVATE_SETUP_FAILED = 125;

/**
 * Starts a command with the simulation as its /proc. Unless told otherwise it shares the terminal and the process group
 * of this process. As root in a new mount namespace; else also in a new user namespace in which the caller is root.
 */
export function startPrivately(
  places: PrivatePlaces,
  command: readonly string[],
  options: SpawnOptions = { stdio: "inherit" },
): ChildProcess {
  const namespace = process.getuid?.() === 0 ? ["-m"] : ["-Urm"];
  const args = [...namespace, "--propagation", "private", "sh", "-c", SET_UP, "sh", places.real, places.simulation];
  return spawn("unshare", [...args, ...command], options);
}
