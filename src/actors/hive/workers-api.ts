/** The calls of the hive's interface that are about workers and their runtimes (docs/api.md#hive). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Handlers, InputOf } from "../../protocol/endpoint.ts"
import type { hiveApi } from "../../protocol/hive.ts"
import { RbeeError } from "../../machines/errors.ts"
import { toMb } from "../../machines/policy/memory/fit.ts"
import { runtimeNamed } from "../../machines/kinds/kind.ts"
import type { ActorSystem } from "../core/system.ts"
import { Parts } from "./common/parts.ts"
import { HiveWorld } from "./common/ports.ts"
import { CurrentDevices, noRoom } from "./devices/devices.ts"
import { CurrentInstalls } from "./devices/installs.ts"
import { type Ending, open } from "./ending.ts"
import { present, reference } from "./models-api.ts"
import { findModel, markModel } from "./models/models.ts"
import { CurrentUsage } from "./usage.ts"
import { CurrentWorkers } from "./workers/workers.ts"

type Needs = ActorSystem | CurrentUsage | Ending | HiveWorld | Parts
type Calls = Pick<
  Handlers<typeof hiveApi, Needs>,
  "capacity" | "provisionWorker" | "startWorker" | "listWorkers" | "stopWorker" | "parked" | "clearParked"
>

const capacity = ({ context, device: id, engine, evict, kv_type, model, slots }: InputOf<typeof hiveApi.capacity>) =>
  Effect.gen(function* () {
    yield* open
    const asked = { context, slots, kv_type, engine }
    const parts = yield* Parts
    const ports = yield* HiveWorld
    const ref = yield* reference(model)
    const devices = yield* parts.get(CurrentDevices)
    const workers = yield* parts.get(CurrentWorkers)
    const device = yield* devices.device(id)
    yield* devices.inService(device.id)
    const row = yield* findModel(ports, ref.ref)
    const gone = new Set(evict?.split(","))
    const kind = workers.kind(ref, engine)
    const facts =
      row === undefined
        ? yield* ports.models.preview(ref, workers.fits(ref, device, asked, gone))
        : yield* workers.facts(kind, row.file, yield* ports.models.inspect(row.file))
    const wanted = workers.wanted(facts, asked)
    if (row !== undefined && (yield* workers.joinable(device.id, row.file, wanted)) !== undefined) return
    if (row !== undefined) yield* workers.admits(row, device, engine)
    const available = devices.ledger.available(device.supply, gone)
    const choose = yield* workers.chooser(kind, device, row?.file ?? "", facts, wanted)
    const { bytes, fits } = choose(available)
    if (!fits) return yield* noRoom(device.id, bytes, available, yield* workers.most(kind, device, facts, kv_type))
  })

const provision = ({ device, kind }: InputOf<typeof hiveApi.provisionWorker>) =>
  Effect.gen(function* () {
    yield* open
    const parts = yield* Parts
    const { kinds } = yield* HiveWorld
    const found = device === undefined ? undefined : yield* (yield* parts.get(CurrentDevices)).device(device)
    const named = runtimeNamed(kinds, kind)
    if (named instanceof RbeeError) return yield* named
    const needed = found?.isDeclared === true ? { ...named, backend: found.backend } : named
    const id = yield* (yield* parts.get(CurrentInstalls)).provision(needed)
    if (id === undefined) return { _tag: "Json" as const, status: 200 as const, body: { available: true as const } }
    const body = { provision_id: id, events: `/workers/provisions/${id}/events` }
    return { _tag: "Json" as const, status: 202 as const, body }
  })

const start = (asked: InputOf<typeof hiveApi.startWorker>) =>
  Effect.gen(function* () {
    yield* open
    const { context, engine, evict = [], kv_type, pin, port_hint: portHint, slots } = asked
    const parts = yield* Parts
    const ports = yield* HiveWorld
    const model = yield* present(ports, asked.model_ref)
    const device = yield* (yield* parts.get(CurrentDevices)).device(asked.device)
    const now = yield* Clock.currentTimeMillis
    yield* markModel(ports, model.ref, { lastUsedAt: now })
    const workers = yield* parts.get(CurrentWorkers)
    const wanted = { context, slots, kv_type, engine }
    const { id, port } = yield* workers.start({ ...wanted, device, model, portHint, pin: pin === true, evict })
    return { worker_id: id, ...(port === undefined ? {} : { port }), events: `/workers/${id}/events` }
  })

const stop = ({ id }: InputOf<typeof hiveApi.stopWorker>) =>
  Effect.gen(function* () {
    const { settings } = yield* HiveWorld
    yield* (yield* CurrentUsage).touch
    yield* (yield* (yield* Parts).get(CurrentWorkers)).stop(id, settings.shutdown.drainMs)
  })

const list = Effect.gen(function* () {
  return yield* (yield* (yield* Parts).get(CurrentWorkers)).beats
})

const parked = Effect.gen(function* () {
  const { parked } = yield* HiveWorld
  const { bytes, files } = yield* parked.held
  return { files, mb: toMb(bytes), ...parked.saved() }
})

/** First those that could write it anew. */
const clearParked = ({ scope }: InputOf<typeof hiveApi.clearParked>) =>
  Effect.gen(function* () {
    yield* (yield* (yield* Parts).get(CurrentWorkers)).forget(scope)
    const { parked } = yield* HiveWorld
    const { bytes, files } = yield* parked.clear(scope)
    return { files, mb: toMb(bytes) }
  })

export const workerCalls: Calls = {
  parked: () => parked,
  clearParked,
  capacity,
  provisionWorker: provision,
  startWorker: start,
  stopWorker: stop,
  listWorkers: () => list
}
