/** A loaded model that writes nothing, as the engine's port has it. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import type { Measures } from "../../../../machines/formats/gguf/measures.ts"
import { vectorLine } from "../../../../machines/formats/vectors.ts"
import { rbeeError, type RbeeError } from "../../../../machines/errors.ts"
import { contentOnly } from "../../../../machines/dialect/dialect.ts"
import { unsuitable } from "../../../../machines/policy/purpose.ts"
import type { Exactness } from "../../../../machines/vocabulary/worker.ts"
import type { AnswerFailure, GenerateResult, LoadedModel, LoadOptions, MeasureRequest } from "../../index.ts"
import type { Loaded } from "../model.ts"
import { Pieces } from "../reading/pieces.ts"
import { Prompts } from "../reading/prompts.ts"
import { ChatTemplate } from "../reading/template.ts"
import type { Measured, Vocabulary } from "../reading/tokenize.ts"
import type { Runtime } from "../runtime.ts"
import { Vectors } from "./vectors.ts"

/** any text does: workers to which it is the same vector compute the same */
const testText = "The quick brown fox jumps over the lazy dog."

const plain = { dialect: contentOnly(""), isTrusted: true }

type Text = Measured | ReadonlyArray<number>

const failed = (cause: unknown): RbeeError<"INTERNAL"> => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return rbeeError("INTERNAL", `llama.cpp could not read the text (${reason})`, "", { reason })
}

/** A text may fill the context, since nothing comes after it. */
const checkLength =
  (context: number, trained: number) =>
  (tokens: number): RbeeError<"INVALID_REQUEST"> | undefined => {
    if (tokens === 0) return rbeeError("INVALID_REQUEST", "a text is empty", "Say something", { field: "input" })
    const amounts = { prompt_tokens: tokens, context, trained_context: trained }
    return tokens <= context
      ? undefined
      : rbeeError(
          "INVALID_REQUEST",
          `the maximum context length is ${context} tokens, and a text has ${tokens} tokens`,
          "Cut it into shorter texts, or use a model with a longer context",
          amounts
        )
  }

// long: the calls of one loaded model over its one native context, each of them short
export const serveMeasuring = (
  runtime: Runtime,
  loaded: Loaded,
  { purpose }: Measures,
  options: LoadOptions,
  vocabulary: Vocabulary
) => {
  const { context, model, native } = loaded
  const { facts, pairing } = loaded.header
  const trained = model.getTrainContextSize()
  const pieces = new Pieces(model)
  const check = checkLength(context, trained)
  const prompts = new Prompts({
    template: new ChatTemplate(runtime.addon, model, undefined),
    vocabulary,
    context,
    trained,
    tokenBytes: () => pieces.longest(facts.vocabulary),
    check
  })
  const vectors = new Vectors({ native, batchSize: loaded.batchSize, elements: purpose === "reranking" ? 1 : 0 })
  const paceMs = options.maxTokensPerS === undefined ? 0 : 1000 / options.maxTokensPerS
  let running = 0

  const textsOf = ({ texts }: MeasureRequest): ReadonlyArray<Text> =>
    texts._tag === "Embed"
      ? texts.inputs.map((text) => (typeof text === "string" ? { _tag: "Text", text } : text))
      : texts.documents.map((document) => ({
          _tag: "Pair",
          query: texts.query,
          document,
          ...(pairing ?? { isSeparated: false })
        }))

  const tokensOf = (text: Text): Effect.Effect<ReadonlyArray<number>, AnswerFailure> => {
    if ("_tag" in text) return prompts.read(text, plain)
    const unknown = text.find((token) => token >= facts.vocabulary)
    if (unknown === undefined) return check(text.length) ?? Effect.succeed(text)
    return rbeeError("INVALID_REQUEST", `there is no token ${unknown}: the model has ${facts.vocabulary}`, "", {
      field: "input",
      tokens: facts.vocabulary
    })
  }

  const measureOne = (text: Text, { onToken }: MeasureRequest): Effect.Effect<number, AnswerFailure> =>
    Effect.gen(function* () {
      const tokens = yield* tokensOf(text)
      const vector = yield* Effect.tryPromise({ try: (signal) => vectors.of(tokens, signal), catch: failed })
      onToken(vectorLine(vector), tokens.length)
      if (paceMs > 0) yield* Effect.sleep(paceMs)
      return tokens.length
    })

  const measureAll = (request: MeasureRequest): Effect.Effect<GenerateResult, AnswerFailure> =>
    Effect.gen(function* () {
      const began = performance.now()
      const { before } = request
      let promptTokens = before.reduce((sum, tokens) => sum + tokens, 0)
      let completionTokens = 0
      let promptMs: number | undefined
      for (const text of textsOf(request).slice(before.length)) {
        promptTokens += yield* measureOne(text, request)
        completionTokens++
        promptMs ??= performance.now() - began
      }
      const totalMs = performance.now() - began
      return {
        finishReason: "stop",
        promptTokens,
        cachedTokens: 0,
        completionTokens,
        promptMs: promptMs ?? totalMs,
        totalMs
      }
    })

  const measure: LoadedModel["measure"] = (request) =>
    Effect.suspend(() => {
      const asked = request.texts._tag === "Embed" ? "embeddings" : "reranking"
      if (asked !== purpose) return unsuitable(purpose, asked)
      if (running >= options.slots)
        return rbeeError("ALL_SLOTS_BUSY", `all ${options.slots} slots are busy`, "", { slots: options.slots })
      running++
      return Effect.ensuring(
        measureAll(request),
        Effect.sync(() => running--)
      )
    })

  let exactness: Exactness | undefined = options.exactness?.threads === loaded.threads ? options.exactness : undefined
  /** Each text is computed alone, in one way: another process of the same bits goes on as this one. */
  const findOut = async (): Promise<void> => {
    const vector = await vectors.of(await Effect.runPromise(tokensOf({ _tag: "Text", text: testText })))
    const bits = createHash("sha256").update(vectorLine(vector)).digest("hex").slice(0, 16)
    exactness = { exact: runtime.backend === "CPU", bits, threads: loaded.threads }
    options.onExact?.(exactness)
  }
  if (exactness === undefined) findOut().catch(() => (exactness = { exact: false }))

  return {
    calls: {
      generate: () => unsuitable(purpose, "chat"),
      measure,
      exactness: () => exactness,
      progress: () => vectors.batches
    } satisfies Partial<LoadedModel>,
    close: async (): Promise<void> => {
      prompts.close()
      await vectors.close()
    }
  }
}
