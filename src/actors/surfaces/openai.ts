/**
 * OpenAI's models and chat completions over the same jobs as everything else (docs/api.md#openais-clients). An answer's
 * head waits for the job's first token, so that what goes wrong before it keeps its HTTP status. A client that leaves
 * cancels its job.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AnswerOf } from "../../protocol/answers.ts"
import { Call, type Handlers } from "../../protocol/endpoint.ts"
import { explain } from "../../protocol/explain.ts"
import type { openAiApi } from "../../protocol/surfaces/openai.ts"
import { openAi as surface } from "../../protocol/surfaces/openai-surface.ts"
import { isSameName } from "../../machines/entries/entries.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { JobRequest, Usage } from "../../machines/vocabulary/job.ts"
import type { Purpose } from "../../machines/vocabulary/model.ts"
import {
  type ChatCompletion,
  type ChatCompletionRequest,
  type CompletionHead,
  completionUsage,
  decodeChat,
  logprobsOf,
  type ModelCard,
  samplingOf
} from "../../machines/vocabulary/openai/openai.ts"
import { sortFields } from "../../machines/vocabulary/openai/fields.ts"
import { chatMessages, ignoredInMessages } from "../../machines/vocabulary/openai/messages.ts"
import { chatLogprobs } from "../../machines/vocabulary/openai/logprobs.ts"
import { wishesOf } from "../../machines/vocabulary/openai/tools.ts"
import { anthropicModel, anthropicModels } from "./anthropic/models.ts"
import type { AnsweredCall } from "../../machines/vocabulary/conversation.ts"
import { chatFinish, chunkFeed, openAiCallId, usageChunk } from "./chat-chunks.ts"
import { askEach, type Choice, eachWanted, nTimes, summed, together } from "./choices.ts"
import { completions } from "./completions.ts"
import { gather, type WholeAnswer } from "./gather.ts"
import type { AnswerError } from "./answers.ts"
import { type Asking, naming, soon } from "./asking.ts"

/** Why a name is not a model's. */
export type Unnamed = RbeeError<"INVALID_REQUEST" | "MODEL_NOT_FOUND">

interface Listed {
  readonly id: string
  readonly createdAt?: number | undefined
  /** tokens */
  readonly context?: number | undefined
  readonly purpose?: Purpose | undefined
  /** it is another name for this one */
  readonly standsFor?: string
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
      const model = models.find(({ id }) => isSameName(id, ref)) ?? models.find(({ id }) => id === name)
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
      const logprobs = yield* logprobsOf(chat)
      const reply = yield* answer(jobs, chat, { messages, ...wishes, ...samplingOf(chat), ...logprobs })
      return naming(jobs, [...ignored, ...ignoredInMessages(input["messages"])], reply)
    })
})

const modelCard = ({ context, createdAt = 0, id, purpose, standsFor }: Listed): ModelCard => ({
  id,
  object: "model",
  created: Math.floor(createdAt / 1000),
  owned_by: "rbee",
  ...(context === undefined ? {} : { context_length: context }),
  ...(purpose === undefined ? {} : { purpose }),
  ...(standsFor === undefined ? {} : { stands_for: standsFor })
})

/** To OpenAI's clients a name that nobody knows is a model that is not there. */
export const unknownModel = (name: string): RbeeError<"MODEL_NOT_FOUND"> =>
  rbeeError(
    "MODEL_NOT_FOUND",
    `there is no model ${name.replace(/[^\x20-\x7e]/g, "?").slice(0, 100)}`,
    "GET /v1/models lists those that are here; others are asked for as HF:author/repo:QUANT or hf.co/author/repo:QUANT"
  )

interface Answering {
  readonly choices: ReadonlyArray<Choice>
  readonly chat: ChatCompletionRequest
  readonly hasLogprobs: boolean
  readonly head: CompletionHead
}

const answer = (
  jobs: Jobs,
  chat: ChatCompletionRequest,
  asked: Omit<JobRequest, "model" | "stream">
): Effect.Effect<Chat, AnswerError> => {
  // what comes with tokens comes in a stream
  const hasLogprobs = asked.logprobs !== undefined
  const stream = chat.stream === true || hasLogprobs
  return askEach(jobs, nTimes({ ...asked, model: chat.model, stream }, chat.n ?? 1), (choices) => {
    const answering = { chat, choices, hasLogprobs, head: headOf(choices, chat.model) }
    return chat.stream === true ? streamed(answering) : whole(answering)
  })
}

const headOf = ([first]: ReadonlyArray<Choice>, model: string): CompletionHead => ({
  id: `chatcmpl-${first?.answered.jobId ?? ""}`,
  created: Math.floor((first?.answered.createdAt ?? 0) / 1000),
  model
})

/** Waits for the end of all. */
const whole = ({ choices, hasLogprobs, head }: Answering): Effect.Effect<Chat, AnswerError> =>
  Effect.map(
    eachWanted(choices, ({ read }) => gather(read)),
    (wholes) => {
      const body: ChatCompletion = {
        ...head,
        object: "chat.completion",
        choices: wholes.map((one, index) => wholeChoice(index, one, hasLogprobs)),
        usage: completionUsage(summed(wholes.map(({ done }) => done.usage)))
      }
      return { _tag: "Json", status: 200, body }
    }
  )

const wholeChoice = (
  index: number,
  { calls, content, done, logprobs, reasoning }: WholeAnswer,
  hasLogprobs: boolean
): ChatCompletion["choices"][number] => ({
  index,
  message: {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content,
    refusal: null,
    ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCall) })
  },
  logprobs: hasLogprobs ? chatLogprobs(logprobs) : null,
  finish_reason: chatFinish(done, calls.length)
})

const toolCall = ({ arguments: given, id, name }: AnsweredCall) => ({
  id: openAiCallId(id),
  type: "function" as const,
  function: { name, arguments: given }
})

/** Waits for the first token of each, and gives the stream that begins with them; `[DONE]` once all have ended well. */
const streamed = ({ chat, choices, hasLogprobs, head }: Answering): Effect.Effect<Chat, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const includeUsage = chat.stream_options?.include_usage === true
    const usages: Array<Usage> = []
    const ended = (usage: Usage): string => {
      usages.push(usage)
      if (usages.length < choices.length) return ""
      return (includeUsage ? usageChunk(head, summed(usages)) : "") + surface.framing.closes
    }
    const feeds = yield* eachWanted(choices, (answered, index) =>
      soon(answered, surface.framing, (source) =>
        chunkFeed({ head, index, includeUsage, hasLogprobs, ended, correlationId, source })
      )
    )
    return { _tag: "Events", feed: together(choices, feeds) }
  })
