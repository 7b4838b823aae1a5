/** `const remote = useRemotes()` in a test file: remote machines made by it are disposed of after each test. */
import { afterEach } from "vitest"
import { makeRemote, type RemoteMachine } from "./remote.ts"

export const useRemotes = (): ((...args: Parameters<typeof makeRemote>) => Promise<RemoteMachine>) => {
  const remotes: Array<RemoteMachine> = []
  afterEach(async () => {
    for (const made of remotes.splice(0)) await made.dispose()
  })
  return async (...args) => {
    const made = await makeRemote(...args)
    remotes.push(made)
    return made
  }
}
