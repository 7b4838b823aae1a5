/** The user's own folder, as far as there is one: a service has none, a container's user no entry anywhere. */
import { homedir } from "node:os"
import { isAbsolute } from "node:path"

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
