/** Why a store cannot be opened: read from whatever failed, and from what caused it. */
import * as Cause from "effect/Cause"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"

export type OpenError = RbeeError<"INTERNAL" | "VERSION_MISMATCH" | "DISK_FULL">

export class CheckFailed extends Error {
  readonly code = "SQLITE_CORRUPT"
}

/** All failures and defects in there, with what caused them. */
export const causes = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> => {
  const found: Array<unknown> = []
  for (const failure of [...Cause.failures(cause), ...Cause.defects(cause)]) {
    let current: unknown = failure
    for (let depth = 0; depth < 5 && current !== undefined; depth++) {
      found.push(current)
      current = typeof current === "object" && current !== null && "cause" in current ? current.cause : undefined
    }
  }
  return found
}

/** A fault of SQLite or of the system says its name there. */
export const codeOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

export const isCorruption = (error: unknown): boolean => /^SQLITE_(NOTADB|CORRUPT)/.test(codeOf(error))

export const isOpenError = (error: unknown): error is OpenError => codeOf(error) === "VERSION_MISMATCH"

/** SQLite's addon is of one version of Node: that which rbee was installed with. */
const isOfOtherNode = (reason: unknown): boolean =>
  reason instanceof Error && /NODE_MODULE_VERSION|different Node\.js version/.test(reason.message)

/** It is not there at all (npm ran no install scripts), or cannot be loaded here (another C library, another processor). */
const isNotUsable = (reason: unknown): boolean =>
  codeOf(reason) === "ERR_DLOPEN_FAILED" ||
  (reason instanceof Error && /Could not locate the bindings file/.test(reason.message))

export const isFull = (reason: unknown): boolean =>
  codeOf(reason) === "ENOSPC" || codeOf(reason) === "EDQUOT" || codeOf(reason).startsWith("SQLITE_FULL")

const firstLine = (reason: unknown): string =>
  reason instanceof Error ? (reason.message.split("\n", 1)[0] ?? "").replace(/\S*\//g, "") : "unknown reason"

/** Why a store cannot be opened, and what helps. */
export const cannotOpen = (file: string, reason: unknown): OpenError => {
  if (isOfOtherNode(reason))
    return rbeeError(
      "VERSION_MISMATCH",
      `rbee was installed with another Node than the one that runs it now (${process.version})`,
      "Run `npm rebuild better-sqlite3` in the folder of rbee, or install rbee anew with this Node"
    )
  if (isNotUsable(reason))
    return rbeeError(
      "INTERNAL",
      `rbee's SQLite (better-sqlite3) was not built for this machine (${firstLine(reason)})`,
      "Run `npm rebuild better-sqlite3` in the folder of rbee, or install rbee anew and let npm run its install script: npm install -g --allow-scripts=better-sqlite3 rbee"
    )
  if (isFull(reason))
    return rbeeError(
      "DISK_FULL",
      `the disk of ${file} is full`,
      "Make room, or set RBEE_HOME to a folder on another disk"
    )
  return cannotUse(file, reason)
}

const cannotUse = (file: string, reason: unknown): OpenError =>
  rbeeError(
    "INTERNAL",
    `cannot open the store ${file} (${codeOf(reason) || (reason instanceof Error ? reason.message : "unknown reason")})`,
    "Check that its folder can be written, has room, and is not used by another rbee"
  )
