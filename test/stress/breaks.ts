/**
 * Deliberate mistakes, one row each: an edit of the shipped source that breaks a protocol, and the world whose oracle must
 * report it. What is edited must stand exactly once in its file, so that a row can't silently stop to break anything.
 *
 * Some races are rare on few CPUs. `delay` makes their window wider, without being a mistake itself: the test runs the
 * world with the delay alone too, and must find nothing.
 *
 * Some mistakes have no row, since no thread that reads can tell them, or hardly ever: a TSYNC without its write section
 * (the ids that it commits are those that were there, so nothing that a reader sees changes under it); a VMA that is marked
 * detached without a wait for its readers, and an smaps walk that keeps its iterator over a quiescent state (windows
 * of a few loads, which a delay doesn't widen without hiding them). That the last two steps are needed is shown by
 * exploring all interleavings (test/model/maps-breaks.ts), not by threads.
 */
import { EXEC_UPDATE_BREAKS } from "./exec-update-breaks.ts";
import type { Edit } from "./harness.ts";
import { KCMP_BREAKS } from "./kcmp-breaks.ts";
import { MAPS_BREAKS } from "./maps-breaks.ts";
import { REVALIDATE_BREAKS } from "./revalidate-breaks.ts";
import { TIMERS_BREAKS } from "./timers-breaks.ts";
import type { Form } from "./world.ts";

export interface Break {
  /** What is done wrong. */
  readonly name: string;
  /** The world that must notice. */
  readonly world: string;
  /** The form of the paths; lockfree unless given. */
  readonly form?: Form;
  readonly edits: readonly Edit[];
  readonly delay?: readonly Edit[];
  /** How long the run is if the oracle can only tell at its end; else it ends with the first violation. */
  readonly milliseconds?: number;
  /** A part of what the oracle must say, where several things could be reported. */
  readonly says?: RegExp;
  /** A part of the failure that must be reported, where no single read can show the mistake: a leak, a deadlock. */
  readonly fails?: RegExp;
  /** An interrupt would end what must be found: a deadlock. */
  readonly withoutInterrupts?: boolean;
  /** Checks of lock order would notice first, and hide whether the oracle does. */
  readonly withoutLockdep?: boolean;
}

export const BREAKS: readonly Break[] = [
  ...EXEC_UPDATE_BREAKS,
  ...KCMP_BREAKS,
  ...MAPS_BREAKS,
  ...TIMERS_BREAKS,
  ...REVALIDATE_BREAKS,
];
