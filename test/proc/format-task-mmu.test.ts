import { expect, test } from "vitest";
import { parseVmFlags, vmFlagsText, VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE } from "../../src/mm/flags.ts";
import {
  formatNumaPages,
  formatSmapsHead,
  formatSmapsNumbers,
  formatSmapsTail,
  formatVmaHeader,
  padToName,
} from "../../src/proc/task/task-mmu-format.ts";
import type { SmapsNumbers } from "../../src/mm/smaps.ts";
import type { VmaHeader } from "../../src/proc/task/snapshots.ts";
import { Text } from "../../src/proc/text.ts";
import { everywhere } from "./format-real.ts";

function parseHeader(line: string): { header: VmaHeader; name: string } {
  const [range = "", perms = "", offset = "", dev = "", ino = ""] = line.split(" ");
  const [start = "", end = ""] = range.split("-");
  const [major = "", minor = ""] = dev.split(":");
  let flags = 0;
  if (perms[0] === "r") flags |= VM_READ;
  if (perms[1] === "w") flags |= VM_WRITE;
  if (perms[2] === "x") flags |= VM_EXEC;
  if (perms[3] === "s") flags |= VM_MAYSHARE;
  const fixed = [range, perms, offset, dev, ino].join(" ").length + 1;
  return {
    header: {
      start: parseInt(start, 16),
      end: parseInt(end, 16),
      flags,
      offset: parseInt(offset, 16),
      dev: ((parseInt(major, 16) << 20) | parseInt(minor, 16)) >>> 0,
      ino: Number(ino),
    },
    name: line.slice(fixed).trimStart(),
  };
}

function formatLine(line: string, out: Text): void {
  const { header, name } = parseHeader(line);
  const start = out.length;
  formatVmaHeader(header, out);
  if (name !== "") {
    padToName(out, start);
    out.str(name);
  }
  out.byte(10);
}

test("every line of every maps of this machine", () => {
  const files = everywhere("maps");
  expect(files.length).toBeGreaterThan(0);
  const out = new Text();
  for (const [path, text] of files) {
    out.clear();
    for (const line of text.split("\n").slice(0, -1)) formatLine(line, out);
    expect(out.toString(), path).toBe(text);
  }
});

const NUMBERS: readonly (readonly [keyof SmapsNumbers, string])[] = [
  ["rss", "Rss"],
  ["pss", "Pss"],
  ["pssDirty", "Pss_Dirty"],
  ["pssAnon", "Pss_Anon"],
  ["pssFile", "Pss_File"],
  ["pssShmem", "Pss_Shmem"],
  ["sharedClean", "Shared_Clean"],
  ["sharedDirty", "Shared_Dirty"],
  ["privateClean", "Private_Clean"],
  ["privateDirty", "Private_Dirty"],
  ["referenced", "Referenced"],
  ["anonymous", "Anonymous"],
  ["ksm", "KSM"],
  ["lazyFree", "LazyFree"],
  ["anonHugePages", "AnonHugePages"],
  ["shmemPmdMapped", "ShmemPmdMapped"],
  ["filePmdMapped", "FilePmdMapped"],
  ["sharedHugetlb", "Shared_Hugetlb"],
  ["privateHugetlb", "Private_Hugetlb"],
  ["swap", "Swap"],
  ["swapPss", "SwapPss"],
  ["locked", "Locked"],
];

function parseNumbers(text: string): SmapsNumbers {
  const value = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return Object.fromEntries(NUMBERS.map(([field, name]) => [field, value(name)])) as unknown as SmapsNumbers;
}

test("every record of every smaps of this machine", () => {
  const out = new Text();
  for (const [path, text] of everywhere("smaps")) {
    for (const record of text.split(/(?<=^VmFlags: .*\n)/m)) {
      out.clear();
      formatLine(record.slice(0, record.indexOf("\n")), out);
      const value = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(record)?.[1]);
      formatSmapsHead(value("Size"), value("KernelPageSize"), value("MMUPageSize"), out);
      formatSmapsNumbers(parseNumbers(record), false, out);
      const codes = /^VmFlags: (.*)$/m.exec(record)?.[1] as string;
      const [low, high] = parseVmFlags(codes.trim().split(" "));
      formatSmapsTail(value("THPeligible") === 1, vmFlagsText(low, high), out);
      expect(out.toString(), path).toBe(record);
    }
  }
});

test("every smaps_rollup of this machine", () => {
  const out = new Text();
  for (const [path, text] of everywhere("smaps_rollup")) {
    out.clear();
    formatLine(text.slice(0, text.indexOf("\n")), out);
    formatSmapsNumbers(parseNumbers(text), true, out);
    expect(out.toString(), path).toBe(text);
  }
});

test("the pages of every line of every numa_maps of this machine", () => {
  const out = new Text();
  let compared = 0;
  for (const [path, text] of everywhere("numa_maps")) {
    for (const line of text.trimEnd().split("\n")) {
      const rest = /( (?:anon|dirty|mapped|mapmax|swapcache|active|writeback|N0)=.*)?$/.exec(line)?.[1] ?? "";
      const value = (name: string, absent: number): number =>
        Number(new RegExp(` ${name}=(\\d+)`).exec(rest)?.[1] ?? absent);
      const pages = value("N0", 0);
      out.clear();
      formatNumaPages(
        {
          pages,
          anon: value("anon", 0),
          dirty: value("dirty", 0),
          mapCountMax: value("mapmax", 1),
          swapCache: value("swapcache", 0),
          active: value("active", pages),
          writeback: value("writeback", 0),
        },
        out,
      );
      expect(out.toString(), `${path}: ${line}`).toBe(`${rest}\n`);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(0);
});
