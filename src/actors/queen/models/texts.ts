/** What models say of texts and tokens, for surfaces (surfaces/llama-server.ts). */
import { basename } from "node:path/posix"
import * as Effect from "effect/Effect"
import { usualContext } from "../../../machines/policy/memory/context.ts"
import type { TextPorts } from "../../surfaces/llama-server.ts"
import { Cluster } from "../cluster/cluster-view.ts"
import { allCopies, apiOf } from "./models.ts"

export const modelTexts: Effect.Effect<Pick<TextPorts, "read" | "known" | "loaded">, never, Cluster> = Effect.gen(
  function* () {
    const context = yield* Effect.context<Cluster>()
    const view = yield* Cluster
    const copiesOf = (ref: string) =>
      Effect.map(Effect.provide(allCopies, context), (all) => all.filter(({ model_ref }) => model_ref === ref))
    return {
      read: (model, question) =>
        Effect.gen(function* () {
          const [copy] = yield* copiesOf(model)
          if (copy === undefined) return undefined
          const api = yield* Effect.provide(apiOf(copy.hive), context)
          return yield* api.readModel({ ref: copy.model_ref, question })
        }),
      known: (model) =>
        Effect.map(copiesOf(model), ([copy]) => {
          const workers = view.allWorkers().filter((one) => one.model === model && one.context > 0)
          return {
            ...(copy === undefined ? {} : { file: basename(copy.file) }),
            context:
              workers.length > 0 ? Math.max(...workers.map((one) => one.context)) : usualContext(copy?.context ?? 0),
            slots: workers.reduce((sum, { slots }) => sum + slots, 0)
          }
        }),
      loaded: Effect.sync(() => [...new Set(view.allWorkers().map(({ model }) => model))])
    }
  }
)
