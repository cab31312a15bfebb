/** Open descriptors and POSIX timers of a group. */
import { CLOCK_IDS } from "../../time/posix-timers.ts";
import type { Cursor } from "../cursor.ts";
import type { ClockName, Fd, PosixTimer, Tty } from "../scenario-types.ts";

const O_WRONLY = 0o1;
const O_RDWR = 0o2;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_LARGEFILE = 0o100000;
const O_CLOEXEC = 0o2000000;

const ACCESS: Record<string, number> = {
  r: O_LARGEFILE,
  w: O_LARGEFILE | O_WRONLY,
  rw: O_LARGEFILE | O_RDWR,
  a: O_LARGEFILE | O_WRONLY | O_APPEND,
};

type FdOf<K extends Fd["kind"]> = Extract<Fd, { kind: K }>;
type SocketFamily = FdOf<"socket">["family"];

const FAMILIES = new Set(["unix", "tcp", "tcp6", "udp", "udp6", "netlink", "packet"]);
const COMMON = { fd: null, count: 1 };

/** The standard descriptors come first, unless the list itself says what 0, 1 and 2 are. */
export function fds(cursor: Cursor, standard: Fd[]): Fd[] {
  const given = cursor.items().map(fd);
  const taken = new Set(given.map((one) => one.fd));
  return [...standard.filter((one) => !taken.has(one.fd)), ...given];
}

/** Descriptors 0, 1 and 2 of a service, or of a process on a terminal. */
export function standardFds(tty: Tty | null): Fd[] {
  if (tty !== null) {
    return [0, 1, 2].map((fd) => ({ ...file(`/dev/${tty.name}`, "rw"), fd }));
  }
  return [{ ...file("/dev/null", "r"), fd: 0 }, ...[1, 2].map((fd) => ({ ...socket("unix", [], 0), fd }))];
}

function fd(cursor: Cursor): Fd {
  if (cursor.isText()) {
    return shortFd(cursor);
  }
  const base = fullFd(cursor);
  const flags = cursor.get("flags");
  return {
    ...base,
    fd: cursor.get("fd").exists() ? cursor.get("fd").number(0) : null,
    count: cursor.get("count").number(1),
    flags: flags.exists() ? parseInt(flags.text("0"), 8) : base.flags,
  };
}

/** `PATH [r|w|rw|a]`, `tcp LOCAL [REMOTE|listen]`, `unix PATH`, `pipe`, `eventpoll`, `memfd NAME`, ... */
function shortFd(cursor: Cursor): Fd {
  const words = cursor.bytes("").trim().split(/\s+/);
  const [first, second] = words as [string, string | undefined];
  if (first.startsWith("/")) {
    if (words.length > 2 || ACCESS[second ?? "r"] === undefined) {
      throw cursor.error(`"${words.join(" ")}": a file must read "PATH r", "PATH w", "PATH rw" or "PATH a"`);
    }
    return file(first, second ?? "r");
  }
  if (FAMILIES.has(first)) {
    return socket(first as SocketFamily, words.slice(1), O_NONBLOCK);
  }
  if (words.length > 2 || (second !== undefined && first !== "memfd" && first !== "anon")) {
    throw cursor.error(`"${words.join(" ")}": "${first}" takes no further words`);
  }
  const made = ofKind(first, cursor, second ?? "");
  if (made === null) {
    throw cursor.error(`"${first}" is no kind of descriptor (a path, tcp, udp, unix, pipe, eventfd, eventpoll, …)`);
  }
  return made;
}

function fullFd(cursor: Cursor): Fd {
  const kind = cursor.get("kind").text("");
  const made = kind === "socket" ? socketFrom(cursor) : ofKind(kind, cursor, cursor.get("name").bytes(""));
  if (made === null) {
    throw cursor.get("kind").error(`"${kind}" is no kind of descriptor`);
  }
  return made;
}

function inode(cursor: Cursor): number | null {
  const value = cursor.isMap() ? cursor.get("inode") : null;
  return value?.exists() ? value.number(0) : null;
}

function file(path: string, access: string): FdOf<"file"> {
  return { ...COMMON, kind: "file", flags: ACCESS[access]!, path, pos: 0, inode: null };
}

function socket(family: SocketFamily, words: string[], flags: number): FdOf<"socket"> {
  const [local = "", second = ""] = words;
  const listening = second === "listen";
  const state = listening ? "listen" : second === "" && family !== "unix" ? "none" : "established";
  const remote = listening ? "" : second;
  return { ...COMMON, kind: "socket", flags: O_RDWR | flags, family, local, remote, state, inode: null };
}

function socketFrom(cursor: Cursor): FdOf<"socket"> {
  const base = socket(cursor.get("family").text("unix") as SocketFamily, [], O_NONBLOCK);
  return {
    ...base,
    local: cursor.get("local").bytes(""),
    remote: cursor.get("remote").bytes(""),
    state: cursor.get("state").text(base.state) as FdOf<"socket">["state"],
    inode: inode(cursor),
  };
}

/** Everything but sockets; `cursor` may be a text, whose details are then the defaults. */
function ofKind(kind: string, cursor: Cursor, name: string): Fd | null {
  const details = cursor.isMap() ? cursor : cursor.none();
  switch (kind) {
    case "file": {
      const path = details.get("path");
      if (!path.exists()) {
        throw cursor.error('a file descriptor lacks "path"', "ESCENARIO_MISSING_KEY");
      }
      return { ...file(path.bytes(""), "r"), pos: details.get("pos").number(0), inode: inode(details) };
    }
    case "pipe":
      return { ...COMMON, kind, flags: 0, inode: inode(details) };
    case "eventfd":
      return { ...COMMON, kind, flags: O_RDWR | O_NONBLOCK | O_CLOEXEC, value: details.get("value").number(0) };
    case "eventpoll": {
      const targets = details.get("targets").items();
      return { ...COMMON, kind, flags: O_RDWR | O_CLOEXEC, targets: targets.map((target) => target.number(0)) };
    }
    case "timerfd":
      return {
        ...COMMON,
        kind,
        flags: O_RDWR | O_NONBLOCK | O_CLOEXEC,
        clock: clock(details.get("clock"), "monotonic"),
        intervalMs: details.get("interval").duration(1000),
      };
    case "signalfd":
      return { ...COMMON, kind, flags: O_RDWR | O_CLOEXEC, mask: details.get("mask").text("0000000000004002") };
    case "inotify":
      return { ...COMMON, kind, flags: O_NONBLOCK | O_CLOEXEC, watches: details.get("watches").number(1) };
    case "memfd":
      return { ...COMMON, kind, flags: O_LARGEFILE | O_RDWR, name, size: details.get("size").size(0) };
    case "anon":
      return { ...COMMON, kind, flags: O_RDWR | O_CLOEXEC, name };
    case "raw":
      return {
        ...COMMON,
        kind,
        flags: 0,
        link: details.get("link").bytes(""),
        mode: parseInt(details.get("mode").text("0700"), 8),
        fdinfo: details.get("fdinfo").bytes(""),
      };
    default:
      return null;
  }
}

/** A number of alike timers, or a list. */
export function timers(cursor: Cursor): PosixTimer[] {
  if (cursor.isNumber()) {
    const count = cursor.number(0);
    return count === 0 ? [] : [{ ...timer(cursor.none()), count }];
  }
  return cursor.items().map(timer);
}

function timer(cursor: Cursor): PosixTimer {
  const id = cursor.get("id");
  const target = cursor.get("target");
  return {
    count: cursor.get("count").number(1),
    id: id.exists() ? id.number(0) : null,
    signal: cursor.get("signal").number(14),
    value: cursor.get("value").text("0"),
    notify: cursor.get("notify").text("signal") as PosixTimer["notify"],
    toThread: cursor.get("to_thread").flag(false),
    target: target.exists() ? target.number(0) : null,
    clock: clock(cursor.get("clock"), "monotonic"),
    intervalMs: cursor.get("interval").duration(1000),
  };
}

function clock(cursor: Cursor, fallback: string): number {
  if (cursor.isNumber()) {
    return cursor.number(0);
  }
  const name = cursor.text(fallback);
  if (!Object.hasOwn(CLOCK_IDS, name)) {
    throw cursor.error(`unknown clock "${name}" (one of ${Object.keys(CLOCK_IDS).join(", ")})`);
  }
  return CLOCK_IDS[name as ClockName];
}
