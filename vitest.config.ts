import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/{unit,conformance,property,scenario}/**/*.test.ts"],
    testTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
  },
});
