/** Ollama's calls over the same jobs as everything else (docs/api.md#ollamas-clients). */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { decoder } from "../../../machines/formats/json/decode.ts"
import type { Handlers } from "../../../protocol/endpoint.ts"
import { explain } from "../../../protocol/explain.ts"
import type { ollamaApi } from "../../../protocol/surfaces/ollama.ts"
import type { Entry } from "../../../machines/entries/entries.ts"
import { filled } from "../../../machines/entries/fill.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import {
  chatFields,
  embeddingFields,
  embedFields,
  generateFields,
  optionFields,
  pullFields,
  showFields
} from "../../../machines/vocabulary/ollama/fields.ts"
import { ignoredInMessages } from "../../../machines/vocabulary/ollama/messages.ts"
import { psOf, shownOf, tagsOf } from "../../../machines/vocabulary/ollama/models.ts"
import {
  chatJob,
  generateJob,
  modelOf,
  OllamaChatRequest,
  OllamaGenerateRequest,
  OllamaModelRequest,
  OllamaPullRequest
} from "../../../machines/vocabulary/ollama/requests.ts"
import { type FieldLists, sortBy, unsupported } from "../../../machines/vocabulary/openai/fields.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import { naming } from "../asking.ts"
import { OllamaEmbeddingRequest, OllamaEmbedRequest } from "../../../machines/vocabulary/ollama/embeddings.ts"
import { embed, embedOne } from "./embedding.ts"
import { answerTo, chatPlace, generatePlace } from "./answering.ts"
import type { OllamaPorts } from "./ports.ts"
import { pullFeed } from "./pulling.ts"

/** The version of Ollama whose interface this is: clients ask for it before they use what came with it. */
const version = "0.13.4"

type Fields = Readonly<Record<string, unknown>>

/** What is asked, of a body whose fields were sorted. */
const read =
  <A, I>(lists: FieldLists, schema: Schema.Schema<A, I>) =>
  (
    body: Fields
  ): Either.Either<
    { readonly asked: A; readonly ignored: ReadonlyArray<string> },
    RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">
  > =>
    Either.gen(function* () {
      const { asked, ignored } = yield* sortBy(lists)(body)
      const { options } = asked
      const own = isObject(options) ? yield* sortBy(optionFields, "options.")(options) : undefined
      const whole = own === undefined ? asked : { ...asked, options: own.asked }
      const decoded = yield* Either.mapLeft(decoder(schema)(whole), explain)
      return { asked: decoded, ignored: [...ignored, ...(own?.ignored ?? [])] }
    })

const readChat = read(chatFields, OllamaChatRequest)
const readGenerate = read(generateFields, OllamaGenerateRequest)
const readEmbed = read(embedFields, OllamaEmbedRequest)
const readEmbedding = read(embeddingFields, OllamaEmbeddingRequest)
const readShow = read(showFields, OllamaModelRequest)
const readPull = read(pullFields, OllamaPullRequest)

export const ollama = (ports: OllamaPorts): Handlers<typeof ollamaApi> => ({
  ollamaVersion: () => Effect.succeed({ version }),
  ollamaTags: () => Effect.map(ports.models, tagsOf),
  ollamaPs: () =>
    Effect.map(Effect.all([ports.workers, ports.models, Clock.currentTimeMillis]), ([workers, models, now]) =>
      psOf(workers, models, { now, idleMs: ports.idleMs })
    ),
  ollamaShow: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readShow(body)
      const name = yield* modelOf(asked)
      const model = yield* Effect.flatMap(ports.named(name), ports.shown)
      if (model === undefined) return yield* unknownModel(name)
      ports.ignored(ignored.length)
      return shownOf({ ...model, ...named(yield* ports.entry(name)) })
    }),
  ollamaChat: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readChat(body)
      const job = filled(yield* ports.entry(asked.model), yield* chatJob(asked))
      const model = yield* ports.named(asked.model)
      const answer = yield* answerTo(ports, { model, request: asked, job, place: chatPlace })
      return naming(ports, [...ignored, ...ignoredInMessages(body["messages"])], answer)
    }),
  ollamaGenerate: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readGenerate(body)
      const job = filled(yield* ports.entry(asked.model), yield* generateJob(asked))
      const model = yield* ports.named(asked.model)
      const answer = yield* answerTo(ports, { model, request: asked, job, place: generatePlace })
      return naming(ports, ignored, answer)
    }),
  ollamaEmbed: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readEmbed(body)
      return naming(ports, ignored, yield* embed(ports, yield* ports.named(asked.model), asked))
    }),
  ollamaEmbeddings: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readEmbedding(body)
      return naming(ports, ignored, yield* embedOne(ports, yield* ports.named(asked.model), asked))
    }),
  ollamaPull: (body) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* readPull(body)
      const pulling = yield* Effect.flatMap(modelOf(asked), ports.pull)
      if (asked.stream ?? true)
        return naming(ports, ignored, { _tag: "Events" as const, feed: yield* pullFeed(pulling) })
      yield* pulling.follow(() => {})
      return naming(ports, ignored, { _tag: "Json" as const, status: 200 as const, body: { status: "success" } })
    }),
  ollamaDelete: (asked) => Effect.flatMap(modelOf(asked), ports.remove),
  ollamaCopy: () => unsupported("destination", "a second name for a model is not supported")
})

const named = (entry: Entry | undefined) => (entry === undefined ? {} : { entry })

/** To Ollama's clients a name that nobody knows is a model that is not there. */
export const unknownModel = (name: string): RbeeError<"MODEL_NOT_FOUND"> =>
  rbeeError(
    "MODEL_NOT_FOUND",
    `model '${name.replace(/[^\x20-\x7e]/g, "?").slice(0, 100)}' not found`,
    "GET /api/tags lists those that are here; others are asked for as hf.co/author/repo:QUANT"
  )
