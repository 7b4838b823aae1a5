/** Queen and hives are of one version, this one. */
import { mismatchOfInstalled, mismatchOfRunning } from "../policy/version.ts"
import type { HiveId } from "../vocabulary/ids.ts"
import { type Finding, ok, type Trouble, warn, wrong } from "./finding.ts"

/** `theirs` undefined: she does not run. */
export const queenFinding = (ours: string, theirs: string | undefined): Finding => {
  if (theirs === undefined)
    return ok("version", `rbee ${ours}; the queen sleeps, and hives of other machines were not asked`)
  return theirs === ours
    ? ok("version", `rbee ${ours}, the queen too`)
    : wrong(
        "version",
        `the queen is rbee ${theirs}, this is rbee ${ours}`,
        "`rbee upgrade` has her hand over to one of this version; `rbee down` ends her"
      )
}

export interface HiveFacts {
  readonly hive: HiveId
  readonly isRemote: boolean
  /** of the process that runs; undefined: none */
  readonly running: string | undefined
  /** of what would be started there; undefined: nothing, or the same as here */
  readonly installed: string | undefined
  /** why its machine could not be looked at */
  readonly trouble: Trouble | undefined
  /** the queen counts on it */
  readonly isAwake: boolean
}

export const hiveFinding = (ours: string, facts: HiveFacts): Finding => {
  const { hive, installed, isAwake, isRemote, running, trouble } = facts
  if (trouble !== undefined) return (isAwake ? wrong : warn)("version", `hive ${hive}: ${trouble.what}`, trouble.todo)
  const versions = { hive, ours, remote: isRemote }
  const mismatch =
    running !== undefined
      ? mismatchOfRunning({ ...versions, theirs: running })
      : installed !== undefined
        ? mismatchOfInstalled({ ...versions, theirs: installed })
        : undefined
  if (mismatch !== undefined) return wrong("version", mismatch.what, mismatch.todo)
  if (isRemote && running === undefined && installed === undefined)
    return warn("version", `rbee is not installed on hive ${hive}`, `rbee hives install ${hive}`)
  return ok("version", `hive ${hive}: rbee ${running ?? installed ?? ours}${running === undefined ? ", asleep" : ""}`)
}
