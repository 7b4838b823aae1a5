/** What a user asks for, and how a job answers. */
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import { Count, ranges, setupFields } from "./common.ts"
import { AnswerMessage, ChatMessage, conversationFields } from "./conversation.ts"
import { Id, JobId, WorkerId, HiveId, DeviceId, ModelRef } from "./ids.ts"
import { KeptResponse } from "./responses/kept.ts"

const isSeed = (value: number): boolean => Number.isInteger(value) && Math.abs(value) <= ranges.seed[1]

/** A signed number of 64 bits, as JSON reads it: what other makers' clients send. -1 means none. */
export const Seed = Schema.Number.pipe(
  Schema.filter(isSeed, {
    description: "a whole number of 64 bits",
    jsonSchema: { type: "integer", minimum: ranges.seed[0], maximum: ranges.seed[1] },
    // hardly any number is a whole one
    arbitrary: () => (random) => random.maxSafeInteger()
  })
)
/** none, as llama.cpp's users say it */
export const anySeed = -1
/** Most that can be asked for; whoever wants more wants all that there is room for. */
export const maxTokensMax = ranges.max_tokens[1]

const Penalty = Schema.Number.pipe(Schema.between(-2, 2))
/** What is added to a token's score; by the token's number, as text. */
export const LogitBias = Schema.Record({
  key: Schema.String.pipe(Schema.pattern(/^\d{1,9}$/)),
  value: Schema.Number.pipe(Schema.between(-100, 100))
}).pipe(
  Schema.filter((bias) => Object.keys(bias).length <= 1024, {
    description: "at most 1024 tokens",
    jsonSchema: { maxProperties: 1024 }
  })
)

/** A token, and the logarithm of how likely it was, before anything was done to draw it. */
const Ranked = {
  token: Schema.String,
  /** of its text, which may be no whole characters */
  bytes: Schema.mutable(Schema.Array(Schema.Int)),
  logprob: Schema.Number
}
/** A token that was drawn, with the likeliest ones in its place. */
export const TokenLogprob = Schema.Struct({ ...Ranked, top: Schema.mutable(Schema.Array(Schema.Struct(Ranked))) })
export type TokenLogprob = typeof TokenLogprob.Type
/** the likeliest tokens that can be asked for */
export const topLogprobsMax = 20

/** Sampling options, shared by `/jobs`, `/infer` and the CLI. */
export const samplingFields = {
  /** tokens; above the room left the answer ends with finish_reason `length` */
  max_tokens: Schema.optional(Schema.Int.pipe(Schema.between(...ranges.max_tokens))),
  temperature: Schema.optional(Schema.Number.pipe(Schema.between(...ranges.temperature))),
  /** 0: the likeliest token, as a temperature of 0 */
  top_p: Schema.optional(Schema.Number.pipe(Schema.between(...ranges.top_p))),
  /** 0: off */
  top_k: Schema.optional(Schema.Int.pipe(Schema.between(...ranges.top_k))),
  /** only tokens that are at least this likely, as a share of the likeliest; 0: off */
  min_p: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  /** how often the likeliest tokens are left out; 0: never */
  xtc_probability: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  /** as far as they are at least this likely */
  xtc_threshold: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  /** what came before is less likely: divided by; 1: off */
  repeat_penalty: Schema.optional(Schema.Number.pipe(Schema.between(0.01, 100))),
  /** once for having come; 0: off */
  presence_penalty: Schema.optional(Penalty),
  /** for each time that it came; 0: off */
  frequency_penalty: Schema.optional(Penalty),
  /** tokens before the next one that count, the prompt's too; -1: all, 0: none */
  repeat_last_n: Schema.optional(Schema.Int.pipe(Schema.between(-1, 1_048_576))),
  /** what goes on with a repetition is less likely, by `multiplier × base ^ (its length − allowed length)`; 0: off */
  dry_multiplier: Schema.optional(Schema.Number.pipe(Schema.between(0, 100))),
  dry_base: Schema.optional(Schema.Number.pipe(Schema.between(1, 100))),
  /** tokens that may be repeated for nothing */
  dry_allowed_length: Schema.optional(Schema.Int.pipe(Schema.between(0, 1_048_576))),
  /** tokens before the next one that count, the prompt's too; -1: all, 0: none */
  dry_penalty_last_n: Schema.optional(Schema.Int.pipe(Schema.between(-1, 1_048_576))),
  /** no repetition goes on over one of these texts */
  dry_sequence_breakers: Schema.optional(
    Schema.Array(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(256))).pipe(Schema.maxItems(64))
  ),
  logit_bias: Schema.optional(LogitBias),
  seed: Schema.optional(Seed),
  stop: Schema.optional(Schema.Union(Schema.String, Schema.Array(Schema.String).pipe(Schema.maxItems(16)))),
  ignore_eos: Schema.optional(Schema.Boolean),
  /** each token comes with its logarithmic probability, and so many of the likeliest ones in its place */
  logprobs: Schema.optional(Schema.Int.pipe(Schema.between(0, topLogprobsMax)))
} as const

/** What a request that does not say gets: llama.cpp's own defaults. */
export const samplingDefaults = {
  temperature: 0.8,
  top_p: 0.95,
  top_k: 40,
  min_p: 0,
  xtc_probability: 0,
  xtc_threshold: 0.1,
  repeat_penalty: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  repeat_last_n: 64,
  dry_multiplier: 0,
  dry_base: 1.75,
  dry_allowed_length: 2,
  dry_penalty_last_n: -1,
  dry_sequence_breakers: ["\n", ":", '"', "*"]
} as const

/** Texts of one request at most; as many as OpenAI takes. */
export const textsMax = 2048

export const TokenIds = Schema.Array(Schema.Int.pipe(Schema.nonNegative())).pipe(Schema.minItems(1))

/** In place of what is to be answered: texts that are measured. Shared by `/jobs` and `/infer`. */
export const measureFields = {
  /** each gives a vector; ids of tokens are read as they are */
  embed: Schema.optional(
    Schema.Array(Schema.Union(Schema.String, TokenIds)).pipe(Schema.minItems(1), Schema.maxItems(textsMax))
  ),
  /** each document gives a number: how well it answers the query */
  rerank: Schema.optional(
    Schema.Struct({
      query: Schema.String,
      documents: Schema.Array(Schema.String).pipe(Schema.minItems(1), Schema.maxItems(textsMax))
    })
  )
} as const

const placeFields = { hive: Schema.optional(HiveId), device: Schema.optional(DeviceId) } as const

export const Teardown = Schema.Literal("warm", "cold")
export type Teardown = typeof Teardown.Type

export const SessionRequest = Schema.Struct({ id: Id, teardown: Teardown, woke_queen: Schema.Boolean })
export type SessionRequest = typeof SessionRequest.Type

/**
 * The body of `POST /jobs`. Exactly one of `prompt`, `tokens`, `messages`, `embed` and `rerank` is there (checked by
 * `checkJobRequest`).
 */
export const JobRequest = Schema.Struct({
  model: Schema.String.pipe(Schema.maxLength(512)),
  prompt: Schema.optional(Schema.String),
  /** the same as the model's own tokens, which are read as they stand: `raw` */
  tokens: Schema.optional(TokenIds),
  /** the prompt is read as it stands, without a chat template */
  raw: Schema.optional(Schema.Boolean),
  /** of a raw prompt: what comes after the answer, which fills the middle */
  suffix: Schema.optional(Schema.String),
  messages: Schema.optional(Schema.Array(ChatMessage).pipe(Schema.minItems(1))),
  ...conversationFields,
  ...measureFields,
  stream: Schema.optional(Schema.Boolean),
  ...samplingFields,
  /** tokens a slot */
  context: Schema.optional(Schema.Int.pipe(Schema.between(...ranges.context))),
  /** of the worker: one that is set up otherwise does not serve it */
  ...setupFields,
  /** there or nowhere */
  hive: Schema.optional(HiveId),
  device: Schema.optional(DeviceId),
  /** where neither is said: there, or where else there is room */
  prefer: Schema.optional(Schema.Struct(placeFields)),
  allow_cpu: Schema.optional(Schema.Boolean),
  /** pins the worker: it does not unload when idle */
  keep_warm: Schema.optional(Schema.Boolean),
  /** ISO 8601, absolute */
  deadline: Schema.optional(Schema.String),
  session: Schema.optional(SessionRequest),
  /** the job is somebody's response (OpenAI's), which is asked for again by its id */
  response: Schema.optional(KeptResponse)
})
export type JobRequest = typeof JobRequest.Type

/** Everything but what it says to the model, which may be long. */
export const withoutTexts = <R extends JobRequest>(request: R) => {
  const { embed: _, messages: __, prompt: ___, rerank: ____, tokens: _____, ...others } = request
  return others
}

/** What a worker is to be like, and where. */
const workerFields = [
  "context",
  "slots",
  "kv_type",
  "engine",
  "hive",
  "device",
  "prefer",
  "allow_cpu",
  "keep_warm"
] as const

/** An answer of no token: a worker has to be there for it, as for this job. */
export const loadingJob = (job: Omit<JobRequest, "model">): Omit<JobRequest, "model"> => ({
  ...Struct.pick(job, ...workerFields),
  stream: false,
  max_tokens: 0,
  messages: [{ role: "user", content: "" }]
})

/** The same once it is checked, as it is kept: its model by its canonical reference. */
export const CheckedRequest = Schema.Struct({
  ...JobRequest.fields,
  model: JobRequest.fields.model.pipe(Schema.brand("ModelRef"))
})
export type CheckedRequest = typeof CheckedRequest.Type

export const JobState = Schema.Literal(
  "queued",
  "placing",
  "provisioning",
  "starting",
  "streaming",
  "degraded",
  "done",
  "failed",
  "cancelled"
)
export type JobState = typeof JobState.Type

export const FinishReason = Schema.Literal("stop", "length")
export type FinishReason = typeof FinishReason.Type

/** Milliseconds since the job was taken in, absent until they happened. */
export const Timings = Schema.Struct({
  placed_ms: Schema.optional(Schema.Number),
  started_ms: Schema.optional(Schema.Number),
  first_token_ms: Schema.optional(Schema.Number),
  total_ms: Schema.optional(Schema.Number)
})
export type Timings = typeof Timings.Type

export const Usage = Schema.Struct({ prompt_tokens: Count, completion_tokens: Count, cached_tokens: Count })
export type Usage = typeof Usage.Type

/** Why a candidate was not taken: the decision's trace. */
export const Candidate = Schema.Struct({ hive: HiveId, device: DeviceId, verdict: Schema.String })
/** Devices that lost for the same reason without a word on each. */
export const Others = Schema.Struct({ count: Count, verdict: Schema.String })
export const Placement = Schema.Struct({
  hive: HiveId,
  device: DeviceId,
  /** the device stands in the configuration only */
  declared: Schema.optional(Schema.Literal(true)),
  worker: Schema.optional(WorkerId),
  /** whether an answer that is interrupted here goes on as the undisturbed one, as far as known at its last token */
  exact: Schema.optional(Schema.Boolean),
  /** seconds until the answer, as far as they could be foreseen, when a worker had to be started */
  expected_s: Schema.optional(Schema.Number),
  /** workers that are unloaded to make room */
  evicted: Schema.optional(Schema.Array(WorkerId)),
  losers: Schema.Array(Candidate),
  /** the rest: with the losers and the place itself they are all devices of the cluster */
  others: Schema.optional(Schema.Array(Others))
})
export type Placement = typeof Placement.Type

export const WireError = Schema.Struct({
  code: Schema.String,
  message: Schema.String,
  details: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
export type WireError = typeof WireError.Type

export const JobView = Schema.Struct({
  job_id: JobId,
  model: ModelRef,
  /** whom it is charged to: a key by its name, `local`, `admin`; absent: of an earlier version */
  key: Schema.optional(Schema.String),
  state: JobState,
  /** 1 is next; absent when not waiting */
  position: Schema.optional(Count),
  placement: Schema.optional(Placement),
  tokens: Count,
  failovers: Count,
  /** it went on elsewhere where that is not exact: tokens after the interruption may be others */
  continued: Schema.optional(Schema.Literal(true)),
  created_at: Schema.Number,
  timings: Timings,
  usage: Schema.optional(Usage),
  finish_reason: Schema.optional(FinishReason),
  error: Schema.optional(WireError)
})
export type JobView = typeof JobView.Type

/** The data of a job's `done` event (docs/api.md#streams). */
export const DoneEvent = Schema.Struct({
  /** UTF-16 code units of the whole text */
  text_length: Count,
  tokens: Count,
  finish_reason: FinishReason,
  /** the stop string that ended it */
  stop_sequence: Schema.optional(Schema.String),
  timings: Timings,
  usage: Usage,
  /** what its tokens mean, where that is more than their text: reasoning, calls of tools */
  message: Schema.optional(AnswerMessage)
})
export type DoneEvent = typeof DoneEvent.Type

/** A stop string came in the middle of a call, which is half of one: whoever reads the answer is not to make it. */
export const isStoppedInCall = ({ message, stop_sequence }: Pick<DoneEvent, "message" | "stop_sequence">): boolean => {
  const last = message?.tool_calls?.at(-1)
  if (stop_sequence === undefined || last === undefined) return false
  try {
    JSON.parse(last.arguments)
    return false
  } catch {
    return true
  }
}
