/** Where rbee keeps its things for this user, also where HOME is empty, missing or not writable. */
import { accessSync, constants, lstatSync, mkdirSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { isAbsolute, join, resolve } from "node:path"
import { rbeeError } from "../../machines/errors.ts"
import { type Home, homeOf } from "../../layers/paths/index.ts"

export type Env = Readonly<Record<string, string | undefined>>

export interface Found {
  readonly home: Home
  /** set when a stand-in had to be taken: what the user should know */
  readonly note: string | undefined
}

const writable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const passwdHome = (): string | undefined => {
  try {
    const { homedir } = userInfo()
    return isAbsolute(homedir) && homedir !== "/" && writable(homedir) ? homedir : undefined
  } catch {
    // a uid without a passwd entry, as in many containers
    return undefined
  }
}

/** In a folder that everybody may write, only a folder that is ours alone will do. */
const temporaryHome = (): string => {
  const uid = process.getuid?.()
  const folder = join(tmpdir(), `rbee-${uid ?? "user"}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const stat = lstatSync(folder)
  if (!stat.isDirectory() || (uid !== undefined && (stat.uid !== uid || (stat.mode & 0o077) !== 0)))
    throw rbeeError(
      "INVALID_REQUEST",
      `${folder} is not a folder of yours alone`,
      "Set RBEE_HOME to a folder of yours."
    )
  return folder
}

/** @throws RbeeError INVALID_REQUEST where no folder can be had */
export const findHome = (env: Env, cwd: string): Found => {
  const own = env["RBEE_HOME"]
  if (own !== undefined && own !== "")
    return { home: homeOf({ ...env, RBEE_HOME: resolve(cwd, own) }, ""), note: undefined }
  // the XDG specification has relative paths ignored
  const absolute = (name: string) => {
    const value = env[name]
    return value !== undefined && isAbsolute(value) ? { [name]: value } : {}
  }
  const xdg = { ...absolute("XDG_STATE_HOME"), ...absolute("XDG_CONFIG_HOME") }
  const named = env["HOME"]
  const user = named !== undefined && isAbsolute(named) ? named : passwdHome()
  if (user !== undefined) return { home: homeOf(xdg, user), note: undefined }
  const folder = temporaryHome()
  return {
    home: homeOf(xdg, folder),
    note: `no home folder found; keeping state in ${folder}, which may not outlive a reboot (set HOME or RBEE_HOME)`
  }
}
