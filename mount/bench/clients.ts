/**
 * Client processes that read a mount: a small C program, compiled when it is needed; where there is no C compiler, a
 * script for this node, which costs more for each read and says so.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { errorCode } from "../errors.ts";
import type { ClientMode } from "./catalogue.ts";

/** A command line that speaks the protocol of client.c. */
export interface ClientProgram {
  readonly command: readonly string[];
  /** A sentence for the report if it isn't the C program. */
  readonly note: string | null;
}

/** What a client did in one round. */
export interface ClientRound {
  readonly reads: number;
  readonly errors: number;
  readonly seconds: number;
  /** Of the last error; 0 if there was none. */
  readonly errno: number;
}

const SOURCE = fileURLToPath(new URL("./client.c", import.meta.url));
const COMPILE_TIMEOUT_MS = 60_000;
const NS_PER_S = 1e9;

/** The C program, once more, for machines without a compiler. */
const SCRIPT = `
const fs = require("node:fs");
const buffer = Buffer.alloc(65536);
function readFile(path, question) {
  const fd = fs.openSync(path, question === null ? "r" : "r+");
  try {
    if (question !== null) fs.writeSync(fd, question);
    while (fs.readSync(fd, buffer, 0, buffer.length, null) > 0);
  } finally {
    fs.closeSync(fd);
  }
}
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const [mode, milliseconds, path, ...question] = line.split(" ");
  let reads = 0, errors = 0, errno = 0;
  const start = performance.now();
  while (performance.now() < start + Number(milliseconds)) {
    try {
      if (mode === "stat") fs.statSync(path);
      else readFile(path, mode === "ask" ? question.join(" ") : null);
    } catch (error) {
      errors++;
      errno = -error.errno;
    }
    reads++;
  }
  console.log(reads, errors, Math.round((performance.now() - start) * 1e6), errno);
});
`;

/** Compiles the C program into a folder, or falls back to the script. */
export async function clientProgram(folder: string): Promise<ClientProgram> {
  const program = join(folder, "client");
  try {
    await promisify(execFile)("cc", ["-O2", "-o", program, SOURCE], { timeout: COMPILE_TIMEOUT_MS });
    return { command: [program], note: null };
  } catch (error) {
    const why = errorCode(error) === "ENOENT" ? "there is no cc" : "cc failed";
    const note = `Clients are node scripts (${why}), which take longer for each read than a C program.`;
    return { command: [process.execPath, "-e", SCRIPT], note };
  }
}

/** One client process. */
class Client {
  readonly pid: number;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: Interface;
  private readonly ended: Promise<void>;

  constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.child = child;
    this.pid = child.pid as number;
    this.lines = createInterface({ input: child.stdout });
    this.ended = new Promise((resolve) => child.once("close", () => resolve()));
    // Its end is noticed by who waits for an answer; a write that finds it gone adds nothing.
    child.stdin.on("error", () => undefined);
  }

  async ask(line: string): Promise<ClientRound> {
    const answer = once(this.lines, "line") as Promise<[string]>;
    this.child.stdin.write(`${line}\n`);
    const gone = this.ended.then(() => {
      throw new Error("a client of the benchmark ended too early");
    });
    const [text] = await Promise.race([answer, gone]);
    const [reads, errors, ns, errno] = text.split(" ").map(Number) as [number, number, number, number];
    return { reads, errors, seconds: ns / NS_PER_S, errno };
  }

  async close(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** The clients of a mount. */
export class Clients {
  private readonly clients: Client[] = [];

  /** @throws Error if one can't be started */
  async start(program: ClientProgram, count: number): Promise<void> {
    const [command, ...args] = program.command as [string, ...string[]];
    for (let i = 0; i < count; i++) {
      const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
      await once(child, "spawn");
      this.clients.push(new Client(child));
    }
  }

  /** Lets all clients read for a while. @throws Error if one ends, or can't read at all */
  async run(mode: ClientMode, milliseconds: number, path: string, question: string): Promise<ClientRound[]> {
    const line = `${mode} ${Math.max(1, Math.round(milliseconds))} ${path}${question === "" ? "" : ` ${question}`}`;
    const rounds = await Promise.all(this.clients.map((client) => client.ask(line)));
    for (const round of rounds) {
      if (round.errors === round.reads) throw new Error(`${path} can't be read: ${errnoName(round.errno)}`);
    }
    return rounds;
  }

  /** Gives all clients a scheduling priority: 0 is the usual one, 19 the lowest. */
  setPriority(priority: number): void {
    for (const client of this.clients) setPriority(client.pid, priority);
  }

  /** Ends them. */
  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
  }
}

function errnoName(errno: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
}
