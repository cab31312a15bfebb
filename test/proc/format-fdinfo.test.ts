import { expect, test } from "vitest";
import { FileKind } from "../../src/kernel/layout.ts";
import { formatEpollTarget, formatFdinfo, formatKind } from "../../src/proc/task/fdinfo.ts";
import { FdinfoSnapshot } from "../../src/proc/task/snapshots.ts";
import { Text } from "../../src/proc/text.ts";
import { realTasks, realText } from "./format-real.ts";
import { readdirSync } from "node:fs";

/** The texts of every fdinfo file of this machine that can be read. */
function realFdinfo(): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (const task of realTasks()) {
    let names: string[];
    try {
      names = readdirSync(`/proc/${task}/fdinfo`);
    } catch (error) {
      if (["ENOENT", "EACCES", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) continue;
      throw error;
    }
    for (const name of names) {
      const text = realText(`${task}/fdinfo/${name}`);
      if (text !== undefined && text !== "") found.push([`${task}/fdinfo/${name}`, text]);
    }
  }
  return found;
}

test("the head of every fdinfo, and the kinds whose state is kept", () => {
  const s = new FdinfoSnapshot();
  const files = realFdinfo();
  expect(files.length).toBeGreaterThan(3);
  for (const [path, text] of files) {
    const head = /^pos:\t(\d+)\nflags:\t0([0-7]+)\nmnt_id:\t(\d+)\nino:\t(\d+)\n/.exec(text);
    expect(head, path).not.toBeNull();
    const [whole, pos, flags, mntId, ino] = head as unknown as [string, string, string, string, string];
    Object.assign(s, { pos: Number(pos), flags: parseInt(flags, 8), mntId: Number(mntId), ino: Number(ino) });
    const out = new Text();
    formatFdinfo(s, out);
    expect(out.toString(), path).toBe(whole);
    const rest = text.slice(whole.length);
    const expected = kindOf(rest, s);
    if (expected === null) continue;
    out.clear();
    formatKind(s, Number(/eventfd-id: (\d+)/.exec(rest)?.[1] ?? 0), out);
    expect(out.toString(), path).toBe(expected);
  }
});

/** Recognises a kind by its lines; null if what it shows is more than one number. */
function kindOf(rest: string, s: FdinfoSnapshot): string | null {
  s.dataHigh = 0;
  const count = /^eventfd-count: +([0-9a-f]{1,8})\n/.exec(rest);
  if (count !== null) {
    s.kind = FileKind.eventfd;
    s.dataLow = parseInt(count[1] as string, 16);
    return rest;
  }
  const mask = /^sigmask:\t([0-9a-f]{8})([0-9a-f]{8})\n$/.exec(rest);
  if (mask !== null) {
    s.kind = FileKind.signalfd;
    s.dataHigh = parseInt(mask[1] as string, 16);
    s.dataLow = parseInt(mask[2] as string, 16);
    return rest;
  }
  const pid = /^Pid:\t(\d+)\nNSpid:\t(\d+)\n$/.exec(rest);
  if (pid !== null) {
    s.kind = FileKind.pidfd;
    s.dataLow = Number(pid[1]);
    return rest;
  }
  return null;
}

function written(format: (out: Text) => void): string {
  const out = new Text();
  format(out);
  return out.toString();
}

test("epoll, timerfd, eventfd, signalfd and inotify, as captured from a real process", () => {
  expect(written((out) => formatEpollTarget(9, 0, 0x5920, 0xf, out))).toBe(
    "tfd:        9 events:       19 data:                9  pos:0 ino:5920 sdev:f\n",
  );
  const s = new FdinfoSnapshot();
  Object.assign(s, { kind: FileKind.timerfd, dataLow: 1 });
  expect(written((out) => formatKind(s, 0, out))).toBe(
    "clockid: 1\nticks: 0\nsettime flags: 00\nit_value: (0, 0)\nit_interval: (0, 0)\n",
  );
  Object.assign(s, { kind: FileKind.eventfd, dataLow: 3 });
  expect(written((out) => formatKind(s, 1, out))).toBe(
    "eventfd-count:                3\neventfd-id: 1\neventfd-semaphore: 0\n",
  );
  Object.assign(s, { kind: FileKind.signalfd, dataLow: 0x200 });
  expect(written((out) => formatKind(s, 0, out))).toBe("sigmask:\t0000000000000200\n");
  Object.assign(s, { kind: FileKind.inotify, dataLow: 1, ino: 0x12 });
  expect(written((out) => formatKind(s, 0, out))).toBe(
    "inotify wd:1 ino:13 sdev:fe00000 mask:100 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:1300000000000000\n",
  );
});
