/** The checks themselves, as vitest tests over a {@link View}. */
import { describe, expect, test } from "vitest";
import type { Column, MatrixRow } from "./matrix.ts";
import { COLUMNS, MATRIX, PROCESS_ORDER, THREAD_ORDER } from "./matrix.ts";
import type { Hands, Kind, Result, View, Who } from "./view.ts";
import { errnoName } from "./view.ts";

const FORMAT = { f: 0o100000, d: 0o040000, l: 0o120000 } as const;
const O_WRONLY = 1;

/** What a row answers, in the words of the matrix. */
function answer(hands: Hands, row: MatrixRow, path: string): string {
  if (row.type === "l") return errnoName(hands.readlink(path));
  const result = row.type === "d" ? hands.ls(path) : hands.cat(path);
  if ("errno" in result) return `${result.at === "read" && row.type === "d" ? "readdir" : result.at} ${result.errno}`;
  if (row.type === "d") return result.value.length > 0 ? "ok" : "empty";
  return result.value.length > 0 ? "data" : "EOF";
}

function split(column: Column): [Kind | "thread", Who] {
  return column.split("/") as [Kind | "thread", Who];
}

function value<T>(result: Result<T>): T {
  if ("errno" in result) throw new Error(result.errno);
  return result.value;
}

export interface CheckOptions {
  /** Rows that this view doesn't have, or doesn't answer as measured, with the reason. */
  readonly except?: (row: MatrixRow, column: Column | null) => boolean;
}

/** Registers all checks of process directories. `view` is called when the tests run. */
export function checkProcessDirectories(view: () => View, options: CheckOptions = {}): void {
  const except = options.except ?? (() => false);

  describe.each(COLUMNS)("%s", (column) => {
    const [kind, who] = split(column);
    const measured = MATRIX.filter((row) => row.results[column] !== "-" && !except(row, column));
    test.for(measured)("$name", (row) => {
      const v = view();
      const pid = kind === "thread" ? v.thread : v.pid(kind);
      expect(pid).not.toBe(0);
      expect(answer(v.as(who), row, `${pid}/${row.name}`)).toBe(row.results[column]);
    });
  });

  const rows = MATRIX.filter((row) => !except(row, null));
  test.for(rows)("mode, size and links of $name", (row) => {
    const v = view();
    const stat = value(v.as("root").lstat(`${v.pid("ordinary")}/${row.name}`));
    expect(stat.mode.toString(8)).toBe((FORMAT[row.type] | row.mode).toString(8));
    if (row.type !== "d") expect([stat.size, stat.nlink]).toEqual([0, 1]);
  });

  test.for(rows.filter((row) => row.type === "f"))("opening $name for writing", (row) => {
    const v = view();
    const path = `${v.pid("ordinary")}/${row.name}`;
    const got = [errnoName(v.as("root").open(path, O_WRONLY)), errnoName(v.as("owner").open(path, O_WRONLY))];
    expect(got).toEqual(row.openForWriting);
  });

  test("owners: effective ids, root where it can't be dumped, except for directories with mode 0555", () => {
    const v = view();
    const root = v.as("root");
    const { uid, gid } = v.owner;
    for (const kind of ["ordinary", "undumpable", "zombie", "kthread"] as const) {
      const pid = v.pid(kind);
      if (pid === 0) continue;
      for (const name of ["", "stat", "fd", "ns", "attr", "task", "fdinfo", "exe", "attr/current", "ns/net"]) {
        const stat = value(root.lstat(`${pid}/${name}`));
        const open = (stat.mode & 0o777) === 0o555 && (stat.mode & 0o170000) === FORMAT.d;
        const kept = kind !== "kthread" && (kind === "ordinary" || open);
        expect([kind, name, stat.uid, stat.gid]).toEqual([kind, name, kept ? uid : 0, kept ? gid : 0]);
      }
    }
  });

  test("order of entries", () => {
    const v = view();
    const pid = v.pid("ordinary");
    const known = (order: string): string[] => order.split(" ").filter((name) => !isAbsent(v, name));
    expect(value(v.as("root").ls(String(pid)))).toEqual(known(PROCESS_ORDER));
    expect(value(v.as("root").ls(`${pid}/task/${pid}`))).toEqual(known(THREAD_ORDER));
    expect(value(v.as("root").ls(`${pid}/ns`))).toEqual(
      "net uts ipc pid pid_for_children user mnt cgroup time time_for_children".split(" "),
    );
    expect(value(v.as("root").ls(`${pid}/attr`)).slice(0, 6)).toEqual(
      "current prev exec fscreate keycreate sockcreate".split(" "),
    );
  });

  function isAbsent(v: View, name: string): boolean {
    if (name === "children") return false;
    const row = MATRIX.find((candidate) => candidate.name === name);
    return (
      row !== undefined && except(row, null) && errnoName(v.as("root").lstat(`${v.pid("ordinary")}/${name}`)) !== "ok"
    );
  }

  test("nlink", () => {
    const v = view();
    const root = v.as("root");
    const pid = v.pid("ordinary");
    const nlink = (path: string): number => value(root.lstat(path)).nlink;
    expect(nlink(`${pid}`)).toBe(9);
    expect(nlink(`${pid}/task`)).toBe(value(root.ls(`${pid}/task`)).length + 2);
    expect(nlink(`${pid}/task/${pid}`)).toBe(7);
    for (const name of ["fd", "fdinfo", "ns", "attr", "map_files"])
      expect([name, nlink(`${pid}/${name}`)]).toEqual([name, 2]);
    const net = value(root.ls(`${pid}/net`));
    const subdirectories = net.filter((name) => (value(root.lstat(`${pid}/net/${name}`)).mode & 0o170000) === FORMAT.d);
    expect(nlink(`${pid}/net`)).toBe(2 + subdirectories.length);
  });

  test("st_size of fd is the number of open descriptors, that of its links 64", () => {
    const v = view();
    const root = v.as("root");
    const pid = v.pid("ordinary");
    const fds = value(root.ls(`${pid}/fd`));
    expect(value(root.lstat(`${pid}/fd`)).size).toBe(fds.length);
    for (const fd of fds) expect(value(root.lstat(`${pid}/fd/${fd}`)).size).toBe(64);
    expect(fds).toEqual([...fds].sort((a, b) => Number(a) - Number(b)));
  });

  test("names that stand for nothing", () => {
    const v = view();
    const root = v.as("root");
    const pid = v.pid("ordinary");
    const other = v.pid("zombie") || 1;
    const names = ["0", `0${pid}`, `0000${pid}`, `+${pid}`, "-1", `${pid} `, "4194304", "99999999999", "nothing"];
    for (const name of names) expect([name, errnoName(root.lstat(name))]).toEqual([name, "ENOENT"]);
    for (const name of [
      "fd/00",
      "fd/x",
      "fdinfo/-1",
      `task/0${pid}`,
      `task/${other}`,
      "nothing",
      "ns/nothing",
      "attr/x",
    ]) {
      expect([name, errnoName(root.lstat(`${pid}/${name}`))]).toEqual([name, "ENOENT"]);
    }
    expect(errnoName(root.lstat(`${pid}/stat/x`))).toBe("ENOTDIR");
  });

  test("a thread is found by its id, but not listed", () => {
    const v = view();
    const root = v.as("root");
    expect(value(root.ls(""))).not.toContain(String(v.thread));
    expect(value(root.ls(String(v.thread)))).toEqual(value(root.ls(String(v.pid("ordinary")))));
    expect(value(root.ls(`${v.thread}/task`))).toEqual(value(root.ls(`${v.pid("ordinary")}/task`)));
    const [one, two] = [root.lstat(`${v.thread}`), root.lstat(`${v.pid("ordinary")}/task/${v.thread}`)];
    expect(value(one).ino).not.toBe(value(two).ino);
  });

  test("fd and fdinfo can't be looked into by others", () => {
    const v = view();
    const pid = v.pid("ordinary");
    const other = v.as("other");
    expect(errnoName(other.lstat(`${pid}/fd/0`))).toBe("EACCES");
    expect(errnoName(other.lstat(`${pid}/fdinfo/0`))).toBe("EACCES");
    expect(errnoName(other.lstat(`${pid}/ns/net`))).toBe("ok");
    expect(errnoName(other.readlink(`${pid}/ns/net`))).toBe("EACCES");
  });

  test("a zombie's namespaces: pid and user only", () => {
    const v = view();
    const pid = v.pid("zombie");
    for (const name of value(v.as("root").ls(`${pid}/ns`))) {
      const expected = name === "pid" || name === "user" ? "ok" : "ENOENT";
      expect([name, errnoName(v.as("root").readlink(`${pid}/ns/${name}`))]).toEqual([name, expected]);
    }
  });

  test("modes as access(2) sees them", () => {
    const v = view();
    const pid = v.pid("ordinary");
    expect(errnoName(v.as("other").access(`${pid}/stat`, 4))).toBe("ok");
    expect(errnoName(v.as("other").access(`${pid}/stat`, 2))).toBe("EACCES");
    expect(errnoName(v.as("other").access(`${pid}/io`, 4))).toBe("EACCES");
    expect(errnoName(v.as("owner").access(`${pid}/io`, 4))).toBe("ok");
    expect(errnoName(v.as("other").access(`${pid}/fd`, 1))).toBe("EACCES");
    expect(errnoName(v.as("other").access(`${pid}/ns`, 1))).toBe("ok");
    expect(errnoName(v.as("root").access(`${pid}/stat`, 1))).toBe("EACCES");
  });
}
