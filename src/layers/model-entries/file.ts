/** Entries as they stand in the file now: looked at for each use, read when it is another one. */
import { readFileSync, statSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { type Entries, noEntries } from "../../machines/entries/entries.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { parseToml } from "../settings/toml.ts"

type Invalid = RbeeError<"INVALID_REQUEST">

/** Empty: there is no file. */
const markOf = (path: string): string => {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeMs}`
}

const readNow = (path: string): Effect.Effect<Entries, Invalid> =>
  Effect.tryPromise({
    try: async () => {
      const source = readFileSync(path, "utf8")
      const table = await parseToml(path, source)
      if (table["models"] === undefined && table["default_model"] === undefined) return Either.right(noEntries)
      const { readEntries } = await import("./read.ts")
      return readEntries({ path, source, table })
    },
    catch: (cause) =>
      cause instanceof RbeeError && cause.code === "INVALID_REQUEST"
        ? (cause as Invalid)
        : rbeeError("INVALID_REQUEST", `${path} cannot be read: ${String(cause)}`, "Correct its permissions.")
  }).pipe(Effect.flatMap((read) => read))

/** For whoever runs on: while the file has a fault, what it said before holds, and the log says why. */
export const entriesIn = (path: string): Effect.Effect<Entries> => {
  let known = { mark: "", entries: noEntries }
  return Effect.suspend(() => {
    const mark = markOf(path)
    if (mark === known.mark) return Effect.succeed(known.entries)
    if (mark === "") return Effect.sync(() => (known = { mark, entries: noEntries }).entries)
    return readNow(path).pipe(
      Effect.catchAll((error) =>
        Effect.as(Effect.logWarning(`models stay as they were: ${error.message}`), known.entries)
      ),
      Effect.tap((entries) =>
        Effect.sync(() => {
          known = { mark, entries }
        })
      )
    )
  })
}

/** For whoever asks once. */
export const entriesNow = (path: string): Effect.Effect<Entries, Invalid> =>
  Effect.suspend(() => (markOf(path) === "" ? Effect.succeed(noEntries) : readNow(path)))
