/** What llama.cpp's own server has beside OpenAI's calls; asked of a hive that has the model, whose weights it leaves. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Handlers } from "../../protocol/endpoint.ts"
import type { llamaServerApi } from "../../protocol/surfaces/llama-server.ts"
import { rbeeError } from "../../machines/errors.ts"
import type { TextAnswer, TextQuestion } from "../../machines/vocabulary/model.ts"
import {
  defaultParams,
  DetokenizeRequest,
  type PropsAnswer,
  sortDetokenize,
  sortTokenize,
  tokenizedOf,
  TokenizeRequest
} from "../../machines/vocabulary/openai/llama-server.ts"
import type { AnswerError } from "./answers.ts"
import { ask, naming } from "./asking.ts"
import { gather } from "./gather.ts"
import type { Jobs, Unnamed } from "./openai.ts"
import { json, sorted } from "./sorted.ts"

/** A model as the cluster has it. */
export interface Known {
  /** its file's name; absent: no hive has it */
  readonly file?: string
  /** tokens a slot */
  readonly context: number
  readonly slots: number
}

/** What the edge needs of the queen. */
export interface TextPorts extends Jobs {
  /** Asks a hive that has the model; undefined: none has. */
  readonly read: (model: string, question: TextQuestion) => Effect.Effect<TextAnswer | undefined, AnswerError>
  readonly known: (model: string) => Effect.Effect<Known>
  /** those that workers have loaded, each once */
  readonly loaded: Effect.Effect<ReadonlyArray<string>>
  readonly version: string
}

const readTokenize = sorted(sortTokenize, TokenizeRequest)
const readDetokenize = sorted(sortDetokenize, DetokenizeRequest)

export const llamaServer = (ports: TextPorts): Handlers<typeof llamaServerApi> => ({
  v1Tokenize: (body) =>
    Effect.gen(function* () {
      const { ignored, request } = yield* readTokenize(body)
      const { model, ...question } = request
      const [, answer] = yield* reading(ports, model, { ask: "tokenize", ...question })
      return naming(ports, ignored, json(tokenizedOf(answer)))
    }),
  v1Detokenize: (body) =>
    Effect.gen(function* () {
      const { ignored, request } = yield* readDetokenize(body)
      const { model, tokens } = request
      const [, { content = "" }] = yield* reading(ports, model, { ask: "detokenize", tokens })
      return naming(ports, ignored, json({ content }))
    }),
  v1Props: ({ model }) =>
    Effect.gen(function* () {
      const [name, { about }] = yield* reading(ports, model, { ask: "about" })
      const { context, file = "", slots } = yield* ports.known(name)
      const { bos_token = "", chat_template = "", eos_token = "" } = about ?? {}
      return {
        default_generation_settings: { n_ctx: context, params: defaultParams },
        total_slots: slots,
        model_alias: name,
        model_path: file,
        modalities: { vision: false, audio: false },
        chat_template,
        bos_token,
        eos_token,
        build_info: `rbee-${ports.version}`
      } satisfies PropsAnswer
    })
})

/** The model that was meant, and what it says. */
const reading = (
  ports: TextPorts,
  model: string | undefined,
  question: TextQuestion
): Effect.Effect<readonly [name: string, answer: TextAnswer], AnswerError> =>
  Effect.gen(function* () {
    const name = yield* meant(ports, model)
    const answer = (yield* ports.read(name, question)) ?? (yield* fetched(ports, name, question))
    return [name, answer]
  })

/** Who names none means the default, or the one that there is. */
const meant = (ports: TextPorts, model = ""): Effect.Effect<string, Unnamed> =>
  Effect.gen(function* () {
    const named = yield* Effect.either(ports.named(model))
    if (model !== "" || Either.isRight(named)) return yield* named
    const loaded = yield* ports.loaded
    const own = (yield* ports.models()).filter(({ standsFor }) => standsFor === undefined)
    const candidates = loaded.length > 0 ? loaded : own.map(({ id }) => id)
    const [only, ...others] = candidates
    if (only !== undefined && others.length === 0) return only
    return yield* rbeeError(
      "INVALID_REQUEST",
      `model is missing, and there are ${candidates.length}`,
      "Name one of those that GET /v1/models lists",
      { field: "model", models: candidates.length }
    )
  })

/** No hive has it: who has its worker read nothing has it brought as for any answer, and then it is asked. */
const fetched = (ports: TextPorts, model: string, question: TextQuestion): Effect.Effect<TextAnswer, AnswerError> => {
  const nothing = { model, prompt: "\n", raw: true, stream: false, max_tokens: 0 }
  return Effect.gen(function* () {
    yield* ask(ports, nothing, ({ read }) => gather(read))
    const answer = yield* ports.read(model, question)
    return answer ?? (yield* rbeeError("MODEL_NOT_FOUND", `the hive that had model ${model} is gone`, "Try again"))
  })
}
