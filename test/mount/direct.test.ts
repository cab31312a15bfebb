/** What only the direct transport can: callers, message sizes, kept names and telling the kernel. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestMount } from "./helpers.ts";
import { cannotMount, client, mountTree } from "./helpers.ts";
import { ENTRY_VALID, GONE } from "./tree-fs.ts";
import { DELETE, NotifyRing } from "../../mount/notify.ts";
import { createMountShared } from "../../mount/options.ts";

const skip = cannotMount("direct.test.ts");

describe.skipIf(skip)("direct transport", () => {
  let tree: TestMount;
  beforeAll(async () => {
    tree = await mountTree({ workers: 2 });
  });
  afterAll(async () => {
    await tree.end();
  });
  const at = (name: string): string => `${tree.dir}/${name}`;

  it("fetches a large file in messages of up to 1 MiB", async () => {
    const before = tree.mounted.stats().messages.READ ?? 0;
    await client("dd", `if=${at("big")}`, "bs=4M", "of=/dev/null", "status=none");
    expect((tree.mounted.stats().messages.READ ?? 0) - before).toBeLessThanOrEqual(6);
  });

  it("knows its callers: user, group, thread, groups and capabilities", async () => {
    const { stdout } = await client(
      "setpriv",
      "--reuid",
      "1234",
      "--regid",
      "4321",
      "--groups",
      "7,9",
      "cat",
      at("whoami"),
    );
    const who = JSON.parse(stdout) as Record<string, unknown>;
    expect(who).toMatchObject({ uid: 1234, gid: 4321, groups: [7, 9], effective: [0, 0], permitted: [0, 0] });
    expect(who.tgid).toBe(who.pid);
    const root = JSON.parse((await client("cat", at("whoami"))).stdout) as { effective: number[] };
    expect(root.effective[0]).not.toBe(0);
    const script = `
import threading
t = threading.Thread(target=lambda: print(open("${at("whoami")}").read()))
t.start(); t.join()`;
    const thread = JSON.parse((await client("python3", "-c", script)).stdout) as { pid: number; tgid: number };
    expect(thread.tgid).not.toBe(thread.pid);
  });
});

describe.skipIf(skip)("kept names", () => {
  it("make open-read-close four messages", async () => {
    const tree = await mountTree({ workers: 1 });
    tree.gate.store(ENTRY_VALID, 3600);
    const read = `for i in 1 2 3 4 5 6 7 8 9 10; do read x < ${tree.dir}/3/io; done`;
    await client("bash", "-c", read);
    const before = tree.mounted.stats().messages;
    await client("bash", "-c", `exec 3< ${tree.dir}/3/io; cat <&3 > /dev/null; cat <&3 > /dev/null`);
    const after = tree.mounted.stats().messages;
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    expect(grown("LOOKUP")).toBe(0);
    expect(grown("OPEN")).toBe(1);
    expect(grown("FLUSH")).toBe(0);
    await tree.end();
  });

  it("are forgotten when the kernel is told", async () => {
    const shared = createMountShared();
    const tree = await mountTree({ workers: 1, shared });
    const ring = new NotifyRing(shared.ring);
    tree.gate.store(ENTRY_VALID, 3600);
    const state = async (): Promise<string> => (await client("sh", "-c", `test -e ${tree.dir}/7 && echo there`)).stdout;
    const known = async (): Promise<string> => (await client("sh", "-c", `cd ${tree.dir}/8 && echo there`)).stdout;
    expect(await state()).toBe("there\n");
    expect(await known()).toBe("there\n");
    const lookups = (): number => tree.mounted.stats().messages.LOOKUP ?? 0;
    let before = lookups();
    await known();
    expect(lookups()).toBe(before);
    tree.gate.store(GONE, 1);
    ring.invalidate(0, 1, "8");
    await sleep(100);
    before = lookups();
    await known();
    expect(lookups()).toBe(before + 1);
    ring.push(DELETE, 0, 1, 2, 7, "7");
    await sleep(100);
    expect(await state()).toBe("");
    // A name that does not fit makes the kernel doubt every name.
    await known();
    before = lookups();
    ring.invalidate(0, 1, "x".repeat(100));
    await sleep(100);
    await known();
    expect(lookups()).toBeGreaterThan(before);
    expect(tree.mounted.stats().notificationsDropped).toBe(1);
    await tree.end();
  });
});
