/** The models of the cluster, as its operator sees and changes them: every call goes to the hives that hold them. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { HiveApi } from "../../../protocol/hive.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { knownAs, resolveName } from "../../../machines/formats/model-name.ts"
import { bundledModel, parseModelRef } from "../../../machines/formats/model-ref.ts"
import { type Copy, planGc } from "../../../machines/policy/model-gc.ts"
import type { GcAnswer } from "../../../machines/vocabulary/model.ts"
import { Cluster, type ClusterView } from "../cluster/cluster-view.ts"
import type { HiveEntry } from "../cluster/hive-entry.ts"
import { wakeByHand } from "../hives/by-hand.ts"
import type { Hives } from "../hives/hives.ts"
import { CurrentQueen } from "../identity.ts"
import type { Events } from "../log/event-ring.ts"
import { behind } from "./entries.ts"
import type { SessionBook } from "../sessions/stored-sessions.ts"
import type { HiveId, ModelRef } from "../../../machines/vocabulary/ids.ts"

/** A hive that does not answer so soon is listed with what is known of it. */
const listWithin = "1 second"

/** Undefined: the hive does not answer. */
export const copiesOn = (hive: HiveEntry): Effect.Effect<ReadonlyArray<Copy> | undefined> =>
  hive.claimed === undefined
    ? Effect.succeed(undefined)
    : hive.claimed.api.listModels({}).pipe(
        Effect.map((models) => models.map((model) => Object.assign({}, model, { hive: hive.id }))),
        Effect.timeout(listWithin),
        Effect.catchAll(() => Effect.succeed(undefined))
      )

/** Of the hives that are known when it is asked. */
export const allCopies: Effect.Effect<ReadonlyArray<Copy>, never, Cluster> = Effect.gen(function* () {
  const view = yield* Cluster
  const lists = yield* Effect.forEach(view.allHives(), copiesOn, { concurrency: "unbounded" })
  return lists.flatMap((list) => list ?? [])
})

/** Of a hive that sleeps what lies on its disk, where that is this machine's. */
const asleep: Effect.Effect<ReadonlyArray<Copy>, never, Cluster | CurrentQueen | CurrentSettings> = Effect.gen(
  function* () {
    const { hive } = yield* CurrentSettings
    return (yield* Cluster).hive(hive.id)?.claimed === undefined ? yield* (yield* CurrentQueen).onDisk : []
  }
)

/** What is here, whether its hive is awake or not. */
export const knownCopies = Effect.zipWith(allCopies, asleep, (awake, others) => [...awake, ...others])

/** The bundled one is as old as the year, whichever hive has unpacked it when. */
const bundledSince = Date.UTC(2026, 0, 1)

/** What can be asked for by name, each once, and since when it is somewhere here, in milliseconds since 1970. */
export const askable = (copies: ReadonlyArray<Copy>) => {
  // ships in the package: it can be asked for before any hive has it
  const refs = new Set([...copies.map(({ model_ref }) => model_ref), bundledModel])
  return [...refs].map((id) => {
    const own = copies.filter(({ model_ref }) => model_ref === id)
    const added = own.flatMap(({ added_at }) => added_at ?? [])
    return {
      id,
      createdAt: id === bundledModel ? bundledSince : added.length === 0 ? undefined : Math.min(...added),
      context: own.find(({ context }) => context !== undefined)?.context,
      purpose: id === bundledModel ? ("chat" as const) : own.find(({ purpose }) => purpose !== undefined)?.purpose
    }
  })
}

/** The reference of what was named, where it is plain or of a model that she has in mind. */
export const nameInMind = (view: ClusterView, name: string): ModelRef | undefined => {
  const parsed = parseModelRef(name)
  if (Either.isLeft(parsed)) return undefined
  const { _tag, ref } = parsed.right
  if (_tag === "Bundled" || view.fleet.seen.isSomewhere(ref)) return ref
  const inMind = [...view.allWorkers().map(({ model }) => model), ...view.fleet.seen.models()]
  const known = knownAs(ref, inMind)
  return inMind.includes(known) ? known : undefined
}

/** The reference of what was named: as a reference, or as people call what some hive has. No entry's name is one. */
export const found = (
  name: string
): Effect.Effect<ModelRef, RbeeError<"INVALID_REQUEST">, Cluster | CurrentQueen | CurrentSettings> =>
  Effect.gen(function* () {
    const known = nameInMind(yield* Cluster, name)
    if (known !== undefined) return known
    // what she has not in mind would be fetched: that is worth a look at what there is
    return yield* resolveName(name, yield* knownCopies)
  })

/** The same of any name, an entry's too. */
export const named = (name: string) => Effect.flatMap(behind(name), found)

export const apiOf = (hive: HiveId): Effect.Effect<HiveApi, RbeeError<"HIVE_NOT_FOUND">, Cluster> =>
  Effect.gen(function* () {
    const api = (yield* Cluster).hive(hive)?.claimed?.api
    if (api !== undefined) return api
    return yield* rbeeError("HIVE_NOT_FOUND", `hive ${hive} does not run`, `Start it: \`rbee hives start ${hive}\``)
  })

/** The copies of a model on every hive that has it, or on the one that was named; 404 where nobody has it. */
const copiesOf = (text: string, hive: HiveId | undefined) =>
  Effect.gen(function* () {
    const ref = yield* named(text)
    const copies = (yield* knownCopies).filter((copy) => copy.model_ref === ref && (hive ?? copy.hive) === copy.hive)
    if (copies.length > 0) return copies
    const where = hive === undefined ? "no hive has" : `hive ${hive} does not have`
    return yield* rbeeError("MODEL_NOT_FOUND", `${where} model ${ref}`, "See `rbee models ls`")
  })

/** Does the same to each of them. */
const wherever = <E>(
  text: string,
  hive: HiveId | undefined,
  change: (api: HiveApi, ref: ModelRef) => Effect.Effect<void, E>
) =>
  Effect.gen(function* () {
    for (const copy of yield* copiesOf(text, hive)) yield* change(yield* apiOf(copy.hive), copy.model_ref)
  })

/** Longer than a hive gives a chat template. */
const learnWithin = "15 seconds"

/** With how the model writes, as far as its hives tell. */
const shown = (text: string, hive: HiveId | undefined) =>
  Effect.gen(function* () {
    return yield* Effect.forEach(
      yield* copiesOf(text, hive),
      (copy) =>
        Effect.flatMap(apiOf(copy.hive), (api) => api.getModel({ ref: copy.model_ref, learn: true })).pipe(
          Effect.timeout(learnWithin),
          Effect.map((model) => ({ ...model, hive: copy.hive })),
          Effect.orElseSucceed(() => copy)
        ),
      { concurrency: "unbounded" }
    )
  })

const pull = (model: string, on: HiveId | undefined) =>
  Effect.gen(function* () {
    const hive = on ?? (yield* CurrentSettings).hive.id
    const ref = yield* named(model)
    yield* wakeByHand(hive)
    const { provision_id } = yield* (yield* apiOf(hive)).provisionModel({ model_ref: ref })
    return { hive, model_ref: ref, provision_id, events: `/hives/${hive}/provisions/${provision_id}/events` }
  })

const scan = ({ folders, hive: on }: Parameters<QueenApi["scanModels"]>[0]) =>
  Effect.gen(function* () {
    const hive = on ?? (yield* CurrentSettings).hive.id
    yield* wakeByHand(hive)
    return yield* (yield* apiOf(hive)).scanModels(folders === undefined ? {} : { folders })
  })

const collect = ({ dry_run, last_copies, max_mb }: Parameters<QueenApi["collectModels"]>[0]) =>
  Effect.gen(function* () {
    const plan = planGc(yield* allCopies, { maxBytes: max_mb * 1e6, lastCopies: last_copies === true })
    if (dry_run === true) return plan
    const removed: Array<GcAnswer["removed"][number]> = []
    const kept = [...plan.kept]
    for (const copy of plan.removed) {
      const done = yield* Effect.either(
        Effect.flatMap(apiOf(copy.hive), (api) => api.removeModel({ ref: copy.model_ref }))
      )
      if (done._tag === "Right") removed.push(copy)
      else kept.push({ ...copy, because: done.left.what })
    }
    return { removed, kept }
  })

type Calls = Pick<
  QueenApi,
  | "listModels"
  | "showModel"
  | "pullModel"
  | "pullEvents"
  | "scanModels"
  | "pinModel"
  | "retryModel"
  | "removeModel"
  | "collectModels"
>

export const modelCalls = Effect.gen(function* () {
  const context = yield* Effect.context<Cluster | CurrentQueen | CurrentSettings | Events | Hives | SessionBook>()
  /** Two that make room at the same time would each take the other's copy for one that stays. */
  const collecting = yield* Effect.makeSemaphore(1)
  const changed = <E>(...args: Parameters<typeof wherever<E>>) => Effect.provide(wherever(...args), context)
  return {
    listModels: () => Effect.provide(knownCopies, context),
    showModel: ({ hive, ref }) => Effect.provide(shown(ref, hive), context),
    pullModel: ({ hive, model_ref }) => Effect.provide(pull(model_ref, hive), context),
    pullEvents: ({ hive, id, last_event_id }) =>
      Effect.flatMap(Effect.provide(apiOf(hive), context), (api) =>
        api.modelEvents({ id, ...(last_event_id === undefined ? {} : { last_event_id }) })
      ),
    scanModels: (input) => Effect.provide(scan(input), context),
    pinModel: ({ hive, pinned, ref: text }) => changed(text, hive, (api, ref) => api.pinModel({ ref, pinned })),
    retryModel: ({ hive, ref: text }) => changed(text, hive, (api, ref) => api.retryModel({ ref })),
    removeModel: ({ hive, ref: text }) => changed(text, hive, (api, ref) => api.removeModel({ ref })),
    collectModels: (input) => collecting.withPermits(1)(Effect.provide(collect(input), context))
  } satisfies Calls
})
