import { readdirSync } from "node:fs"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/longest-first.ts"

/** Their tests start no program of ours, or only short ones. */
const sharing = /^test\/(machines|actors|contract|docs|house|layers)\//

/** Of them those that need a process of their own all the same. */
const alone = [
  // the engine's addon
  /^test\/layers\/engine\//,
  // memory and fibers are counted
  /^test\/actors\/core\/endurance\.test/,
  /^test\/machines\/policy\/estimate-real\.test/,
  // for whom it runs, and with which mask, is the whole process's
  /^test\/layers\/models\/found\.test/,
  /^test\/layers\/sqlite\/open\.test/
]

const isSharing = (file: string): boolean => sharing.test(file) && !alone.some((one) => one.test(file))

const files = readdirSync("test", { recursive: true, encoding: "utf8" })
  .map((name) => `test/${name.replaceAll("\\", "/")}`)
  .filter((name) => name.endsWith(".test.ts"))

const limits = { testTimeout: 60_000, hookTimeout: 60_000 }

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/support/count-reporter.ts"],
    // of the whole run, and not a project's. Half of a test's time is waiting for real processes' clocks: so many files
    // share two cores
    poolOptions: { threads: { maxThreads: 2, minThreads: 1 }, forks: { maxForks: 4, minForks: 1 } },
    projects: [
      {
        test: {
          name: "sharing",
          ...limits,
          include: files.filter(isSharing),
          // one process, in which what is loaded stays: to load it for each file took a third of the run's CPU
          pool: "threads",
          isolate: false
        }
      },
      {
        test: {
          name: "alone",
          ...limits,
          include: files.filter((file) => !isSharing(file)),
          pool: "forks"
        }
      }
    ]
  }
})
