/** Entry of a thread that explores one scenario after another. */
import { parentPort, workerData } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import type { Progress } from "../../src/check/explore/report.ts";
import { framesOf } from "../../src/check/explore/stack.ts";
import { UnfitError } from "../../src/check/explore/subject.ts";
import { errorText } from "../errors.ts";
import { SharedWords } from "../shared.ts";
import type { Limits, Program } from "./explorer.ts";
import { exploreJob, loadProgram } from "./explorer.ts";
import type { Job, Outcome } from "./result.ts";

/** What the thread is started with. */
export interface ExploreThreadData {
  /** Folder of the transformed program. */
  readonly program: string;
  /** One word: not 0 if explorations shall end. */
  readonly stop: SharedArrayBuffer;
}

/** What it is told. */
export interface ExploreOrder {
  readonly job: Job;
  readonly limits: Limits;
}

/** What it says. */
export type ExploreMessage =
  { readonly kind: "progress"; readonly progress: Progress } | { readonly kind: "done"; readonly outcome: Outcome };

async function main(port: MessagePort, { program, stop }: ExploreThreadData): Promise<void> {
  const stopped = new SharedWords(stop);
  const loaded = await loadProgram(program);
  port.on("message", (order: ExploreOrder) => {
    const onProgress = (progress: Progress): boolean => {
      say({ kind: "progress", progress });
      return stopped.load(0) === 0;
    };
    say({ kind: "done", outcome: outcomeOf(loaded, order, onProgress) });
  });

  function say(message: ExploreMessage): void {
    port.postMessage(message);
  }
}

/** A scenario that can't even be explored is an outcome too: the others go on. */
function outcomeOf(program: Program, { job, limits }: ExploreOrder, onProgress: (p: Progress) => boolean): Outcome {
  try {
    return exploreJob(program, job, limits, onProgress);
  } catch (error) {
    return { ...job, verdict: "broken", ended: null, report: null, replay: null, error: brokenText(error) };
  }
}

/** The error, and where in the sources it was thrown; all of the stack if that was somewhere else. */
function brokenText(error: unknown): string {
  if (error instanceof UnfitError || !(error instanceof Error) || error.stack === undefined) return errorText(error);
  const frames = framesOf(error.stack);
  if (frames.length === 0) return error.stack;
  return [String(error), ...frames.map(({ fn, file, line }) => `  in ${fn}, ${file}:${line}`)].join("\n");
}

await main(parentPort as MessagePort, workerData as ExploreThreadData);
