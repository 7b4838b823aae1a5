/**
 * An older queen handed over to this one (`rbee upgrade`): hives of other machines that are of the older version are brought
 * to hers as she comes to them. What runs there goes on until the newer one is ready.
 */
import * as Effect from "effect/Effect"
import { CurrentRemotes } from "../../../../layers/remote/index.ts"
import { CurrentSettings } from "../../../../layers/settings/index.ts"
import * as say from "../../../../machines/narration.ts"
import { isOlder } from "../../../../machines/policy/version.ts"
import { CurrentQueen } from "../../identity.ts"
import { type KnownHive, narrateOf } from "../known-hive.ts"

/** One of version `theirs` is hers to bring up. */
export const isToUpgrade = ({ row }: KnownHive, theirs: string) =>
  Effect.gen(function* () {
    const { version } = yield* CurrentSettings
    return row.ssh !== undefined && (yield* CurrentQueen).isSuccessor && isOlder(theirs, version)
  })

/** Installs this version there; what is in use is switched last. */
export const upgraded = (hive: KnownHive, theirs: string) =>
  Effect.gen(function* () {
    const { id, ssh } = hive.row
    if (ssh === undefined) return
    const narrate = yield* narrateOf(hive)
    const tell = (step: string) => narrate(say.hiveInstall(id, step))
    tell(`has rbee ${theirs}, and gets ${(yield* CurrentSettings).version}`)
    yield* (yield* CurrentRemotes).install({ id, place: ssh }, tell)
  })
