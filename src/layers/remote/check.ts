/** What must hold of a remote machine before a hive can run there. */
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { mismatchOfInstalled, mismatchOfRunning } from "../../machines/policy/version.ts"
import type { Look } from "./questions.ts"
import type { HiveId } from "../../machines/vocabulary/ids.ts"

const node = { major: 20, minor: 19 }

export const nodeFits = (hive: HiveId, look: Look): Effect.Effect<void, RbeeError<"NODE_MISSING">> => {
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
  hive: HiveId,
  look: Look,
  version: string
): Effect.Effect<void, RbeeError<"NODE_MISSING" | "NOT_INSTALLED" | "VERSION_MISMATCH">> =>
  Effect.gen(function* () {
    yield* nodeFits(hive, look)
    const ours = { hive, ours: version, remote: true }
    if (look.hive === undefined && look.installed === undefined)
      return yield* rbeeError("NOT_INSTALLED", `rbee is not installed on hive ${hive}`, `rbee hives install ${hive}`)
    const mismatch =
      look.hive === undefined
        ? mismatchOfInstalled({ ...ours, theirs: look.installed ?? "" })
        : mismatchOfRunning({ ...ours, theirs: look.hive.version })
    if (mismatch !== undefined) return yield* mismatch
  })
