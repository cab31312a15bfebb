/** The transport without a device: recorded requests in, replies out. */
import { EINTR, ENOMEM } from "../../src/kernel/errno.ts";
import type { FileSystem } from "../../src/proc/vfs.ts";
import { WOULD_WAIT } from "../../src/proc/vfs.ts";
import { LockWait } from "../../src/sync/thread.ts";
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

interface Parked {
  readonly request: Uint8Array;
  readonly wait: LockWait;
}

class Player {
  private readonly session: Session;
  private readonly replies: Uint8Array[] = [];
  private parked: Parked[] = [];

  constructor(fileSystem: FileSystem, options: SessionOptions) {
    const interrupt = (low: number, high: number, wait: LockWait): number => this.interrupt(low, high, wait);
    this.session = new Session(fileSystem, { ...options, interrupt });
  }

  play(request: Uint8Array): void {
    this.session.fileSystem.busy();
    const wait = new LockWait();
    if (!this.attempt(request, wait)) this.parked.push({ request: request.slice(), wait });
    this.parked = this.parked.filter((waiting) => !this.attempt(waiting.request, waiting.wait));
    this.session.fileSystem.idle();
  }

  finish(): Uint8Array[] {
    for (const waiting of this.parked) {
      this.load(waiting.request);
      this.session.fileSystem.wait.copy(waiting.wait);
      this.keep(this.session.fail(EINTR));
    }
    return this.replies;
  }

  /** @returns false if the request has to wait; `wait` says what for */
  private attempt(request: Uint8Array, wait: LockWait): boolean {
    this.load(request);
    if (request.length > abi.REQUEST_BUFFER_SIZE) {
      this.keep(this.session.fail(ENOMEM));
      return true;
    }
    const { fileSystem } = this.session;
    fileSystem.wait.copy(wait);
    const length = this.session.handle(request.length);
    if (length === WOULD_WAIT) {
      wait.copy(fileSystem.wait);
      fileSystem.wait.clear();
      return false;
    }
    if (length > 0) this.keep(length);
    return true;
  }

  private load(request: Uint8Array): void {
    this.session.request.bytes.set(request.subarray(0, abi.REQUEST_BUFFER_SIZE));
  }

  private keep(length: number): void {
    this.replies.push(Uint8Array.prototype.slice.call(this.session.reply.bytes, 0, length));
  }

  private interrupt(low: number, high: number, wait: LockWait): number {
    const at = this.parked.findIndex(({ request }) => {
      const view = new DataView(request.buffer, request.byteOffset);
      return view.getInt32(8, true) === low && view.getInt32(12, true) === high;
    });
    const found = this.parked[at];
    if (found === undefined) return NOT_PARKED;
    wait.copy(found.wait);
    this.parked.splice(at, 1);
    return TAKEN_OUT;
  }
}
