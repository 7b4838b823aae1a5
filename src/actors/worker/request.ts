/** From the body of `POST /infer` to what the engine is asked. */
import * as Effect from "effect/Effect"
import * as Struct from "effect/Struct"
import type { GenerateRequest } from "../../layers/engine/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { Asked } from "./answers.ts"
import { conversationFields } from "../../machines/vocabulary/conversation.ts"
import { samplingDefaults } from "../../machines/vocabulary/job.ts"
import type { InferRequest } from "../../machines/vocabulary/worker.ts"

/** what a conversation is beside its messages */
const wishes = Struct.keys(conversationFields)

const inputOf = (request: InferRequest): GenerateRequest["input"] => {
  if (request.messages !== undefined)
    return { _tag: "Messages", messages: request.messages, ...Struct.pick(request, ...wishes) }
  const { prompt = "", suffix, tokens } = request
  if (tokens !== undefined) return { _tag: "Tokens", tokens }
  return { _tag: "Prompt", prompt, ...(suffix === undefined ? {} : { suffix }) }
}

type Sampling = GenerateRequest["sampling"]

const xtcOf = ({
  xtc_probability: probability = samplingDefaults.xtc_probability,
  xtc_threshold: threshold = samplingDefaults.xtc_threshold
}: InferRequest): Pick<Sampling, "xtc"> => (probability > 0 ? { xtc: { probability, threshold } } : {})

/** Those of 1 and 0 ask for nothing. */
const penaltiesOf = (request: InferRequest): Pick<Sampling, "penalties"> => {
  const { frequency_penalty: frequency = 0, presence_penalty: presence = 0, repeat_penalty: repeat = 1 } = request
  const { repeat_last_n: last = samplingDefaults.repeat_last_n } = request
  const asksNothing = last === 0 || (frequency === 0 && presence === 0 && repeat === 1)
  return asksNothing ? {} : { penalties: { repeat, presence, frequency, lastTokens: last === -1 ? Infinity : last } }
}

/** A multiplier of 0 asks for nothing. */
const dryOf = ({
  dry_allowed_length: allowedLength = samplingDefaults.dry_allowed_length,
  dry_base: base = samplingDefaults.dry_base,
  dry_multiplier: multiplier = samplingDefaults.dry_multiplier,
  dry_penalty_last_n: last = samplingDefaults.dry_penalty_last_n,
  dry_sequence_breakers: breakers = samplingDefaults.dry_sequence_breakers
}: InferRequest): Pick<Sampling, "dry"> => {
  if (multiplier === 0 || last === 0) return {}
  return { dry: { multiplier, base, allowedLength, lastTokens: last === -1 ? Infinity : last, breakers } }
}

const biasOf = ({ logit_bias = {} }: InferRequest): Pick<Sampling, "bias"> => {
  const bias = Object.entries(logit_bias).map(([token, by]) => ({ token: Number(token), by }))
  return bias.length === 0 ? {} : { bias }
}

const measureOf = ({ embed, rerank, resume }: InferRequest): Asked | undefined => {
  const before = resume?.token_ids ?? []
  if (embed !== undefined) return { _tag: "Measure", texts: { _tag: "Embed", inputs: embed }, before }
  return rerank === undefined ? undefined : { _tag: "Measure", texts: { _tag: "Rerank", ...rerank }, before }
}

/** Exactly one of `prompt`, `messages`, `embed` and `rerank` must be there. */
export const askedOf = (request: InferRequest): Effect.Effect<Asked, RbeeError<"INVALID_REQUEST">> => {
  const { embed, messages, prompt, rerank, tokens } = request
  const given = [prompt, tokens, messages, embed, rerank].filter((one) => one !== undefined)
  if (request.logprobs !== undefined && request.stream === false)
    return Effect.fail(
      rbeeError("INVALID_REQUEST", "logprobs come with tokens: ask for a stream", "", { field: "logprobs" })
    )
  return given.length === 1
    ? Effect.succeed(measureOf(request) ?? generateOf(request))
    : Effect.fail(
        rbeeError("INVALID_REQUEST", "exactly one of prompt, tokens, messages, embed and rerank must be given")
      )
}

const generateOf = (request: InferRequest): Asked => {
  const { form, resume, scope, stop = [] } = request
  return {
    _tag: "Generate",
    input: inputOf(request),
    sampling: {
      // nothing but the likeliest token is greedy
      temperature: request.top_p === 0 ? 0 : (request.temperature ?? samplingDefaults.temperature),
      topP: request.top_p ?? samplingDefaults.top_p,
      topK: request.top_k ?? samplingDefaults.top_k,
      minP: request.min_p ?? samplingDefaults.min_p,
      ...xtcOf(request),
      ...penaltiesOf(request),
      ...dryOf(request),
      ...biasOf(request),
      ...(request.seed === undefined ? {} : { seed: request.seed })
    },
    stop: typeof stop === "string" ? [stop] : stop,
    ignoreEos: request.ignore_eos ?? false,
    ...(request.logprobs === undefined ? {} : { logprobs: request.logprobs }),
    ...(request.max_tokens === undefined ? {} : { maxTokens: request.max_tokens }),
    ...(resume === undefined ? {} : { resume: { tokenIds: resume.token_ids, text: resume.text } }),
    ...(form === undefined ? {} : { form }),
    ...(scope === undefined ? {} : { scope })
  }
}
