/**
 * The engine that is llama.cpp's own server, in a process beside the worker's. Prompts are read and texts are made here,
 * as with the addon, so that both take and give the same tokens; drawn they are there, by its own generator: an answer
 * that goes on elsewhere is another from there on, where it is drawn at all.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { unsuitable } from "../../machines/policy/purpose.ts"
import { hasImages } from "../../machines/formats/images.ts"
import { takeSlot } from "./admission.ts"
import {
  type AnswerFailure,
  Engine,
  type GenerateRequest,
  type GenerateResult,
  type LoadedModel,
  type LoadOptions
} from "./index.ts"
import { forbiddenAfter } from "./llama/decoding/forbidden.ts"
import { type Asked, Asking, type Shown } from "./llama/reading/asking.ts"
import { Utf8Stream } from "./llama/reading/pieces.ts"
import { ServerAnswer } from "./llama-server/answering.ts"
import { ask, type Refusal } from "./llama-server/asking.ts"
import { bodyOf, type Said } from "./llama-server/completion.ts"
import { type LlamaServerOptions, load, type Loaded, type LoadFailure } from "./llama-server/load.ts"
import { Untold, wholeTokens } from "./llama-server/untold.ts"
import { makeSlots, type Slot } from "./slots.ts"

export type { LlamaServerOptions } from "./llama-server/load.ts"

const now = (): number => performance.now()

const gone = (why: string) =>
  rbeeError("INTERNAL", `llama-server does not answer any more (${why})`, "", { reason: why })

/** Its connection broke: it is going, which is told by its end; or it lives and is of no use. */
const goingMs = 2000

interface Hearing {
  readonly hear: (said: Said) => void
  /** all is heard that was said */
  readonly idle: Effect.Effect<void>
}

/** As fast as it comes, or so many tokens a second. */
const paced = (perS: number | undefined, hear: (said: Said) => void): Effect.Effect<Hearing, never, Scope.Scope> =>
  perS === undefined
    ? Effect.succeed({ hear, idle: Effect.void })
    : Effect.gen(function* () {
        const waiting = yield* Queue.unbounded<() => void>()
        const next = Effect.flatMap(Queue.take(waiting), (work) => Effect.sync(work))
        yield* Effect.forkScoped(Effect.forever(Effect.zipLeft(next, Effect.sleep(1000 / perS))))
        return {
          hear: (said) => void Queue.unsafeOffer(waiting, () => hear(said)),
          idle: Effect.async<void>((resume) => void Queue.unsafeOffer(waiting, () => resume(Effect.void)))
        }
      })

interface Taken {
  readonly slot: Slot
  readonly prefix: number
  /** the server may use what its slot holds */
  readonly isCached: boolean
}

type Question = Asked | Shown

// long: the calls of one loaded model over its one server, each of them short
const serve = (loaded: Loaded, options: LoadOptions, where: LlamaServerOptions) => {
  const { context, header, model, peer, runtime, server, trained } = loaded
  const { facts, template } = header
  const slots = makeSlots(options.slots)
  const asking = new Asking({
    addon: runtime.addon,
    model,
    vocabulary: {
      modelPath: options.modelPath,
      runtime: { gpu: "cpu" },
      ...(template === undefined ? {} : { template })
    },
    size: facts.vocabulary,
    context,
    trained,
    load: options
  })
  const { pieces } = asking
  const untold = new Untold(model, pieces, facts.vocabulary)
  let steps = 0

  /** `prompt`: its tokens, or as many as it has where they are not known. */
  const answerOf = (
    request: GenerateRequest,
    { form }: Question,
    prompt: ReadonlyArray<number>,
    { prefix, slot }: Taken,
    done: (result: GenerateResult | RbeeError<"INTERNAL">) => void
  ): ServerAnswer => {
    const text = new Utf8Stream(pieces, prompt.at(-1), form === undefined ? "visible" : "meant")
    request.onPrompt?.(prompt.length)
    if (form !== undefined) request.onForm?.(form)
    const answer = new ServerAnswer(
      {
        request,
        prompt,
        slot,
        cached: prefix,
        context,
        trained,
        textOf: (token) => text.push(token),
        isEnd: (token) => model.isEogToken(token),
        now,
        done
      },
      untold
    )
    slot.tokens = answer.tokens
    slot.scope = request.scope ?? ""
    return answer
  }

  const speltOf = (tokens: ReadonlyArray<number>): string => {
    const stream = new Utf8Stream(pieces, undefined, "meant")
    return tokens.map((token) => stream.push(token)).join("")
  }

  /** `begun`: of the answer, what the server does not draw again. */
  const bodyFor = (
    { logprobs, maxTokens = Infinity, sampling }: GenerateRequest,
    asked: Question,
    { isCached, slot }: Taken,
    begun: ReadonlyArray<number>
  ) => {
    const { forbidden, form, grammar } = asked
    const room = "text" in asked ? maxTokens : Math.min(maxTokens, context - asked.tokens.length)
    return bodyOf({
      prompt:
        "text" in asked ? { text: asked.text + speltOf(begun), images: asked.images } : [...asked.tokens, ...begun],
      begun: { tokens: begun.length, text: grammar === undefined ? "" : speltOf(begun) },
      most: room === Infinity ? undefined : room - begun.length,
      slot: slot.id,
      isCached,
      sampling,
      grammar,
      never: forbidden === undefined ? [] : forbiddenAfter(pieces, forbidden, form === undefined)(begun.at(-1)),
      logprobs
    })
  }

  const failed = (refusal: Refusal): Effect.Effect<never, AnswerFailure> => {
    if (refusal._tag === "RbeeError") return Effect.fail(refusal)
    const { why } = refusal
    const isEnd = Effect.sync(() => where.onEnd({ code: undefined, signal: "SIGKILL" }))
    return Effect.sleep(goingMs).pipe(Effect.zipRight(isEnd), Effect.zipRight(Effect.fail(gone(why))))
  }

  const isOver = (answer: ServerAnswer | undefined): boolean => answer?.over === true

  /** Asks until the answer has its end. `answer`: as soon as it is known how many tokens its prompt has. */
  const decode = (
    request: GenerateRequest,
    asked: Question,
    taken: Taken,
    answer: () => ServerAnswer | undefined,
    { hear, idle }: Hearing
  ): Effect.Effect<never, AnswerFailure> =>
    Effect.gen(function* () {
      for (;;) {
        const now = answer()
        const begun = now === undefined ? (request.resume?.tokenIds ?? []) : now.tokens.slice(now.promptLength)
        // a grammar reads whole characters, and so does who makes tokens of a text
        const whole = asked.grammar === undefined && !("text" in asked) ? begun.length : wholeTokens(pieces, begun)
        now?.begin(begun.slice(whole))
        const cached = { ...taken, isCached: taken.isCached || now?.started === true }
        const body = bodyFor(request, asked, cached, begun.slice(0, whole))
        yield* Effect.catchAll(ask(peer, body, trained, hear), failed)
        yield* idle
        if (isOver(answer())) return yield* Effect.never
        if ((answer()?.index ?? 0) === begun.length) return yield* gone("it ended an answer without a word")
      }
    })

  const speak = (
    request: GenerateRequest,
    asked: Question,
    taken: Taken
  ): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.gen(function* () {
      const done = yield* Deferred.make<GenerateResult, AnswerFailure>()
      const end = (result: Effect.Effect<GenerateResult, AnswerFailure>) => Deferred.unsafeDone(done, result)
      // what is held to a form ends where the form does
      const own = { ...request, ignoreEos: request.ignoreEos && asked.grammar === undefined }
      const make = (prompt: ReadonlyArray<number>) =>
        answerOf(own, asked, prompt, taken, (result) =>
          end(result instanceof RbeeError ? Effect.fail(result) : Effect.succeed(result))
        )
      let answer = "text" in asked ? undefined : make(asked.tokens)
      const already = answer?.finishedBefore()
      if (answer !== undefined && already !== undefined) return answer.result(already)
      let hasFailed = false
      const hear = (said: Said): void => {
        steps++
        if (hasFailed) return
        try {
          if (answer === undefined) {
            const begun = request.resume?.tokenIds ?? []
            answer = make(Array.from({ length: said.tokens_evaluated - begun.length }, () => -1))
            answer.begin(begun.slice(wholeTokens(pieces, begun)))
          }
          answer.hear(said)
        } catch (cause) {
          hasFailed = true
          end(Effect.fail(rbeeError("INTERNAL", "the reader of the answer failed", "", { reason: String(cause) })))
        }
      }
      const hearing = yield* paced(options.maxTokensPerS, hear)
      // the server stops when nobody listens
      return yield* Effect.raceFirst(
        Deferred.await(done),
        decode(own, asked, taken, () => answer, hearing)
      )
    }).pipe(Effect.scoped)

  const read = (request: GenerateRequest): Effect.Effect<Question, AnswerFailure> => {
    const { input } = request
    if (input._tag !== "Messages" || !hasImages(input.messages)) return asking.read(request)
    if (options.projector === undefined)
      return rbeeError(
        "INVALID_REQUEST",
        "the model sees no images: there is no projector (mmproj) that goes with it beside its file",
        "Put it there, or ask a model that has one",
        { field: "messages" }
      )
    return asking.show(request, input, server.mediaMarker)
  }

  const generate = (request: GenerateRequest): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.flatMap(read(request), (asked) =>
      Effect.acquireUseRelease(
        Effect.suspend((): Effect.Effect<Taken, AnswerFailure> => {
          const { resume, scope = "" } = request
          const wanted = "text" in asked ? [] : [...asked.tokens, ...(resume?.tokenIds ?? [])]
          const taken = takeSlot(slots, wanted, scope)
          if (taken instanceof RbeeError) return Effect.fail(taken)
          taken.slot.busy = true
          // it compares what it holds, images too
          const isCached = "text" in asked ? taken.slot.scope === scope : taken.prefix > 0
          return Effect.succeed({ ...taken, isCached })
        }),
        (taken) => speak(request, asked, taken),
        ({ slot }) =>
          Effect.sync(() => {
            // the server itself knows what it has: this is for the choice alone
            slot.filled = "text" in asked ? 0 : Math.max(0, slot.tokens.length - 1)
            slot.busy = false
          })
      )
    )

  const served: LoadedModel = {
    backend: where.backend.toUpperCase(),
    context,
    slots: options.slots,
    generate,
    measure: ({ texts }) => unsuitable("chat", texts._tag === "Embed" ? "embeddings" : "reranking"),
    // its batches are its own business
    exactness: () => ({ exact: false }),
    progress: () => steps
  }
  return { served, close: () => asking.close() }
}

const open = (options: LoadOptions, where: LlamaServerOptions): Effect.Effect<LoadedModel, LoadFailure, Scope.Scope> =>
  Effect.flatMap(load(options, where), (loaded) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => serve(loaded, options, where)),
        ({ close }) => Effect.sync(close)
      ),
      ({ served }) => served
    )
  )

export const layerLlamaServer = (where: LlamaServerOptions): Layer.Layer<Engine> =>
  Layer.succeed(Engine, { load: (options) => open(options, where) })
