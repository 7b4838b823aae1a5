/**
 * OpenAI's models and chat completions over the same jobs as everything else (docs/api.md#openais-clients). An answer's
 * head waits for the job's first token, so that what goes wrong before it keeps its HTTP status. A client that leaves
 * cancels its job.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import type { AnswerOf } from "../../protocol/answers.ts"
import { Call, type EventFeed, type Loose } from "../../protocol/endpoint.ts"
import { explain } from "../../protocol/explain.ts"
import { ignoredHeader, type openAiApi } from "../../protocol/surfaces/openai.ts"
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
import type { AnsweredCall } from "../../machines/vocabulary/conversation.ts"
import { chatFinish, chunkFeed, openAiCallId } from "./chat-chunks.ts"
import { gather } from "./gather.ts"
import type { JobAnswer } from "./answers.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

interface Listed {
  readonly id: string
  readonly createdAt?: number | undefined
}

/** What the edge needs of the queen. */
export interface Jobs {
  /** Takes a job in; fails where that can be judged without the model. */
  readonly submit: (request: JobRequest) => Effect.Effect<JobAnswer, RbeeError>
  readonly cancel: (jobId: JobId) => Effect.Effect<void, RbeeError>
  /** The reference of a model by any of its names. */
  readonly named: (name: string) => Effect.Effect<string, RbeeError>
  /** Models that can be asked for by name; `createdAt` in milliseconds since 1970. */
  readonly models: () => Effect.Effect<ReadonlyArray<Listed>, RbeeError>
  /** Counts fields that were left out. */
  readonly ignored: (fields: number) => void
}

type Chat = AnswerOf<(typeof openAiApi)["v1Chat"]["answers"]>

export const openAi = (jobs: Jobs): Loose<typeof openAiApi> => ({
  v1Models: () => Effect.map(jobs.models(), (models) => ({ object: "list", data: models.map(modelCard) })),
  v1Model: ({ ref }) =>
    Effect.flatMap(Effect.all([jobs.named(ref), jobs.models()]), ([name, models]) => {
      const model = models.find(({ id }) => id === name)
      return model === undefined ? Effect.fail(unknownModel(ref)) : Effect.succeed(modelCard(model))
    }),
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

const modelCard = ({ createdAt = 0, id }: Listed): ModelCard => ({
  id,
  object: "model",
  created: Math.floor(createdAt / 1000),
  owned_by: "rbee"
})

/** To OpenAI's clients a name that nobody knows is a model that is not there. */
export const unknownModel = (name: string): RbeeError<"MODEL_NOT_FOUND"> =>
  rbeeError(
    "MODEL_NOT_FOUND",
    `there is no model ${name.replace(/[^\x20-\x7e]/g, "?").slice(0, 100)}`,
    "GET /v1/models lists those that are here; others are asked for as HF:author/repo:QUANT or hf.co/author/repo:QUANT"
  )

/** Names and header values that somebody made up are cut and cleaned. */
const mostIgnored = 32

/** Says which fields were left out, because nobody has published them. */
const naming = (jobs: Jobs, ignored: ReadonlyArray<string>, reply: Chat): Chat => {
  if (ignored.length === 0) return reply
  jobs.ignored(ignored.length)
  const names = ignored.slice(0, mostIgnored).map((name) => name.replace(/[^\w.-]/g, "?").slice(0, 64))
  return { ...reply, headers: { ...reply.headers, [ignoredHeader]: names.join(", ") } }
}

const answer = (
  jobs: Jobs,
  chat: ChatCompletionRequest,
  asked: Omit<JobRequest, "model" | "stream">
): Effect.Effect<Chat, RbeeError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const cancel = (jobId: JobId) => Effect.ignore(jobs.cancel(jobId))
      // In a fiber of its own, which can be interrupted although nobody does: what the queen starts for the job
      // inherits that. A client who leaves meanwhile leaves no job behind.
      const submitting = yield* Effect.fork(
        Effect.interruptible(jobs.submit({ ...asked, model: chat.model, stream: chat.stream ?? false }))
      )
      const answered = yield* restore(Fiber.join(submitting)).pipe(
        Effect.onInterrupt(() => Effect.ignore(Effect.flatMap(Fiber.join(submitting), (job) => cancel(job.jobId))))
      )
      const { createdAt, jobId } = answered
      const head = { id: `chatcmpl-${jobId}`, created: Math.floor(createdAt / 1000), model: chat.model }
      const whileWanted = <A>(effect: Effect.Effect<A, RbeeError>) => Effect.onInterrupt(effect, () => cancel(jobId))
      const reply = chat.stream === true ? streamed(chat, head, answered, whileWanted) : whole(head, answered)
      return yield* restore(whileWanted(reply))
    })
  )

/** Waits for the end, and gives the whole answer. */
const whole = (head: CompletionHead, answered: JobAnswer): Effect.Effect<Chat, RbeeError> =>
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
  whileWanted: <A>(effect: Effect.Effect<A, RbeeError>) => Effect.Effect<A, RbeeError>
): Effect.Effect<Chat, RbeeError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const source = yield* answered.begun
    const includeUsage = chat.stream_options?.include_usage === true
    const feed = chunkFeed({ head, includeUsage, correlationId, source })
    const wanted: EventFeed = (sink) => whileWanted(feed(sink))
    return { _tag: "Events", feed: wanted }
  })
