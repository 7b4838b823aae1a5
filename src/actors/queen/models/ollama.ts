/** Models as Ollama's interface asks for them (surfaces/ollama/ports.ts). */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { heldTo } from "../../../protocol/failures.ts"
import { ollamaApi } from "../../../protocol/surfaces/ollama.ts"
import { CurrentSettings } from "../../../layers/settings/index.ts"
import { entryNamed } from "../../../machines/entries/entries.ts"
import { bundledModel } from "../../../machines/formats/model-ref.ts"
import type { WorkerId } from "../../../machines/vocabulary/ids.ts"
import type { Known } from "../../../machines/vocabulary/ollama/models.ts"
import { unknownModel } from "../../surfaces/ollama/ollama.ts"
import type { OllamaPorts } from "../../surfaces/ollama/ports.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { CurrentQueen } from "../identity.ts"
import { follow } from "../log/follow.ts"
import { Admission } from "../people/admission.ts"
import { ollamaEntries } from "./entries.ts"
import { knownCopies, type modelCalls, named } from "./models.ts"
import { fact } from "../../../machines/facts.ts"

type Models = Pick<
  OllamaPorts,
  "named" | "entry" | "models" | "shown" | "workers" | "idleMs" | "unload" | "pull" | "remove"
>

/** How a download ended is what its hive says. */
const told = heldTo(ollamaApi.ollamaPull.errors)

/** A job gives its slot back a moment after its last token is read. */
const untilFree = Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(50))

export const ollamaModels = (
  calls: Effect.Effect.Success<typeof modelCalls>,
  stopWorker: (id: WorkerId) => Effect.Effect<void, unknown>
): Effect.Effect<Models, never, Admission | Cluster | CurrentQueen | CurrentSettings> =>
  Effect.gen(function* () {
    const context = yield* Effect.context<Cluster | CurrentQueen | CurrentSettings>()
    const view = yield* Cluster
    const { worker } = yield* CurrentSettings
    const nameOf = (name: string) =>
      Effect.mapError(Effect.provide(named(name), context), (error) =>
        // it is no reference either
        fact(error, "accepted") === undefined ? error : unknownModel(name)
      )
    /** One that has work goes on with it, and what comes after it finds it there. */
    const unloadOne = (id: WorkerId) =>
      Effect.suspend(() => {
        if (!view.hold([id])) return Effect.fail("busy" as const)
        return Effect.ensuring(
          Effect.ignore(stopWorker(id)),
          Effect.sync(() => view.letGo([id]))
        )
      }).pipe(Effect.retry(untilFree), Effect.ignore)
    const unload = (model: string) =>
      Effect.suspend(() =>
        Effect.forEach(
          view.allWorkers().filter((one) => one.model === model),
          ({ id }) => unloadOne(id),
          { concurrency: "unbounded", discard: true }
        )
      )
    const { entries } = yield* CurrentQueen
    const { among } = yield* Admission
    const models = Effect.zipWith(Effect.provide(knownCopies, context), entries, (copies, own) => {
      const isHere = copies.some(({ model_ref }) => model_ref === bundledModel)
      // ships in the package: it can be asked for before any hive has it
      const all: ReadonlyArray<Known> = isHere ? copies : [...copies, { model_ref: bundledModel }]
      return [...all, ...ollamaEntries(own, copies, all)]
    }).pipe(Effect.flatMap((all) => among(all, ({ model_ref }) => model_ref)))
    return {
      named: nameOf,
      entry: (name) => Effect.map(entries, (own) => entryNamed(own, name)),
      models,
      shown: (ref) =>
        Effect.gen(function* () {
          const here = (yield* models).find(({ model_ref }) => model_ref === ref)
          if (here === undefined || !("file" in here)) return here
          const copies = yield* calls.showModel({ ref })
          return copies.find(({ dialect }) => dialect !== undefined) ?? copies[0]
        }),
      workers: Effect.sync(() => view.allWorkers()),
      idleMs: worker.idleMs,
      unload,
      pull: (name) =>
        Effect.gen(function* () {
          const { hive, model_ref, provision_id } = yield* calls.pullModel({ model_ref: yield* nameOf(name) })
          const feed = yield* calls.pullEvents({ hive, id: provision_id })
          return {
            model: model_ref,
            follow: (progress) =>
              follow(feed, { narrate: () => {}, progress }, "the download", { hiveId: hive }).pipe(
                Effect.asVoid,
                Effect.mapError(told)
              )
          }
        }),
      remove: (name) => Effect.flatMap(nameOf(name), (ref) => Effect.zipRight(unload(ref), calls.removeModel({ ref })))
    }
  })
