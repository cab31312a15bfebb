/** Type declarations of the library for the published package, in dist/types/. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
rmSync(`${root}dist/types`, { recursive: true, force: true });
const options = ["--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--rewriteRelativeImportExtensions"];
const files = ["--outDir", "dist/types", "--rootDir", "."];
const result = spawnSync(`${root}node_modules/.bin/tsc`, ["-p", "scripts/tsconfig.types.json", ...options, ...files], {
  cwd: root,
  stdio: "inherit",
});
process.exitCode = result.status ?? 1;
