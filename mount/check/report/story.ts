/** A replayed run as people read it: what each access does, in words, and which other access it follows from. */
import type { Replay, Site, TraceStep } from "../../../src/check/explore/report.ts";
import { accessText, deedOf, readsValue, valueAfter } from "./words.ts";
import type { Deed } from "./words.ts";

/** One access of a run. */
export interface Event {
  /** From 1. */
  readonly number: number;
  readonly thread: string;
  /** Place of its thread in {@link Story.threads}. */
  readonly lane: number;
  /** The access itself, in the function that means something by it. */
  readonly site: Site;
  /** The calls that led to it, innermost first, without {@link Event.site}. */
  readonly callers: readonly Site[];
  readonly word: string;
  /** `signal 1.execUpdateLock: 0 -> -1` */
  readonly text: string;
  readonly deed: Deed;
  /** True if another thread had the step before. */
  readonly switched: boolean;
  /** Number of the other thread's access that wrote what this one found. */
  readonly sees: number | null;
  /** Number of the access that woke the thread from its sleep. */
  readonly wokenBy: number | null;
}

export interface Story {
  /** In the order of their first steps. */
  readonly threads: readonly string[];
  readonly events: readonly Event[];
}

/** The module whose functions are the accesses: what calls them is what people want to see. */
const ACCESSES = "src/sync/atomics.ts";
const NOWHERE: Site = { file: "(unknown)", line: 0, column: 0, fn: "", text: "" };

/** Tells a run. */
export function tell({ steps }: Replay): Story {
  const threads = [...new Set(steps.map((step) => step.thread))];
  const past = new Past();
  const events = steps.map((step, index) => {
    const number = index + 1;
    const links = past.linksOf(step);
    const event: Event = {
      number,
      thread: step.thread,
      lane: threads.indexOf(step.thread),
      ...placeOf(step.stack),
      word: step.word,
      text: accessText(step, past.value(step.word)),
      deed: deedOf(step),
      switched: index > 0 && steps[index - 1]!.thread !== step.thread,
      ...links,
    };
    past.note(step, number);
    return event;
  });
  return { threads, events };
}

function placeOf(stack: readonly Site[]): { site: Site; callers: readonly Site[] } {
  const found = stack.findIndex((site) => site.file !== ACCESSES);
  const at = Math.max(found, 0);
  return { site: stack[at] ?? NOWHERE, callers: stack.slice(at + 1) };
}

/** What has been before a step. */
class Past {
  private readonly values = new Map<string, number>();
  private readonly writers = new Map<string, { number: number; thread: string }>();
  private readonly sleepers: { thread: string; word: string }[] = [];
  private readonly wakers = new Map<string, number>();

  /** The value of a word, as far as the run has shown it. */
  value(word: string): number | undefined {
    return this.values.get(word);
  }

  linksOf(step: TraceStep): { sees: number | null; wokenBy: number | null } {
    const writer = this.writers.get(step.word);
    const seen = readsValue(step) && writer !== undefined && writer.thread !== step.thread;
    return { sees: seen ? writer.number : null, wokenBy: this.wakers.get(step.thread) ?? null };
  }

  note(step: TraceStep, number: number): void {
    this.goOn(step.thread);
    const value = valueAfter(step);
    if (value !== undefined) this.values.set(step.word, value);
    else if (deedOf(step) === "writes") this.values.delete(step.word);
    if (deedOf(step) === "writes") this.writers.set(step.word, { number, thread: step.thread });
    if (deedOf(step) === "sleeps") this.sleepers.push({ thread: step.thread, word: step.word });
    if (deedOf(step) === "wakes") this.wake(step, number);
  }

  /** Whoever has a step is no longer asleep. */
  private goOn(thread: string): void {
    this.wakers.delete(thread);
    const at = this.sleepers.findIndex((sleeper) => sleeper.thread === thread);
    if (at >= 0) this.sleepers.splice(at, 1);
  }

  /** Who has slept longest is woken first. */
  private wake({ word, result }: TraceStep, number: number): void {
    for (let left = Number(result); left > 0; left--) {
      const at = this.sleepers.findIndex((sleeper) => sleeper.word === word);
      if (at < 0) return;
      const [sleeper] = this.sleepers.splice(at, 1);
      this.wakers.set(sleeper!.thread, number);
    }
  }
}
