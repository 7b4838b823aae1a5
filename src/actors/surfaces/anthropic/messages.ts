/** Anthropic's messages over the same jobs as everything else. A client that leaves cancels its job. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { AnswerOf } from "../../../protocol/answers.ts"
import { Call, type EventFeed, type Handlers } from "../../../protocol/endpoint.ts"
import { explain } from "../../../protocol/explain.ts"
import type { anthropicApi } from "../../../protocol/surfaces/anthropic.ts"
import { anthropic as surface } from "../../../protocol/surfaces/anthropic-surface.ts"
import {
  type AskedJob,
  decodeMessages,
  jobOf,
  type Message,
  type MessagesRequest
} from "../../../machines/vocabulary/anthropic/anthropic.ts"
import { sortFields } from "../../../machines/vocabulary/anthropic/fields.ts"
import type { AnswerError, JobAnswer } from "../answers.ts"
import { ask, type Asking, naming, soon, type WhileWanted } from "../asking.ts"
import { gather } from "../gather.ts"
import { messageFeed } from "./stream.ts"
import { wholeMessage } from "./whole.ts"
import { fact } from "../../../machines/facts.ts"

type Reply = AnswerOf<(typeof anthropicApi)["v1Messages"]["answers"]>
type Body = Readonly<Record<string, unknown>>

interface Asked extends AskedJob {
  readonly request: MessagesRequest
}

export const anthropic = (jobs: Asking): Handlers<typeof anthropicApi> => ({
  v1Messages: (input) =>
    Effect.gen(function* () {
      const { ignored, job, request } = yield* askedOf(input)
      const { model, stream = false } = request
      const reply = yield* ask(jobs, { ...job, model, stream }, (answered, whileWanted) => {
        const begun = beginning(answered, model)
        return stream ? streamed(begun, answered, whileWanted) : whole(begun, answered)
      })
      return naming(jobs, ignored, reply)
    }),
  v1CountTokens: (input) =>
    Effect.gen(function* () {
      const { job, request } = yield* askedOf(input)
      // who reads the prompt and says nothing has counted it
      const counting = { ...job, model: request.model, stream: false, max_tokens: 0 }
      const counted = ask(jobs, counting, ({ read }) => Effect.map(gather(read), ({ done }) => done.usage))
      const tokens = Effect.map(counted, ({ prompt_tokens }) => prompt_tokens)
      return { input_tokens: yield* Effect.catchAll(tokens, tooMany) }
    })
})

const askedOf = (input: Body): Either.Either<Asked, AnswerError> =>
  Either.gen(function* () {
    const { asked, ignored } = yield* sortFields(input)
    const request = yield* Either.mapLeft(decodeMessages(asked), explain)
    const { ignored: inside, job } = yield* jobOf(request)
    return { request, job, ignored: [...ignored, ...inside] }
  })

/** A prompt that does not fit has been counted too, unless it was refused unread, by its bytes. */
const tooMany = (error: AnswerError): Effect.Effect<number, AnswerError> => {
  const tokens = fact(error, "prompt_bytes") === undefined ? fact(error, "prompt_tokens") : undefined
  return tokens === undefined || tokens === 0 ? Effect.fail(error) : Effect.succeed(tokens)
}

/** How many of the prompt's tokens were in a cache is told at the end alone. */
const beginning =
  ({ jobId, promptTokens }: JobAnswer, model: string) =>
  (): Message => ({
    id: `msg_${jobId}`,
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {
      input_tokens: promptTokens() ?? 0,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: 0
    }
  })

const whole = (begun: () => Message, { read }: JobAnswer): Effect.Effect<Reply, AnswerError> =>
  Effect.map(wholeMessage(begun(), read), (body) => ({ _tag: "Json", status: 200, body }))

const streamed = (
  begun: () => Message,
  answered: JobAnswer,
  whileWanted: WhileWanted
): Effect.Effect<Reply, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const feed = yield* soon(answered, surface.framing, (source) => messageFeed({ begun, correlationId, source }))
    const wanted: EventFeed = (sink) => whileWanted(feed(sink))
    return { _tag: "Events", feed: wanted }
  })
