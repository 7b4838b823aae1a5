/**
 * `const machine = useMachines()` in a test file: machines made by it are disposed of after each test; by
 * `useMachines(afterAll)` after the last one, so that the tests share them.
 */
import { type afterAll, afterEach } from "vitest"
import { type Machine, makeMachine } from "./machine.ts"

export const useMachines = (
  after: typeof afterAll | typeof afterEach = afterEach
): ((...args: Parameters<typeof makeMachine>) => Promise<Machine>) => {
  const machines: Array<Machine> = []
  after(async () => {
    for (const made of machines.splice(0)) await made.dispose()
  })
  return async (...args) => {
    const made = await makeMachine(...args)
    machines.push(made)
    return made
  }
}
