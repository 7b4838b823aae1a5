/**
 * Which queen a hive that is started by hand joins: the one that it is invited to, or has joined before. That is kept
 * beside its secret, so that its next start needs no invitation. What it shows her then lets in this hive alone, with this
 * queen alone, until she forgets it.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { hiveFolder } from "../../layers/paths/index.ts"
import type { Settings } from "../../layers/settings/index.ts"
import { rbeeError } from "../../machines/errors.ts"
import { hiveSecret } from "../config/token.ts"

/** What of the settings says where it belongs. */
export type Place = Pick<Settings, "home" | "hive" | "queen">

export interface Joining {
  readonly queen: string
  /** absent: it has joined her before */
  readonly invite?: string
}

/** `shown`: to which queen the secret may have been shown; `joined`: who has taken it in. */
type Note = "joined" | "shown"

const fileOf = ({ hive, home }: Place, name: Note | "secret"): string => join(hiveFolder(home, hive.id), name)

const noted = (place: Place, note: Note): string | undefined => {
  try {
    return readFileSync(fileOf(place, note), "utf8").trim() || undefined
  } catch {
    return undefined
  }
}

const keep = (place: Place, note: Note, queen: string): void => {
  const file = fileOf(place, note)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, `${queen}\n`, { mode: 0o600 })
}

export const keepJoined = (place: Place, { queen }: Joining): void => keep(place, "joined", queen)

/**
 * Undefined: it is its machine's own, or its queen has brought it there.
 *
 * @throws RbeeError INVALID_REQUEST where it is told to join another queen than the one that knows its secret
 */
export const joiningOf = (place: Place, invite: string | undefined): Joining | undefined => {
  const { hive, queen } = place
  if (invite !== undefined) return { queen: hive.queen ?? `http://127.0.0.1:${queen.port}`, invite }
  const before = noted(place, "joined")
  if (before === undefined) return undefined
  if (hive.queen === undefined || hive.queen === before) return { queen: before }
  throw rbeeError(
    "INVALID_REQUEST",
    `hive ${hive.id} has joined the queen at ${before}, and none at ${hive.queen}`,
    `\`rbee hives invite ${hive.id}\` on that one's machine prints an invitation; or leave hive.queen as it was`
  )
}

/**
 * What it and its queen show to each other. One queen's is not shown to another: who knew it there would know it here. To
 * whom it is shown is noted before: a hive may be killed before it hears that she has taken it in.
 */
export const secretOf = (place: Place, { queen }: Joining): string | undefined => {
  const before = noted(place, "shown") ?? noted(place, "joined")
  if (before !== undefined && before !== queen)
    for (const name of ["joined", "secret"] as const) rmSync(fileOf(place, name), { force: true })
  keep(place, "shown", queen)
  return hiveSecret(fileOf(place, "secret"))
}
