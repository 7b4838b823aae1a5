/** The cluster's bearer token: from the environment or a file that only its owner can read; never from a flag. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { rbeeError } from "../../machines/errors.ts"
import { tokenFault } from "../../machines/vocabulary/token.ts"
import type { Home } from "../../layers/paths/index.ts"
import { ensureSecretFile, ownTokenFile } from "../../layers/keys/own-token.ts"
import type { Env } from "./home.ts"

const howToMake = (what: string): string =>
  what === "token" ? "Make one with: openssl rand -hex 32" : "`rbee hives invite NAME` prints one"

const checked = (token: string, from: string, what = "token"): string => {
  const fault = tokenFault(token)
  if (fault !== undefined) throw rbeeError("INVALID_REQUEST", `the ${what} from ${from} ${fault}`, howToMake(what))
  return token
}

/** @throws RbeeError INVALID_REQUEST: missing (if it was named), readable by others, too short */
const fromFile = (path: string, named: boolean, what = "token"): string | undefined => {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
    if (!named && (code === "ENOENT" || code === "ENOTDIR")) return undefined
    throw rbeeError(
      "INVALID_REQUEST",
      `the ${what} file ${path} cannot be read (${code})`,
      "Correct the path or remove it."
    )
  }
  try {
    // judged on the open file, so that it cannot be swapped between the check and the read
    const mode = fstatSync(file).mode & 0o777
    if ((mode & 0o077) !== 0)
      throw rbeeError(
        "INVALID_REQUEST",
        `the ${what} file ${path} can be read or written by others (mode ${mode.toString(8).padStart(4, "0")})`,
        `Run: chmod 600 '${path}'`
      )
    if (!fstatSync(file).isFile())
      throw rbeeError("INVALID_REQUEST", `the ${what} file ${path} is no file`, "Correct the path or remove it.")
    return checked(readFileSync(file, "utf8").trim(), path, what)
  } finally {
    closeSync(file)
  }
}

/**
 * RBEE_TOKEN, else the file of RBEE_TOKEN_FILE, else `token_file` of the config, else `token` beside the config file, else
 * the one that rbee made for itself.
 */
export const readToken = (env: Env, home: Home, tokenFile: string | undefined, cwd: string): string | undefined => {
  const own = env["RBEE_TOKEN"]
  if (own !== undefined && own !== "") return checked(own.trim(), "RBEE_TOKEN")
  const folder = dirname(home.config)
  const named = env["RBEE_TOKEN_FILE"]
  if (named !== undefined && named !== "") return fromFile(resolve(cwd, named), true)
  if (tokenFile !== undefined) return fromFile(resolve(folder, tokenFile), true)
  return fromFile(join(folder, "token"), false) ?? fromFile(ownTokenFile(home), false)
}

/** RBEE_HIVE_INVITE, else the file of RBEE_HIVE_INVITE_FILE: by which a hive that is started by hand joins its queen. */
export const readInvitation = (env: Env, cwd: string): string | undefined => {
  const own = env["RBEE_HIVE_INVITE"]
  if (own !== undefined && own !== "") return checked(own.trim(), "RBEE_HIVE_INVITE", "invitation")
  const named = env["RBEE_HIVE_INVITE_FILE"]
  return named === undefined || named === "" ? undefined : fromFile(resolve(cwd, named), true, "invitation")
}

/** The secret in this file: made at its first use, its own and none of the cluster's. */
export const hiveSecret = (file: string): string | undefined => {
  ensureSecretFile(file, "")
  return fromFile(file, true)
}
