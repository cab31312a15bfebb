/** Text and bytes: /proc knows only bytes, so scenarios carry them as strings with one byte a character. */
import { latin1Text } from "../shm/bytes.ts";
import type { ByteString } from "./scenario-types.ts";
import { UnitError } from "./units.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The UTF-8 bytes of a text. */
export function toBytes(text: string): ByteString {
  return isAscii(text) ? text : latin1Text(new TextEncoder().encode(text));
}

/** @throws UnitError if the text isn't base64 (padding may be missing, white space is ignored). */
export function decodeBase64(text: string): ByteString {
  const digits = text.replace(/\s+/g, "").replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(digits) || digits.length % 4 === 1) {
    throw new UnitError("this is not base64");
  }
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const digit of digits) {
    bits = ((bits << 6) | ALPHABET.indexOf(digit)) & 0xfff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[at++] = (bits >> held) & 0xff;
    }
  }
  return latin1Text(bytes);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) {
      return false;
    }
  }
  return true;
}
