/** Ways to say what a deliberate mistake changes in a source file. */
import type { Edit } from "./harness.ts";

export function replaced(file: string, find: string, replace: string): Edit {
  return { file, find, replace };
}

export function removed(file: string, find: string): Edit {
  return { file, find, replace: "" };
}

export function before(file: string, find: string, text: string): Edit {
  return { file, find, replace: text + find };
}

export function after(file: string, find: string, text: string): Edit {
  return { file, find, replace: find + text };
}

/** Some microseconds, in which other threads may run; there must be a `k`. */
export const PAUSE = "for (let i = 0; i < 2000; i++) k.m.load(0);";
/** Long enough for a whole system call of another thread, if there is a CPU for it. */
export const LONG_PAUSE = "for (let i = 0; i < 20000; i++) k.m.load(0);";
/** A millisecond without using a CPU, so that others run even on a busy machine: the word is nobody's, and always 0. */
export const NAP = "k.m.wait(1, 0, 1);";
/** The same, shorter, for what happens at each step of a walk. */
export const SHORT_NAP = "k.m.wait(1, 0, 0.2);";
