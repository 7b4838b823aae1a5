/**
 * Ends every run with one plain line, `N passed, N failed, N skipped`, for people and scripts alike. Before it: the tests
 * that were nearer to their own time limit than a loaded machine allows.
 */
import { relative } from "node:path"
import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node"

/** On a machine with three times as much to do a test takes three times as long. */
const margin = 3

export default class CountReporter implements Reporter {
  private vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.vitest = vitest
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const count = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      // a file that breaks before its tests are known counts as one failure
      if (module.state() === "failed" && [...module.children.allTests()].length === 0) count.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state !== "pending") count[state]++
        this.tellIfSlow(module, test)
      }
    }
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
  }

  private tellIfSlow({ moduleId }: TestModule, test: TestCase): void {
    const task = this.vitest?.state.idMap.get(test.id)
    const { duration = 0 } = test.diagnostic() ?? {}
    if (task?.type !== "test" || duration * margin <= task.timeout) return
    const [seconds, limit] = [duration, task.timeout].map((ms) => Math.round(ms / 1000))
    process.stdout.write(
      `near its limit: ${seconds} of ${limit} s, ${relative(process.cwd(), moduleId)} > ${test.fullName}\n`
    )
  }
}
