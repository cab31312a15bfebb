/** `synthproc kcmp`, and its transaction file by hand: who asks, what is refused, and what waits. */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import { RunningClient, cannotMount, client } from "../mount/helpers.ts";
import { ended, shell } from "../support/programs.ts";
import { PROGRAM, synthproc } from "./helpers.ts";
import { CliServer } from "./server.ts";

const WRITERS = fileURLToPath(new URL("transactions.py", import.meta.url));
/** Milliseconds within which a client that was killed, or has nothing to wait for, is done on a loaded machine. */
const SOON = 1000;
/** Two users, who must not look into each other's processes. */
const USERS = [1234, 4321] as const;

function as(uid: number): string {
  return `setpriv --reuid=${uid} --regid=${uid} --clear-groups`;
}

describe.skipIf(cannotMount("test/cli/kcmp"))("kcmp over a mount", () => {
  let server: CliServer;

  beforeAll(async () => {
    server = new CliServer(["-s", "idle", "--seed", "7", "--workers", "2"]);
    await server.ready();
  });

  afterAll(() => server.remove());

  const ctl = (...commands: string[]): Promise<string> => server.ctl(...commands);

  /** A process of a user, which he may look into. */
  async function startAs(uid: number): Promise<string> {
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 77");
    await ctl(`setgid ${pid} ${uid}`, `setuid ${pid} ${uid}`, `exec ${pid} /usr/bin/sleep 78`);
    return pid;
  }

  async function kcmp(...words: string[]): Promise<string> {
    const { status, stdout, stderr } = await synthproc(["kcmp", server.dir, ...words]);
    return `${status} ${stdout}${stderr}`.trim();
  }

  test("threads share, processes don't; either way round, by name and by number", async () => {
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 70");
    const tid = await ctl(`clone ${pid}`);
    for (const type of ["VM", "KCMP_FILES", "3", "sighand", "SYSVSEM", "IO"]) {
      expect(await kcmp(pid, tid, type)).toBe("0 0");
    }
    const forth = await kcmp("1", pid, "VM");
    expect(["0 1", "0 2"]).toContain(forth);
    expect(await kcmp(pid, "1", "VM")).toBe(forth === "0 1" ? "0 2" : "0 1");
    expect(await kcmp("1", "1", "VM")).toBe("0 0");
    const fd = await ctl(`open ${pid} pipe`);
    expect(await kcmp(pid, tid, "FILE", fd, await ctl(`dup ${pid} ${fd}`))).toBe("0 0");
  });

  test("kernel threads share descriptors and directories with each other, and nothing with processes", async () => {
    const { stdout } = await client("cat", server.at("2/task/2/children"));
    const one = stdout.split(" ")[0] as string;
    for (const type of ["FILES", "FS", "VM"]) expect(await kcmp("2", one, type)).toBe("0 0");
    expect(await kcmp("2", one, "SIGHAND")).toMatch(/^0 [12]$/);
    for (const type of ["FILES", "FS", "VM"]) expect(await kcmp("1", one, type)).toMatch(/^0 [12]$/);
    expect(await kcmp(one, one, "FILE", "0", "0")).toMatch(/\(EBADF\)$/);
  });

  test("what the call refuses is status 1, and says why; what makes no sense is wrong usage", async () => {
    const failed = `${EXIT.failed} synthproc: kcmp`;
    expect(await kcmp("1", "4000000", "VM")).toBe(
      `${failed} 1 4000000 VM: there is no process or thread 4000000 (ESRCH)`,
    );
    expect(await kcmp("1", "1", "8")).toBe(`${failed} 1 1 8: there is no type 8 (EINVAL)`);
    expect(await kcmp("1", "1", "FILE", "0", "60000")).toBe(`${failed} 1 1 FILE 0 60000: no such descriptor (EBADF)`);
    expect(await kcmp("1", "1", "FILE")).toBe(`${EXIT.usage} synthproc: IDX1 is missing; see synthproc kcmp --help`);
    expect(await kcmp("1", "1", "FILE", "0", "1:2:3")).toMatch(/^2 synthproc: IDX2 is a number/);
    const elsewhere = await synthproc(["kcmp", "/usr", "1", "1", "VM"]);
    expect(elsewhere).toMatchObject({ status: EXIT.mountPoint, stdout: "" });
  });

  test("two users: each may ask about his own processes, and not about the other's", async () => {
    const pids = [await startAs(USERS[0]), await startAs(USERS[1])];
    for (const [i, uid] of USERS.entries()) {
      const [mine, other] = [pids[i], pids[1 - i]] as [string, string];
      const ask = (what: string): Promise<string> =>
        shell(`cd / && ${as(uid)} ${PROGRAM} kcmp ${server.dir} ${what}`).then(({ status, stdout, stderr }) =>
          `${status} ${stdout}${stderr}`.trim(),
        );
      expect(await ask(`${mine} ${mine} VM`)).toBe("0 0");
      expect(await ask(`${mine} ${other} VM`)).toMatch(
        /^1 synthproc: .*: the caller may not look into both \(EPERM\)$/,
      );
      expect(await ask("1 1 VM")).toMatch(/\(EPERM\)$/);
      expect(await byHand(uid, "kcmp", `${mine} ${mine} FILES`)).toBe("0");
      expect(await byHand(uid, "kcmp", `${mine} ${other} FILES`)).toBe(
        "Operation not permitted: the caller may not look into both",
      );
      expect(await byHand(uid, "get_robust_list", mine)).toMatch(/^0x[0-9a-f]{9,12} 24$/);
      expect(await byHand(uid, "get_robust_list", other)).toMatch(/^Operation not permitted: /);
      const fd = await ctl(`open ${mine} socket`);
      expect(await byHand(uid, "pidfd_getfd", `${mine} ${fd}`)).toMatch(
        /^link:\tsocket:\[\d+\]\npos:\t0\nflags:\t02004002\nmnt_id:\t\d+\nino:\t\d+$/,
      );
      expect(await byHand(uid, "pidfd_getfd", `${other} 0`)).toMatch(/^Operation not permitted: /);
      expect(await byHand(uid, "pidfd_getfd", `${mine} 60000`)).toMatch(/^Bad file descriptor: /);
    }
  });

  test("it is the real user who counts here, and the file system's where files are read", async () => {
    const [real, effective] = USERS;
    const pids = [await startAs(real), await startAs(effective)] as const;
    await ctl(`setgid ${pids[1]} ${real}`, `exec ${pids[1]} /usr/bin/sleep 79`);
    const script = `
import errno, os, sys
os.setgroups([])
os.setresgid(${real}, ${real}, ${real})
os.setresuid(${real}, ${effective}, ${effective})
def attempt(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]
def kcmp(pid):
    fd = os.open(sys.argv[1] + "/synthproc/kcmp", os.O_RDWR)
    os.write(fd, f"{pid} {pid} VM".encode())
    return os.read(fd, 9).decode().strip()
def personality(pid):
    return open(f"{sys.argv[1]}/{pid}/personality").read().strip()
for pid in sys.argv[2:]:
    print(attempt(lambda: kcmp(pid)), attempt(lambda: personality(pid)))
`;
    const outcome = await client("python3", "-c", script, server.dir, ...pids);
    expect(outcome.stderr).toBe("");
    expect(outcome.stdout).toBe("0 EACCES\nEPERM 00000000\n");
  });

  /** A shell opens the file for both, writes, and reads on. @returns the answer, or the errno's text and the reason */
  async function byHand(uid: number, name: string, text: string): Promise<string> {
    const script = `exec 3<>"$0" || exit 9; echo "$1" >&3; cat <&3`;
    const args = ["-c", `cd / && ${as(uid)} bash -c '${script}' "$0" "$1"`, server.at(`synthproc/${name}`), text];
    const { status, stdout, stderr } = await ended("bash", args);
    expect(status).toBe(0);
    const why = /write error: (.*)\n$/.exec(stderr);
    return why === null ? stdout.trimEnd() : `${why[1]!}: ${stdout.trimEnd()}`;
  }

  test("one write an open file: the next is EBUSY, and too much is EFBIG; without one there is nothing to read", async () => {
    const script = `
exec 3<>"$0"
cat <&3
echo "1 1 VM" >&3
cat <&3
echo "1 1 VM" >&3
exec 4<>"$0"
head -c 5000 /dev/zero >&4
printf "1 1 VM" >&4 && cat <&4
`;
    const outcome = await ended("bash", ["-c", script, server.at("synthproc/kcmp")]);
    expect(outcome.stdout).toBe("0\n0\n");
    const complaints = outcome.stderr.trim().split("\n");
    expect(complaints).toHaveLength(2);
    expect(complaints[0]).toMatch(/Device or resource busy$/);
    expect(complaints[1]).toMatch(/File too large$/);
  });

  test("several writers at once: exactly one wins, the others get EBUSY", async () => {
    const args = [WRITERS, server.at("synthproc/kcmp"), "1 1 VM", "40", "4"];
    const outcome = await ended("python3", args);
    expect(outcome.stderr).toBe("");
    expect(outcome.stdout).toBe("1 EBUSY 0\n".repeat(40));
  });

  test("in its locked form it answers the same, and takes the locks", async () => {
    const switched = await shell(`echo locked > ${server.at("sys/synthproc/kcmp")}`);
    expect(switched.status).toBe(0);
    const before = await count("kcmp.fell_back");
    expect(await kcmp("1", "1", "FILES")).toBe("0 0");
    expect(await count("kcmp.fell_back")).toBe(before + 1);
    expect(await kcmp("1", "1", "99")).toMatch(/\(EINVAL\)$/);
    await shell(`echo lockfree > ${server.at("sys/synthproc/kcmp")}`);
    const speculated = await count("kcmp.speculated");
    expect(await kcmp("1", "1", "FILES")).toBe("0 0");
    expect(await count("kcmp.speculated")).toBe(speculated + 1);
  });

  /** A number of the file stats, which leaves out what is zero. */
  async function count(name: string): Promise<number> {
    const { stdout } = await client("cat", server.at("synthproc/stats"));
    return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(stdout)?.[1] ?? 0);
  }

  async function untilWaiting(wanted: number): Promise<void> {
    const deadline = performance.now() + 5000;
    while ((await count("waiting")) !== wanted) {
      if (performance.now() > deadline) throw new Error(`waited in vain until ${wanted} requests wait`);
      await sleep(10);
    }
  }

  test("behind execs of both: asked either way round both wait, others don't, and a killed one is gone at once", async () => {
    const [a, b] = [await ctl("fork 1 --exec /usr/bin/sleep 71"), await ctl("fork 1 --exec /usr/bin/sleep 72")];
    await ctl(`exec ${a} /usr/bin/sleep 73 --hold 6s`, `exec ${b} /usr/bin/sleep 74 --hold 6s`);
    const ask = (question: string): RunningClient =>
      new RunningClient("bash", "-c", `exec 3<>"$0"; echo "$1" >&3; cat <&3`, server.at("synthproc/kcmp"), question);
    const waiting = [`${a} ${b} VM`, `${b} ${a} VM`, `${a} 1 VM`, `1 ${b} VM`].map(ask);
    const killed = [`${a} ${b} FILES`, `${b} ${a} FILES`].map(ask);
    try {
      await untilWaiting(6);
      for (const running of killed) expect(await running.endWith("SIGKILL")).toBeLessThan(SOON);
      await untilWaiting(4);
      // Neither those who open the file for both nor those who truncate it stand behind them.
      const start = performance.now();
      const others = [ask("1 1 VM"), new RunningClient("bash", "-c", `echo "1 1 VM" > ${server.at("synthproc/kcmp")}`)];
      for (const running of others) expect(await running.ended).toEqual({ code: 0, signal: null });
      expect(performance.now() - start).toBeLessThan(2 * SOON);
      expect(others[0]?.stdout).toBe("0\n");
      expect(await count("waiting")).toBe(4);
      for (const running of waiting) expect(await running.ended).toEqual({ code: 0, signal: null });
      const [forth, back] = waiting.map((running) => running.stdout.trim());
      expect([forth, back].sort()).toEqual(["1", "2"]);
    } finally {
      for (const running of [...waiting, ...killed]) await running.endWith("SIGKILL");
    }
  });
});
