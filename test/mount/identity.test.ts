/**
 * The caller's identity counts: a process turns privileged by a set-user-ID exec and unprivileged by another one, in a
 * loop, while another user reads its guarded files. Each result must be one that the credentials of a moment allow:
 * a refusal, or what the unprivileged image shows.
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorCode } from "../../mount/errors.ts";
import { CliServer } from "../cli/server.ts";
import { ended } from "../support/programs.ts";
import { missingTools } from "../tools/needs.ts";

const why = missingTools(["python3", "setpriv"]);
if (why !== "") console.warn(`identity.test.ts: skipped, because ${why}`);

/** Handed over as text: the other user may not be able to reach this file. */
const READER = readFileSync(fileURLToPath(new URL("./identity-reader.py", import.meta.url)), "utf8");
const UID = 1000;
const READERS = 4;
/** Reads of all readers together, in each form: all that is asked for in CI. */
const READS = process.env["CI"] === undefined ? 8_000 : 56_000;
const PLAIN = "/usr/bin/plain";
const SECRET = "/usr/bin/secret";
const PATHS = ["io", "stack", "syscall", "personality", "mm_access", "maps", "timers"];

type Counts = Record<string, Record<string, number>>;

describe.skipIf(why !== "")("a process that turns privileged and back while another user reads", () => {
  const server = new CliServer(["--scenario", "idle", "--workers", "2", "--seed", "5"]);
  let ctl = -1;
  let pid = "";
  /** Registers of the images of each kind, as root sees them. */
  const registers = { plain: new Set<string>(), secret: new Set<string>() };

  beforeAll(async () => {
    await server.ready();
    ctl = openSync(server.at("synthproc/ctl"), "r+");
    const init = /^(\d+)$/.exec(command("fork 1"))?.[1] ?? "";
    for (const line of [`setgid ${init} ${UID}`, `setuid ${init} ${UID}`, exec(init, PLAIN)]) command(line);
    pid = init;
  });
  afterAll(async () => {
    if (ctl >= 0) closeSync(ctl);
    await server.remove();
  });

  /** @returns what the command says */
  function command(line: string): string {
    writeSync(ctl, line);
    const answer = Buffer.alloc(256);
    return answer.toString("latin1", 0, readSync(ctl, answer, 0, answer.length, null)).trim();
  }

  function exec(target: string, file: string): string {
    return `exec ${target} ${file} --env MARK=${file}`;
  }

  /** Behind a slow exec a child's SIGCHLD can end the read with EINTR, which Node passes on. */
  function syscall(): string {
    for (;;) {
      try {
        return readFileSync(server.at(`${pid}/syscall`), "latin1").trim();
      } catch (error) {
        if (errorCode(error) !== "EINTR") throw error;
      }
    }
  }

  /** Privileged with odd counters; even ones again; unprivileged. */
  function turn(round: number): void {
    const hold = round % 8 === 0 ? " --hold 5ms" : "";
    command(`${exec(pid, SECRET)} --setuid 0${hold}`);
    registers.secret.add(syscall());
    command(`timer_create ${pid}`);
    command(`io ${pid} 1 1`);
    command(`io ${pid} 1 1`);
    command(`setuid ${pid} ${UID}`);
    command(exec(pid, PLAIN));
    registers.plain.add(syscall());
    command(`timer_create ${pid}`);
  }

  async function readAll(): Promise<{ counts: Counts; rounds: number }> {
    const share = String(READS / READERS);
    const ids = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups"];
    const args = [...ids, "/usr/bin/python3", "-c", READER, server.dir, pid, share];
    let running = READERS;
    const readers = Array.from({ length: READERS }, () =>
      ended("setpriv", args, { timeout: 240_000 }).finally(() => running--),
    );
    let rounds = 0;
    while (running > 0) {
      turn(rounds++);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const counts: Counts = {};
    for (const outcome of await Promise.all(readers)) {
      expect(outcome.stderr).toBe("");
      for (const [file, results] of Object.entries(JSON.parse(outcome.stdout) as Counts))
        for (const [result, count] of Object.entries(results)) {
          const all = (counts[file] ??= {});
          all[result] = (all[result] ?? 0) + count;
        }
    }
    return { counts, rounds };
  }

  it.each(["lockfree", "locked"])(
    "%s: nothing of the privileged image is seen",
    async (form) => {
      for (const path of PATHS) {
        const knob = openSync(server.at(`sys/synthproc/${path}`), "w");
        writeSync(knob, form);
        closeSync(knob);
      }
      const { counts, rounds } = await readAll();
      const total = Object.values(counts)
        .flatMap((results) => Object.values(results))
        .reduce((a, b) => a + b, 0);
      console.log(`${form}: ${total} reads, ${rounds} rounds of exec, ${JSON.stringify(summary(counts))}`);
      expect(total).toBe(READS);
      expect(rounds).toBeGreaterThan(20);
      const seen = (file: string, ...refusals: string[]): string[] =>
        Object.keys(counts[file] ?? {}).filter((result) => !refusals.includes(result));
      expect(seen("io", "EACCES")).toEqual(["even"]);
      expect(seen("maps", "EACCES", "empty")).toEqual([PLAIN]);
      expect(seen("auxv", "EACCES", "empty")).toEqual([`euid ${UID}`]);
      expect(seen("environ", "EACCES", "empty")).toEqual([`MARK=${PLAIN}`]);
      expect(seen("timers", "EACCES").sort()).toEqual(["empty", "timers"]);
      expect(seen("stack", "EACCES", "EPERM")).toEqual([]);
      expect(seen("personality", "EACCES", "EPERM")).toEqual(["00000000"]);
      const shown = seen("syscall", "EACCES", "EPERM");
      expect(shown.filter((text) => registers.secret.has(text) || !registers.plain.has(text))).toEqual([]);
      expect(shown.length).toBeGreaterThan(1);
      for (const file of ["io", "maps", "auxv", "environ", "syscall", "personality"])
        expect(refused(counts, file), `${file} was refused now and then`).toBeGreaterThan(0);
    },
    300_000,
  );

  function refused(counts: Counts, file: string): number {
    return (counts[file]?.["EACCES"] ?? 0) + (counts[file]?.["EPERM"] ?? 0);
  }

  /** As it was counted, but for the registers, of which there are many. */
  function summary(counts: Counts): Counts {
    const { syscall: texts = {}, ...rest } = counts;
    const allowed = Object.entries(texts).filter(([text]) => !/^E/.test(text));
    return { ...rest, syscall: { registers: allowed.length, refused: refused(counts, "syscall") } };
  }
});
