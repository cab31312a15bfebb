/** Hands of another process with other ids. Calls are synchronous, with a time limit: a mount may be what they examine. */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { chmodSync, closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hands } from "./view.ts";

const LIMIT_MS = 20_000;
const probe = fileURLToPath(new URL("./probe.js", import.meta.url));

/** A process of its own that does what it is told; see probe.js. */
export class Remote implements Hands {
  private readonly folder: string;
  private readonly child: ChildProcess;
  private readonly requests: number;
  private readonly responses: number;
  private readonly nap = new Int32Array(new SharedArrayBuffer(4));
  /** Why it answers no more: every further call fails at once. */
  private broken: string | null = null;

  /** @param root the directory that paths are relative to */
  constructor(root: string, uid: number, gid: number) {
    this.folder = mkdtempSync(join(tmpdir(), "synthproc-probe-"));
    chmodSync(this.folder, 0o755);
    const [requests, responses] = [join(this.folder, "requests"), join(this.folder, "responses")];
    const made = spawnSync("mkfifo", ["-m", "666", requests, responses]);
    if (made.status !== 0) throw new Error(`mkfifo failed: ${made.stderr.toString()}`);
    // Opened for both directions, or without blocking: neither waits for the other side.
    this.requests = openSync(requests, constants.O_RDWR);
    this.responses = openSync(responses, constants.O_RDONLY | constants.O_NONBLOCK);
    this.child = spawn(process.execPath, [probe, root, requests, responses], {
      uid,
      gid,
      cwd: "/",
      stdio: ["ignore", "ignore", "inherit"],
    });
  }

  readonly lstat: Hands["lstat"] = (path) => this.call("lstat", path);
  readonly cat: Hands["cat"] = (path) => this.call("cat", path);
  readonly open: Hands["open"] = (path, flags) => this.call("open", path, flags);
  readonly write: Hands["write"] = (path, text) => this.call("write", path, text);
  readonly readlink: Hands["readlink"] = (path) => this.call("readlink", path);
  readonly ls: Hands["ls"] = (path) => this.call("ls", path);
  readonly access: Hands["access"] = (path, mask) => this.call("access", path, mask);

  close(): void {
    this.child.kill("SIGKILL");
    closeSync(this.requests);
    closeSync(this.responses);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private call<T>(operation: string, path: string, ...rest: unknown[]): T {
    if (this.broken !== null) throw new Error(this.broken);
    writeSync(this.requests, `${JSON.stringify([operation, path, ...rest])}\n`);
    return JSON.parse(this.line(`${operation} ${path}`)) as T;
  }

  private line(what: string): string {
    const chunk = Buffer.alloc(1 << 16);
    const parts: Buffer[] = [];
    const deadline = performance.now() + LIMIT_MS;
    while (performance.now() < deadline) {
      const got = this.receive(chunk);
      if (got > 0) {
        parts.push(Buffer.from(chunk.subarray(0, got)));
        if (chunk[got - 1] === 10) return Buffer.concat(parts).toString("utf8");
      } else {
        Atomics.wait(this.nap, 0, 0, 1);
      }
    }
    this.broken = `no answer within ${LIMIT_MS} ms: ${what}`;
    throw new Error(this.broken);
  }

  private receive(chunk: Buffer): number {
    try {
      return readSync(this.responses, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return 0;
      throw error;
    }
  }
}
