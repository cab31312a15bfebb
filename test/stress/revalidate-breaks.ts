/** Deliberate mistakes in path walks into process directories; see breaks.ts. */
import type { Break } from "./breaks.ts";
import { LONG_PAUSE, PAUSE, after, before, removed, replaced } from "./edits.ts";

const PID = "src/kernel/pid.ts";
const TASK = "src/kernel/task.ts";
const CRED = "src/kernel/cred.ts";
const WALKS = "src/proc/fs/revalidate.ts";
const PERMISSION = "src/proc/fs/permission.ts";
const MAP_FILES = "src/proc/task/map-files.ts";

/** Time for a writer between finding out whose credentials count and looking at them. */
const IN_OWNER = after(PERMISSION, "  out.uid = m.loadU32(cred + CRED.euid);\n", `  ${LONG_PAUSE}\n`);
/** Time for a writer between finding a task by its pid and asking which use of the pid that was. */
const IN_GENERATION = after(
  PID,
  "export function generationOf(k: Kernel, pid: number, task: Ptr): number {\n",
  `  ${LONG_PAUSE}\n`,
);
/** Time for a writer before a task of a certain use is looked up. */
const BEFORE_LOOKUP = before(
  PID,
  "  const task = findTask(k, pid);\n  if (task === 0) return 0;\n",
  `  ${LONG_PAUSE}\n`,
);

export const REVALIDATE_BREAKS: readonly Break[] = [
  {
    name: "revalidate: a node answers for whoever has its pid",
    world: "revalidate",
    edits: [
      replaced(
        WALKS,
        "return mask === ANY_GENERATION ? findTask(k, tid) : findTaskMatching(k, tid, generation, mask);",
        "return findTask(k, tid);",
      ),
    ],
  },
  {
    name: "revalidate: likewise with references",
    world: "revalidate",
    form: "locked",
    edits: [
      replaced(
        WALKS,
        "return mask === ANY_GENERATION ? findTask(k, tid) : findTaskMatching(k, tid, generation, mask);",
        "return findTask(k, tid);",
      ),
    ],
  },
  {
    name: "revalidate: user and group are of two moments",
    world: "revalidate",
    edits: [
      replaced(
        PERMISSION,
        "  out.gid = m.loadU32(cred + CRED.egid);\n",
        "  out.gid = m.loadU32(m.load(task + TASK.cred) + CRED.egid);\n",
      ),
    ],
    delay: [IN_OWNER],
    says: /was found|belonged to/,
  },
  {
    name: "revalidate: credentials are freed without a grace period",
    world: "revalidate",
    edits: [replaced(CRED, "  k.slab.freeRcu(cred);\n", "  k.slab.free(cred);\n")],
    delay: [IN_OWNER],
    says: /was found|belonged to/,
    withoutLockdep: true,
  },
  {
    name: "revalidate: tasks are freed without a grace period",
    world: "revalidate",
    edits: [replaced(TASK, "  k.slab.freeRcu(task);\n", "  k.slab.free(task);\n")],
    delay: [after(PERMISSION, "  const { m } = k;\n  if (isKernelThread(k, task)) {\n", `    ${PAUSE}\n`)],
    withoutLockdep: true,
  },
  {
    name: "revalidate: which life it is is asked when the pid may have been given out again",
    world: "revalidate",
    edits: [
      replaced(
        PID,
        "  const current = findTask(k, pid) === task && pidGeneration(k, pid) === generation;\n",
        "  const current = pid > 0;\n",
      ),
    ],
    delay: [IN_GENERATION],
    says: /was found/,
  },
  {
    name: "revalidate: which life it is is asked before the task is looked up",
    world: "revalidate",
    edits: [
      after(PID, "generation: number, mask: number): Ptr {\n", "  const use = pidGeneration(k, pid);\n"),
      replaced(PID, "((pidGeneration(k, pid) ^ generation) & mask)", "((use ^ generation) & mask)"),
    ],
    delay: [BEFORE_LOOKUP],
    says: /was found|belonged to|said user/,
  },
  {
    name: "revalidate: a walk keeps its reference on the task",
    world: "revalidate",
    form: "locked",
    edits: [removed(WALKS, "  if (task !== NULL) putTask(k, task);\n")],
    fails: /task: .* objects at the start/,
    milliseconds: 2000,
  },
  {
    name: "revalidate: a walk keeps its reference on /proc",
    world: "revalidate",
    form: "locked",
    edits: [removed(WALKS, "  lockrefPut(k.t, HOST.rootDentry);\n")],
    fails: /references to the dentry of \/proc are left/,
    milliseconds: 2000,
  },
  {
    name: "revalidate: a name of map_files is known by its start alone",
    world: "revalidate",
    edits: [replaced(MAP_FILES, "(end === ANY_END || vma.end === end)", "true")],
    says: /^map_files/,
  },
];
