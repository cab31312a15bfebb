/** Names and arguments of processes: `{i}` is the index in the group, `{n}` the pid, or a count of events. */
import { latin1Bytes } from "../shm/bytes.ts";

/** Fills a template in. */
export function fillTemplate(template: string, index: number, n: number): string {
  if (!template.includes("{")) return template;
  return template.replaceAll("{i}", String(index)).replaceAll("{n}", String(n));
}

/** True if processes of the group differ in one of these texts. */
export function isTemplate(texts: readonly string[]): boolean {
  return texts.some((text) => /\{[in]\}/.test(text));
}

/** NUL-terminated strings one after the other, as argv and envp lie in memory. */
export function joinStrings(texts: readonly string[]): Uint8Array {
  return latin1Bytes(texts.map((text) => `${text}\0`).join(""));
}
