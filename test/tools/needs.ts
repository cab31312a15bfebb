/** Reasons to skip tests that drive real tools. */
import { spawnSync } from "node:child_process";
import { whyNoMounts } from "../mount/helpers.ts";

/** Why a test that needs these programs can't run here, or "". */
export function missingTools(needed: readonly string[]): string {
  const why = whyNoMounts();
  if (why !== "") return why;
  const missing = needed.filter((tool) => spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0);
  return missing.length > 0 ? `missing tools: ${missing.join(", ")}` : "";
}
