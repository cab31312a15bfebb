/** Bytes as the scenario language has them: text where they are UTF-8, base64 where not. */

/** A value of the scenario's type "bytes". */
export type Bytes = string | { base64: string };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that were read. */
export function fromBuffer(bytes: Uint8Array): Bytes {
  try {
    return decoder.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return { base64: Buffer.from(bytes).toString("base64") };
    throw error;
  }
}

/** A latin1 text, one byte a character. */
export function fromLatin1(text: string): Bytes {
  return fromBuffer(Buffer.from(text, "latin1"));
}
