/** The transport without a device: recorded requests in, replies out. */
import { EINTR, ENOMEM } from "../../src/kernel/errno.ts";
import type { FileSystem } from "../../src/proc/vfs.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import * as abi from "../abi.ts";
import { NOT_PARKED, TAKEN_OUT } from "../parking.ts";
import type { SessionOptions } from "../session.ts";
import { Session } from "../session.ts";

/**
 * Feeds requests to a file system, one after the other, and collects the replies in the order in which they would have
 * been sent. Messages without a reply give none.
 *
 * A request that has to wait is tried again after each later request, in order of arrival; an INTERRUPT for it is
 * answered as on a mount. What still waits at the end is answered with EINTR, as if its client had been killed: with
 * nobody left to release anything, waiting on would be for ever.
 */
export function replay(
  fileSystem: FileSystem,
  requests: Iterable<Uint8Array>,
  options: Omit<SessionOptions, "interrupt"> = {},
): Uint8Array[] {
  const player = new Player(fileSystem, options);
  for (const request of requests) player.play(request);
  return player.finish();
}

class Player {
  private readonly session: Session;
  private readonly replies: Uint8Array[] = [];
  private parked: Uint8Array[] = [];

  constructor(fileSystem: FileSystem, options: SessionOptions) {
    const interrupt = (low: number, high: number): number => this.interrupt(low, high);
    this.session = new Session(fileSystem, { ...options, interrupt });
  }

  play(request: Uint8Array): void {
    this.session.fileSystem.busy();
    if (!this.attempt(request)) this.parked.push(request.slice());
    this.parked = this.parked.filter((waiting) => !this.attempt(waiting));
    this.session.fileSystem.idle();
  }

  finish(): Uint8Array[] {
    for (const waiting of this.parked) {
      this.load(waiting);
      this.keep(this.session.fail(EINTR));
    }
    return this.replies;
  }

  /** @returns false if the request has to wait */
  private attempt(request: Uint8Array): boolean {
    this.load(request);
    if (request.length > abi.REQUEST_BUFFER_SIZE) {
      this.keep(this.session.fail(ENOMEM));
      return true;
    }
    const length = this.session.handle(request.length);
    if (length === WOULD_WAIT) return false;
    if (length > 0) this.keep(length);
    return true;
  }

  private load(request: Uint8Array): void {
    this.session.request.bytes.set(request.subarray(0, abi.REQUEST_BUFFER_SIZE));
  }

  private keep(length: number): void {
    this.replies.push(Uint8Array.prototype.slice.call(this.session.reply.bytes, 0, length));
  }

  private interrupt(low: number, high: number): number {
    const at = this.parked.findIndex((request) => {
      const view = new DataView(request.buffer, request.byteOffset);
      return view.getInt32(8, true) === low && view.getInt32(12, true) === high;
    });
    if (at < 0) return NOT_PARKED;
    this.parked.splice(at, 1);
    return TAKEN_OUT;
  }
}
