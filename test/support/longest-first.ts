import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Files that wait for real processes the longest, the longest one first; each takes more than half a minute. */
const longest = [
  "e2e/kill",
  "simulation/simulation",
  "e2e/remote-cuts",
  "e2e/remote",
  "e2e/remote-install",
  "e2e/infer",
  "e2e/remote-interrupted",
  "e2e/inspector",
  "e2e/daemons",
  "e2e/failover",
  "e2e/context",
  "e2e/remote-npm",
  "main/hive-workers",
  "e2e/vulkan"
].map((name) => `/test/${name}.test.ts`)

const rank = ({ moduleId }: TestSpecification): number => {
  const at = longest.findIndex((name) => moduleId.endsWith(name))
  return at < 0 ? longest.length : at
}

/** Starts the longest files first, so that the run does not end with one of them alone; the others as they come. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}
