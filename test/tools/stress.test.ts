/**
 * Eight shell loops against the fastest scenario: what they complain of must be what a real /proc could say, the server
 * must not grow, the table must go on changing. STRESS_SECONDS (10 unless given) is how long.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseStats } from "../../mount/cli/stats.ts";
import { PROGRAM } from "../cli/helpers.ts";
import { missingTools } from "./needs.ts";
import { Complaints } from "./results.ts";

const SECONDS = Number(process.env["STRESS_SECONDS"] ?? "10");
/** How much the server may grow after its warm-up: V8's heaps and the arena breathe. */
const GROWTH = 1.25;
const GROWTH_KB = 64 * 1024;
/** Objects of one kind that may wait for a grace period when the mutators are paused. */
const WAITING = 32;

/** What is left out waits, is an image of memory, or may only be written. */
const LOOPS = [
  "cat /proc/[0-9]*/stat /proc/[0-9]*/status /proc/[0-9]*/io",
  "cat /proc/[0-9]*/maps /proc/[0-9]*/timers /proc/[0-9]*/limits",
  "ls -lR /proc/[0-9]*/fd /proc/[0-9]*/task",
  "ls -l /proc",
  "ps -eLf",
  "ps axjf",
  'find /proc -mindepth 2 -maxdepth 2 -name "st*" -exec cat {} +',
  "find /proc -maxdepth 2 -name comm -exec head -c 5 {} \\;",
] as const;

/**
 * What a real /proc says of a process that ends under the reader's hands, beside ENOENT and ESRCH: reading a net/ that
 * was open before gives EINVAL (measured; proc_tgid_net_readdir).
 */
const KNOWN = new Complaints("ls: reading directory '/proc/1/task/1/net': Invalid argument");

/** $0 is a folder for what comes of it, $1 for how many seconds; the loops follow. */
const SCRIPT = `
out=$0 seconds=$1
shift
i=0
for loop in "$@"; do
  (
    end=$((SECONDS + seconds))
    while [ $SECONDS -lt $end ]; do
      eval "$loop" >/dev/null 2>>"$out/$i.err"
      echo $? >>"$out/$i.rc"
    done
  ) &
  i=$((i + 1))
done
sleep $((seconds / 3))
cat /proc/synthproc/stats >"$out/warm"
wait
cat /proc/synthproc/stats >"$out/last"
echo pause >/proc/synthproc/ctl
sleep 1
cat /proc/synthproc/stats >"$out/still"
`;

function rssKb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);
}

const why = missingTools(["ps", "find", "unshare"]);
if (why !== "") console.warn(`skipped: stress: ${why}`);

describe.skipIf(why !== "")(`stress, ${SECONDS} s`, () => {
  const dir = mkdtempSync(join(tmpdir(), "synthproc-stress-"));
  /** Kilobytes, each half second. */
  const rss: number[] = [];
  let status: number | null = null;
  let stderr = "";

  beforeAll(
    async () => {
      const options = ["run", "-s", "churn", "--seed", "7", "--mutators", "2", "--workers", "2", "--"];
      const command = [...options, "bash", "-c", SCRIPT, dir, String(SECONDS), ...LOOPS];
      const child = spawn(PROGRAM, command, { stdio: ["ignore", "ignore", "pipe"] });
      child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      const end = performance.now() + SECONDS * 1000;
      while (performance.now() < end && child.exitCode === null) {
        rss.push(rssKb(child.pid!));
        await sleep(500);
      }
      status = await ended;
    },
    (SECONDS + 120) * 1000,
  );

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const text = (name: string): string => readFileSync(join(dir, name), "latin1");
  const stats = (name: string): Record<string, number> => parseStats(text(name)) as Record<string, number>;

  test.each(LOOPS.map((loop, i) => [loop, i] as const))("%s", (_loop, i) => {
    expect(new Complaints(text(`${i}.err`)).beyond(KNOWN)).toEqual([]);
    const statuses = text(`${i}.rc`).trim().split("\n").map(Number);
    // 1 is what cat, find and ps return, 2 what ls does, when a name has gone under their hands.
    expect([...new Set(statuses)].filter((one) => ![0, 1, 2].includes(one))).toEqual([]);
  });

  test("the server stays as it was, and says nothing", () => {
    const warm = rss[Math.floor(rss.length / 3)]!;
    const last = rss.at(-1)!;
    const rounds = LOOPS.map((_, i) => text(`${i}.rc`).trim().split("\n").length);
    const series = rss.filter((_, i) => i % 10 === 0).map((kb) => (kb / 1024).toFixed(0));
    console.log(`server RSS in MB, every 5 s: ${series.join(" ")}; rounds ${rounds.join(" ")}`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(last).toBeLessThan(warm * GROWTH + GROWTH_KB);
    expect(stats("last")["arena.used_bytes"]).toBeLessThan(
      stats("warm")["arena.used_bytes"]! * GROWTH + GROWTH_KB * 1024,
    );
  });

  test("the table went on changing", () => {
    console.log(`forks ${stats("warm")["forks"]} to ${stats("last")["forks"]}`);
    expect(stats("last")["forks"]).toBeGreaterThan(stats("warm")["forks"]! + SECONDS);
  });

  test("standing still, every task and signal_struct belongs to a process that can be seen", () => {
    const still = stats("still");
    // One more of each: the idle task, which is in no list. What the last ticks have retired waits for a grace period,
    // which a mutator that stands still doesn't end: a few objects, after tens of thousands of forks.
    expect(still["slab.signal"]! - still["processes"]! - 1).toBeLessThan(WAITING);
    expect(still["slab.task"]! - still["tasks"]! - 1).toBeLessThan(WAITING);
  });
});
