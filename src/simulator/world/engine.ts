/**
 * An engine whose answer depends on every token before it: whoever continues from a wrong place, or with a wrong
 * prefix, says another text. It takes the device's memory and dies of the lack of it, as llama.cpp does.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Engine, type LoadedModel } from "../../layers/engine/index.ts"
import { layerScripted, type ScriptedOptions } from "../../layers/engine/scripted.ts"
import type { Measures } from "../../machines/formats/gguf/measures.ts"
import { modelBytes, trainedContext } from "./models.ts"
import { saying, speeches, unlearned } from "./speech.ts"
import type { SimProcess } from "./process.ts"
import type { DeviceId } from "../../machines/vocabulary/ids.ts"

export interface EngineSpec {
  /** tokens of a whole answer */
  readonly tokens: number
  readonly tokensPerS: number
  readonly loadMs: number
  /** its model writes nothing */
  readonly measures?: Measures["purpose"] | undefined
  /** its models reason, and call tools: which of the dialects they write, and how often a worker cannot learn it */
  readonly speech?: { readonly form: number; readonly unlearned: number }
}

const vocabulary = 4096

/** The next token from all before it. */
export const nextToken = (tokens: ReadonlyArray<number>): number => {
  let hash = 0x811c9dc5
  for (const token of tokens) hash = Math.imul(hash ^ token, 16777619) ^ (hash >>> 15)
  return ((hash >>> 0) % vocabulary) + 1
}

const speechOf = ({ speech, tokens }: EngineSpec, isLearned: boolean): ScriptedOptions => {
  const spoken = speech === undefined ? undefined : speeches[speech.form]
  if (spoken === undefined) return {}
  return {
    prompt: spoken.prompt,
    dialect: isLearned ? spoken.dialect : unlearned,
    controls: new Set(spoken.controls),
    answer: ({ messages }) => saying(spoken, messages[0]?.content ?? "", tokens)
  }
}

const scriptOf = (spec: EngineSpec, isLearned: boolean): ScriptedOptions => ({
  ...spec,
  ...speechOf(spec, isLearned),
  next: nextToken,
  text: (index: number) => ` ${index.toString(36)}`,
  context: trainedContext
})

/** Alone, without a process: what the undisturbed answer is. */
export const layerUndisturbed = (spec: EngineSpec, isLearned: boolean): Layer.Layer<Engine> =>
  layerScripted({ ...scriptOf(spec, isLearned), loadMs: 0, tokensPerS: Infinity, burst: spec.tokens + 1 })

/** In the name of a file that ends whatever loads it. */
export const deadly = "deadly"

/** What a worker takes of its device, beside what every process has: together no more than is promised for it. */
export const workerBytes = (slots: number, context: number): number => 25e6 + modelBytes + slots * context * 2048

/** SIGABRT: what the operating system says of a process that its GPU library ended */
const aborted = { code: 134, signal: undefined } as const

/** Decodes no further once its process hangs: a token's turn comes, and never ends. Counts what it decodes. */
const watched = (process: SimProcess, model: LoadedModel): LoadedModel => {
  const counted = <A, E>(decoding: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => process.decodes++),
      () =>
        Effect.clockWith((clock) =>
          Effect.withClock(decoding, {
            ...clock,
            sleep: (duration) =>
              Effect.flatMap(clock.sleep(duration), () => (process.isHung ? Effect.never : Effect.void))
          })
        ),
      () => Effect.sync(() => process.decodes--)
    )
  return {
    ...model,
    generate: (request) => counted(model.generate(request)),
    measure: (request) => counted(model.measure(request))
  }
}

const learns = ({ kernel }: SimProcess, { speech }: EngineSpec): boolean =>
  speech === undefined || speech.unlearned === 0 || !kernel.random.chance(speech.unlearned)

export const layerEngine = (process: SimProcess, device: DeviceId, spec: EngineSpec): Layer.Layer<Engine> =>
  Layer.provide(
    Layer.effect(
      Engine,
      Effect.map(Engine, (engine) => ({
        load: (options) =>
          Effect.suspend(() => {
            const bytes = workerBytes(options.slots, options.context ?? trainedContext)
            options.onRuntime?.()
            if (options.modelPath.includes(deadly))
              return Effect.zipRight(
                Effect.sleep(spec.loadMs / 2),
                Effect.suspend(() => (process.end(aborted), Effect.never))
              )
            if (process.machine.take(process.id.pid, device, bytes))
              return Effect.map(engine.load(options), (model) => ({
                ...watched(process, model),
                backend: device === "cpu" ? "CPU" : "CUDA"
              }))
            process.lastWords = "failed to allocate a buffer"
            process.end(aborted)
            return Effect.never
          })
      }))
    ),
    layerScripted(scriptOf(spec, learns(process, spec)))
  )
