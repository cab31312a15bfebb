/** /proc/sys/synthproc: the switches of the simulation itself, one value a file. */
import { EINVAL } from "../../kernel/errno.ts";
import { LOCKED, LOCKFREE, PATH_NAMES } from "../../kernel/knobs.ts";
import { HOST } from "../../kernel/layout.ts";
import type { Leaf } from "../root/tree.ts";
import { BOOL, int, word } from "./spec.ts";
import type { Store } from "./sysctl.ts";
import { sysctlLeaf, wordStore } from "./sysctl.ts";

/** Fastest that the mutator can be told to run, in percent of real time. */
const MAX_SPEED = 100_000;

const MODE_WORDS = ["lockfree", "locked"] as const;

/** Which of its two forms a read path uses. */
function pathMode(path: number): Store {
  return {
    get: (c) => (c.k.m.load(HOST.pathMode + path) === LOCKED ? "locked" : "lockfree"),
    set: (c, value) => {
      c.k.m.store(HOST.pathMode + path, value === "locked" ? LOCKED : LOCKFREE);
      return 0;
    },
  };
}

/** The mount option hidepid: 0 off, 1 noaccess, 2 invisible, 4 ptraceable; there is no 3. */
const hidepid: Store = {
  get: (c) => String(c.k.m.load(HOST.hidepid)),
  set: (c, value) => {
    if (value === "3") return -EINVAL;
    c.k.m.store(HOST.hidepid, Number(value));
    return 0;
  },
};

export const SYNTHPROC_LEAVES: readonly Leaf[] = [
  ...PATH_NAMES.map((name, path) =>
    sysctlLeaf([`synthproc/${name}`, 0o644, word(MODE_WORDS, EINVAL), ""], pathMode(path)),
  ),
  sysctlLeaf(["synthproc/hidepid", 0o644, int(0, 4), ""], hidepid),
  sysctlLeaf(["synthproc/hidepid_gid", 0o644, int(0), ""], wordStore(HOST.hidepidGid)),
  sysctlLeaf(["synthproc/mutator/paused", 0o644, BOOL, ""], wordStore(HOST.mutatorPaused)),
  sysctlLeaf(["synthproc/mutator/speed", 0o644, int(1, MAX_SPEED), ""], wordStore(HOST.mutatorSpeed)),
];
