/**
 * What a reader may see of a process's image: stack, syscall, personality, mm_access (the open of environ, auxv, maps and
 * their kin), pidfd_getfd, get_robust_list.
 *
 * All that one read shows belongs to one state of the process, and the caller may look at that state. So who was let in by
 * the credentials of an image sees nothing of the image after a privileged exec, nor of one before that was not dumpable;
 * and who is refused was refused by an image that was there.
 *
 * Not to be judged: a read of a leader that has died since, because another thread execs and takes its place; it keeps the
 * credentials and the personality that it had.
 *
 * A state is a row of words: {@link OPEN} or {@link CLOSED}, then what the image looks like through each path. A read shows
 * some of them.
 */
import type { State } from "../history.ts";
import type { Who } from "./access.ts";
import { describeStates, judgeRefusal, mayLook } from "./access.ts";

export interface ImageRead {
  /** Name of the path, for messages. */
  readonly path: string;
  readonly who: Who;
  /** 0, or a negative errno. */
  readonly error: number;
  /** The errno with which this path refuses, negative. */
  readonly refusal: number;
  /** What was shown if there was no error, word for word of the state; undefined where the path shows nothing. */
  readonly seen: readonly (number | undefined)[];
}

/** Judges a read. @returns what is wrong, or null */
export function judgeImage(read: ImageRead, states: readonly State[]): string | null {
  if (read.error !== 0) return judgeRefusal(read.path, read.who, read.error, read.refusal, states);
  for (const { words } of states) if (mayLook(read.who, words[0] as number) && shows(read.seen, words)) return null;
  const seen = read.seen.map((word) => word ?? "-").join(" ");
  return `${read.path}: ${read.who} saw ${seen}, possible: ${describeStates(states)}`;
}

function shows(seen: readonly (number | undefined)[], words: readonly number[]): boolean {
  for (let i = 0; i < seen.length; i++) if (seen[i] !== undefined && seen[i] !== words[i]) return false;
  return true;
}
