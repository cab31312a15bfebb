/**
 * Errors of mounting and serving. Every one is a single sentence for a person and a stable code for a program.
 */

/** Stable codes of {@link MountError}. */
export const MOUNT_ERROR_CODES = [
  /** /dev/fuse is missing: the kernel module is not loaded, or the container was not given the device. */
  "ESYNTH_NO_FUSE",
  /** /dev/fuse or the mount itself is forbidden. */
  "ESYNTH_PERMISSION",
  /** The mount point does not exist. */
  "ESYNTH_NO_DIR",
  /** The mount point is not a directory. */
  "ESYNTH_NOT_DIR",
  /** Something is mounted there already. */
  "ESYNTH_BUSY",
  /** A dead mount that is not ours sits on the mount point. */
  "ESYNTH_STALE",
  /** mount(8) or umount(8) is not installed. */
  "ESYNTH_NO_MOUNT_PROGRAM",
  /** mount(8) failed for another reason; its message is part of ours. */
  "ESYNTH_MOUNT_FAILED",
  /** The kernel and this server could not agree (INIT), or INIT did not arrive. */
  "ESYNTH_PROTOCOL",
  /** A serving thread could not start. */
  "ESYNTH_THREAD",
  /** The transport that was asked for cannot work here. */
  "ESYNTH_NO_TRANSPORT",
  /** An option of mountFileSystem() makes no sense. */
  "ESYNTH_OPTION",
  /** A mount could not be taken down. */
  "ESYNTH_UNMOUNT_FAILED",
  /** The simulation refused a command. */
  "ESYNTH_COMMAND",
  /** Metrics cannot be served where they should be, such as on a port that is taken. */
  "ESYNTH_METRICS",
  /** A recording is damaged. */
  "ESYNTH_RECORDING",
] as const;

export type MountErrorCode = (typeof MOUNT_ERROR_CODES)[number];

/** What went wrong with a mount; `message` is one sentence, `code` never changes its meaning. */
export class MountError extends Error {
  readonly code: MountErrorCode;

  constructor(code: MountErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MountError";
    this.code = code;
  }
}

/** The `code` of a Node system error ("ENOENT"), or "" for anything else. */
export function errorCode(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

/** The message of whatever was thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
