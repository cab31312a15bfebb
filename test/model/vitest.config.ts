/** `npm run test:model`: everything that is explored, which takes longer than a test run should. */
import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

export default defineConfig({
  ...base,
  test: { ...base.test, include: ["test/model/**/*.test.ts"], exclude: [] },
});
