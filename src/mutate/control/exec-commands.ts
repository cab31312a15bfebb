/** The writers of exec_update_lock as commands: exec and TSYNC, at once or held, succeeding or failing where it is asked. */
import { actBegin, actEnd } from "../../kernel/actor.ts";
import { EINVAL } from "../../kernel/errno.ts";
import { holdExec, holdTsync } from "../../kernel/exec-hold.ts";
import type { ExecInFlight, ExecSpec } from "../../kernel/exec.ts";
import { execBegin, execFinish, execRefused, nextMmSeed } from "../../kernel/exec.ts";
import { reapIfInits } from "../../kernel/exit.ts";
import type { Kernel } from "../../kernel/kernel.ts";
import { HOST, MM, TASK } from "../../kernel/layout.ts";
import { Random } from "../../kernel/random.ts";
import { isKernelThread } from "../../kernel/task.ts";
import type { TsyncInFlight } from "../../kernel/tsync.ts";
import { setNoNewPrivs, tsyncBegin, tsyncFinish } from "../../kernel/tsync.ts";
import type { ControlResult } from "../../proc/synthproc/control.ts";
import { bytesText, latin1Bytes } from "../../shm/bytes.ts";
import type { Ptr } from "../../sync/atomics.ts";
import { bootTimeNs } from "../../time/clock.ts";
import type { ExecFailure } from "../failing.ts";
import { brokenProgram } from "../failing.ts";
import { joinStrings } from "../templates.ts";
import { DONE, outcome } from "./command.ts";
import type { Words } from "./words.ts";
import { UsageError, splitLine } from "./words.ts";
import type { World } from "./world.ts";
import { programAt } from "./world.ts";

const LARGEST_ID = 4_294_967_294;
const NS_PER_MS = 1e6;

/** Where an exec fails on purpose. */
const FAILURES: Readonly<Record<string, ExecFailure>> = { before: "before", halfway: "halfway" };

interface ExecOptions {
  setuid?: number | undefined;
  nonDumpable?: boolean;
  comm?: string | undefined;
  fail?: ExecFailure | undefined;
}

/** What is to be executed, or a negative errno. The environment stays empty here. */
export function execSpec(
  k: Kernel,
  world: World,
  file: string,
  args: string[],
  options: ExecOptions,
): ExecSpec | number {
  if (!file.startsWith("/")) throw new UsageError(`FILE is an absolute path, not "${file}"`);
  const found = programAt(k, world, file);
  if (typeof found === "number") return found;
  const program = options.fail === "before" ? brokenProgram(k.config, found) : found;
  return {
    program: options.setuid === undefined ? program : { ...program, setuid: options.setuid },
    argv: joinStrings([file, ...args]),
    envp: new Uint8Array(0),
    random: new Random(nextMmSeed(k)),
    nonDumpable: options.nonDumpable === true,
    failsHalfway: options.fail === "halfway",
    ...(options.comm === undefined ? {} : { comm: latin1Bytes(options.comm) }),
  };
}

/** The command `exec`. */
export function exec(k: Kernel, words: Words, world: World): ControlResult {
  const pid = words.pid();
  const file = words.text("FILE");
  const holdMs = words.optionDuration("hold");
  const fail = words.optionOneOf("fail", FAILURES);
  if (fail === "before" && holdMs !== undefined)
    throw new UsageError("an exec that fails before anything has happened can't be held");
  const options = {
    setuid: words.optionInteger("setuid", 0, LARGEST_ID),
    nonDumpable: words.flag("non-dumpable"),
    comm: words.option("comm"),
    fail,
  };
  const environment = environmentOf(words.option("env"));
  const spec = execSpec(k, world, file, words.rest(), options);
  if (typeof spec === "number") return outcome(spec);
  const task = actBegin(k, pid);
  if (task < 0) return outcome(task);
  const bound = options.setuid !== undefined && k.m.load(task + TASK.noNewPrivs) !== 0;
  const flight = beginExec(k, task, { ...spec, envp: environment ?? environmentNow(k, task) });
  if (typeof flight === "number") return refusal(flight);
  if (holdMs !== undefined && holdExec(k, flight, bootTimeNs(k) + holdMs * NS_PER_MS)) return held(k);
  const tgid = k.m.load(task + TASK.tgid);
  const runs = execFinish(k, flight);
  actEnd(k, task);
  if (holdMs !== undefined) return notHeld(k);
  if (runs) return bound ? { errno: 0, text: "the user ids stay: it has no_new_privs" } : DONE;
  reapIfInits(k, tgid);
  return { errno: 0, text: `${tgid} was killed by SIGSEGV` };
}

/** As execBegin, but if it gives an errno or throws, the caller no longer acts as the process. @throws ArenaFullError */
function beginExec(k: Kernel, task: Ptr, spec: ExecSpec): ExecInFlight | number {
  let begun = false;
  try {
    if (isKernelThread(k, task)) return -EINVAL;
    const refused = execRefused(k, task, spec.program);
    if (refused < 0) return refused;
    const flight = execBegin(k, task, spec);
    begun = true;
    return flight;
  } finally {
    if (!begun) actEnd(k, task);
  }
}

function refusal(errno: number): ControlResult {
  return errno === -EINVAL ? { errno: EINVAL, text: "a kernel thread executes nothing" } : outcome(errno);
}

/** Strings `NAME=VALUE` of an option, quoted as in a shell; null if it isn't given. */
function environmentOf(text: string | undefined): Uint8Array | null {
  if (text === undefined) return null;
  const strings = text === "" ? [] : splitLine(text);
  for (const string of strings)
    if (!/^[^=]+=/.test(string)) throw new UsageError(`--env takes words NAME=VALUE, not "${string}"`);
  return joinStrings(strings);
}

/** The environment that the process has now goes on. */
function environmentNow(k: Kernel, task: Ptr): Uint8Array {
  const mm = k.m.load(task + TASK.mm);
  return mm === 0 ? new Uint8Array(0) : latin1Bytes(bytesText(k.m, k.m.load(mm + MM.envp)));
}

/** The command `tsync`. */
export function tsync(k: Kernel, words: Words): ControlResult {
  const pid = words.pid();
  const holdMs = words.optionDuration("hold");
  words.end();
  const task = actBegin(k, pid);
  if (task < 0) return outcome(task);
  const flight = beginTsync(k, task);
  if (holdMs !== undefined && holdTsync(k, flight, bootTimeNs(k) + holdMs * NS_PER_MS)) return held(k);
  tsyncFinish(k, flight);
  actEnd(k, task);
  return holdMs === undefined ? DONE : notHeld(k);
}

/** As tsyncBegin; if there is no memory for it, the caller no longer acts as the process. @throws ArenaFullError */
function beginTsync(k: Kernel, task: Ptr): TsyncInFlight {
  try {
    setNoNewPrivs(k, task);
    return tsyncBegin(k, task);
  } catch (error) {
    actEnd(k, task);
    throw error;
  }
}

/** What is held waits for simulated time, whether or not that moves: nobody shall be surprised. */
function held(k: Kernel): ControlResult {
  if (k.m.load(HOST.mutatorPaused) === 0) return DONE;
  return { errno: 0, text: "simulated time is paused: the locks are held until it goes on (resume)" };
}

function notHeld(k: Kernel): ControlResult {
  const ended = k.m.load(HOST.clockEnded) !== 0;
  const why = ended ? "simulated time has come to its end" : "too many execs are held";
  return { errno: 0, text: `${why}: this was finished at once` };
}
