/** The configuration's entries, changed in its file: whole or not at all, judged before it is written. */
import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Entries } from "../../machines/entries/entries.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { parseToml } from "../settings/toml.ts"
import { edited } from "./edit.ts"
import { readEntries, type Written } from "./read.ts"

type Changes = Parameters<typeof edited>[1]

const readFile = (path: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return ""
    throw cause
  }
}

/** Where a link leads, which stays one. */
const ownFile = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

const replace = (path: string, text: string): void => {
  const file = ownFile(path)
  const beside = `${file}.${process.pid}.part`
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(beside, text, { mode: 0o600 })
    const old = statSync(file, { throwIfNoEntry: false })
    if (old !== undefined) chmodSync(beside, old.mode & 0o777)
    renameSync(beside, file)
  } finally {
    rmSync(beside, { force: true })
  }
}

const asError = (path: string) => (cause: unknown) =>
  cause instanceof RbeeError && cause.code === "INVALID_REQUEST"
    ? (cause as RbeeError<"INVALID_REQUEST">)
    : rbeeError(
        "INVALID_REQUEST",
        `${path} cannot be changed: ${cause instanceof Error ? cause.message : String(cause)}`,
        "Correct its permissions, or change it by hand."
      )

/** The file as it is. */
export const written = (path: string): Effect.Effect<Written, RbeeError<"INVALID_REQUEST">> =>
  Effect.tryPromise({
    try: async () => {
      const source = readFile(path)
      return { path, source, table: await parseToml(path, source) }
    },
    catch: asError(path)
  })

/** What there is afterwards. */
export const change = (
  { path, source }: Written,
  changes: Changes
): Effect.Effect<Entries, RbeeError<"INVALID_REQUEST">> =>
  Effect.tryPromise({
    try: async () => {
      const text = edited(source, changes)
      const entries = Either.getOrThrowWith(
        readEntries({ path, source: text, table: await parseToml(path, text) }),
        (error) => error
      )
      if (text !== source) replace(path, text)
      return entries
    },
    catch: asError(path)
  })
