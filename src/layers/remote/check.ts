/** What must hold of a remote machine before a hive can run there. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Look } from "./questions.ts"

const node = { major: 20, minor: 19 }

export const nodeFits = (hive: string, look: Look): Effect.Effect<void, RbeeError<"NODE_MISSING">> => {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(look.node) ?? []
  const fits = Number(major) > node.major || (Number(major) === node.major && Number(minor) >= node.minor)
  return fits
    ? Effect.void
    : rbeeError(
        "NODE_MISSING",
        `hive ${hive} has Node ${look.node}, and rbee needs ${node.major}.${node.minor} or later`,
        "Install a later Node there, or say where it is with --node",
        { node: look.node }
      )
}

/** This very version is installed there, and what runs is of it too. */
export const usable = (
  hive: string,
  look: Look,
  version: string
): Effect.Effect<void, RbeeError<"NODE_MISSING" | "NOT_INSTALLED" | "VERSION_MISMATCH">> =>
  Effect.gen(function* () {
    yield* nodeFits(hive, look)
    if (look.hive !== undefined) return yield* sameVersion(hive, look.hive.version, version, "runs")
    if (look.installed === undefined)
      return yield* rbeeError("NOT_INSTALLED", `rbee is not installed on hive ${hive}`, `rbee hives install ${hive}`)
    yield* sameVersion(hive, look.installed, version, "has")
  })

const sameVersion = (hive: string, theirs: string, ours: string, how: "runs" | "has") =>
  theirs === ours
    ? Effect.void
    : rbeeError(
        "VERSION_MISMATCH",
        `hive ${hive} ${how} rbee ${theirs}, this is rbee ${ours}`,
        `${how === "runs" ? `rbee hives stop ${hive}, then ` : ""}rbee hives upgrade ${hive}`,
        { hive: theirs, queen: ours }
      )
