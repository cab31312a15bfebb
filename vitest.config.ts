import { defineConfig } from "vitest/config";
import { interleave, PROGRAM_FOLDERS } from "./src/check/interleave/vitest-plugin.ts";

// Tests that mount share two cores and one /dev/fuse: files run one after another, so that a slow mount in one file
// never becomes a timeout in another.
export default defineConfig({
  plugins: [interleave(import.meta.dirname)],
  test: {
    include: ["test/**/*.test.ts"],
    // `npm run test:model` explores the whole.
    exclude: ["test/model/whole/**"],
    pool: "forks",
    fileParallelism: false,
    server: { deps: { external: [PROGRAM_FOLDERS] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
