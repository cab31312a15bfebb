/** System-wide files that count processes. */
import { expect, test } from "vitest";
import { HOST } from "../../src/kernel/layout.ts";
import { rootRows } from "../../src/proc/root/rows.ts";
import { subject, testKernel } from "../support/kernel.ts";
import { fork, startInit } from "../support/processes.ts";
import { TEST_HOST, rootContext, rowAt, textOf } from "../support/root-files.ts";

test("loadavg, stat and slabinfo follow the task list", () => {
  const k = testKernel();
  const c = rootContext(k, subject(0));
  const rows = rootRows(TEST_HOST);
  const read = (path: string): string => textOf(rowAt(rows, path), c);
  const forks = (): number => Number(/^processes (\d+)$/m.exec(read("stat"))![1]);
  const init = startInit(k);
  const before = forks();
  fork(k, init);
  fork(k, init);
  expect(forks()).toBe(before + 2);
  k.m.store(HOST.loadAverage, 2048 * 3 + 1024);
  const [one, , , tasks, last] = read("loadavg").trim().split(" ");
  expect(one).toBe("3.50");
  expect(Number(tasks!.split("/")[1])).toBe(k.m.load(HOST.nrThreads));
  expect(Number(last)).toBe(k.m.load(HOST.lastPid));
  const active = Number(/^task_struct +(\d+)/m.exec(read("slabinfo"))![1]);
  expect(active).toBeGreaterThanOrEqual(3);
});
