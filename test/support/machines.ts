/** `const machine = useMachines()` in a test file: machines made by it are disposed of after each test. */
import { afterEach } from "vitest"
import { type Machine, makeMachine } from "./machine.ts"

export const useMachines = (): ((...args: Parameters<typeof makeMachine>) => Promise<Machine>) => {
  const machines: Array<Machine> = []
  afterEach(async () => {
    for (const made of machines.splice(0)) await made.dispose()
  })
  return async (...args) => {
    const made = await makeMachine(...args)
    machines.push(made)
    return made
  }
}
