/** What a sysctl is: one line of a table. */

/** How a written value is checked (the proc_handler of the kernel's table). */
export type Rule =
  /** Not writable. */
  | { readonly kind: "fixed" }
  /** Signed 32-bit numbers, as many as the initial value has (proc_dointvec_minmax). */
  | { readonly kind: "int"; readonly min: number; readonly max: number }
  /** One unsigned 32-bit number (proc_douintvec_minmax). */
  | { readonly kind: "uint"; readonly min: number; readonly max: number }
  /** Unsigned 64-bit numbers (proc_doulongvec_minmax). */
  | { readonly kind: "ulong"; readonly min: number; readonly max: number }
  /** Two numbers, low and high, that are taken both or not at all. */
  | { readonly kind: "range"; readonly min: number; readonly max: number }
  /** Text up to a newline, cut to so many bytes less one (proc_dostring). */
  | { readonly kind: "string"; readonly size: number }
  /** One of some words, -`error` for others. */
  | { readonly kind: "word"; readonly words: readonly string[]; readonly error: number };

/** Path below /proc/sys, mode, rule, initial value, and the capability that writing takes beyond the mode. */
export type SysctlSpec = readonly [path: string, mode: number, rule: Rule, initial: string, needs?: number];

export const FIXED: Rule = { kind: "fixed" };
export const ANY_INT: Rule = { kind: "int", min: -2147483648, max: 2147483647 };

export function int(min: number, max = 2147483647): Rule {
  return { kind: "int", min, max };
}

export const BOOL: Rule = int(0, 1);

export function uint(min = 0, max = 4294967295): Rule {
  return { kind: "uint", min, max };
}

export function ulong(min = 0, max = Number.POSITIVE_INFINITY): Rule {
  return { kind: "ulong", min, max };
}

export function range(min: number, max: number): Rule {
  return { kind: "range", min, max };
}

export function string(size: number): Rule {
  return { kind: "string", size };
}

export function word(words: readonly string[], error: number): Rule {
  return { kind: "word", words, error };
}
