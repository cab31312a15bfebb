/** A bare kernel for tests: an arena without any scenario. */
import type { KernelConfig } from "../../src/kernel/config.ts";
import { Kernel } from "../../src/kernel/kernel.ts";
import { bootKernel } from "../../src/kernel/boot.ts";
import type { Subject } from "../../src/kernel/subject.ts";
import { monotonicNs } from "../../mount/clock.ts";

export const TEST_CONFIG: KernelConfig = {
  seed: 1,
  pidMax: 4194304,
  pidAvoid: [0, 0],
  threadsMax: 4_000_000,
  realtimeAtBoot: 1_700_000_000,
  memTotal: 8 * 2 ** 30,
  swapTotal: 2 ** 30,
  cpus: 4,
  waitKinds: [],
  cgroups: ["0::/"],
  files: [
    {
      path: "/usr/bin/prog",
      devMajor: 254,
      devMinor: 0,
      ino: 1001,
      mode: 0o100755,
      size: 0x9000,
      segments: [
        { size: 0x2000, perms: "r--p", offset: 0 },
        { size: 0x4000, perms: "r-xp", offset: 0x2000 },
        { size: 0x2000, perms: "r--p", offset: 0x6000 },
        { size: 0x1000, perms: "rw-p", offset: 0x8000 },
      ],
    },
    {
      path: "/usr/lib/ld-linux-x86-64.so.2",
      devMajor: 254,
      devMinor: 0,
      ino: 1002,
      mode: 0o100755,
      size: 0x34000,
      segments: [
        { size: 0x1000, perms: "r--p", offset: 0 },
        { size: 0x26000, perms: "r-xp", offset: 0x1000 },
        { size: 0xa000, perms: "r--p", offset: 0x27000 },
        { size: 0x2000, perms: "r--p", offset: 0x31000 },
        { size: 0x1000, perms: "rw-p", offset: 0x33000 },
      ],
    },
  ],
  programs: [
    {
      path: "/usr/bin/prog",
      file: 0,
      libraries: [1],
      bss: 0x1000,
      heap: 0x21000,
      anonymous: [0x2000],
      setuid: -1,
    },
    {
      path: "/usr/bin/setuid-prog",
      file: 0,
      libraries: [1],
      bss: 0x1000,
      heap: 0x21000,
      anonymous: [],
      setuid: 0,
    },
  ],
};

const ARENA = 2 ** 30;

/** A booted kernel with lock checks on; the calling thread is online. */
export function testKernel(config: Partial<KernelConfig> = {}): Kernel {
  const k = Kernel.create(ARENA, { ...TEST_CONFIG, ...config }, { debug: true, now: monotonicNs });
  k.busy();
  bootKernel(k);
  return k;
}

/** Joins a test kernel from another thread; online. */
export function joinKernel(buffer: SharedArrayBuffer): Kernel {
  const k = Kernel.attach(buffer, TEST_CONFIG, { debug: true, now: monotonicNs });
  k.busy();
  return k;
}

/** A caller with the given ids; `root` has all capabilities. */
export function subject(uid: number, gid = uid): Subject {
  return {
    uid,
    gid,
    tgid: () => 0,
    capable: () => uid === 0,
    inGroup: (group) => group === gid,
    covers: () => uid === 0,
  };
}
