/**
 * What the mutation run changes and by which tests it is to be noticed, room by room. A room holds when at least
 * `leastScore` percent of its mutants are noticed. Left out are tests with a program or a minute of their own, and
 * those that plant faults themselves.
 */
export const leastScore = 85

export const rooms = [
  {
    name: "core",
    source: ["src/actors/core/**/*.ts"],
    tests: ["test/actors/core/*.test.ts"],
    without: ["test/actors/core/{mutations,endurance}.test.ts"]
  },
  {
    name: "machines",
    source: ["src/machines/**/*.ts"],
    tests: ["test/machines/**/*.test.ts", "test/docs/charts-drawn.test.ts"],
    without: ["test/machines/gguf-fuzz.test.ts", "test/machines/policy/{estimate-*,swapping}.test.ts"]
  },
  {
    name: "jobs",
    source: ["src/actors/queen/{jobs,log}/*.ts"],
    tests: ["test/actors/queen/{job-logs,queen,relay,reload,shutdown}.test.ts"],
    without: []
  },
  {
    name: "placement",
    source: ["src/actors/queen/{cluster,placement}/*.ts"],
    tests: ["test/actors/queen/{cluster-view,queen,reload}.test.ts"],
    without: []
  }
]
