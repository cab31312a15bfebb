/** Values of captured processes. */
import type { Cursor } from "../cursor.ts";
import type { Exact, ExactThread, ExactVma, StateLetter } from "../scenario-types.ts";

const STATES: Record<string, StateLetter> = {
  running: "R",
  sleeping: "S",
  disk: "D",
  stopped: "T",
  traced: "t",
  zombie: "Z",
  idle: "I",
};

/** A letter or a word. */
export function stateLetter(cursor: Cursor, fallback: StateLetter): StateLetter {
  const text = cursor.text(fallback);
  return STATES[text] ?? (text as StateLetter);
}

export function exact(cursor: Cursor): Exact | null {
  if (!cursor.exists()) {
    return null;
  }
  const threads = cursor.get("threads").items().map(thread);
  const main = threads[0]!;
  return {
    cmdline: cursor.get("cmdline").bytes(""),
    environ: optionalBytes(cursor.get("environ")),
    auxv: optionalBytes(cursor.get("auxv")),
    maps: cursor.get("maps").exists() ? vmas(cursor.get("maps")) : null,
    stat: numbers(cursor.get("stat")) ?? {},
    status: texts(cursor.get("status")),
    io: numbers(cursor.get("io")),
    threads,
    ns: Object.fromEntries(
      cursor
        .get("ns")
        .entries()
        .map(([kind, link]) => [kind, link.text("")]),
    ),
    pgrp: cursor.get("pgrp").number(main.tid),
    session: cursor.get("session").number(main.tid),
    files: texts(cursor.get("files")),
  };
}

function thread(cursor: Cursor): ExactThread {
  return {
    tid: cursor.get("tid").number(0),
    comm: cursor.get("comm").bytes(""),
    state: stateLetter(cursor.get("state"), "S"),
    stat: numbers(cursor.get("stat")) ?? {},
    status: texts(cursor.get("status")),
    io: numbers(cursor.get("io")),
    schedstat: cursor.get("schedstat").text("0 0 0"),
  };
}

function vmas(cursor: Cursor): ExactVma[] {
  let end = 0;
  return cursor.items().map((item) => {
    const one = vma(item);
    if (one.start < end || one.end <= one.start) {
      throw item.error("mappings must ascend and not overlap");
    }
    end = one.end;
    return one;
  });
}

const VMA =
  /^([0-9a-f]{1,13})-([0-9a-f]{1,13}) ([r-][w-][x-][ps]) ([0-9a-f]{1,13}) ([0-9a-f]+):([0-9a-f]+) (\d+)(?: *| +(\S[^]*))$/;

function vma(cursor: Cursor): ExactVma {
  const match = VMA.exec(cursor.get("vma").bytes(""));
  if (match === null) {
    throw cursor.get("vma").error("this is not a line of maps");
  }
  const hex = (index: number): number => parseInt(match[index]!, 16);
  return {
    start: hex(1),
    end: hex(2),
    perms: match[3]!,
    offset: hex(4),
    major: hex(5),
    minor: hex(6),
    inode: Number(match[7]),
    path: match[8] ?? "",
    smaps: numbers(cursor.get("smaps")) ?? {},
    vmFlags: cursor.get("flags").text("").split(" ").filter(Boolean),
  };
}

function optionalBytes(cursor: Cursor): string | null {
  return cursor.exists() ? cursor.bytes("") : null;
}

function numbers(cursor: Cursor): Record<string, number> | null {
  return cursor.exists() ? Object.fromEntries(cursor.entries().map(([key, value]) => [key, value.number(0)])) : null;
}

function texts(cursor: Cursor): Record<string, string> {
  return Object.fromEntries(cursor.entries().map(([key, value]) => [key, value.bytes("")]));
}
