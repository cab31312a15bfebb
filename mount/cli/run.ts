/** `synthproc run -- COMMAND`: any command with a simulation as its /proc. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";
import { errorCode } from "../errors.ts";
import { FdSink, SwitchableSink } from "../log.ts";
import { makePrivatePlaces, PRIVATE_SETUP_FAILED, removePrivatePlaces, startPrivately } from "../private-proc.ts";
import type { PrivatePlaces } from "../private-proc.ts";
import { startSimulation } from "../simulation.ts";
import { EXIT, statusOfSignal } from "./exit-codes.ts";
import { CommandError, explain } from "./failure.ts";
import { simulationOptions } from "./mount.ts";
import type { SimulationFlags } from "./options.ts";

/** Status of the command; 125 if it came to no command, 126 or 127 from the shell if it could not be started. */
export async function run(command: readonly string[], flags: SimulationFlags): Promise<number> {
  const places = makePrivatePlaces();
  try {
    return await withSimulation(places, command, flags);
  } catch (error) {
    const { status, sentence } = explain(error);
    throw new CommandError(status === EXIT.internal ? status : EXIT.runFailed, sentence, { cause: error });
  } finally {
    removePrivatePlaces(places);
  }
}

async function withSimulation(
  places: PrivatePlaces,
  command: readonly string[],
  flags: SimulationFlags,
): Promise<number> {
  const signals = new SignalRelay();
  const sink = new SwitchableSink(new FdSink(2));
  try {
    const simulation = await startSimulation(simulationOptions(places.simulation, flags, sink, places.real));
    // The command's output is its own, and nothing else would say which port was chosen.
    if (simulation.metrics !== null) process.stderr.write(`synthproc: metrics on ${simulation.metrics}\n`);
    try {
      return signals.early ?? (await endOf(signals.passOnTo(startPrivately(places, command))));
    } finally {
      await simulation.unmount();
    }
  } finally {
    signals.stop();
  }
}

/** Status of a command as a shell gives it. */
function endOf(child: ChildProcess): Promise<number> {
  return new Promise((done, reject) => {
    child.once("error", (error) => {
      const missing = "unshare(1) is not installed (package util-linux)";
      reject(errorCode(error) === "ENOENT" ? new CommandError(PRIVATE_SETUP_FAILED, missing) : error);
    });
    child.once("close", (code, signal) => {
      done(signal === null ? (code ?? EXIT.internal) : statusOfSignal(constants.signals[signal]));
    });
  });
}

/**
 * Signals to this process mean the command. Before there is one they end the run in good order; afterwards they are
 * passed on, except those that a terminal sends to the command itself.
 */
class SignalRelay {
  /** Exit status owed to a signal that came before the command. */
  early: number | null = null;
  private child: ChildProcess | null = null;
  private readonly handlers = new Map<NodeJS.Signals, () => void>();

  constructor() {
    for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const) {
      const handler = (): void => this.take(signal);
      this.handlers.set(signal, handler);
      process.on(signal, handler);
    }
  }

  passOnTo(child: ChildProcess): ChildProcess {
    this.child = child;
    return child;
  }

  stop(): void {
    for (const [signal, handler] of this.handlers) {
      process.off(signal, handler);
    }
  }

  private take(signal: NodeJS.Signals): void {
    if (this.child === null) {
      this.early = statusOfSignal(constants.signals[signal]);
    } else if (signal === "SIGTERM" || signal === "SIGHUP") {
      this.child.kill(signal);
    }
  }
}
