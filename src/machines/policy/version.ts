/** A queen and her hives are of one version: what they say to each other is not made to be read by another one. */
import { type RbeeError, rbeeError } from "../errors.ts"
import type { HiveId } from "../vocabulary/ids.ts"

export interface Versions {
  readonly hive: HiveId
  /** its version */
  readonly theirs: string
  readonly ours: string
  /** it is on another machine */
  readonly remote: boolean
}

const mismatch = ({ hive, ours, theirs }: Versions, how: string, todo: string) =>
  rbeeError("VERSION_MISMATCH", `hive ${hive} ${how} rbee ${theirs}, this is rbee ${ours}`, todo, {
    hive: theirs,
    hive_version: theirs,
    queen: ours
  })

/** Undefined: they are of one version. */
export const mismatchOfRunning = (versions: Versions): RbeeError<"VERSION_MISMATCH"> | undefined =>
  versions.theirs === versions.ours
    ? undefined
    : mismatch(
        versions,
        "runs",
        `rbee hives stop ${versions.hive}, then ${versions.remote ? `rbee hives upgrade ${versions.hive}` : "try again"}`
      )

/** By the numbers; what cannot be compared is no older. */
export const isOlder = (theirs: string, ours: string): boolean => {
  const numbers = (version: string) => (/^\d+\.\d+\.\d+/.exec(version)?.[0] ?? "").split(".").map(Number)
  const [a, b] = [numbers(theirs), numbers(ours)]
  const at = a.findIndex((one, i) => one !== b[i])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}

export const mismatchOfInstalled = (versions: Versions): RbeeError<"VERSION_MISMATCH"> | undefined =>
  versions.theirs === versions.ours ? undefined : mismatch(versions, "has", `rbee hives upgrade ${versions.hive}`)
