/** What is said to llama.cpp's server and what it says (`POST /completion`), in its own words. */
import * as Schema from "effect/Schema"
import * as Either from "effect/Either"
import { decoder } from "../../../machines/formats/json/decode.ts"
import type { TokenLogprob } from "../../../machines/vocabulary/job.ts"
import type { Sampling } from "../index.ts"
import { seedAt } from "../llama/decoding/sampling.ts"

/** Tokens; or, where images stand between them, text with a mark for each, and the images. */
export type Prompt = ReadonlyArray<number> | { readonly text: string; readonly images: ReadonlyArray<string> }

export interface Question {
  readonly prompt: Prompt
  /** of an answer that goes on: what there is of it, which a grammar has read */
  readonly begun: { readonly tokens: number; readonly text: string }
  /** undefined: as many as there is room for */
  readonly most: number | undefined
  readonly slot: number
  /** what the slot holds may be used: it compares token by token */
  readonly isCached: boolean
  readonly sampling: Sampling
  readonly grammar: string | undefined
  /** tokens that a constrained answer never has */
  readonly never: ReadonlyArray<number>
  readonly logprobs: number | undefined
}

/** None of its defaults is left to a server's own version. */
const drawn = ({ begun, sampling }: Question) => {
  const { dry, minP = 0, penalties, seed, temperature, topK, topP, xtc } = sampling
  const counted = (tokens: number): number => (tokens === Infinity ? -1 : tokens)
  return {
    temperature,
    top_k: topK,
    top_p: topP,
    min_p: minP,
    // as an undisturbed answer never would, but not the same again: its generator begins anew
    ...(seed === undefined ? {} : { seed: seedAt(seed, begun.tokens) }),
    xtc_probability: xtc?.probability ?? 0,
    xtc_threshold: xtc?.threshold ?? 0.1,
    repeat_last_n: penalties === undefined ? 0 : counted(penalties.lastTokens),
    repeat_penalty: penalties?.repeat ?? 1,
    presence_penalty: penalties?.presence ?? 0,
    frequency_penalty: penalties?.frequency ?? 0,
    dry_multiplier: dry?.multiplier ?? 0,
    ...(dry === undefined
      ? {}
      : {
          dry_base: dry.base,
          dry_allowed_length: dry.allowedLength,
          dry_penalty_last_n: counted(dry.lastTokens),
          dry_sequence_breakers: dry.breakers
        })
  }
}

/**
 * A grammar of a kind that the server itself makes of tools: what it was told of the answer it has read, so that one that
 * goes on is where the undisturbed one was. One of a user's it would begin anew.
 */
const constrained = ({ begun, grammar }: Question) =>
  grammar === undefined
    ? { generation_prompt: something }
    : { grammar, grammar_type: "tool_calls", ...(begun.text === "" ? {} : { generation_prompt: begun.text }) }

/**
 * It reads what it has written as if it were a chat, and ends where that is no text, as a model may write that goes on
 * within a character. Not so where something was read before.
 */
const something = "."

const biased = ({ never, sampling: { bias = [] } }: Question) => {
  const all = [...bias.map(({ by, token }) => [token, by] as const), ...never.map((token) => [token, false] as const)]
  return all.length === 0 ? {} : { logit_bias: all }
}

export const bodyOf = (question: Question): Readonly<Record<string, unknown>> => {
  const { isCached, logprobs, most, prompt, slot } = question
  return {
    prompt: "text" in prompt ? { prompt_string: prompt.text, multimodal_data: prompt.images } : prompt,
    stream: true,
    return_tokens: true,
    return_progress: true,
    n_predict: most ?? -1,
    id_slot: slot,
    cache_prompt: isCached,
    ...drawn(question),
    ...constrained(question),
    ...biased(question),
    ...(logprobs === undefined ? {} : { n_probs: Math.max(1, logprobs) })
  }
}

const Likely = Schema.Struct({
  token: Schema.String,
  bytes: Schema.Array(Schema.Int),
  /** null: it cannot be */
  logprob: Schema.NullOr(Schema.Number)
})
const Probability = Schema.Struct({ ...Likely.fields, top_logprobs: Schema.Array(Likely) })

/** An event of its stream. */
export const Said = Schema.Struct({
  stop: Schema.Boolean,
  content: Schema.String,
  tokens: Schema.Array(Schema.Int),
  /** so far, those too that it has not told because a character was not whole */
  tokens_predicted: Schema.Int,
  /** of the prompt */
  tokens_evaluated: Schema.Int,
  prompt_progress: Schema.optional(Schema.Struct({ processed: Schema.Int, cache: Schema.Int })),
  completion_probabilities: Schema.optional(Schema.Array(Probability)),
  stop_type: Schema.optional(Schema.String)
})
export type Said = typeof Said.Type

const Failed = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.optional(Schema.String),
    n_prompt_tokens: Schema.optional(Schema.Int),
    n_ctx: Schema.optional(Schema.Int)
  })
})
export type Failed = typeof Failed.Type

const decode = decoder(Schema.parseJson(Schema.Union(Said, Failed)))

/** Undefined: nothing that is known. */
export const heard = (text: string): Said | Failed | undefined => Either.getOrUndefined(decode(text))

const least = -9999
const one = ({ bytes, logprob, token }: typeof Likely.Type) => ({
  token,
  bytes: [...bytes],
  logprob: Math.max(least, Math.min(0, Math.round((logprob ?? least) * 1e6) / 1e6)) + 0
})

export const logprobOf = ({ completion_probabilities }: Said, top: number): TokenLogprob | undefined => {
  const [probability] = completion_probabilities ?? []
  if (probability === undefined) return undefined
  return { ...one(probability), top: probability.top_logprobs.slice(0, top).map(one) }
}
