/** How the engine of each kind of worker starts. Only programs that decode import this. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import { llama } from "../../machines/kinds/llama/llama.ts"
import { llamaServer } from "../../machines/kinds/llama-server/llama-server.ts"
import { Engine } from "../engine/index.ts"
import { layerLlama, preloadRuntime, type RuntimeOptions } from "../engine/llama.ts"
import type { WorkerPlan } from "../worker-launcher/index.ts"

/** What of a worker's plan says where it decodes. */
export type EngineStart = Pick<WorkerPlan, "kind" | "backend" | "runtime" | "runtimeArgs"> & {
  /** hears the engine's errors as they happen: they may be the last that is heard of it */
  readonly onError?: (text: string) => void
  /** its process, where it has one, has gone by itself: whose engine it was goes as it went */
  readonly onEnd?: (end: EngineEnd) => void
}

/** How the process of an engine ended. */
export interface EngineEnd {
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export interface KindEngine {
  readonly layer: (start: EngineStart) => Layer.Layer<Engine>
  /** Begins what `layer` will need, without waiting and without failing. */
  readonly preload?: (start: EngineStart) => void
}

const llamaOptions = ({ backend, onError, runtime }: EngineStart): RuntimeOptions => ({
  gpu: backend,
  ...(runtime === undefined ? {} : { runtime }),
  ...(onError === undefined ? {} : { onError })
})

/** By the id of the kind. */
export type EnginesByKind = Readonly<Record<string, KindEngine>>

export const engines: EnginesByKind = {
  [llama.id]: {
    layer: (start) => layerLlama(llamaOptions(start)),
    preload: (start) => preloadRuntime(llamaOptions(start))
  },
  [llamaServer.id]: {
    layer: ({ backend, onEnd, onError, runtime, runtimeArgs = [] }) =>
      Layer.unwrapEffect(
        // of the others nobody pays for it
        Effect.map(
          Effect.promise(() => import("../engine/llama-server.ts")),
          ({ layerLlamaServer }) =>
            layerLlamaServer({
              program: runtime ?? llamaServer.id,
              args: runtimeArgs,
              backend,
              onWords: (text) => onError?.(text),
              onEnd: (end) => onEnd?.(end)
            })
        )
      ),
    preload: () => preloadRuntime({ gpu: "cpu" })
  }
}

/** A plan for a kind that this program does not have is one that cannot be loaded. */
const unknown = ({ kind }: EngineStart): Layer.Layer<Engine> =>
  Layer.succeed(Engine, {
    load: () =>
      Effect.fail(
        rbeeError("BACKEND_UNAVAILABLE", `this worker has no engine of the kind ${kind}`, "Start the hive anew", {
          kind
        })
      )
  })

/** The engine that a worker's plan asks for. */
export const engineOf = (start: EngineStart, known = engines): Layer.Layer<Engine> =>
  known[start.kind]?.layer(start) ?? unknown(start)
