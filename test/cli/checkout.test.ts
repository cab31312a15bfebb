/** bin/synthproc in a checkout whose sources have been changed: it follows them, as far as they can be followed. */
import { appendFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EXIT } from "../../mount/cli/exit-codes.ts";
import type { Outcome } from "../support/programs.ts";
import { ended } from "../support/programs.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COPIED = ["bin", "scripts", "src", "mount", "package.json", "tsconfig.json"];
/** A build on a busy machine. */
const TIMEOUT_MS = 120_000;
/** What the transform refuses. */
const COUNTER = "\nlet count = 0;\nexport function counted(): number {\n  count++;\n  return count;\n}\n";

let copy: string;
beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), "synthproc-checkout-"));
  for (const name of COPIED) cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  appendFileSync(join(copy, "src/sync/spinlock.ts"), COUNTER);
});
afterAll(() => rmSync(copy, { recursive: true }));

function synthproc(...args: string[]): Promise<Outcome> {
  return ended(join(copy, "bin/synthproc"), args, { timeout: TIMEOUT_MS });
}

test(
  "sources that can't be explored only stop who explores",
  async () => {
    expect(await synthproc("--version")).toMatchObject({ status: EXIT.ok, stderr: "" });
    expect(await synthproc("check", "--help")).toMatchObject({ status: EXIT.ok, stderr: "" });
    const { status, stdout, stderr } = await synthproc("check", "--list");
    expect(stderr).toMatch(/^synthproc: the sources have changed: transforming them first\n/);
    expect(stderr).toMatch(
      /\nsynthproc: the sources cannot be explored:\n {2}src\/sync\/spinlock\.ts:\d+:1 module-level /,
    );
    expect({ status, stdout }).toEqual({ status: EXIT.failed, stdout: "" });
  },
  TIMEOUT_MS,
);

test(
  "sources that are no program stop everybody",
  async () => {
    appendFileSync(join(copy, "mount/cli/check.ts"), "const x = ;\n");
    const { status, stderr } = await synthproc("--version");
    expect(stderr).toMatch(/^synthproc: [^]*mount\/cli\/check\.ts:\d+:\d+: ERROR: /);
    expect(status).toBe(EXIT.failed);
  },
  TIMEOUT_MS,
);
