/** Paths in text files: characters that would break the format become octal escapes (mangle_path, seq_escape). */
import type { Memory, Ptr } from "../sync/atomics.ts";
import { BYTES } from "../shm/bytes.ts";
import { PATH } from "../kernel/layout.ts";
import type { Text } from "./text.ts";

/** What d_path appends to the name of an unlinked file. */
const DELETED = " (deleted)";

/** Appends one byte, as `\ooo` if it is in `escaped`. */
function escapedByte(out: Text, byte: number, escaped: string): void {
  if (!escaped.includes(String.fromCharCode(byte))) {
    out.byte(byte);
    return;
  }
  out
    .byte(92)
    .byte(48 + (byte >> 6))
    .byte(48 + ((byte >> 3) & 7))
    .byte(48 + (byte & 7));
}

/** Appends a byte string with the characters of `escaped` in octal. @pre a reference, or RCU */
export function escapedBytes(m: Memory, out: Text, bytes: Ptr, escaped: string): void {
  const length = m.load(bytes + BYTES.length);
  for (let i = 0; i < length; i++) {
    const byte = m.byteAt(bytes + BYTES.words, i);
    // Only blanks, newlines, tabs, #, = and backslashes are ever escaped: no need to look for others.
    if (byte > 61 ? byte !== 92 : byte > 35 && byte !== 61) out.byte(byte);
    else escapedByte(out, byte, escaped);
  }
}

/** Appends a path's name, with " (deleted)" once it is unlinked (d_path). @pre a reference, or RCU */
export function pathName(m: Memory, out: Text, path: Ptr, escaped: string): void {
  escapedBytes(m, out, m.load(path + PATH.name), escaped);
  if (m.load(path + PATH.deleted) !== 0)
    for (let i = 0; i < DELETED.length; i++) escapedByte(out, DELETED.charCodeAt(i), escaped);
}
