import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { formatMount, formatMountinfo, formatMountstats } from "../../src/proc/task/base-mounts.ts";
import { Text } from "../../src/proc/text.ts";

/** The three files of one moment: others may mount while we read. */
function realMounts(): { mounts: string; mountinfo: string; mountstats: string } {
  const read = (name: string): string => readFileSync(`/proc/self/${name}`, "latin1");
  for (;;) {
    const mountinfo = read("mountinfo");
    const mounts = read("mounts");
    const mountstats = read("mountstats");
    if (read("mountinfo") === mountinfo) return { mounts, mountinfo, mountstats };
  }
}

function all(lines: readonly string[], format: (line: string, out: Text) => void): string {
  const out = new Text();
  for (const line of lines) format(line, out);
  return out.toString();
}

test("mounts, mountinfo and mountstats follow from mountinfo", () => {
  const real = realMounts();
  const lines = real.mountinfo.trimEnd().split("\n");
  expect(all(lines, formatMountinfo)).toBe(real.mountinfo);
  expect(all(lines, formatMount)).toBe(real.mounts);
  expect(all(lines, formatMountstats)).toBe(real.mountstats);
});

test("read-only and synchronous mounts", () => {
  const line = "31 22 0:28 / /a\\040b ro,nosuid shared:4 master:1 - tmpfs none rw,sync,size=4k";
  expect(all([line], formatMount)).toBe("none /a\\040b tmpfs ro,sync,nosuid,size=4k 0 0\n");
  expect(all([line], formatMountstats)).toBe("no device mounted on /a\\040b with fstype tmpfs\n");
});
