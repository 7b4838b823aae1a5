/** The models of the cluster, as its operator sees and changes them: every call goes to the hives that hold them. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { HiveApi } from "../../../protocol/hive.ts"
import type { QueenApi } from "../../../protocol/queen/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { knownAs, type Named, resolveName } from "../../../machines/formats/model-name.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import { type Copy, planGc } from "../../../machines/policy/model-gc.ts"
import type { GcAnswer, ModelView } from "../../../machines/vocabulary/model.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { HiveEntry } from "../cluster/entries.ts"

/** A hive that does not answer so soon is listed with what is known of it. */
const listWithin = "1 second"

export interface ModelsWorld {
  readonly view: ClusterView
  /** the hive that fetches where none was named */
  readonly localHive: string
  /** what this machine's hive has on its disk, also while it sleeps */
  readonly onDisk: Effect.Effect<ReadonlyArray<Named>>
  /** returns when this hive is awake */
  readonly wake: (hive: string) => Effect.Effect<void, RbeeError>
}

type Calls = Pick<
  QueenApi,
  "listModels" | "pullModel" | "pullEvents" | "pinModel" | "retryModel" | "removeModel" | "collectModels"
>

export interface Models {
  readonly calls: Calls
  /** Undefined: the hive does not answer. */
  readonly on: (hive: HiveEntry) => Effect.Effect<ReadonlyArray<ModelView> | undefined>
  readonly all: Effect.Effect<ReadonlyArray<Copy>>
  /** The reference of what was named: as a reference, or as people call what some hive has. */
  readonly named: (name: string) => Effect.Effect<string, RbeeError>
}

export const modelsOf = ({ localHive, onDisk, view, wake }: ModelsWorld): Models => {
  /** Two that make room at the same time would each take the other's copy for one that stays. */
  const collecting = Effect.unsafeMakeSemaphore(1)

  const on = (hive: HiveEntry): Effect.Effect<ReadonlyArray<Copy> | undefined> =>
    hive.claimed === undefined
      ? Effect.succeed(undefined)
      : hive.claimed.api.listModels({}).pipe(
          Effect.map((models) => models.map((model) => Object.assign({}, model, { hive: hive.id }))),
          Effect.timeout(listWithin),
          Effect.catchAll(() => Effect.succeed(undefined))
        )
  // of the hives that are known when it is asked
  const all = Effect.suspend(() =>
    Effect.map(Effect.forEach(view.allHives(), on, { concurrency: "unbounded" }), (lists) =>
      lists.flatMap((list) => list ?? [])
    )
  )

  /** Of a hive that sleeps what lies on its disk, where that is this machine's. */
  const asleep = Effect.suspend(() =>
    view.hive(localHive)?.claimed === undefined ? onDisk : Effect.succeed<ReadonlyArray<Named>>([])
  )

  const named = (name: string): Effect.Effect<string, RbeeError> =>
    Effect.gen(function* () {
      const parsed = parseModelRef(name)
      if (Either.isRight(parsed)) {
        const { _tag, ref } = parsed.right
        if (_tag !== "Hub") return ref
        const inMind = [...view.allWorkers().map(({ model }) => model), ...view.fleet.seen.models()]
        const known = knownAs(ref, inMind)
        // what she has not in mind would be fetched: that is worth a look at what there is
        if (inMind.includes(known)) return known
      }
      return yield* resolveName(name, [...(yield* all), ...(yield* asleep)])
    })

  const apiOf = (hive: string): Effect.Effect<HiveApi, RbeeError> =>
    Effect.suspend(() => {
      const api = view.hive(hive)?.claimed?.api
      return api === undefined
        ? Effect.fail(
            rbeeError("HIVE_NOT_FOUND", `hive ${hive} does not run`, `Start it: \`rbee hives start ${hive}\``)
          )
        : Effect.succeed(api)
    })

  /** Does the same on every hive that has the model, or on the one that was named; 404 where nobody has it. */
  const wherever = (
    text: string,
    hive: string | undefined,
    change: (api: HiveApi, ref: string) => Effect.Effect<void, RbeeError>
  ): Effect.Effect<void, RbeeError> =>
    Effect.gen(function* () {
      const ref = yield* named(text)
      const copies = (yield* all).filter((copy) => copy.model_ref === ref && (hive ?? copy.hive) === copy.hive)
      if (copies.length === 0) {
        const where = hive === undefined ? "no hive that runs has" : `hive ${hive} does not have`
        return yield* rbeeError("MODEL_NOT_FOUND", `${where} model ${ref}`, "See `rbee models ls`")
      }
      for (const copy of copies) yield* change(yield* apiOf(copy.hive), ref)
    })

  const remove = (copy: GcAnswer["removed"][number]) =>
    Effect.either(Effect.flatMap(apiOf(copy.hive), (api) => api.removeModel({ ref: copy.model_ref })))

  return {
    on,
    all,
    named,
    calls: {
      listModels: () => all,
      pullModel: ({ hive = localHive, model_ref }) =>
        Effect.gen(function* () {
          const ref = yield* named(model_ref)
          yield* wake(hive)
          const { provision_id } = yield* (yield* apiOf(hive)).provisionModel({ model_ref: ref })
          return { hive, model_ref: ref, provision_id, events: `/hives/${hive}/provisions/${provision_id}/events` }
        }),
      pullEvents: ({ hive, id, last_event_id }) =>
        Effect.flatMap(apiOf(hive), (api) =>
          api.modelEvents({ id, ...(last_event_id === undefined ? {} : { last_event_id }) })
        ),
      pinModel: ({ hive, pinned, ref: text }) => wherever(text, hive, (api, ref) => api.pinModel({ ref, pinned })),
      retryModel: ({ hive, ref: text }) => wherever(text, hive, (api, ref) => api.retryModel({ ref })),
      removeModel: ({ hive, ref: text }) => wherever(text, hive, (api, ref) => api.removeModel({ ref })),
      collectModels: ({ dry_run, last_copies, max_mb }) =>
        Effect.gen(function* () {
          const plan = planGc(yield* all, { maxBytes: max_mb * 1e6, lastCopies: last_copies === true })
          if (dry_run === true) return plan
          const removed: Array<GcAnswer["removed"][number]> = []
          const kept = [...plan.kept]
          for (const copy of plan.removed) {
            const done = yield* remove(copy)
            if (done._tag === "Right") removed.push(copy)
            else kept.push({ ...copy, because: done.left.what })
          }
          return { removed, kept }
        }).pipe(collecting.withPermits(1))
    }
  }
}
