/** What the threads on an arena do: a word for each slot, by which their counters are told apart. */

/** Kinds of threads. */
export const Role = {
  /** No thread has the slot. */
  none: 0,
  /** Builds the table. */
  main: 1,
  /** Serves requests; where a transport has only one thread, beside the main thread's own work. */
  worker: 2,
  /** Answers requests that had to wait. */
  slow: 3,
  /** Changes the table. */
  mutator: 4,
  /** Hears of reaped tasks. */
  reaped: 5,
  /** Said nothing about itself. */
  thread: 6,
} as const;
export type RoleId = (typeof Role)[keyof typeof Role];

const ROLE_NAMES = Object.keys(Role);
const INDEX_SHIFT = 8;
const KIND_MASK = (1 << INDEX_SHIFT) - 1;
/** Kinds of which a simulation has one. */
const SINGLE: readonly number[] = [Role.main, Role.slow, Role.reaped];

/** The word that says it; `index` numbers threads of a kind from 0. */
export function roleWord(role: RoleId, index = 0): number {
  return role | (index << INDEX_SHIFT);
}

/** The name of a thread by its word: "worker0", "slow", ... */
export function roleName(word: number): string {
  const kind = word & KIND_MASK;
  const name = ROLE_NAMES[kind] ?? "unknown";
  return SINGLE.includes(kind) ? name : `${name}${word >>> INDEX_SHIFT}`;
}

/** Order of words: by kind, then by number. */
export function compareRoles(a: number, b: number): number {
  return (a & KIND_MASK) - (b & KIND_MASK) || a - b;
}
