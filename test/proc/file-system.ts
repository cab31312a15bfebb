/** A file system over a test kernel, and a client of it. */
import type { Kernel } from "../../src/kernel/kernel.ts";
import type { SynthprocFiles } from "../../src/proc/synthproc/control.ts";
import type { Tables } from "../../src/proc/fs/entries.ts";
import type { HostView } from "../../src/proc/host-view.ts";
import { ProcFs } from "../../src/proc/procfs.ts";
import type { CallerFacts } from "../../src/proc/vfs.ts";
import { VfsClient } from "./vfs-client.ts";

export const TEST_HOST: HostView = {
  hostname: "box",
  domainname: "(none)",
  release: "6.18.0",
  version: "#1 SMP PREEMPT_DYNAMIC",
  versionText: "Linux version 6.18.0",
  bootId: "0a1b2c3d-0000-4000-8000-000000000000",
  commandLine: "quiet",
  cpuModel: "Test CPU",
  cpuMhz: 2000,
  cpus: 4,
  mountinfo: ["20 1 254:0 / / rw,relatime - ext4 /dev/vda rw", "21 20 0:5 / /proc rw,nosuid - proc proc rw"],
  interfaces: [],
  disks: [],
  rawFiles: {},
  realProc: "/run/real-proc",
  netOf: "self",
  mountsOf: "self",
};

const FULL = [0xffffffff | 0, 0x1ff] as const;
const NONE = [0, 0] as const;

/** Root has all capabilities, others none; thread ids from 90000 on belong to process 90000, whose parent is 80000. */
export const TEST_FACTS: CallerFacts = {
  tgid: (pid) => (pid >= 90000 ? 90000 : pid),
  descends: (pid, ancestor) => pid >= 90000 && ancestor === 80000,
  effective: (caller) => (caller.uid === 0 ? FULL : NONE),
  permitted: (caller) => (caller.uid === 0 ? FULL : NONE),
  groups: () => [],
};

export const TEST_SYNTHPROC: SynthprocFiles = {
  control: {
    help: "say WORD\n",
    run: (_k, line) => {
      const [verb, word] = line.split(" ");
      if (verb === "say" && word !== undefined) return { errno: 0, text: word };
      return { errno: 22, text: `"${line}" is no command` };
    },
  },
  version: "1.2.3",
  scenario: "name: test\n",
};

/** The file system as root sees it; `client.as(uid)` for others. */
export function fileSystem(k: Kernel, tables: Tables): { fs: ProcFs; client: VfsClient } {
  const fs = new ProcFs({ kernel: k, host: TEST_HOST, facts: TEST_FACTS, tables, synthproc: TEST_SYNTHPROC });
  return { fs, client: new VfsClient(fs, { uid: 0, gid: 0, pid: 0 }) };
}
