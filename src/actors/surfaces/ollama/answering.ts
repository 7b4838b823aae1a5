/** Chat and generate: one way to ask, and two to write what is said. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Call, type EventFeed } from "../../../protocol/endpoint.ts"
import type { EventsAnswer, JsonAnswer } from "../../../protocol/answers.ts"
import { ollama } from "../../../protocol/surfaces/ollama-surface.ts"
import {
  endOf,
  movedEnd,
  type OllamaCall,
  type OllamaChatAnswer,
  type OllamaEnd,
  type OllamaGenerateAnswer,
  type OllamaHead
} from "../../../machines/vocabulary/ollama/answers.ts"
import { loadingJob } from "../../../machines/vocabulary/job.ts"
import {
  keepingOf,
  type OllamaChatRequest,
  type OllamaJob,
  saysNothing
} from "../../../machines/vocabulary/ollama/requests.ts"
import type { AnswerError, JobAnswer } from "../answers.ts"
import { ask, soon, type WhileWanted } from "../asking.ts"
import { gather, type WholeAnswer } from "../gather.ts"
import { asText, wholeCall } from "./calls.ts"
import { lineFeed, logprobsOf, type Place, type Said } from "./lines.ts"
import type { OllamaPorts } from "./ports.ts"

/** What stands where in an answer. */
export const chatPlace: Place<Pick<OllamaChatAnswer, "message">> = ({ calls, content, thinking }) => ({
  message: {
    role: "assistant",
    content,
    ...(thinking === undefined ? {} : { thinking }),
    ...(calls === undefined ? {} : { tool_calls: calls })
  }
})

export const generatePlace: Place<Pick<OllamaGenerateAnswer, "response" | "thinking">> = ({ content, thinking }) => ({
  response: content,
  ...(thinking === undefined ? {} : { thinking })
})

export type Answering<A> = JsonAnswer<200, OllamaHead & A & OllamaEnd> | EventsAnswer

interface Asked<A> {
  /** the model's reference; `request.model` is what its client calls it, which is given back */
  readonly model: string
  readonly request: Pick<OllamaChatRequest, "model" | "keep_alive" | "stream">
  readonly job: OllamaJob
  readonly place: Place<A>
}

export const answerTo = <A extends object>(
  ports: OllamaPorts,
  asked: Asked<A>
): Effect.Effect<Answering<A>, AnswerError> =>
  Effect.gen(function* () {
    const { job, model, request } = asked
    const keeping = keepingOf(request.keep_alive)
    if (saysNothing(job)) return yield* moved(ports, asked)
    const stream = request.stream ?? true
    // what comes with tokens comes in a stream
    const submitted = { ...job, model, stream: stream || job.logprobs !== undefined }
    const answer = yield* ask(ports, submitted, (answered, whileWanted) =>
      stream ? streamed(asked, answered, whileWanted) : whole(asked, answered)
    )
    if (keeping !== "unloaded") return answer
    return answer._tag === "Events"
      ? { ...answer, feed: (sink) => Effect.zipRight(answer.feed(sink), ports.unload(model)) }
      : yield* Effect.as(ports.unload(model), answer)
  })

const json = <A extends object>(
  { place, request }: Pick<Asked<A>, "place" | "request">,
  createdAt: number,
  said: Said,
  end: OllamaEnd
): Answering<A> => ({
  _tag: "Json",
  status: 200,
  body: { ...headOf(request, createdAt), ...place(said), ...logprobsOf(said), ...end }
})

const headOf = ({ model }: Pick<OllamaChatRequest, "model">, createdAt: number): OllamaHead => ({
  model,
  created_at: new Date(createdAt).toISOString()
})

/** Nothing is asked: the model is loaded, or unloaded, and that is said. */
const moved = <A extends object>(ports: OllamaPorts, asked: Asked<A>): Effect.Effect<Answering<A>, AnswerError> =>
  Effect.gen(function* () {
    const { job, model, request } = asked
    const now = yield* Clock.currentTimeMillis
    if (keepingOf(request.keep_alive) === "unloaded") {
      yield* ports.unload(model)
      return json(asked, now, nothing, movedEnd("unload"))
    }
    // an answer of no token: a worker has to be there for it
    yield* ask(ports, { ...loadingJob(job), model }, ({ read }) => gather(read))
    return json(asked, now, nothing, movedEnd("load"))
  })

const nothing: Said = { content: "" }

/** Waits for the end, and gives the whole answer. */
const whole = <A extends object>(asked: Asked<A>, answered: JobAnswer): Effect.Effect<Answering<A>, AnswerError> =>
  Effect.map(gather(answered.read), (answer) => {
    const { logprobs } = answer
    const said = { ...saidIn(answer), ...(asked.job.logprobs === undefined ? {} : { logprobs }) }
    return json(asked, answered.createdAt, said, endOf(answer.done))
  })

const saidIn = ({ calls, content, done, reasoning }: WholeAnswer): Said => {
  const called: Array<OllamaCall> = []
  let text = content
  for (const [index, call] of calls.entries()) {
    const isCut = done.finish_reason === "length" && index === calls.length - 1
    const whole = wholeCall(call, called.length, isCut)
    if (whole === undefined) text += asText(call)
    else called.push(whole)
  }
  return {
    content: text,
    ...(reasoning === "" ? {} : { thinking: reasoning }),
    ...(called.length === 0 ? {} : { calls: called })
  }
}

/** Waits for the first token, and gives the stream that begins with it. */
const streamed = <A extends object>(
  { job, place, request }: Asked<A>,
  answered: JobAnswer,
  whileWanted: WhileWanted
): Effect.Effect<EventsAnswer, AnswerError> =>
  Effect.gen(function* () {
    const { correlationId } = yield* Call
    const head = headOf(request, answered.createdAt)
    const feed = yield* soon(answered, ollama.framing, (source) =>
      lineFeed({ head, place, hasLogprobs: job.logprobs !== undefined, correlationId, source })
    )
    const wanted: EventFeed = (sink) => whileWanted(feed(sink))
    return { _tag: "Events", feed: wanted }
  })
