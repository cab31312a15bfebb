/**
 * `mount --daemon`: a detached copy of this command serves, and its parent waits until it does.
 *
 * The copy reports over an IPC channel. Until then its standard error is a pipe that the parent passes on, so that
 * whatever goes wrong at the start is seen; afterwards it logs to a file, or not at all.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { openSync } from "node:fs";
import { FdSink } from "../log.ts";
import type { SwitchableSink } from "../log.ts";
import { EXIT } from "./exit-codes.ts";

/** Tells the copy what it is; it is removed from the environment at once. */
const MARK = "SYNTHPROC_DAEMON";

/** What the copy reports once it serves. */
export interface ReadyMessage {
  ready: string;
}

/** True in the detached copy. */
export function isDaemonCopy(): boolean {
  return process.env[MARK] === "1" && process.send !== undefined;
}

/**
 * Starts the copy and waits until it serves or ends.
 *
 * @param argv arguments of the whole command line, without node and the program.
 * @returns 0 once it serves; otherwise its exit status.
 */
export function startDaemon(argv: readonly string[], stdout: { write(text: string): unknown }): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...argv], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: { ...process.env, [MARK]: "1" },
  });
  child.stderr!.pipe(process.stderr, { end: false });
  return new Promise((done) => {
    child.once("error", (error) => {
      process.stderr.write(`synthproc: the daemon cannot be started: ${error.message}\n`);
      done(EXIT.internal);
    });
    child.once("message", (message: ReadyMessage) => {
      stdout.write(message.ready);
      release(child);
      done(EXIT.ok);
    });
    // "close" comes after the last of its standard error.
    child.once("close", (code) => done(code ?? EXIT.internal));
  });
}

/** Lets this process end while the copy goes on. */
function release(child: ChildProcess): void {
  child.stderr!.destroy();
  child.disconnect();
  child.unref();
}

/** In the copy: says that it serves, and lets go of the parent's terminal and directory. */
export function reportReady(ready: string, logFile: string | undefined, sink: SwitchableSink): Promise<void> {
  sink.switchTo(logFile === undefined ? null : new FdSink(openSync(logFile, "a")));
  // The parent closes its end of the pipe; a late warning of Node's must not end the server.
  process.stderr.on("error", () => sink.switchTo(null));
  return new Promise((done, reject) => {
    process.send!({ ready } satisfies ReadyMessage, (error: Error | null) => {
      process.chdir("/");
      if (process.connected) {
        process.disconnect();
      }
      if (error === null) done();
      else reject(error);
    });
  });
}

/** Removes the mark, so that children of the copy are ordinary. */
export function forgetMark(): void {
  delete process.env[MARK];
}
