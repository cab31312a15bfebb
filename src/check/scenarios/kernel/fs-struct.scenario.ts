/** Working directory, root and umask: shared, copied and given back. */
import { CLONE_FS } from "../../../kernel/flags.ts";
import { fsNew, putFs } from "../../../kernel/fs-struct.ts";
import type { Kernel } from "../../../kernel/kernel.ts";
import { FS, PATH, TASK } from "../../../kernel/layout.ts";
import { pathNew } from "../../../kernel/path.ts";
import { bytesText } from "../../../shm/bytes.ts";
import type { Ptr } from "../../../sync/atomics.ts";
import { scenario } from "../../scenario.ts";
import { countIs } from "./exec-images.ts";
import { inventory, judgeInventory } from "./machine-kit.ts";
import { endAndReap, start, taskOfPid } from "./pid-kit.ts";

const PID = 40;
/** Who shares with the process, and who gets a copy. */
const [SHARES, COPY] = [41, 42];
const PWD = "/home/user";
const ROOT = "/jail";
const UMASK = 0o027;

function fsOf(k: Kernel, pid: number): Ptr {
  return k.m.load(taskOfPid(k, pid) + TASK.fs);
}

/** What a process has, in words. */
function textOf(k: Kernel, fs: Ptr): string {
  const { m } = k;
  const names: string[] = [];
  for (const path of [FS.pwd, FS.root]) names.push(bytesText(m, m.load(m.load(fs + path) + PATH.name)));
  return `${names.join(" below ")}, ${m.load(fs + FS.umask).toString(8)}`;
}

export const copied = scenario({
  name: "fs_struct/fork-and-exit",
  about: "a process forks while another one, with which it shares its working directory and root, ends",
  extent: { kind: "bounded", preemptions: 1 },
  quick: true,
  setup: (k) => {
    const before = inventory(k);
    start(k, 1, 0, { pid: PID });
    const fs = fsNew(k, pathNew(k, { name: PWD }), pathNew(k, { name: ROOT }), UMASK);
    putFs(k, k.m.exchange(taskOfPid(k, PID) + TASK.fs, fs));
    start(k, PID, CLONE_FS, { pid: SHARES });
    return { before, fs };
  },
  threads: {
    forks: (k): number[] => [start(k, PID, 0, { pid: COPY }), start(k, PID, CLONE_FS, { pid: COPY + 1 })],
    ends: (k): void => endAndReap(k, SHARES),
  },
  check: (k, { before, fs }) => {
    const copy = fsOf(k, COPY);
    if (copy === fs || fsOf(k, COPY + 1) !== fs) return "what is shared is copied, or the other way round";
    const expected = `${PWD} below ${ROOT}, ${UMASK.toString(8)}`;
    for (const one of [fs, copy]) if (textOf(k, one) !== expected) return `${textOf(k, one)}, not ${expected}`;
    const wrong =
      countIs(k, "what is shared", fs + FS.users, 2) ??
      countIs(k, "the copy", copy + FS.users, 1) ??
      countIs(k, "the working directory", k.m.load(fs + FS.pwd) + PATH.usage, 2) ??
      countIs(k, "the root", k.m.load(fs + FS.root) + PATH.usage, 2);
    if (wrong !== null) return wrong;
    for (const pid of [COPY, COPY + 1, PID]) endAndReap(k, pid);
    return judgeInventory(k, before);
  },
});
