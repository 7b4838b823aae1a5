/** What a claimed hive can do: its devices, as registered if they are of this process and fresh, else asked. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type CapabilitiesRow, QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { rbeeError } from "../../../machines/errors.ts"
import type { Claimed } from "../../../machines/hive.ts"
import * as say from "../../../machines/narration.ts"
import { describeDevices, type Devices } from "../../../machines/vocabulary/device.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { hasOthers } from "../cluster/hive-entry.ts"
import { stored } from "./claiming.ts"
import { hiveAt } from "./hive-calls.ts"
import { type KnownHive, narrateOf } from "./known-hive.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"

export const checkCapabilities = (hive: KnownHive, claimed: Claimed | undefined) =>
  Effect.gen(function* () {
    const { entry, row } = hive
    if (claimed === undefined) return yield* rbeeError("INTERNAL", `hive ${row.id} is not claimed`)
    const { capabilities } = yield* QueenCatalog
    const { capabilitiesMs } = (yield* CurrentSettings).queen
    const now = yield* Clock.currentTimeMillis
    const known = yield* Effect.catchAll(capabilities.get(row.id), () => Effect.succeed(undefined))
    const isSame = known?.instance === claimed.instance && known.version === claimed.version
    if (known !== undefined && isSame && !hasOthers(known, entry.beats) && now - known.askedAt < capabilitiesMs) {
      entry.has(known.devices, known.askedAt)
      return yield* knowFiles(row.id, claimed.url)
    }
    yield* ask(hive, claimed, !isSame)
  })

const ask = (hive: KnownHive, claimed: Claimed, isNew: boolean) =>
  Effect.gen(function* () {
    const { entry, row } = hive
    const narrate = yield* narrateOf(hive)
    const { capabilities } = yield* QueenCatalog
    if (isNew) narrate(say.hiveFirstHeartbeat(row.id))
    const devices = yield* (yield* hiveAt(claimed.url)).devices({})
    const askedAt = yield* Clock.currentTimeMillis
    entry.has(devices, askedAt)
    yield* knowFiles(row.id, claimed.url)
    narrate(say.hiveCapabilities(row.id, describeDevices(devices), devices.models, devices.workers))
    yield* Effect.forkDaemon(stored(capabilities.put(rowOf(row.id, claimed, devices, askedAt))))
  })

const rowOf = (hive: HiveId, { instance, version }: Claimed, devices: Devices, askedAt: number): CapabilitiesRow => ({
  hive,
  instance,
  version,
  devices,
  askedAt,
  ...(devices.driver === undefined ? {} : { driver: devices.driver })
})

/** Which models need no download there: a hive that cannot tell is taken to have none. */
export const knowFiles = (id: HiveId, url: string) =>
  Effect.gen(function* () {
    const { fleet } = yield* Cluster
    const models = yield* (yield* hiveAt(url)).listModels({})
    fleet.seen.setFiles(
      id,
      models.map(({ bytes, model_ref }) => ({ model: model_ref, bytes }))
    )
  }).pipe(Effect.timeout("2 seconds"), Effect.ignore)
