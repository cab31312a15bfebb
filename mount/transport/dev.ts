/**
 * The direct transport: /dev/fuse, read and written by threads of this process, without native code.
 */
import { accessSync, constants, existsSync, openSync } from "node:fs";
import { EINTR, EIO, ENOMEM } from "../../src/kernel/errno.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { NULL } from "../../src/sync/atomics.ts";
import * as abi from "../abi.ts";
import type { Control } from "../control.ts";
import { MountError, errorCode, errorText } from "../errors.ts";
import { OLD_KERNEL_ENTRY_VALID } from "../notify.ts";
import type { ParkingLot } from "../parking.ts";
import { NO_REPLY } from "../session.ts";
import type { Session } from "../session.ts";
import type { RawIo } from "./raw-io.ts";
import { rawIo } from "./raw-io.ts";
import type { Recorder } from "./recording.ts";
import { ANSWER, REQUEST } from "./recording.ts";

export const FUSE_DEVICE = "/dev/fuse";

/** Why this process cannot open the device, or null if it can. */
export function deviceProblem(): string | null {
  try {
    accessSync(FUSE_DEVICE, constants.R_OK | constants.W_OK);
    return null;
  } catch (error) {
    return errorCode(error) === "ENOENT" ? `there is no ${FUSE_DEVICE}` : `${FUSE_DEVICE} may not be opened`;
  }
}

/** How often a thread looks whether the device has been mounted. */
const MOUNT_POLL_MS = 1;

/** No transport can do without the device. @throws MountError ESYNTH_NO_FUSE */
export function requireDevice(): void {
  if (existsSync(FUSE_DEVICE)) return;
  throw new MountError(
    "ESYNTH_NO_FUSE",
    `${FUSE_DEVICE} does not exist: load the fuse module (modprobe fuse), or give the container the device (--device ${FUSE_DEVICE}).`,
  );
}

/** Opens /dev/fuse; the descriptor is closed on exec. */
export function openFuse(): number {
  requireDevice();
  try {
    return openSync(FUSE_DEVICE, "r+");
  } catch (error) {
    const code = errorCode(error);
    if (code === "EACCES" || code === "EPERM") {
      throw new MountError("ESYNTH_PERMISSION", `${FUSE_DEVICE} may not be opened by this user.`, { cause: error });
    }
    throw new MountError("ESYNTH_NO_FUSE", `${FUSE_DEVICE} cannot be opened: ${errorText(error)}.`, { cause: error });
  }
}

/** Why a serving loop ended. */
export type ServeEnd = "unmounted" | "aborted" | "cancelled";

/** One thread's end of the device. */
export class FuseDevice {
  private readonly io: RawIo;
  private readonly recorder: Recorder | null;

  constructor(fd: number, recorder: Recorder | null = null) {
    this.io = rawIo(fd);
    this.recorder = recorder;
  }

  /** Blocks for a message. @returns its length, or 0 with the error in `lastError()` */
  receive(into: Uint8Array): number {
    const length = this.io.read(into, abi.REQUEST_BUFFER_SIZE);
    if (this.recorder !== null && length > 0) this.recorder.record(REQUEST, into, length);
    return length;
  }

  /** Sends one whole message. @returns 0, or the negated errno with its name in `lastError()` */
  send(bytes: Uint8Array, length: number): number {
    const result = this.io.write(bytes, length);
    if (this.recorder !== null && result === 0) this.recorder.record(ANSWER, bytes, length);
    return result;
  }

  lastError(): string {
    return this.io.code;
  }
}

/** Where a thread reports what nobody asked for. */
export type Complain = (sentence: string) => void;

/**
 * Sends the reply that lies in the session's buffer. ENOENT means that the request is no longer known (the connection
 * was aborted, or an INTERRUPT came too late): nothing is lost by dropping it.
 */
function sendReply(device: FuseDevice, session: Session, length: number, complain: Complain): void {
  const { reply } = session;
  if (device.send(reply.bytes, length) === 0) return;
  const code = device.lastError();
  if (code === "ENOENT" || code === "ENODEV" || code === "EPERM") return;
  complain(`the kernel refused a reply of ${length} bytes (${code})`);
  // A client would otherwise wait for ever.
  if (length > abi.OUT_HEADER_SIZE) device.send(reply.bytes, reply.status(-EIO));
}

/** Names are kept for as long as the file system says, unless the kernel cannot be told of changes. */
function adaptToKernel(session: Session, control: Control): void {
  if (control.kernelMinor() < abi.FUSE_MINOR_EPOCH) session.reply.maxEntryValid = OLD_KERNEL_ENTRY_VALID;
}

/** A serving thread's loop: receive, handle, reply, until the mount is gone. */
export function serve(
  device: FuseDevice,
  session: Session,
  lot: ParkingLot,
  control: Control,
  thread: number,
  complain: Complain,
): ServeEnd {
  const { request, fileSystem } = session;
  const bytes = request.bytes;
  let adapted = false;
  for (;;) {
    const length = device.receive(bytes);
    if (length === 0) {
      const end = afterError(device, control);
      if (end !== null) return end;
      continue;
    }
    // The first message is INIT; every later one comes after the kernel's version is known.
    if (!adapted && control.kernelMinor() !== 0) {
      adaptToKernel(session, control);
      adapted = true;
    }
    control.count(thread, request.opcode());
    fileSystem.busy();
    const size = session.handle(length);
    fileSystem.idle();
    if (size > 0) sendReply(device, session, size, complain);
    else if (size === WOULD_WAIT) park(device, session, lot, length, complain);
  }
}

function park(device: FuseDevice, session: Session, lot: ParkingLot, length: number, complain: Complain): void {
  const { words, bytes } = session.request;
  const low = words[abi.W_UNIQUE] as number;
  const high = words[abi.W_UNIQUE + 1] as number;
  if (lot.park(bytes, length, low, high, session.fileSystem.wait)) return;
  complain("no room to park a request that has to wait; answered with ENOMEM");
  sendReply(device, session, session.fail(ENOMEM), complain);
}

/** @returns why to end, or null to go on */
function afterError(device: FuseDevice, control: Control): ServeEnd | null {
  switch (device.lastError()) {
    case "ENODEV":
      return "unmounted";
    case "ECONNABORTED":
      return "aborted";
    case "EPERM":
      // Opened, but not mounted yet.
      if (control.isCancelled()) return "cancelled";
      control.waitForMount(MOUNT_POLL_MS);
      return null;
    case "ENOENT":
    case "EINTR":
    case "EAGAIN":
      // The request was taken back before it could be copied.
      return null;
    default:
      throw new MountError("ESYNTH_PROTOCOL", `Reading ${FUSE_DEVICE} failed: ${device.lastError()}.`);
  }
}

/** Least time between two vain looks at the requests that wait. */
const REST_MS = 1;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 64;

/** The slow lane's loop: tries parked requests again until the mount is gone. */
export function serveParked(
  device: FuseDevice,
  session: Session,
  lot: ParkingLot,
  control: Control,
  complain: Complain,
): void {
  let pause = FIRST_PAUSE_MS;
  let thorough = true;
  while (!control.stopped()) {
    const arrivals = lot.arrivals();
    const ticket = lot.ticket();
    if (lot.waiting() === 0) {
      lot.sleepUntilArrival(arrivals);
      pause = FIRST_PAUSE_MS;
      continue;
    }
    adaptToKernel(session, control);
    const answered = tryAll(device, session, lot, thorough, complain);
    pause = answered > 0 ? FIRST_PAUSE_MS : Math.min(pause * 2, LONGEST_PAUSE_MS);
    if (lot.waiting() === 0) continue;
    // Any lock's release raises the wake word, many thousand times a second if many change hands: not all are worth a
    // look. New arrivals are.
    if (answered === 0) lot.sleepUntilArrival(arrivals, REST_MS);
    // The pause is for waits that end without a word.
    thorough = !lot.sleep(ticket, pause);
  }
}

/**
 * Tries parked requests again.
 * @param thorough each of them; otherwise the first that waits for a lock speaks for all who wait for the same one: if it
 *   has to wait on, so do they, until the next look
 * @returns how many requests were answered
 */
function tryAll(device: FuseDevice, session: Session, lot: ParkingLot, thorough: boolean, complain: Complain): number {
  const { fileSystem, request } = session;
  const used = lot.used();
  const held = new Set<number>();
  let answered = 0;
  for (let slot = 0; slot < used; slot++) {
    if (!thorough && held.has(lot.lockOf(slot))) continue;
    const length = lot.take(slot, request.bytes, fileSystem.wait);
    if (length === 0) continue;
    fileSystem.busy();
    let size = session.handle(length);
    fileSystem.idle();
    if (size === WOULD_WAIT) {
      if (fileSystem.wait.lock !== NULL) held.add(fileSystem.wait.lock);
      if (lot.putBack(slot, fileSystem.wait)) continue;
      size = session.fail(EINTR);
    }
    lot.finish(slot);
    if (size !== NO_REPLY) sendReply(device, session, size, complain);
    answered++;
  }
  return answered;
}
