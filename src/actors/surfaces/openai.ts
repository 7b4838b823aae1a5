/**
 * OpenAI's models and chat completions over the same jobs as everything else (docs/api.md#openais-clients). An answer's
 * head waits for the job's first token, so that what goes wrong before it keeps its HTTP status. A client that leaves
 * cancels its job.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AnswerOf } from "../../protocol/answers.ts"
import { Call, type EventFeed, type Handlers } from "../../protocol/endpoint.ts"
import { explain } from "../../protocol/explain.ts"
import type { openAiApi } from "../../protocol/surfaces/openai.ts"
import { openAi as surface } from "../../protocol/surfaces/openai-surface.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import {
  type ChatCompletion,
  type ChatCompletionRequest,
  type CompletionHead,
  completionUsage,
  decodeChat,
  type ModelCard,
  samplingOf
} from "../../machines/vocabulary/openai/openai.ts"
import { sortFields } from "../../machines/vocabulary/openai/fields.ts"
import { chatMessages, ignoredInMessages } from "../../machines/vocabulary/openai/messages.ts"
import { wishesOf } from "../../machines/vocabulary/openai/tools.ts"
import { anthropicModel, anthropicModels } from "./anthropic/models.ts"
import type { AnsweredCall } from "../../machines/vocabulary/conversation.ts"
import { chatFinish, chunkFeed, openAiCallId } from "./chat-chunks.ts"
import { completions } from "./completions.ts"
import { gather } from "./gather.ts"
import type { AnswerError, JobAnswer } from "./answers.ts"
import { ask, type Asking, naming, soon, type WhileWanted } from "./asking.ts"

/** Why a name is not a model's. */
export type Unnamed = RbeeError<"INVALID_REQUEST" | "MODEL_NOT_FOUND">

interface Listed {
  readonly id: string
  readonly createdAt?: number | undefined
  /** tokens */
  readonly context?: number | undefined
}

/** What the edge needs of the queen. */
export interface Jobs extends Asking {
  /** The reference of a model by any of its names. */
  readonly named: (name: string) => Effect.Effect<string, Unnamed>
  /** Models that can be asked for by name; `createdAt` in milliseconds since 1970. */
  readonly models: () => Effect.Effect<ReadonlyArray<Listed>>
}

type Chat = AnswerOf<(typeof openAiApi)["v1Chat"]["answers"]>

export const openAi = (jobs: Jobs): Handlers<typeof openAiApi> => ({
  v1Models: ({ anthropic_version }) =>
    Effect.map(jobs.models(), (models) =>
      anthropic_version === undefined ? { object: "list", data: models.map(modelCard) } : anthropicModels(models)
    ),
  v1Model: ({ anthropic_version, ref }) =>
    Effect.flatMap(Effect.all([jobs.named(ref), jobs.models()]), ([name, models]) => {
      const model = models.find(({ id }) => id === name)
      if (model === undefined) return Effect.fail(unknownModel(ref))
      return Effect.succeed(anthropic_version === undefined ? modelCard(model) : anthropicModel(model))
    }),
  v1Completions: completions(jobs),
  v1Chat: (input) =>
    Effect.gen(function* () {
      const { asked, ignored } = yield* sortFields(input)
      const chat = yield* Either.mapLeft(decodeChat(asked), explain)
      const messages = yield* chatMessages(chat.messages)
      const wishes = yield* wishesOf(chat)
      const reply = yield* answer(jobs, chat, { messages, ...wishes, ...samplingOf(chat) })
      return naming(jobs, [...ignored, ...ignoredInMessages(input["messages"])], reply)
    })
})

const modelCard = ({ context, createdAt = 0, id }: Listed): ModelCard => ({
  id,
  object: "model",
  created: Math.floor(createdAt / 1000),
  owned_by: "rbee",
  ...(context === undefined ? {} : { context_length: context })
})

/** To OpenAI's clients a name that nobody knows is a model that is not there. */
export const unknownModel = (name: string): RbeeError<"MODEL_NOT_FOUND"> =>
  rbeeError(
    "MODEL_NOT_FOUND",
    `there is no model ${name.replace(/[^\x20-\x7e]/g, "?").slice(0, 100)}`,
    "GET /v1/models lists those that are here; others are asked for as HF:author/repo:QUANT or hf.co/author/repo:QUANT"
  )

const answer = (
  jobs: Jobs,
  chat: ChatCompletionRequest,
  asked: Omit<JobRequest, "model" | "stream">
): Effect.Effect<Chat, AnswerError> =>
  ask(jobs, { ...asked, model: chat.model, stream: chat.stream ?? false }, (answered, whileWanted) => {
    const { createdAt, jobId } = answered
    const head = { id: `chatcmpl-${jobId}`, created: Math.floor(createdAt / 1000), model: chat.model }
    return chat.stream === true ? streamed(chat, head, answered, whileWanted) : whole(head, answered)
  })

/** Waits for the end, and gives the whole answer. */
const whole = (head: CompletionHead, answered: JobAnswer): Effect.Effect<Chat, AnswerError> =>
  Effect.map(gather(answered.read), ({ calls, content, done, reasoning }) => {
    const body: ChatCompletion = {
      ...head,
      object: "chat.completion",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: content === "" && calls.length > 0 ? null : content,
            refusal: null,
            ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
            ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCall) })
          },
          logprobs: null,
          finish_reason: chatFinish(done.finish_reason, calls.length)
        }
      ],
      usage: completionUsage(done.usage)
    }
    return { _tag: "Json", status: 200, body }
  })

const toolCall = ({ arguments: given, id, name }: AnsweredCall) => ({
  id: openAiCallId(id),
  type: "function" as const,
  function: { name, arguments: given }
})

/** Waits for the first token, and gives the stream that begins with it. */
const streamed = (
  chat: ChatCompletionRequest,
  head: CompletionHead,
  answered: JobAnswer,
  whileWanted: WhileWanted
): Effect.Effect<Chat, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const includeUsage = chat.stream_options?.include_usage === true
    const feed = yield* soon(answered, surface.framing, (source) =>
      chunkFeed({ head, includeUsage, correlationId, source })
    )
    const wanted: EventFeed = (sink) => whileWanted(feed(sink))
    return { _tag: "Events", feed: wanted }
  })
