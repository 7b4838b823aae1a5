/**
 * Runs before each test file, in the process that runs it: the modules are made anew, with the change that is tried
 * switched on before the first of them is read, so that what a file makes as it is loaded is changed as well.
 */
import { afterAll, afterEach, beforeEach, inject, vi } from "vitest"

const { hitLimit, mutant, only } = inject("tried")
vi.resetModules()
vi.setConfig({ testTimeout: inject("patience") })

const switches = (globalThis.__stryker__ ??= {})
switches.activeMutant = mutant
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
})
afterEach(() => {
  switches.currentTestId = undefined
})
afterAll((suite) => {
  if (mutant === undefined) suite.meta.reached = switches.mutantCoverage
})
