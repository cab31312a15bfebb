/**
 * Scenarios as tests: `import { program } from "./x.scenario.ts?interleave"` is the program of that scenario and of all that it
 * reaches, transformed, ready for `explore` and `replay`.
 */
import { rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { ProgramBuilder } from "./build.ts";
import { MODEL_FILE } from "./entries.ts";

const QUERY = "?interleave";

/** What vitest asks of a plugin. */
interface Plugin {
  readonly name: string;
  readonly enforce: "pre";
  resolveId(id: string, importer: string | undefined): string | undefined;
  load(id: string): string | undefined;
}

/** Folders of programs, and what vitest's `server.deps.external` has to have, so that Node itself loads them. */
export const PROGRAM_FOLDERS = /\/(synthproc-check-\w+|dist\/check)\//;

/** The plugin. @param root folder with tsconfig.json and the sources */
export function interleave(root: string): Plugin {
  const builder = new ProgramBuilder(root);
  return {
    name: "interleave",
    enforce: "pre",
    resolveId(id, importer) {
      if (!id.endsWith(QUERY) || importer === undefined) return undefined;
      return resolve(dirname(importer), id);
    },
    load(id) {
      if (!id.endsWith(QUERY)) return undefined;
      const entry = relative(root, id.slice(0, -QUERY.length));
      const dir = builder.build({ entries: [MODEL_FILE, entry] });
      process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
      return moduleText(dir);
    },
  };
}

/** The backend comes first: transformed code looks for it when it's loaded. */
function moduleText(dir: string): string {
  const backend = join(import.meta.dirname, "../explore/machine/runtime.ts");
  const loader = join(import.meta.dirname, "load.ts");
  return [
    `import ${JSON.stringify(backend)};`,
    `import { loadProgram } from ${JSON.stringify(loader)};`,
    `export const program = await loadProgram(${JSON.stringify(dir)});`,
  ].join("\n");
}
