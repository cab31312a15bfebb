/** What mountFileSystem() takes and gives. */
import { availableParallelism } from "node:os";
import { endianness } from "node:os";
import { MountError } from "./errors.ts";
import { allocateNotifyRing } from "./notify.ts";
import type { WakeWord } from "./parking.ts";
import { ParkingLot, allocateParkingLot } from "./parking.ts";
import type { TransportName } from "./transport/transport.ts";
import { TRANSPORTS } from "./transport/transport.ts";

/** Where messages for people go; pino and console both fit. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/**
 * Shared memory of a mount that other threads of the program may want before there is a mount: the simulation's
 * threads put names that became wrong into the ring, and raise the wake word when they release a lock.
 */
export interface MountShared {
  lot: SharedArrayBuffer;
  ring: SharedArrayBuffer;
  wake: WakeWord;
}

/** @param wake a word of the caller's own to use as the wake word, such as one in the simulation's arena */
export function createMountShared(wake?: WakeWord): MountShared {
  const lot = allocateParkingLot();
  return { lot, ring: allocateNotifyRing(), wake: wake ?? new ParkingLot(lot).wakeWord };
}

export interface MountOptions {
  /** Existing directory to mount on. */
  dir: string;
  /** URL of a module that exports createFileSystem(data, context); see file-system-module.ts. */
  fileSystemModule: string | URL;
  /** Handed to createFileSystem in each thread; must be cloneable. */
  data?: unknown;
  /** Serving threads; default: one per CPU, at most 4. */
  workers?: number;
  transport?: TransportName;
  /** What /proc/mounts calls the source; also how a dead mount of ours is recognised. Default "synthproc". */
  name?: string;
  /** Logs one line a request at level debug. */
  debug?: boolean;
  logger?: Logger;
  /** Records every message in this file (direct transport only). */
  record?: string;
  /** Where the real proc is mounted. Default "/proc". */
  procRoot?: string;
  shared?: MountShared;
  readdirPlus?: "never" | "auto" | "always";
  /** Milliseconds that clients get to leave a busy mount before its connection is aborted. Default 2000. */
  graceMs?: number;
  /** A process that unmounts if this one is killed. Default true (direct transport only). */
  watchdog?: boolean;
  /** Further options for mount(8), such as "ro". */
  mountOptions?: readonly string[];
}

export type MountPlan = Required<Omit<MountOptions, "fileSystemModule">> & { fileSystemModule: string };

/** Numbers about a mount. */
export interface MountStats {
  /** Messages by opcode name. */
  messages: Record<string, number>;
  /** Requests that wait for a lock now, that ever did, and that found no room to wait. */
  waiting: number;
  parked: number;
  parkingRefused: number;
  /** Notifications that did not fit the ring. */
  notificationsDropped: number;
}

export interface MountedFileSystem {
  /** Absolute path of the mount point. */
  readonly dir: string;
  readonly transport: "dev" | "fuse-native";
  /** Why this transport: one clause. */
  readonly why: string;
  /** Minor version of the kernel's FUSE protocol; 0 if the transport does not say. */
  readonly kernelMinor: number;
  stats(): MountStats;
  /**
   * Takes the mount down and ends every thread. A busy mount is detached at once, and its connection aborted after the
   * grace time. May be called again; all calls end together.
   * @throws MountError ESYNTH_UNMOUNT_FAILED
   */
  unmount(): Promise<void>;
  /** Resolves once nothing is mounted and no thread serves any more, whoever unmounted. Never rejects. */
  readonly closed: Promise<void>;
}

/** What /proc/mounts calls the source of our mounts. */
export const MOUNT_NAME = "synthproc";

function silent(): void {
  // A library says nothing unless it is given somewhere to say it.
}

/** A logger that drops everything. */
export const SILENT: Logger = { debug: silent, info: silent, warn: silent, error: silent };
const MAX_WORKERS = 64;

/** Serving threads if nobody says how many: one per CPU, at most four. */
export function defaultWorkers(): number {
  return Math.min(4, availableParallelism());
}

/** Fills in defaults. @throws MountError ESYNTH_OPTION */
export function checkOptions(options: MountOptions): MountPlan {
  const workers = options.workers ?? defaultWorkers();
  const wrong = (what: string): MountError => new MountError("ESYNTH_OPTION", what);
  if (!Number.isInteger(workers) || workers < 1 || workers > MAX_WORKERS) {
    throw wrong(`The number of workers must be 1 to ${MAX_WORKERS}, not ${workers}.`);
  }
  const transport = options.transport ?? "auto";
  if (!TRANSPORTS.includes(transport)) {
    throw wrong(`Unknown transport "${transport}"; there are ${TRANSPORTS.join(", ")}.`);
  }
  const name = options.name ?? MOUNT_NAME;
  if (name === "" || /[\s,\\]/.test(name)) throw wrong(`The name "${name}" may hold no blanks, commas or backslashes.`);
  if (endianness() !== "LE") throw wrong("Only little-endian machines are supported.");
  return {
    dir: options.dir,
    fileSystemModule: String(options.fileSystemModule),
    data: options.data,
    workers,
    transport,
    name,
    debug: options.debug ?? false,
    logger: options.logger ?? SILENT,
    record: options.record ?? "",
    procRoot: options.procRoot ?? "/proc",
    shared: options.shared ?? createMountShared(),
    readdirPlus: options.readdirPlus ?? "auto",
    graceMs: options.graceMs ?? 2000,
    watchdog: options.watchdog ?? true,
    mountOptions: options.mountOptions ?? [],
  };
}
