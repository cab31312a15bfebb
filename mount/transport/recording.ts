/**
 * Recordings: every message of a mount, to be replayed without a device.
 *
 * A file of records, appended by all threads, each with one write(2):
 *
 *     bytes 0..3   length of the message, unsigned, little-endian
 *     bytes 4..7   0x51 'Q' for a request, 0x41 'A' for an answer (notifications too), as a 32-bit number
 *     bytes 8..    the message exactly as it went over /dev/fuse
 *
 * Messages carry their own addressing (`unique`), so answers need not follow their requests.
 */
import { openSync, writeSync } from "node:fs";
import { MountError } from "../errors.ts";

export const REQUEST = 0x51;
export const ANSWER = 0x41;
const RECORD_HEADER = 8;

export interface RecordedMessage {
  kind: typeof REQUEST | typeof ANSWER;
  bytes: Uint8Array;
}

/** Appends messages to a recording. One per thread, for as long as the thread runs. */
export class Recorder {
  private readonly fd: number;
  private readonly header = Buffer.alloc(RECORD_HEADER);

  constructor(path: string) {
    this.fd = openSync(path, "a", 0o600);
  }

  record(kind: number, bytes: Uint8Array, length: number): void {
    this.header.writeUInt32LE(length, 0);
    this.header.writeUInt32LE(kind, 4);
    writeSync(this.fd, Buffer.concat([this.header, bytes.subarray(0, length)]));
  }
}

/**
 * Takes a recording apart.
 * @throws MountError ESYNTH_RECORDING naming the byte where it is damaged
 */
export function parseRecording(file: Uint8Array): RecordedMessage[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const messages: RecordedMessage[] = [];
  for (let at = 0; at < file.length;) {
    const damaged = (what: string): MountError =>
      new MountError("ESYNTH_RECORDING", `The recording is damaged at byte ${at}: ${what}.`);
    if (file.length - at < RECORD_HEADER) throw damaged("the record header is cut off");
    const length = view.getUint32(at, true);
    const kind = view.getUint32(at + 4, true);
    if (kind !== REQUEST && kind !== ANSWER) throw damaged(`unknown kind ${kind}`);
    if (length > file.length - at - RECORD_HEADER) throw damaged("the message is cut off");
    messages.push({ kind, bytes: file.subarray(at + RECORD_HEADER, at + RECORD_HEADER + length) });
    at += RECORD_HEADER + length;
  }
  return messages;
}

/** Only the requests of a recording, for replay(). */
export function recordedRequests(file: Uint8Array): Uint8Array[] {
  return parseRecording(file)
    .filter((message) => message.kind === REQUEST)
    .map((message) => message.bytes);
}
