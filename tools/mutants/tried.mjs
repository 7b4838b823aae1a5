/**
 * Runs before each test file, in the process that runs it. Where the change is come to as a file is loaded (`fresh`), its
 * switch is on before, and the modules are made anew, so that a chart or a schema is changed as any function is. Any
 * other is switched on for the tests alone, and the modules may stay.
 */
import { afterAll, afterEach, beforeEach, inject, vi } from "vitest"

const { fresh, hitLimit, mutant, only } = inject("tried")

const switches = (globalThis.__stryker__ ??= {})
if (fresh || switches.modulesHave !== "no change") vi.resetModules()
switches.modulesHave = fresh ? mutant : "no change"
switches.activeMutant = fresh ? mutant : undefined
switches.currentTestId = undefined
switches.mutantCoverage = undefined
// a loop that no longer ends is ended
switches.hitCount = hitLimit === undefined ? undefined : 0
switches.hitLimit = hitLimit

const nameOf = ({ name, suite }) => (suite === undefined ? name : `${nameOf(suite)} > ${name}`)

beforeEach((context) => {
  const id = nameOf(context.task)
  const chosen = only[context.task.file.filepath]
  if (chosen !== undefined && !chosen.includes(id)) context.skip()
  switches.currentTestId = id
  switches.activeMutant = mutant
})
afterEach(() => {
  switches.currentTestId = undefined
  if (!fresh) switches.activeMutant = undefined
})
afterAll((suite) => {
  if (mutant === undefined) suite.meta.reached = switches.mutantCoverage
})
