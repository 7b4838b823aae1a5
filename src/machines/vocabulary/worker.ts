/** Workers: what a hive starts, what a worker says of itself, and how it is asked to infer. */
import * as Schema from "effect/Schema"
import { Count, KvType, Megabytes, setupFields } from "./common.ts"
import { AnswerForm } from "../dialect/answer-form.ts"
import { LearnedDialect } from "../dialect/dialect.ts"
import { ChatMessage, conversationFields } from "./conversation.ts"
import { FinishReason, measureFields, samplingFields, TokenIds, TokenLogprob, Usage } from "./job.ts"
import { Scope } from "./people/parked.ts"
import { JobId, WorkerId, DeviceId, ModelRef } from "./ids.ts"

export const WorkerState = Schema.Literal(
  "waking",
  "loading",
  "idle",
  "busy",
  "draining",
  "degraded",
  "stopping",
  "stopped",
  "failed"
)
export type WorkerState = typeof WorkerState.Type

/**
 * What it may cost to be exact: `auto` at most 5 % of the tokens a second, `always` whatever is needed, `off` nothing: it
 * is not.
 */
export const ExactWish = Schema.Literal("auto", "always", "off")
export type ExactWish = typeof ExactWish.Type

/**
 * How a worker is exact: with any number of answers in a batch, or with at most seven, three or one; or why it is not: it
 * is not to be, that would cost too much, a GPU computes, or its test found other numbers.
 */
export const ExactHow = Schema.Literal("any", "sevens", "threes", "ones", "off", "dear", "gpu", "differs")
export type ExactHow = typeof ExactHow.Type

/**
 * Whether an answer of this worker that goes on in another process is, token for token, the one that it would have
 * given. Absent: not known yet, which counts as no.
 */
export const exactFields = {
  exact: Schema.optional(Schema.Boolean),
  /** a hash of what its test computed: workers of a model with the same one compute the same */
  bits: Schema.optional(Schema.String),
  exact_how: Schema.optional(ExactHow)
} as const

export const Exactness = Schema.Struct({
  exact: Schema.Boolean,
  bits: exactFields.bits,
  exact_how: exactFields.exact_how,
  /** that it was found with: a worker with another number of them finds out anew */
  threads: Schema.optional(Count)
})
export type Exactness = typeof Exactness.Type

export const InferBeat = Schema.Struct({
  job_id: JobId,
  epoch: Count,
  /** index of the next token */
  next: Count,
  /** as in its request */
  alone: Schema.optional(Schema.Boolean)
})

/** How a worker is set up, and what of it was asked for: both serve who asks for the same. */
export const setUpFields = {
  kv_type: Schema.optional(KvType),
  asked: Schema.optional(Schema.Struct(setupFields))
} as const

/** A worker, as a hive reports it in its heartbeat. */
export const WorkerBeat = Schema.Struct({
  id: WorkerId,
  /** fresh for every process of this worker */
  instance: Schema.String,
  pid: Schema.optional(Schema.Int),
  state: WorkerState,
  /** 0…1 */
  load_progress: Schema.Number,
  port: Schema.optional(Schema.Int),
  /** where its WorkerApi is reached from the queen */
  url: Schema.optional(Schema.String),
  device: DeviceId,
  model: ModelRef,
  /** tokens a slot; 0 until loaded */
  context: Count,
  slots: Count,
  ...setUpFields,
  busy: Count,
  tokens_out: Count,
  /** processes that it took so far, less the first */
  restarts: Count,
  infers: Schema.Array(InferBeat),
  /** what the ledger holds for it */
  memory_mb: Schema.optional(Megabytes),
  /** it does not unload, neither when idle nor to make room */
  pinned: Schema.optional(Schema.Boolean),
  ...exactFields
})
export type WorkerBeat = typeof WorkerBeat.Type

export const WorkerStart = Schema.Struct({
  device: DeviceId,
  model_ref: ModelRef,
  port_hint: Schema.optional(Schema.Int),
  context: Schema.optional(Schema.Int.pipe(Schema.positive())),
  ...setupFields,
  /** `--keep-warm`: the worker does not unload when idle */
  pin: Schema.optional(Schema.Boolean),
  /** idle workers to unload as far as their memory is needed; pinned ones stay */
  evict: Schema.optional(Schema.Array(WorkerId))
})
export type WorkerStart = typeof WorkerStart.Type

/** The body of `POST /infer`. */
export const InferRequest = Schema.Struct({
  job_id: JobId,
  epoch: Count,
  prompt: Schema.optional(Schema.String),
  /** the same as tokens */
  tokens: Schema.optional(TokenIds),
  /** what comes after the answer, which fills the middle */
  suffix: Schema.optional(Schema.String),
  messages: Schema.optional(Schema.Array(ChatMessage)),
  ...conversationFields,
  ...measureFields,
  stream: Schema.optional(Schema.Boolean),
  ...samplingFields,
  /** whose it is, so that nobody's prompt is answered from what was read for another; absent: nobody's in particular */
  scope: Schema.optional(Scope),
  /** a worker died under it before it gave a token: it has no neighbours, and another such death is its own */
  alone: Schema.optional(Schema.Boolean),
  resume: Schema.optional(Schema.Struct({ token_ids: Schema.Array(Schema.Int), text: Schema.String })),
  /** how a worker that began this answer said that it is read; absent from one that is resumed: it is text */
  form: Schema.optional(AnswerForm)
})
export type InferRequest = typeof InferRequest.Type

/**
 * The worker's `done`; `tokens` are those of this infer, without resumed ones. `outgrown`: it ended because the context
 * was full, and would go on in a larger one.
 */
export const InferDone = Schema.Struct({
  tokens: Count,
  finish_reason: FinishReason,
  /** the stop string that ended it */
  stop_sequence: Schema.optional(Schema.String),
  usage: Usage,
  outgrown: Schema.optional(Schema.Struct({ context: Count, trained_context: Count }))
})
export type InferDone = typeof InferDone.Type

/** One `token` event of a worker: index from the first token of the job, text, token id; its probability, if asked for. */
export const InferToken = Schema.Struct({
  i: Count,
  t: Schema.String,
  k: Schema.Int,
  p: Schema.optional(TokenLogprob)
})

/**
 * What a worker process tells its hive on the control pipe, one JSON object a line. The pipe is also its leash: when
 * the hive's end closes, the worker exits.
 */
export const ControlMessage = Schema.Union(
  Schema.Struct({ t: Schema.Literal("bound"), port: Schema.Int, url: Schema.String }),
  /** from 0, which is told once the native runtime is there and before the file is touched */
  Schema.Struct({ t: Schema.Literal("loading"), progress: Schema.Number }),
  Schema.Struct({ t: Schema.Literal("ready"), backend: Schema.String, context: Count, slots: Count, ...exactFields }),
  /** the end of its self-test, which runs beside its first answers */
  Schema.Struct({ t: Schema.Literal("exact"), ...Exactness.fields }),
  /** how its model writes, where it was not told: learned beside its first answers */
  Schema.Struct({ t: Schema.Literal("dialect"), ...LearnedDialect.fields }),
  /** an answer began with what was parked, and did not read so many tokens */
  Schema.Struct({ t: Schema.Literal("restored"), tokens: Count }),
  /** an expected failure to load; the process exits after it */
  Schema.Struct({
    t: Schema.Literal("failed"),
    code: Schema.String,
    what: Schema.String,
    todo: Schema.String,
    /** the engine would not have the file, of which our own look at it could tell nothing */
    by: Schema.optional(Schema.Literal("engine"))
  }),
  /** once a second, from the worker's event loop, also while it decodes */
  Schema.Struct({
    t: Schema.Literal("beat"),
    busy: Count,
    tokens_out: Count,
    /** counts batches and load steps: grows whenever work moves */
    progress: Schema.Number,
    infers: Schema.Array(InferBeat)
  })
)
export type ControlMessage = typeof ControlMessage.Type
