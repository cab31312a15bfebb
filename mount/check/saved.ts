/** Failing schedules, kept as files: fixtures/schedules/README.md says what is in them. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { FailureKind } from "../../src/check/explore/report.ts";
import type { Form } from "../../src/check/scenario.ts";
import type { Outcome } from "./result.ts";

/** A change of a source file: `find` must stand there exactly once. */
export interface SavedEdit {
  /** Path from the root of the checkout. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface SavedSchedule {
  readonly scenario: string;
  readonly form: Form;
  /** The deliberate mistake under which it fails; null if it failed with the sources as they were when it was found. */
  readonly break: readonly SavedEdit[] | null;
  readonly schedule: string;
  readonly expect: {
    readonly kind: FailureKind;
    /** A part of the message. */
    readonly message: string;
  };
  /** How it came about. */
  readonly found: string;
}

/** Where a checkout keeps them; an installed package doesn't. */
export function schedulesOfCheckout(): string | undefined {
  const root = new URL(import.meta.url.endsWith(".ts") ? "../../" : "../", import.meta.url);
  return existsSync(new URL("src/check/scenarios/", root))
    ? fileURLToPath(new URL("fixtures/schedules/", root))
    : undefined;
}

/** A file that holds no schedule; its message is one sentence. */
export class SavedError extends Error {
  override readonly name = "SavedError";
}

/** One kept schedule. @throws SavedError if the file holds none, or the system's error */
export function readSchedule(file: string): SavedSchedule {
  const value = parsed(file) as Partial<SavedSchedule> | null;
  const { scenario, form, schedule } = value ?? {};
  if (typeof scenario !== "string" || typeof schedule !== "string" || (form !== "lockfree" && form !== "locked")) {
    throw new SavedError(`${file} holds no schedule: it needs "scenario", "form" and "schedule"`);
  }
  return value as SavedSchedule;
}

function parsed(file: string): unknown {
  const text = readFileSync(file, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SavedError(`${file} holds no schedule: ${(error as SyntaxError).message}`);
  }
}

/** All schedules in a folder, by the names of their files without the ending. */
export function readSchedules(dir: string): [name: string, saved: SavedSchedule][] {
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith(".json")) : [];
  return names.sort().map((name) => {
    const saved = JSON.parse(readFileSync(join(dir, name), "utf8")) as SavedSchedule;
    return [name.slice(0, -".json".length), saved];
  });
}

/** Where the schedule of a failure is kept. */
export interface Kept {
  readonly file: string;
  /** True if it was there before. */
  readonly known: boolean;
}

/** Keeps the schedule of a failure, unless it is kept already. */
export function saveSchedule(dir: string, outcome: Outcome): Kept {
  const saved = savedOf(outcome);
  // What fails with a deliberate mistake says nothing on the code without it.
  const same = readSchedules(dir).find(
    ([, kept]) =>
      kept.break === null &&
      kept.scenario === saved.scenario &&
      kept.form === saved.form &&
      kept.schedule === saved.schedule,
  );
  if (same !== undefined) return { file: join(dir, `${same[0]}.json`), known: true };
  const file = freeFile(dir, `${saved.scenario.replaceAll("/", "-")}-${saved.form}`);
  makeFolder(dir);
  writeFileSync(file, `${JSON.stringify(saved, null, 2)}\n`, { flag: "wx" });
  return { file, known: false };
}

/** Step by step: asked to make all of a path at once where nothing can be made, as in /proc, Node never ends. */
function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  makeFolder(dirname(resolve(dir)));
  mkdirSync(dir);
}

function savedOf({ scenario, form, report }: Outcome): SavedSchedule {
  const failure = report?.failure;
  if (failure === null || failure === undefined) throw new Error(`${scenario} (${form}) has no failure to save`);
  const { kind, message, schedule, execution } = failure;
  const found = `synthproc check ${scenario} --form ${form}, execution ${execution}`;
  return { scenario, form, break: null, schedule, expect: { kind, message }, found };
}

function freeFile(dir: string, stem: string): string {
  for (let number = 1; ; number++) {
    const file = join(dir, `${stem}${number === 1 ? "" : `-${number}`}.json`);
    if (!existsSync(file)) return file;
  }
}
