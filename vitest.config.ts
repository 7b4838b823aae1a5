import { readdirSync } from "node:fs"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/support/longest-first.ts"

/** Their tests start no program of ours, or only short ones. */
const sharing = /^test\/(machines|actors|contract|docs|house|inspector|layers)\//

/** Of them those that need a process of their own all the same. */
const alone = [
  // the engine's addon
  /^test\/layers\/engine\//,
  // memory and fibers are counted
  /^test\/actors\/core\/endurance\.test/,
  /^test\/machines\/policy\/estimate-real\.test/,
  // what a process has seen of files
  /^test\/layers\/models\/early-look\.test/,
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
    // All of this is heard of the whole run, and not of a project. In the threads what is loaded stays: to load it for each
    // file took a third of the run's CPU. Half of a forked test's time is waiting for real processes' clocks: four files
    // share two cores.
    poolOptions: {
      threads: { maxThreads: 1, minThreads: 1, isolate: false },
      forks: { maxForks: 4, minForks: 1, isolate: true }
    },
    projects: [
      {
        test: {
          name: "sharing",
          ...limits,
          include: files.filter(isSharing),
          pool: "threads"
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
