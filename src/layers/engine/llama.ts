/**
 * The engine that is llama.cpp: node-llama-cpp's prebuilt native addon, driven by our own decode loop
 * (`llama/batcher.ts`). All slots are sequences of one context and decode together.
 *
 * Context is never shifted: an answer that reaches the end of its slot's context ends with `length`.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { isFree, wishesIn } from "../../machines/grammar/answer/constraint.ts"
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
import { type AnswerForm, type Begun, dialectOf, hasForm, promptTail } from "../../machines/dialect/answer-form.ts"
import { contentOnly, type Dialect } from "../../machines/dialect/dialect.ts"
import { anyRows, rowsOf } from "../../machines/kinds/llama/exact-types.ts"
import { unsuitable } from "../../machines/policy/purpose.ts"
import type { Conversation } from "../../machines/vocabulary/conversation.ts"
import type { Exactness } from "../../machines/vocabulary/worker.ts"
import { threadedGrammars } from "../grammars/thread.ts"
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
import { shipped } from "../../machines/dialect/shipped.ts"
import { hashOf, learnIn } from "./llama/reading/learner.ts"
import { Pieces, spellEnd, Utf8Stream } from "./llama/reading/pieces.ts"
import { type Known, Prompts } from "./llama/reading/prompts.ts"
import { type Spelling, spellingOf } from "./llama/reading/renderer.ts"
import type { Vocabulary } from "./llama/reading/tokenize.ts"
import { loadRuntime, type Runtime, type RuntimeOptions } from "./llama/runtime.ts"
import { SelfTest } from "./llama/decoding/self-test.ts"
import { type Forbidden, forbiddenAfter, forbiddenOf } from "./llama/decoding/forbidden.ts"
import { AnswerSampler, type Constraint } from "./llama/decoding/sampling.ts"
import { ChatTemplate } from "./llama/reading/template.ts"
import { makeSlots } from "./slots.ts"

export type { RuntimeOptions } from "./llama/runtime.ts"

/** of all models of this process */
const grammars = threadedGrammars()

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

/** A prompt's tokens, and how its answer is read where that may be more than text. */
interface Asked {
  readonly tokens: ReadonlyArray<number>
  readonly form: AnswerForm | undefined
  /** what the answer is held to */
  readonly grammar: string | undefined
  readonly forbidden: Forbidden | undefined
  /** what was parked of it */
  readonly parked?: Found | undefined
}

/** A raw prompt's answer is text. */
const noDialect: Known = { dialect: contentOnly(""), isTrusted: true }

interface Writing {
  /** fails where the model is unloaded before it is known */
  readonly known: Effect.Effect<Known, RbeeError<"INTERNAL">>
  readonly close: () => void
}

const certain = (dialect: Dialect): Writing => ({
  known: Effect.succeed({ dialect, isTrusted: true }),
  close: () => undefined
})

/** How the model writes: known, or being learned beside all else; chats wait for it. */
const writingOf = (
  vocabulary: Vocabulary,
  spelling: Spelling,
  { learned: before, onLearned }: LoadOptions
): Writing => {
  const { template } = vocabulary
  if (template === undefined) return certain(contentOnly("the file has no chat template"))
  const hash = hashOf(template)
  const known = [before, shipped].find((one) => one?.template === hash)
  if (known !== undefined) return certain(known.dialect)
  const learned = Deferred.unsafeMake<Known, RbeeError<"INTERNAL">>(FiberId.none)
  const leave = learnIn(vocabulary, { spelling, tries: 0 }, ({ dialect, failed }) => {
    Deferred.unsafeDone(learned, Exit.succeed({ dialect, isTrusted: failed?.broken ?? true }))
    // the next load may have more time
    if (failed === undefined) onLearned?.({ template: hash, dialect })
  })
  const close = (): void => {
    leave()
    // who waits for it would wait for ever; nothing happens where it is known
    Deferred.unsafeDone(learned, Exit.fail(rbeeError("INTERNAL", "the model is being unloaded")))
  }
  return { known: Deferred.await(learned), close }
}

const checkBias = ({ bias = [] }: GenerateRequest["sampling"], vocabulary: number) => {
  const unknown = bias.find(({ token }) => token >= vocabulary)
  return unknown === undefined
    ? Effect.void
    : rbeeError("INVALID_REQUEST", `logit_bias names token ${unknown.token}, and the model has ${vocabulary}`, "", {
        field: "logit_bias",
        tokens: vocabulary
      })
}

const checkTokens = (input: GenerateRequest["input"], vocabulary: number) => {
  const unknown = input._tag === "Tokens" ? input.tokens.find((token) => token >= vocabulary) : undefined
  return unknown === undefined
    ? Effect.void
    : rbeeError("INVALID_REQUEST", `the prompt has token ${unknown}, and the model has ${vocabulary}`, "", {
        field: "prompt",
        tokens: vocabulary
      })
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
  const pieces = new Pieces(model)
  const { facts, matrices, template } = loaded.header
  const writing = writingOf(vocabulary, spellingOf(model), options)
  const prompts = new Prompts({
    template: new ChatTemplate(runtime.addon, model, template),
    vocabulary,
    context,
    trained: model.getTrainContextSize(),
    tokenBytes: () => pieces.longest(facts.vocabulary)
  })
  const isCpu = runtime.backend === "CPU"
  const oneWay = isCpu ? rowsOf(matrices, options.slots) : undefined
  const rows = oneWay ?? anyRows
  // On a GPU kernels are chosen by the size of a batch throughout.
  let exactness: Exactness | undefined =
    !isCpu || oneWay === undefined ? { exact: false } : knownOf(options, loaded.threads)
  /** a worker that is not exact has nothing to lose by reading on from any token */
  const usable = (held: Cells, wanted: Wanted): number =>
    exactness?.exact === false ? held.tokens : reusable(held, wanted, rows.step)
  const caches = new Caches({
    addon: runtime.addon,
    native: loaded.native,
    hasState: facts.stateBytes > 0,
    copiesMax: copiesMax(context, options.slots),
    step: rows.step,
    usable
  })
  const parking = parkingOf({ runtime, loaded, options, slots, caches, usable })
  let forbidden: Promise<Forbidden> | undefined
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
    { forbidden, form, grammar, parked, tokens: prompt }: Asked,
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

  const decode = (request: GenerateRequest, asked: Asked): Effect.Effect<GenerateResult, AnswerFailure> =>
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

  /** What the answer is held to, and what it can never have; looked for when it is asked for first. */
  const constrained = (
    input: GenerateRequest["input"],
    known: Dialect,
    tokens: ReadonlyArray<number>
  ): Effect.Effect<Pick<Asked, "grammar" | "forbidden">, RbeeError<"INVALID_REQUEST">> => {
    if (input._tag !== "Messages" || isFree(input)) return Effect.succeed({ grammar: undefined, forbidden: undefined })
    forbidden ??= forbiddenOf(pieces, facts.vocabulary, (token) => model.isEogToken(token))
    const found = forbidden
    const prompt = spellEnd(pieces, tokens, promptTail)
    return Effect.flatMap(
      Effect.promise(() => found),
      (never) =>
        Effect.map(grammars.of({ wishes: wishesIn(input), dialect: known, prompt, ends: never.ends }), (grammar) => ({
          grammar,
          forbidden: never
        }))
    )
  }

  const knownFor = (conversation: Conversation, begun: Begun) =>
    Effect.map(writing.known, ({ dialect, isTrusted }) => ({
      dialect: dialectOf(conversation, begun, dialect),
      isTrusted
    }))

  const generate = (request: GenerateRequest): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.gen(function* () {
      const { input, sampling } = request
      yield* checkBias(sampling, facts.vocabulary)
      yield* checkTokens(input, facts.vocabulary)
      const { dialect: known, isTrusted } = input._tag !== "Messages" ? noDialect : yield* knownFor(input, request)
      const tokens = yield* prompts.read(input, { dialect: known, isTrusted })
      const isPlain = input._tag !== "Messages" || !hasForm(input, known)
      const form = isPlain ? undefined : { dialect: known, prompt: spellEnd(pieces, tokens, promptTail) }
      const held = yield* constrained(input, known, tokens)
      // what is held to a form ends where the form does
      const ignoreEos = request.ignoreEos && held.grammar === undefined
      const asked = { ...request, ignoreEos, sampling: within(sampling, context) }
      const wanted = wantedOf(request, tokens)
      const parked =
        parking === undefined
          ? undefined
          : yield* Effect.promise(() => parking.find(request.scope ?? "", wanted, tokens.length))
      return yield* decode(asked, { tokens, form, parked, ...held })
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
        rows,
        words: model.tokenize(testText, false),
        done: (found) => {
          exactness = { ...found, threads: loaded.threads }
          sampler.dispose()
          options.onExact?.(exactness)
        }
      })
    )
  }

  const measure: LoadedModel["measure"] = ({ texts }) =>
    unsuitable("chat", texts._tag === "Embed" ? "embeddings" : "reranking")
  const close = async (): Promise<void> => {
    writing.close()
    prompts.close()
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
