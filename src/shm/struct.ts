/**
 * Layouts of shared structs, declared once: a field's name and its width in 32-bit words. The result maps each name to
 * its offset, so that `m.load(task + TASK.pid)` reads a field.
 *
 * The first two words of every object belong to the slab allocator (see slab.ts).
 */

/** One 32-bit word. */
export const WORD = 1;
/** A 64-bit value in two words, low first. */
export const QUAD = 2;
/** Words of the slab header before the first field. */
export const HEADER_WORDS = 2;

export type Layout<F extends Record<string, number>> = { readonly [K in keyof F]: number } & {
  /** Words of the whole object, header included. */
  readonly words: number;
};

/** Lays out an object of a slab cache. */
export function struct<const F extends Record<string, number>>(fields: F): Layout<F> {
  return layOut(fields, HEADER_WORDS);
}

/** Lays out a part of a larger area, without a slab header. */
export function record<const F extends Record<string, number>>(fields: F): Layout<F> {
  return layOut(fields, 0);
}

function layOut<const F extends Record<string, number>>(fields: F, start: number): Layout<F> {
  const offsets: Record<string, number> = {};
  let at = start;
  for (const [name, words] of Object.entries(fields)) {
    offsets[name] = at;
    at += words;
  }
  offsets["words"] = at;
  return Object.freeze(offsets) as Layout<F>;
}
