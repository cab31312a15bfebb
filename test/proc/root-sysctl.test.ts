/** /proc/sys: what is taken, what is refused, and what changes; the answers are those measured on a real kernel. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EINVAL, ENOENT, EPERM } from "../../src/kernel/errno.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { LOCKED, LOCKFREE, PATH_NAMES, Path } from "../../src/kernel/knobs.ts";
import { HOST, MAX_SYSCTLS } from "../../src/kernel/layout.ts";
import { rootRows } from "../../src/proc/root/rows.ts";
import type { Context } from "../../src/proc/row.ts";
import { SYSCTLS } from "../../src/proc/sys/values.ts";
import { TEST_CONFIG, subject, testKernel } from "../support/kernel.ts";
import { TEST_HOST, filesOf, rootContext, rowAt, textOf, writeTo } from "../support/root-files.ts";

const rows = rootRows(TEST_HOST);

class Sysctls {
  readonly k: Kernel;
  readonly c: Context;

  constructor(k: Kernel = testKernel(), uid = 0) {
    this.k = k;
    this.c = rootContext(k, subject(uid));
  }

  read(path: string): string {
    return textOf(rowAt(rows, `sys/${path}`), this.c);
  }

  write(path: string, text: string, offset = 0): number {
    return writeTo(rowAt(rows, `sys/${path}`), this.c, text, offset);
  }

  /** Up to `length` bytes at an offset. */
  part(path: string, offset: number, length: number): string {
    const row = rowAt(rows, `sys/${path}`);
    if (row.type !== "raw") throw new Error(path);
    const dest = new Uint8Array(length);
    const taken = row.read(this.c, offset, dest);
    return Buffer.from(dest.subarray(0, taken)).toString("latin1");
  }
}

/** Writes to a fresh kernel: text, what write answers, what is read after. */
function answers(path: string, cases: readonly (readonly [string, number, string])[]): void {
  const sysctls = new Sysctls();
  const initial = sysctls.read(path);
  for (const [text, answer, after] of cases) {
    expect(`${JSON.stringify(text)} ${sysctls.write(path, text)}`).toBe(`${JSON.stringify(text)} ${answer}`);
    expect(sysctls.read(path), JSON.stringify(text)).toBe(after === "" ? initial : after);
    sysctls.write(path, initial);
    expect(sysctls.read(path)).toBe(initial);
  }
}

describe("numbers", () => {
  test("one of limited range", () => {
    answers("kernel/msgmni", [
      ["abc", -EINVAL, ""],
      ["", 0, ""],
      ["\n", -EINVAL, ""],
      ["  7\n", 4, "7\n"],
      ["7 8\n", 2, "7\n"],
      ["7\t8\t9\t10\n", 2, "7\n"],
      ["7x\n", -EINVAL, ""],
      ["7,8\n", -EINVAL, ""],
      ["-1", -EINVAL, ""],
      ["0", 1, "0\n"],
      ["99999999999999999999", -EINVAL, ""],
      ["0x10", 4, "16\n"],
      ["010", 3, "8\n"],
      ["4294967296", -EINVAL, ""],
      ["32769", -EINVAL, ""],
      ["7\0", -EINVAL, ""],
      ["+7", -EINVAL, ""],
      ["7".repeat(100), -EINVAL, ""],
      ["5000", 4, "5000\n"],
    ]);
  });

  test("any signed one", () => {
    answers("net/ipv4/ip_forward", [
      ["-7\n", 3, "-7\n"],
      ["- 7\n", -EINVAL, ""],
      ["2147483647", 10, "2147483647\n"],
      ["2147483648", -EINVAL, ""],
    ]);
  });

  test("unsigned ones, of 32 and 64 bits", () => {
    answers("net/ipv4/tcp_notsent_lowat", [
      ["7 8\n", 4, "7\n"],
      ["7\t8\t9\t10\n", 9, "7\n"],
      ["4294967295", 10, "4294967295\n"],
      ["4294967296", -EINVAL, ""],
      ["-1", -EINVAL, ""],
    ]);
    answers("kernel/shmmax", [
      ["7 8\n", 2, "7\n"],
      ["18446744073709551615", 20, "18446744073709551615\n"],
      ["18446744073709551616", -EINVAL, ""],
      ["-1", -EINVAL, ""],
    ]);
  });

  test("several: what was read before an error stays", () => {
    answers("net/ipv4/tcp_rmem", [
      ["  7\n", 4, "7\t131072\t33554432\n"],
      ["7 8\n", 4, "7\t8\t33554432\n"],
      ["7\t8\t9\t10\n", 6, "7\t8\t9\n"],
      ["7 8x", -EINVAL, "7\t131072\t33554432\n"],
      ["0", -EINVAL, ""],
    ]);
    answers("kernel/sem", [
      ["7\t8\t9\t10\n", 9, "7\t8\t9\t10\n"],
      ["-1", 2, "-1\t1024000000\t500\t32000\n"],
    ]);
  });

  test("a range is taken as a whole or not at all", () => {
    answers("net/ipv4/ip_local_port_range", [
      ["2000 3000", 9, "2000\t3000\n"],
      ["60000 5000", -EINVAL, ""],
      ["2000 3000x", -EINVAL, ""],
      ["5000", 4, "5000\t60999\n"],
      ["70000", -EINVAL, ""],
    ]);
  });

  test("written anywhere but at the start: taken and ignored; read there: the end", () => {
    const sysctls = new Sysctls();
    expect(sysctls.write("kernel/msgmni", "3", 1)).toBe(1);
    expect(sysctls.read("kernel/msgmni")).toBe("32000\n");
    expect(sysctls.part("kernel/msgmni", 1, 100)).toBe("");
    expect(sysctls.part("kernel/msgmni", 0, 1)).toBe("3");
  });
});

describe("texts", () => {
  test("up to a newline or NUL, cut at 64 characters", () => {
    answers("kernel/hostname", [
      ["abc", 3, "abc\n"],
      ["", 0, ""],
      ["\n", 1, "\n"],
      ["  7\n", 4, "  7\n"],
      ["a\nb", 3, "a\n"],
      ["7\x008", 3, "7\n"],
      ["7".repeat(100), 100, `${"7".repeat(64)}\n`],
    ]);
  });

  test("at an offset they go on from there; reading does, too", () => {
    const sysctls = new Sysctls();
    expect(sysctls.write("kernel/hostname", "X", 4)).toBe(1);
    expect(sysctls.read("kernel/hostname")).toBe("testX\n");
    expect(sysctls.write("kernel/hostname", "Y", 40)).toBe(1);
    expect(sysctls.read("kernel/hostname")).toBe("testX\n");
    expect(sysctls.part("kernel/hostname", 2, 2)).toBe("st");
    expect(sysctls.part("kernel/osrelease", 3, 100)).toBe(`${TEST_HOST.release.slice(3)}\n`);
  });

  test("words", () => {
    answers("net/ipv4/tcp_congestion_control", [
      ["bbr\n", 4, "bbr\n"],
      ["nonesuch", -ENOENT, ""],
    ]);
  });
});

describe("who may write", () => {
  test("some take a capability beyond the mode", () => {
    const nobody = new Sysctls(testKernel(), 65534);
    expect(nobody.write("kernel/ns_last_pid", "7")).toBe(-EPERM);
    expect(nobody.write("vm/mmap_min_addr", "0")).toBe(-EPERM);
  });

  test("the mode counts for root, too: every row is strict", () => {
    for (const [path, row] of filesOf([rowAt(rows, "sys")])) expect(row.strictMode, path).toBe(true);
  });
});

describe("the kernel model", () => {
  test("pid_max, threads-max and ns_last_pid are the kernel's own", () => {
    const sysctls = new Sysctls();
    expect(sysctls.read("kernel/pid_max")).toBe("4194304\n");
    expect(sysctls.write("kernel/pid_max", "300")).toBe(-EINVAL);
    expect(sysctls.write("kernel/pid_max", "32768\n")).toBe(6);
    expect(sysctls.k.m.load(HOST.pidMax)).toBe(32768);
    expect(sysctls.write("kernel/threads-max", "5000")).toBe(4);
    expect(sysctls.k.m.load(HOST.threadsMax)).toBe(5000);
    expect(sysctls.write("kernel/ns_last_pid", "999")).toBe(3);
    expect(sysctls.k.m.load(HOST.pidCursor)).toBe(1000);
    expect(sysctls.write("kernel/ns_last_pid", "32768")).toBe(-EINVAL);
  });

  test("what one thread's handle writes another's reads", () => {
    const k = testKernel();
    const writer = new Sysctls(k);
    const other = Kernel.attach(k.m.buffer, TEST_CONFIG);
    other.busy();
    expect(writer.write("vm/swappiness", "7")).toBe(1);
    expect(new Sysctls(other).read("vm/swappiness")).toBe("7\n");
    other.idle();
  });

  test("settings change what other files show", () => {
    const sysctls = new Sysctls();
    const meminfo = (name: string): number =>
      Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(textOf(rowAt(rows, "meminfo"), sysctls.c))![1]);
    const total = meminfo("MemTotal");
    expect(sysctls.write("vm/overcommit_ratio", "100")).toBe(3);
    expect(meminfo("CommitLimit")).toBe(total + meminfo("SwapTotal"));
  });

  test("values that are replaced again and again don't pile up", () => {
    const sysctls = new Sysctls();
    const { k } = sysctls;
    sysctls.write("vm/swappiness", "1");
    const use = (): number => {
      let live = 0;
      for (let cache = 0; cache < 64; cache++) live += k.slab.live(cache);
      return live;
    };
    const before = use();
    for (let i = 0; i < 500; i++) sysctls.write("vm/swappiness", String(i % 200));
    for (let i = 0; i < 10 && k.slab.reclaiming(); i++) {
      k.quiescent();
      k.slab.reclaim();
    }
    expect(use()).toBe(before);
  });
});

describe("synthproc", () => {
  test("each path can be switched, and says what it is", () => {
    const sysctls = new Sysctls();
    for (const name of PATH_NAMES) {
      expect(sysctls.read(`synthproc/${name}`)).toBe("lockfree\n");
      expect(sysctls.write(`synthproc/${name}`, "locked\n")).toBe(7);
      expect(sysctls.k.m.load(HOST.pathMode + Path[name as keyof typeof Path])).toBe(LOCKED);
      expect(sysctls.read(`synthproc/${name}`)).toBe("locked\n");
    }
    expect(sysctls.write("synthproc/maps", "sideways")).toBe(-EINVAL);
    expect(sysctls.read("synthproc/maps")).toBe("locked\n");
    expect(sysctls.write("synthproc/maps", "lockfree")).toBe(8);
    expect(sysctls.k.m.load(HOST.pathMode + Path.maps)).toBe(LOCKFREE);
  });

  test("the mutator's pace and hidepid", () => {
    const sysctls = new Sysctls();
    expect(sysctls.read("synthproc/mutator/paused")).toBe("0\n");
    expect(sysctls.write("synthproc/mutator/paused", "1")).toBe(1);
    expect(sysctls.write("synthproc/mutator/paused", "2")).toBe(-EINVAL);
    expect(sysctls.k.m.load(HOST.mutatorPaused)).toBe(1);
    expect(sysctls.read("synthproc/mutator/speed")).toBe("100\n");
    expect(sysctls.write("synthproc/mutator/speed", "0")).toBe(-EINVAL);
    expect(sysctls.write("synthproc/mutator/speed", "250")).toBe(3);
    expect(sysctls.k.m.load(HOST.mutatorSpeed)).toBe(250);
    for (const [value, answer] of [
      ["2", 1],
      ["3", -EINVAL],
      ["5", -EINVAL],
    ] as const) {
      expect(sysctls.write("synthproc/hidepid", value)).toBe(answer);
    }
    expect(sysctls.k.m.load(HOST.hidepid)).toBe(2);
  });
});

describe("the tables", () => {
  test("fit the arena with room for interfaces, and no path is there twice", () => {
    expect(SYSCTLS.length).toBeLessThan(MAX_SYSCTLS - 8 * 150);
    expect(new Set(SYSCTLS.map(([path]) => path)).size).toBe(SYSCTLS.length);
  });

  test("what one may write can be written back as it is read", () => {
    const sysctls = new Sysctls();
    for (const [path, row] of filesOf(rows)) {
      if (!path.startsWith("sys/") || (row.mode & 0o600) !== 0o600) continue;
      const text = sysctls.read(path.slice(4));
      if (text === "\n") continue;
      // Limits that may be told by a second sysctl read 0 while the first one counts; the kernel refuses that, too.
      if (/dirty_(background_)?bytes$|stat_refresh$/.test(path)) continue;
      expect(`${path} ${sysctls.write(path.slice(4), text) > 0}`).toBe(`${path} true`);
      expect(sysctls.read(path.slice(4)), path).toBe(path.endsWith("uuid") ? expect.anything() : text);
    }
  });

  test("values are in the form of the running kernel's: as many numbers, or a text", () => {
    const sysctls = new Sysctls();
    const shape = (text: string): string => text.trim().replace(/-?\d+/g, "N").replace(/\s+/g, " ");
    let compared = 0;
    for (const path of [
      "kernel/sem",
      "kernel/printk",
      "kernel/pid_max",
      "fs/file-nr",
      "fs/dentry-state",
      "fs/inode-nr",
    ]) {
      expect(shape(sysctls.read(path)), path).toBe(shape(readFileSync(`/proc/sys/${path}`, "latin1")));
      compared++;
    }
    expect(compared).toBe(6);
  });
});
