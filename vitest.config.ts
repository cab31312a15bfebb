import { defineConfig } from "vitest/config";

// Tests that mount share two cores and one /dev/fuse: files run one after another, so that a slow mount in one file
// never becomes a timeout in another.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
  },
});
