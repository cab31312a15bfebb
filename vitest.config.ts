import { defineConfig } from "vitest/config";

// Tests that mount share two cores and one /dev/fuse: files run one after another, so that a slow mount in one file
// never becomes a timeout in another.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // `npm run test:model` explores the whole.
    exclude: ["test/model/whole/**"],
    pool: "forks",
    fileParallelism: false,
    // Transformed programs are what they are: loaded by Node itself.
    server: { deps: { external: [/\/synthproc-check-\w+\//, /\/dist\/check\//] } },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
