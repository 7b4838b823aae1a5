/** The user's own folders, as far as there are any: a service has none, a container's user no entry anywhere. */
import { homedir } from "node:os"
import { isAbsolute, join } from "node:path"

export const userHome = (env: Readonly<Record<string, string | undefined>> = process.env): string | undefined => {
  const named = env["HOME"]
  if (named !== undefined && isAbsolute(named)) return named
  try {
    const entry = homedir()
    return isAbsolute(entry) ? entry : undefined
  } catch {
    return undefined
  }
}

/** Where programs keep what V8 compiled of them: a cache, and none of the state that `RBEE_HOME` moves. */
export const codeCache = (): string | undefined => {
  const named = process.env["XDG_CACHE_HOME"]
  if (named !== undefined && isAbsolute(named)) return join(named, "rbee", "code")
  const home = userHome()
  return home === undefined ? undefined : join(home, ".cache", "rbee", "code")
}
