/** What Ollama's clients ask for, and what a job makes of it; what becomes of the other fields stands in fields.ts. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { AskedModel } from "../common.ts"
import * as Struct from "effect/Struct"
import { type RbeeError, rbeeError } from "../../errors.ts"
import type { ChatMessage, Conversation, ReasoningWish, ResponseFormat } from "../conversation.ts"
import { anySeed, type JobRequest, maxTokensMax, samplingFields, topLogprobsMax } from "../job.ts"
import { unsupported } from "../openai/fields.ts"
import { maybe } from "../openai/messages.ts"
import { openAiToolFields, wishesOf } from "../openai/tools.ts"
import { before, OllamaMessage, ollamaMessages } from "./messages.ts"

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** Seconds, or a time as Go writes it; 0 unloads, less than 0 pins. */
const KeepAlive = Schema.Union(
  Schema.Number,
  Schema.String.pipe(Schema.pattern(/^[-+]?(\d+(\.\d+)?|(\d+(\.\d+)?(ns|us|\u00b5s|ms|s|m|h))+)$/))
)

const contextMost = 16_777_216
const contextLeast = 16

export const OllamaOptions = Schema.Struct({
  /** tokens of a slot; 0: as it is set here */
  num_ctx: maybe(Schema.Int.pipe(Schema.between(0, contextMost))),
  /** less than 1: what there is room for */
  num_predict: maybe(Schema.Int),
  temperature: maybe(samplingFields.temperature.from),
  top_p: maybe(samplingFields.top_p.from),
  top_k: maybe(samplingFields.top_k.from),
  min_p: maybe(samplingFields.min_p.from),
  repeat_penalty: maybe(samplingFields.repeat_penalty.from),
  presence_penalty: maybe(samplingFields.presence_penalty.from),
  frequency_penalty: maybe(samplingFields.frequency_penalty.from),
  repeat_last_n: maybe(samplingFields.repeat_last_n.from),
  seed: maybe(samplingFields.seed.from),
  stop: maybe(samplingFields.stop.from)
})
type OllamaOptions = typeof OllamaOptions.Type

/** What every request to a model has. */
export const askingFields = {
  model: AskedModel,
  keep_alive: maybe(KeepAlive),
  options: maybe(OllamaOptions)
} as const

const answeringFields = {
  ...askingFields,
  /** absent: true */
  stream: maybe(Schema.Boolean),
  format: maybe(Schema.Union(Schema.Literal("", "json"), JsonSchema)),
  think: maybe(Schema.Union(Schema.Boolean, Schema.Literal("low", "medium", "high"))),
  logprobs: maybe(Schema.Boolean),
  /** of the likeliest tokens beside each one */
  top_logprobs: maybe(Schema.Int.pipe(Schema.between(0, topLogprobsMax)))
} as const

export const OllamaChatRequest = Schema.Struct({
  ...answeringFields,
  messages: maybe(Schema.Array(OllamaMessage)),
  tools: openAiToolFields.tools
})
export type OllamaChatRequest = typeof OllamaChatRequest.Type

export const OllamaGenerateRequest = Schema.Struct({
  ...answeringFields,
  prompt: maybe(Schema.String),
  /** as it stands, without the chat template */
  raw: maybe(Schema.Boolean),
  /** what comes after the answer, which fills the middle */
  suffix: maybe(Schema.String),
  system: maybe(Schema.String),
  images: maybe(Schema.Array(Schema.String))
})
export type OllamaGenerateRequest = typeof OllamaGenerateRequest.Type

/** `name` is what older clients say. */
export const OllamaModelRequest = Schema.Struct({ model: maybe(Schema.String), name: maybe(Schema.String) })
export const OllamaPullRequest = Schema.Struct({ ...OllamaModelRequest.fields, stream: maybe(Schema.Boolean) })
export const OllamaCopyRequest = Schema.Struct({ source: Schema.String, destination: Schema.String })

export const modelOf = ({
  model = "",
  name = ""
}: typeof OllamaModelRequest.Type): Either.Either<string, RbeeError<"INVALID_REQUEST">> => {
  const asked = model === "" ? name : model
  return asked === ""
    ? Either.left(rbeeError("INVALID_REQUEST", "model is required", "", { field: "model" }))
    : Either.right(asked)
}

/** What is to become of the model after the answer. */
export type Keeping = "usual" | "pinned" | "unloaded"

/** `0`, `"0"`, `"0s"` and `"0h0m"` are nothing. */
export const keepingOf = (keepAlive: typeof KeepAlive.Type | undefined): Keeping => {
  if (keepAlive === undefined) return "usual"
  const time = String(keepAlive)
  if (!/[1-9]/.test(time)) return "unloaded"
  return time.startsWith("-") ? "pinned" : "usual"
}

/** A request of either kind, as a job has it. */
export type OllamaJob = Omit<JobRequest, "model" | "stream">

/** Nothing is said to the model: it is to be there, or to go. */
export const saysNothing = ({ messages = [], prompt }: OllamaJob): boolean =>
  messages.length === 0 && prompt === undefined

type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">

export const chatJob = (chat: OllamaChatRequest): Either.Either<OllamaJob, Refused> =>
  Either.gen(function* () {
    const messages = ollamaMessages(chat.messages ?? [])
    const { tools } = yield* wishesOf({ tools: chat.tools })
    return { messages, ...(tools === undefined ? {} : { tools }), ...wantedOf(chat) }
  })

export const generateJob = (
  asked: OllamaGenerateRequest
): Either.Either<OllamaJob, RbeeError<"UNSUPPORTED_PARAMETER">> => {
  const { images = [], prompt = "", suffix = "", system = "" } = asked
  // what is filled in is no chat
  const raw = asked.raw === true || suffix !== ""
  if (raw && system !== "") return Either.left(unsupported("system", "a raw prompt has no system message"))
  if (raw && images.length > 0) return Either.left(unsupported("images", "a raw prompt has no images"))
  if (suffix !== "") return Either.right({ prompt, raw, suffix, ...wantedOf(asked) })
  if (raw && prompt !== "") return Either.right({ prompt, raw, ...wantedOf(asked) })
  const user: ChatMessage = { role: "user", content: prompt, ...before(images) }
  const first: ReadonlyArray<ChatMessage> = system === "" ? [] : [{ role: "system", content: system }]
  return Either.right({ messages: prompt === "" && images.length === 0 ? [] : [...first, user], ...wantedOf(asked) })
}

type Answering = Pick<OllamaChatRequest, keyof typeof answeringFields>

const wantedOf = ({ format, keep_alive, options = {}, think, ...likely }: Answering): OllamaJob => ({
  ...logprobsOf(likely),
  ...formatOf(format),
  ...thinkingOf(think),
  ...optionsOf(options),
  ...(keepingOf(keep_alive) === "pinned" ? { keep_warm: true } : {})
})

const logprobsOf = ({
  logprobs = false,
  top_logprobs: top = 0
}: Pick<Answering, "logprobs" | "top_logprobs">): Pick<OllamaJob, "logprobs"> =>
  logprobs || top > 0 ? { logprobs: top } : {}

const formatOf = (format: Answering["format"]): { readonly response_format?: ResponseFormat } => {
  if (format === undefined || format === "") return {}
  return { response_format: format === "json" ? { type: "json_object" } : { type: "json_schema", schema: format } }
}

const thinkingOf = (think: Answering["think"]): Pick<Conversation, "reasoning"> => {
  if (think === undefined) return {}
  const wish: ReasoningWish = think === false ? "off" : think === true ? {} : { effort: think }
  return { reasoning: wish }
}

/** What a job calls as Ollama's clients do. */
const alike = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repeat_penalty",
  "presence_penalty",
  "frequency_penalty",
  "repeat_last_n"
] as const

export const contextOf = ({ num_ctx = 0 }: OllamaOptions): Pick<JobRequest, "context"> =>
  num_ctx === 0 ? {} : { context: Math.max(contextLeast, num_ctx) }

const optionsOf = (options: OllamaOptions): OllamaJob => {
  const { num_predict = 0, seed, stop } = options
  return {
    ...contextOf(options),
    ...(num_predict < 1 || num_predict > maxTokensMax ? {} : { max_tokens: num_predict }),
    ...Struct.pick(options, ...alike),
    ...(seed === undefined || seed === anySeed ? {} : { seed }),
    ...(stop === undefined || stop.length === 0 ? {} : { stop })
  }
}
