import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/longest-first.ts"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // half of a test's time is waiting for real processes' clocks: four files share two cores
    pool: "forks",
    maxWorkers: 4,
    minWorkers: 1,
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/support/count-reporter.ts"]
  }
})
