/** The checks on the file system in this process. */
import { beforeAll, describe } from "vitest";
import type { Kernel } from "../../src/kernel/kernel.ts";
import { TASK } from "../../src/kernel/layout.ts";
import { tablesOf } from "../../src/proc/tables.ts";
import { TEST_HOST, fileSystem } from "../proc/file-system.ts";
import type { VfsClient } from "../proc/vfs-client.ts";
import type { World } from "../proc/world.ts";
import { OWNER, buildWorld } from "../proc/world.ts";
import { testKernel } from "../support/kernel.ts";
import { checkProcessDirectories } from "./checks.ts";
import { handsOf } from "./in-process.ts";
import type { View } from "./view.ts";

const IDS = { root: 0, owner: OWNER, other: OWNER + 1 } as const;

let k: Kernel;
let world: World;
let client: VfsClient;

beforeAll(() => {
  k = testKernel();
  world = buildWorld(k);
  client = fileSystem(k, tablesOf(TEST_HOST)).client;
});

const view: View = {
  name: "simulated",
  pid: (kind) => k.m.load(world[kind] + TASK.pid),
  get thread() {
    return k.m.load((world.threads[0] as number) + TASK.pid);
  },
  as: (who) => handsOf(client.as(IDS[who])),
  owner: { uid: OWNER, gid: OWNER },
};

describe("simulated /proc", () => {
  checkProcessDirectories(() => view);
});
