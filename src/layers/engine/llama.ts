/**
 * The engine that is llama.cpp: node-llama-cpp's prebuilt native addon, driven by our own decode loop
 * (`llama/batcher.ts`). All slots are sequences of one context and decode together.
 *
 * Context is never shifted: an answer that reaches the end of its slot's context ends with `length`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { copiesMax } from "../../machines/kinds/llama/copies.ts"
import {
  type AnswerFailure,
  Engine,
  type GenerateRequest,
  type GenerateResult,
  type LoadedModel,
  type LoadedParking,
  type LoadOptions
} from "./index.ts"
import { unsuitable } from "../../machines/policy/purpose.ts"
import type { Exactness } from "../../machines/vocabulary/worker.ts"
import { takeSlot } from "./admission.ts"
import type { AddonSampler } from "./llama/addon.ts"
import { LlamaAnswer } from "./llama/decoding/answer.ts"
import { Batcher } from "./llama/decoding/batcher.ts"
import { type Found, type Parking, parkingOf } from "./llama/parking/parking.ts"
import { Logprobs } from "./llama/decoding/logprobs.ts"
import { Caches } from "./llama/decoding/caches.ts"
import { type Asked as Wanted, type Cells, reusable } from "./llama/decoding/pieces.ts"
import { serveMeasuring } from "./llama/measuring/measuring.ts"
import { type Loaded, loadModel } from "./llama/model.ts"
import { type Asked, Asking } from "./llama/reading/asking.ts"
import { Utf8Stream } from "./llama/reading/pieces.ts"
import type { Vocabulary } from "./llama/reading/tokenize.ts"
import { loadRuntime, type Runtime, type RuntimeOptions } from "./llama/runtime.ts"
import { SelfTest } from "./llama/decoding/self-test.ts"
import { saidOf, wayOf } from "./llama/decoding/way.ts"
import { forbiddenAfter } from "./llama/decoding/forbidden.ts"
import { AnswerSampler, type Constraint } from "./llama/decoding/sampling.ts"
import { makeSlots } from "./slots.ts"

export type { RuntimeOptions } from "./llama/runtime.ts"

type LoadFailure = RbeeError<"MODEL_INVALID" | "VRAM_EXHAUSTED" | "BACKEND_UNAVAILABLE">

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const now = (): number => performance.now()

const memoryOf = ({ model, native }: Loaded): { readonly ram: number; readonly vram: number } => {
  const [weights, rest] = [model.getMemoryBreakdown(), native.getMemoryBreakdown()]
  return { ram: weights.cpuRam + rest.cpuRam, vram: weights.gpuVram + rest.gpuVram }
}

/** what the self-test reads; any text does */
const testText =
  "The quick brown fox jumps over the lazy dog, and 12 small bees fly from flower to flower; none of them is in a hurry."

/** What an earlier process found with as many threads. */
const knownOf = ({ exactness }: LoadOptions, threads: number): Exactness | undefined =>
  exactness?.threads === threads ? exactness : undefined

/** Beside that, what was parked of it. */
interface Begin extends Asked {
  readonly parked?: Found | undefined
}

/** All that is to be read before its next token is drawn. */
const wantedOf = ({ resume }: GenerateRequest, prompt: ReadonlyArray<number>): ReadonlyArray<number> =>
  resume === undefined ? prompt : [...prompt, ...resume.tokenIds]

/** More tokens than there can be are not counted. */
const within = (sampling: GenerateRequest["sampling"], context: number): GenerateRequest["sampling"] => {
  const { penalties } = sampling
  if (penalties === undefined) return sampling
  return { ...sampling, penalties: { ...penalties, lastTokens: Math.min(penalties.lastTokens, context) } }
}

// long: the calls of one loaded model over its one native context, each of them short
const serveChat = (runtime: Runtime, loaded: Loaded, options: LoadOptions, vocabulary: Vocabulary) => {
  const { model, context } = loaded
  const slots = makeSlots(options.slots)
  const { facts } = loaded.header
  const asking = new Asking({
    addon: runtime.addon,
    model,
    vocabulary,
    size: facts.vocabulary,
    context,
    trained: model.getTrainContextSize(),
    load: options
  })
  const { pieces } = asking
  const isCpu = runtime.backend === "CPU"
  const way = wayOf(runtime.backend, loaded, options)
  const { rows } = way
  const known = way.isTried ? knownOf(options, loaded.threads) : undefined
  let exactness: Exactness | undefined = !way.isTried
    ? { exact: false, exact_how: way.how }
    : known && saidOf(way, known)
  /** a worker that is not exact has nothing to lose by reading on from any token */
  const usable = (held: Cells, wanted: Wanted): number =>
    exactness?.exact === false ? held.tokens : reusable(held, wanted, rows)
  const caches = new Caches({
    addon: runtime.addon,
    native: loaded.native,
    hasState: facts.stateBytes > 0,
    copiesMax: copiesMax(context, options.slots),
    rows,
    usable
  })
  const parking = parkingOf({ runtime, loaded, options, way, slots, caches, usable })
  const unused: Array<AddonSampler> = []
  const logprobs = new Logprobs(runtime.addon, model, loaded.native, pieces)
  const batcher = new Batcher({
    logprobs,
    context: loaded.native,
    caches,
    hasState: caches.hasState,
    batchSize: loaded.batchSize,
    isMixed: !isCpu,
    rows,
    paceMs: options.maxTokensPerS === undefined ? 0 : 1000 / options.maxTokensPerS,
    now,
    ...(parking === undefined ? {} : { parking })
  })
  if (parking !== undefined) batcher.beside(parking)

  /** Begins an answer and returns what stops it. Throws AnswerFailure. */
  const begin = (
    request: GenerateRequest,
    { forbidden, form, grammar, parked, tokens: prompt }: Begin,
    done: (end: GenerateResult | AnswerFailure) => void
  ): (() => void) => {
    const { scope = "" } = request
    const wanted = wantedOf(request, prompt)
    // what a slot holds that is filled anew is of no use
    const taken = takeSlot(slots, parked === undefined ? wanted : [], scope)
    if (taken instanceof RbeeError) throw taken
    const { prefix, slot } = taken
    const cached = usable({ tokens: prefix, wide: slot.wide }, { prompt: prompt.length, all: wanted.length })
    const text = new Utf8Stream(pieces, prompt.at(-1), form === undefined ? "visible" : "meant")
    const isEnd = (token: number): boolean => model.isEogToken(token)
    const constraint: Constraint | undefined =
      grammar === undefined || forbidden === undefined
        ? undefined
        : {
            grammar,
            isEnd,
            resumed: request.resume?.tokenIds ?? [],
            forbiddenAfter: forbiddenAfter(pieces, forbidden, form === undefined)
          }
    request.onPrompt?.(prompt.length)
    if (form !== undefined) request.onForm?.(form)
    const answer = new LlamaAnswer(
      {
        request,
        prompt,
        slot,
        cached,
        context,
        trained: model.getTrainContextSize(),
        textOf: (token) => text.push(token),
        isEnd,
        now,
        done
      },
      new AnswerSampler(runtime.addon, model, request.sampling, {
        constraint,
        unused,
        spelt: (token) => pieces.spelt(token)
      })
    )
    const already = answer.finishedBefore()
    if (already === undefined) {
      parking?.leave(slot, cached)
      answer.parked = parked
      slot.scope = scope
      batcher.add(answer)
    } else {
      answer.sampler.dispose()
      answer.finish(already)
    }
    return () => batcher.drop(answer)
  }

  const decode = (request: GenerateRequest, asked: Begin): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.async((resume) => {
      try {
        const stop = begin(request, asked, (end) =>
          resume(end instanceof RbeeError ? Effect.fail(end) : Effect.succeed(end))
        )
        return Effect.sync(stop)
      } catch (cause) {
        const reason = reasonOf(cause)
        resume(
          Effect.fail(
            // `begin` throws no RbeeError but AnswerFailure
            cause instanceof RbeeError
              ? (cause as AnswerFailure)
              : rbeeError("INTERNAL", `the answer could not be begun (${reason})`, "", { reason })
          )
        )
        return undefined
      }
    })

  const generate = (request: GenerateRequest): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.gen(function* () {
      const read = yield* asking.read(request)
      const { grammar, tokens } = read
      // what is held to a form ends where the form does
      const ignoreEos = request.ignoreEos && grammar === undefined
      const asked = { ...request, ignoreEos, sampling: within(request.sampling, context) }
      const wanted = wantedOf(request, tokens)
      const parked =
        parking === undefined
          ? undefined
          : yield* Effect.promise(() => parking.find(request.scope ?? "", wanted, tokens.length))
      return yield* decode(asked, { ...read, parked })
    })

  if (exactness === undefined) {
    const sampler = new AnswerSampler(runtime.addon, model, { temperature: 0, topP: 1, topK: 0 })
    batcher.beside(
      new SelfTest({
        native: loaded.native,
        sampler: sampler.native,
        slots,
        context,
        piece: loaded.batchSize,
        way,
        words: model.tokenize(testText, false),
        done: (found) => {
          exactness = saidOf(way, { ...found, threads: loaded.threads })
          sampler.dispose()
          options.onExact?.(exactness)
        }
      })
    )
  }

  const measure: LoadedModel["measure"] = ({ texts }) =>
    unsuitable("chat", texts._tag === "Embed" ? "embeddings" : "reranking")
  const close = async (): Promise<void> => {
    asking.close()
    await batcher.close()
    logprobs.dispose()
    for (const sampler of unused.splice(0)) sampler.dispose()
    caches.dispose()
  }
  const calls = { generate, measure, exactness: () => exactness, progress: () => batcher.batches }
  return { calls: parking === undefined ? calls : { ...calls, parking: keptBy(parking, batcher) }, close }
}

const keptBy = (parking: Parking, batcher: Batcher): LoadedParking => ({
  all: Effect.promise(() => batcher.close().then(() => parking.all())),
  forget: (scope) => parking.forget(scope)
})

/** By what the model is for. */
const serve = (runtime: Runtime, loaded: Loaded, options: LoadOptions, where: Vocabulary["runtime"]) => {
  const { context, header, model, threads } = loaded
  const vocabulary: Vocabulary = {
    modelPath: options.modelPath,
    runtime: where,
    ...(header.template === undefined ? {} : { template: header.template })
  }
  const { measures } = header.facts
  const { calls, close } =
    measures === undefined
      ? serveChat(runtime, loaded, options, vocabulary)
      : serveMeasuring(runtime, loaded, measures, options, vocabulary)
  const served: LoadedModel = {
    backend: runtime.backend,
    context,
    slots: options.slots,
    ...calls,
    about: {
      trainedContext: model.getTrainContextSize(),
      parameters: model.getTotalParameters(),
      sizeBytes: model.getTotalSize(),
      description: model.getModelDescription(),
      threads,
      memory: memoryOf(loaded)
    }
  }
  return { served, close }
}

const dispose = async (loaded: Loaded): Promise<void> => {
  await loaded.native.dispose()
  await loaded.model.dispose()
}

/** Interrupting it aborts the load, and waits until the memory is given back. */
const open = (runtime: Runtime, options: LoadOptions): Effect.Effect<Loaded, LoadFailure> =>
  Effect.async((resume) => {
    const aborter = new AbortController()
    const loading = loadModel(runtime, options, aborter.signal)
    loading.then(
      (loaded) => resume(Effect.succeed(loaded)),
      // `loadModel` rejects with no RbeeError but LoadFailure; anything else is a bug
      (cause: unknown) => resume(cause instanceof RbeeError ? Effect.fail(cause as LoadFailure) : Effect.die(cause))
    )
    return Effect.promise(async () => {
      aborter.abort()
      const loaded = await loading.catch(() => undefined)
      if (loaded !== undefined) await dispose(loaded)
    })
  })

const load = (options: LoadOptions, where: RuntimeOptions): Effect.Effect<LoadedModel, LoadFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.tryPromise({
      try: () => loadRuntime(where),
      // `loadRuntime` rejects with nothing else
      catch: (cause) => cause as LoadFailure
    })
    options.onRuntime?.()
    // the finalizer is added after the load and not around it, so that the load itself can be interrupted
    const { served } = yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const loaded = yield* restore(open(runtime, options))
        const opened = serve(runtime, loaded, options, {
          gpu: where.gpu,
          ...(where.runtime === undefined ? {} : { runtime: where.runtime })
        })
        yield* Effect.addFinalizer(() => Effect.promise(() => opened.close().then(() => dispose(loaded))))
        return opened
      })
    )
    return served
  })

/** Begins to load the native runtime, without waiting and without failing: `load` will say what is wrong. */
export const preloadRuntime = (options: RuntimeOptions = { gpu: "cpu" }): void => {
  loadRuntime(options).catch(() => undefined)
}

export const layerLlama = (where: RuntimeOptions): Layer.Layer<Engine> =>
  Layer.succeed(Engine, { load: (options) => load(options, where) })
