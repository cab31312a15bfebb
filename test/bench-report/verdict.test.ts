/** A difference is stated only if it is larger than the spread. */
import { describe, expect, test } from "vitest";
import { conclusions } from "../../mount/bench/report/conclusions.ts";
import { busierWriters, notes, repeatCommand, warnings } from "../../mount/bench/report/describe.ts";
import { READS, WRITER_MEDIAN, WRITER_P99 } from "../../mount/bench/report/verdict.ts";
import { judge, judgeMetric, ratioText, sentences } from "../../mount/bench/report/verdict.ts";
import { BENCH_NAMES, PS } from "../../mount/bench/catalogue.ts";
import { NO_RATIO, NO_SUMMARY, around, comparison, ratio, sample, withForms } from "./sample.ts";

const more = true;
const less = false;
const shape = { name: "io", where: "in-process", operation: "exec", spread: 0.02 } as const;

test("a ratio whose interval leaves 1 out is a difference, in favour of whom the figure says", () => {
  expect(judge(ratio(1.5, 0.1), around(150, 0.1), around(100, 0.1), more)).toBe("better");
  expect(judge(ratio(0.5, 0.1), around(50, 0.1), around(100, 0.1), more)).toBe("worse");
  expect(judge(ratio(0.5, 0.1), around(50, 0.1), around(100, 0.1), less)).toBe("better");
  expect(judge(ratio(1.5, 0.1), around(150, 0.1), around(100, 0.1), less)).toBe("worse");
});

test("none is stated if the interval holds 1", () => {
  expect(judge(ratio(1.5, 0.4), around(150, 0.01), around(100, 0.01), more)).toBe("none");
  expect(judge({ value: 1.5, low: 1, high: 2, confidence: 0.95 }, around(150, 0), around(100, 0), more)).toBe("none");
});

test("none is stated if the middle halves of the rounds overlap, however narrow the interval", () => {
  expect(judge(ratio(1.1, 0.01), around(110, 0.4), around(100, 0.4), more)).toBe("none");
});

test("without an interval there is no telling, without a value nothing was measured", () => {
  expect(judge({ ...NO_RATIO, value: 3 }, around(3, 0.1), around(1, 0.1), more)).toBe("unknown");
  expect(judge(NO_RATIO, NO_SUMMARY, around(1, 0.1), more)).toBe("unmeasured");
});

test("a p99 of few operations is no p99", () => {
  const many = comparison({ ...shape, lockfree: [100, 10], locked: [50, 20] });
  const few = withForms(many, (form) => ({
    ...form,
    writer: { ...form.writer, all: { ...form.writer.all!, count: 499 } },
  }));
  expect(judgeMetric(many, WRITER_P99)).toBe("better");
  expect(judgeMetric(few, WRITER_P99)).toBe("unknown");
  expect(judgeMetric(few, WRITER_MEDIAN)).toBe("better");
});

test("a ratio is marked by what may be said about it", () => {
  expect(ratioText(ratio(1.5, 0.1), "better")).toBe("1.50 (1.35–1.65)");
  expect(ratioText(ratio(1.02, 0.1), "none")).toBe("≈ 1.02 (0.92–1.12)");
  expect(ratioText({ ...NO_RATIO, value: 0.7 }, "unknown")).toBe("? 0.70");
  expect(ratioText(NO_RATIO, "unmeasured")).toBe("–");
});

describe("sentences on a comparison", () => {
  test("name what differs, by how much and to whose good", () => {
    const one = comparison({ ...shape, lockfree: [100, 30], locked: [50, 20] });
    expect(sentences(one)).toEqual([
      "Lockfree, readers do 2.00 times as many reads a second as locked (1.96–2.04).",
      "Lockfree, the median latency of the writer is 1.50 times what it is locked (1.47–1.53): longer.",
      "Lockfree, the p99 latency of the writer is 1.50 times what it is locked (1.47–1.53): longer.",
    ]);
  });

  test("say once that nothing differs", () => {
    const one = comparison({ ...shape, lockfree: [100, 20], locked: [101, 20.1], spread: 0.1 });
    expect(sentences(one)).toEqual(["Readers and writer: no difference that this machine can show."]);
  });

  test("say for which figures there is no telling", () => {
    const one = comparison({ ...shape, lockfree: [100, 20], locked: [50, 20.1], spread: 0.1 });
    one.ratio.readsPerSecond = { ...NO_RATIO, value: 2 };
    one.ratio.writerP99 = NO_RATIO;
    expect(sentences(one)).toEqual([
      "Median latency of the writer: no difference that this machine can show.",
      "Reads a second: too few rounds or operations to tell a difference from chance.",
      "p99 latency of the writer: not measured on both sides.",
    ]);
  });
});

test("the conclusions name every comparison once for each figure", () => {
  const result = sample();
  const found = conclusions(result);
  expect(found.map(({ title }) => title)).toEqual([
    "In process: reads a second",
    "In process: median latency of the writer",
    "In process: p99 latency of the writer",
    "Over the mount: reads a second",
    "Over the mount: median latency of the writer",
    "Over the mount: p99 latency of the writer",
    "ps -fe: runs a second",
  ]);
  expect(found[0]!.groups).toEqual([
    { verdict: "better", label: "more with lockfree", names: ["io (1.50)"] },
    { verdict: "worse", label: "fewer with lockfree", names: ["maps (0.91)"] },
  ]);
  for (const { groups } of found.slice(3, 6)) {
    const names = groups.flatMap((group) => group.names.map((name) => name.replace(/ \(.*/, "")));
    expect(names.sort()).toEqual(["io", "maps-remap"]);
  }
});

describe("warnings", () => {
  const warned = (change: (result: ReturnType<typeof sample>) => void) => {
    const result = sample();
    result.comparisons.forEach((one) => Object.assign(one, { readers: 1 }));
    change(result);
    return warnings(result);
  };

  test("are none on a quiet machine with a CPU for each thread", () => {
    expect(warned(() => undefined)).toEqual([]);
  });

  test("tell of a busy machine", () => {
    const [text, ...others] = warned((result) => (result.machine.loadBefore = [3.5, 1, 1]));
    expect(text).toContain("load 3.50 on 2 CPUs");
    expect(others).toEqual([]);
  });

  test("tell of more threads than CPUs", () => {
    expect(warned((result) => (result.comparisons[0]!.readers = 5))).toEqual([
      expect.stringContaining("Up to 6 readers and writers share 2 CPUs"),
    ]);
  });

  test("tell of too few rounds", () => {
    expect(warned((result) => (result.options.rounds = 2))).toEqual([expect.stringContaining("With 2 rounds")]);
  });

  test("tell of forms that the counters contradict", () => {
    const mixed = (name: string, count: number, form: "lockfree" | "locked") =>
      warned((result) => (result.comparisons[1]!.forms[form].events = { [name]: count }));
    expect(mixed("speculated", 5, "locked")).toEqual([
      "maps, in process: the forms were mixed up (lock-free reads: 1,234,567 in lockfree, 5 in locked).",
    ]);
    expect(mixed("rcu_walk", 5, "locked")).toHaveLength(1);
    expect(mixed("fell_back", 5, "lockfree")).toHaveLength(1);
    expect(mixed("rcu_walk", 5, "lockfree")).toEqual([]);
  });
});

test("fewer reads are explained by a writer that got more done, on shared CPUs only", () => {
  const result = sample();
  const maps = result.comparisons[1]!;
  expect(judgeMetric(maps, READS)).toBe("worse");
  expect(busierWriters(result, "in-process")).toBe("");
  for (const round of maps.forms.lockfree.rounds) round.writesPerSecond *= 3;
  expect(busierWriters(result, "in-process")).toContain("maps (3.00 times)");
  expect(conclusions(result).map(({ remark }) => remark !== "")).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
  expect(busierWriters(result, "mount")).toBe("");
  result.machine.cpus = 3;
  expect(busierWriters(result, "in-process")).toBe("");
});

test("the command that runs it again leaves out names if all were measured", () => {
  const result = sample();
  expect(repeatCommand(result)).toBe(
    "synthproc bench io maps maps-remap ps --seed 7 --rounds 5 --seconds 0.5 --where both --readers 2 --ps 1,8,64",
  );
  result.options.names = [...BENCH_NAMES];
  expect(repeatCommand(result)).toMatch(/^synthproc bench --seed 7 /);
  Object.assign(result.options, { where: "in-process", names: BENCH_NAMES.filter((name) => name !== PS), ps: [] });
  expect(repeatCommand(result)).toMatch(/^synthproc bench --seed 7 .* --readers 2$/);
});

test("a note is given once, with those that it is about", () => {
  const all = sample().comparisons;
  for (const one of all) one.notes = ["Said of many."];
  all[0]!.notes.push("Said of one.");
  expect(notes(all)).toEqual(["io, maps and maps-remap: Said of many.", "io: Said of one."]);
});
