/**
 * The cluster's token where nobody chose one: made at the first start of a daemon, in a file that this user alone can
 * read. Daemons and keepers of this user find it by themselves; other accounts of the machine have not the rights of it.
 */
import { randomBytes } from "node:crypto"
import { existsSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { rbeeError } from "../../machines/errors.ts"
import type { Home } from "../paths/index.ts"
import type { Settings } from "../settings/index.ts"

/** so that it is known from one that the operator chose */
const mark = "rbee_"

export const isOwnToken = (token: string): boolean => token.startsWith(mark)

export const ownTokenFile = (home: Home): string => join(home.state, "token")

/** Undefined: no daemon has been started here, or the file is not for us. */
export const readOwnToken = (home: Home): string | undefined => {
  try {
    return readFileSync(ownTokenFile(home), "utf8").trim() || undefined
  } catch {
    return undefined
  }
}

/** Is the token needed for asking models, too? Who chose one has chosen that, unless the setting says otherwise. */
export const requiresToken = ({ queen, token }: Pick<Settings, "queen" | "token">): boolean =>
  queen.requireToken ?? (token !== undefined && !isOwnToken(token))

/** What is shown to the queen; a keeper may ask for it before her first start has made it. */
export const clusterToken = ({ home, token }: Pick<Settings, "home" | "token">) => {
  let known = token
  return (): string | undefined => (known ??= readOwnToken(home))
}

/**
 * Made if it is not there: written whole, then linked into place, so that of two who do it at once one wins and nobody
 * reads half of it.
 *
 * @throws RbeeError INVALID_REQUEST where the folder takes no file
 */
export const ensureOwnToken = (home: Home): void => {
  if (readOwnToken(home) === undefined) ensureSecretFile(ownTokenFile(home), mark)
}

/** The same for any file of one secret, which then begins with `mark`. */
export const ensureSecretFile = (file: string, mark: string): void => {
  if (existsSync(file)) return
  const fresh = `${file}.${randomBytes(6).toString("hex")}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(fresh, `${mark}${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" })
    try {
      linkSync(fresh, file)
    } finally {
      unlinkSync(fresh)
    }
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown"
    if (code === "EEXIST") return
    throw rbeeError(
      "INVALID_REQUEST",
      `the token file ${file} cannot be made (${code})`,
      "Make room, or set RBEE_HOME to a folder that you may write"
    )
  }
}
