/** The hives that a queen knows, for those who are not she and wake her not: her catalog is read, and stays as it is. */
import { existsSync } from "node:fs"
import * as Reactivity from "@effect/experimental/Reactivity"
import { make as makeClient } from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { Devices } from "../../machines/vocabulary/device.ts"
import { Power, SshPlace } from "../../machines/vocabulary/place.ts"
import { HiveId } from "../../machines/vocabulary/ids.ts"

/** What does not change while she sleeps; the rest of a row is hers. */
const KnownHive = Schema.Struct({
  id: Schema.parseJson(HiveId),
  ssh: Schema.optional(Schema.NullOr(Schema.parseJson(SshPlace))),
  power: Schema.optional(Schema.NullOr(Schema.parseJson(Power))),
  sleep: Schema.optional(Schema.NullOr(Schema.parseJson(Schema.Struct({ since: Schema.optional(Schema.Number) })))),
  devices: Schema.NullOr(Schema.parseJson(Devices))
})

export interface KnownHive {
  readonly id: HiveId
  /** on another machine: how that is reached */
  readonly ssh: SshPlace | undefined
  /** how its machine is woken */
  readonly power: Power | undefined
  /** its machine sleeps, as far as she knew */
  readonly isAsleep: boolean
  /** as it last told them */
  readonly devices: Devices | undefined
}

/** `file`: `catalog.sqlite`. None where there is no such file, or one that cannot be read. */
export const hivesKnownIn = (file: string): Effect.Effect<ReadonlyArray<KnownHive>> =>
  Effect.gen(function* () {
    if (!existsSync(file)) return []
    const sql = yield* makeClient({ filename: file, readonly: true, disableWAL: true })
    const rows = yield* decoder(Schema.Array(KnownHive))(
      yield* sql`SELECT hives.*, capabilities.devices FROM hives LEFT JOIN capabilities ON hive = id ORDER BY hives.rowid`
    )
    return rows.map(({ devices, id, power, sleep, ssh }) => ({
      id,
      ssh: ssh ?? undefined,
      power: power ?? undefined,
      isAsleep: sleep?.since !== undefined,
      devices: devices ?? undefined
    }))
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchAllCause(() => Effect.succeed([]))
  )
