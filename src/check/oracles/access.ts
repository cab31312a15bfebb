/**
 * Who may see what of an image, as the oracles of the exec_update family count it.
 *
 * A process has one owner. While its image is *open* (dumpable, all ids the owner's) the owner may look; while it is
 * *closed* (set-user-ID by exec, not dumpable) only root may. Root always may, a stranger never.
 */

import type { State } from "../history.ts";

/** First word of each state of an image. */
export const OPEN = 0;
export const CLOSED = 1;

export type Who = "owner" | "stranger" | "root";

/** True if a caller may look at an image whose state starts with this word. */
export function mayLook(who: Who, access: number): boolean {
  return who === "root" || (who === "owner" && access === OPEN);
}

/** States for a message: at most the last four. */
export function describeStates(states: readonly Pick<State, "words">[]): string {
  if (states.length === 0) return "nothing";
  const texts = states
    .slice(-4)
    .map(({ words }) => `${words[0] === OPEN ? "open" : "closed"} ${words.slice(1).join(" ")}`);
  return (states.length > 4 ? `… or ` : "") + texts.join(" or ");
}

/** Judges a refusal: the right error, and a state that explains it. @returns what is wrong, or null */
export function judgeRefusal(
  what: string,
  who: Who,
  error: number,
  expected: number,
  states: readonly Pick<State, "words">[],
): string | null {
  if (error !== expected) return `${what}: ${who} got ${error}, not ${expected}`;
  for (const { words } of states) if (!mayLook(who, words[0] as number)) return null;
  return `${what}: ${who} was refused, possible: ${describeStates(states)}`;
}
