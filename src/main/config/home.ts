/** Where rbee keeps its things for this user, also where HOME is empty, missing or not writable. */
import { accessSync, constants, existsSync, lstatSync, mkdirSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { dirname, isAbsolute, join, resolve } from "node:path"
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

/** Can this folder be made and written to? It or the nearest folder above it that is there says so. */
const canHave = (folder: string): boolean => {
  const above = dirname(folder)
  return existsSync(folder) || above === folder ? writable(folder) : canHave(above)
}

/** A home that is `/`, is not there, or is somebody else's, is none: nothing is made in its place. */
const isUsable = (home: Home, user: string): boolean =>
  user !== "/" && existsSync(user) && canHave(home.state) && canHave(dirname(home.config))

const passwdHome = (): string | undefined => {
  try {
    const { homedir } = userInfo()
    return isAbsolute(homedir) ? homedir : undefined
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
  // with both of these nothing asks for the user's own
  if (xdg["XDG_STATE_HOME"] !== undefined && xdg["XDG_CONFIG_HOME"] !== undefined)
    return { home: homeOf(xdg, ""), note: undefined }
  const named = env["HOME"]
  for (const user of named !== undefined && isAbsolute(named) ? [named, passwdHome()] : [passwdHome()])
    if (user !== undefined && isUsable(homeOf(xdg, user), user)) return { home: homeOf(xdg, user), note: undefined }
  const folder = temporaryHome()
  return {
    home: homeOf(xdg, folder),
    note: `no home folder that can be written to; keeping state in ${folder}, which may not outlive a reboot (set HOME or RBEE_HOME)`
  }
}
