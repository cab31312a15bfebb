/** Making things happen: `synthproc ctl`, and plain writes to DIR/synthproc/ctl. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import type { StructuredStats } from "../../mount/cli/stats.ts";
import { cannotMount, client } from "../mount/helpers.ts";
import { ended, shell } from "../support/programs.ts";
import { PROGRAM, synthproc } from "./helpers.ts";
import { CliServer } from "./server.ts";

describe.skipIf(cannotMount("test/cli/ctl"))("ctl", () => {
  let server: CliServer;

  beforeAll(async () => {
    server = new CliServer(["-s", "idle", "--seed", "7", "--paused"]);
    await server.ready();
  });

  afterAll(() => server.remove());

  const ctl = (...commands: string[]): Promise<string> => server.ctl(...commands);

  async function read(name: string): Promise<string> {
    const outcome = await client("cat", server.at(name));
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    return outcome.stdout;
  }

  test("processes: fork, exec, comm, clone, exit, reap", async () => {
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 60");
    expect(await read(`${pid}/cmdline`)).toBe("/usr/bin/sleep\0" + "60\0");
    expect(await read("1/task/1/children")).toContain(`${pid} `);
    await ctl(`exec ${pid} /usr/bin/cat -n`);
    expect(await read(`${pid}/comm`)).toBe("cat\n");
    await ctl(`comm ${pid} renamed`);
    expect(await read(`${pid}/status`)).toMatch(/^Name:\trenamed$/m);
    const tid = await ctl(`clone ${pid}`);
    expect((await client("ls", server.at(`${pid}/task`))).stdout).toBe(`${pid}\n${tid}\n`);
    expect(await read(`${pid}/status`)).toMatch(/^Threads:\t2$/m);
    await ctl(`exit-thread ${tid}`);
    expect(await read(`${pid}/status`)).toMatch(/^Threads:\t1$/m);
    await ctl(`stop ${pid}`);
    expect(await read(`${pid}/status`)).toMatch(/^State:\tT \(stopped\)$/m);
    await ctl(`cont ${pid}`, `exit ${pid} 3`);
    const state = await client("cat", server.at(`${pid}/status`));
    if (state.status === 0) {
      expect(state.stdout).toMatch(/^State:\tZ \(zombie\)$/m);
      await ctl(`reap ${pid}`);
    }
    expect((await client("cat", server.at(`${pid}/status`))).stderr).toContain("No such file or directory");
  });

  test("memory: mmap, mprotect, munmap, brk", async () => {
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 61");
    const address = (await ctl(`mmap ${pid} 64K`)).replace(/^0x/, "");
    const line = async (): Promise<string[]> =>
      (await read(`${pid}/maps`)).split("\n").filter((one) => one.startsWith(address.padStart(8, "0")));
    expect(await line()).toHaveLength(1);
    await ctl(`mprotect ${pid} 0x${address} 64K r--`);
    expect((await line())[0]).toContain(" r--p ");
    await ctl(`munmap ${pid} 0x${address} 64K`);
    expect(await line()).toHaveLength(0);
    await ctl(`exit ${pid}`);
  });

  test("identity, limits, files, timers, accounting", async () => {
    const pid = await ctl("fork 1 --exec /usr/bin/sleep 62");
    await ctl(`limit ${pid} nofile 123`);
    expect(await read(`${pid}/limits`)).toMatch(/^Max open files +123 /m);
    const fd = await ctl(`open ${pid} pipe`);
    expect((await client("readlink", server.at(`${pid}/fd/${fd.split(/\s+/)[0]!}`))).stdout).toMatch(
      /^pipe:\[\d+\]\n$/,
    );
    const timer = await ctl(`timer_create ${pid}`);
    expect(await read(`${pid}/timers`)).toMatch(new RegExp(`^ID: ${timer}$`, "m"));
    await ctl(`timer_delete ${pid} ${timer}`);
    expect(await read(`${pid}/timers`)).toBe("");
    const wrote = /^wchar: (\d+)$/m;
    const before = Number(wrote.exec(await read(`${pid}/io`))?.[1]);
    await ctl(`io ${pid} 100 5000`);
    expect(Number(wrote.exec(await read(`${pid}/io`))?.[1])).toBe(before + 5000);
    await ctl(`nice ${pid} 5`, `oom_score_adj ${pid} 300`);
    expect(await read(`${pid}/oom_score_adj`)).toBe("300\n");
    await ctl(`setuid ${pid} 1234`);
    expect(await read(`${pid}/status`)).toMatch(/^Uid:\t1234\t1234\t1234\t1234$/m);
    expect((await client("stat", "-c", "%u", server.at(`${pid}`))).stdout).toBe("1234\n");
  });

  test("the machine: pause, resume, speed", async () => {
    await ctl("resume", "speed 200");
    expect(await read("sys/synthproc/mutator/paused")).toBe("0\n");
    expect(await read("sys/synthproc/mutator/speed")).toBe("200\n");
    await ctl("speed 100", "pause");
    expect(await read("sys/synthproc/mutator/paused")).toBe("1\n");
  });

  test("commands from standard input; --keep-going, --list", async () => {
    const script = "# two commands\nfork 1 --exec /usr/bin/sleep 63\n\nfrobnicate\nfork 1 --exec /usr/bin/sleep 64\n";
    const stopped = await synthproc(["ctl", server.dir], script);
    expect(stopped).toMatchObject({ status: EXIT.failed, stdout: expect.stringMatching(/^\d+\n$/) as unknown });
    const gone = await synthproc(["ctl", "--keep-going", server.dir], script);
    expect(gone).toMatchObject({ status: EXIT.failed, stdout: expect.stringMatching(/^\d+\n\d+\n$/) as unknown });
    const list = await synthproc(["ctl", "--list", server.dir]);
    expect(list.stdout).toMatch(/^timer_settime +/m);
    expect(await synthproc(["ctl", "--list"])).toEqual(list);
    const nowhere = await synthproc(["ctl", "--list", "/"]);
    expect(nowhere).toMatchObject({ status: EXIT.mountPoint, stdout: "" });
  });

  test("a wrong command: EINVAL, and the reason; a process that isn't there: ESRCH", async () => {
    const wrong = await synthproc(["ctl", server.dir, "frobnicate 1"]);
    expect(wrong.status).toBe(EXIT.failed);
    expect(wrong.stderr).toBe('synthproc: frobnicate 1: there is no command "frobnicate" (help lists them) (EINVAL)\n');
    const nobody = await synthproc(["ctl", server.dir, "kill 4000000 9"]);
    expect(nobody.stderr).toMatch(/^synthproc: kill 4000000 9: [^\n]+ \(ESRCH\)\n$/);
    const long = await synthproc(["ctl", server.dir, `comm 1 ${"x".repeat(5000)}`]);
    expect(long.stderr).toContain("one line of at most 4095 bytes");
  });

  test("a shell: echo to the file, and the answer through the same open file", async () => {
    const script = `
exec 3<>"$0/synthproc/ctl"
echo "fork 1 --exec /usr/bin/sleep 65" >&3 || exit 1
read -r pid <&3
tr '\\0' ' ' <"$0/$pid/cmdline"; echo
exec 3<>"$0/synthproc/ctl"
echo "frobnicate" >&3 && exit 2
cat <&3
echo "kill $pid KILL" >"$0/synthproc/ctl"
`;
    const outcome = await ended("bash", ["-c", script, server.dir]);
    expect(outcome.stderr).toMatch(/^\S+ line \d+: echo: write error: Invalid argument\n$/);
    expect(outcome.stdout).toBe('/usr/bin/sleep 65 \nthere is no command "frobnicate" (help lists them)\n');
    expect(outcome.status).toBe(0);
  });

  test("a write of several lines, or of too long a line, is refused with a reason", async () => {
    const script = `
exec 3<>"$0/synthproc/ctl"
printf 'fork 1\\nfork 1\\n' | cat >&3 && exit 2
cat <&3
printf '%05000d' 1 | cat >&3 && exit 2
cat <&3
`;
    const outcome = await ended("bash", ["-c", script, server.dir]);
    expect(outcome.stderr).toMatch(/^(cat: write error: Invalid argument\n){2}$/);
    expect(outcome.stdout).toBe(
      "a write is one line, without NUL bytes; synthproc ctl DIR takes many lines\na line has at most 4096 bytes\n",
    );
    expect(outcome.status).toBe(0);
  });

  test("a caller without the right: EPERM", async () => {
    const nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    const byHand = await shell(`${nobody} bash -c 'echo "kill 1 9" > ${server.at("synthproc/ctl")}'`);
    expect(byHand.stderr).toContain("Operation not permitted");
    const byUs = await shell(`cd / && ${nobody} ${PROGRAM} ctl ${server.dir} 'kill 1 9'`);
    expect(byUs.stderr).toMatch(/\(EPERM\)\n$/);
    expect(byUs.status).toBe(EXIT.failed);
    expect(await read("1/comm")).toBe("systemd\n");
  });

  test("stats: text and JSON, counters grow with reads", async () => {
    const fast = async (): Promise<number | string> => {
      const { status, stdout } = await synthproc(["stats", "--json", server.dir]);
      expect(status).toBe(EXIT.ok);
      return (JSON.parse(stdout) as StructuredStats).paths["io"]?.["speculated"] ?? 0;
    };
    const before = await fast();
    for (let i = 0; i < 5; i++) await read("1/io");
    expect(await fast()).toBe(Number(before) + 5);
    expect((await synthproc(["stats", server.dir])).stdout).toMatch(/^tasks \d+$/m);
  });
});
