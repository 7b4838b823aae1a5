/** What streams carry: the data of each event, by its name. */
import * as Schema from "effect/Schema"
import { Narration } from "../machines/narration.ts"
import { AnswerForm } from "../machines/dialect/answer-form.ts"
import { Count } from "../machines/vocabulary/common.ts"
import { InspectRecord } from "../machines/vocabulary/inspect.ts"
import { DoneEvent, TokenLogprob, WireError } from "../machines/vocabulary/job.ts"
import { ProgressEvent } from "../machines/vocabulary/model.ts"
import { InferDone, InferToken } from "../machines/vocabulary/worker.ts"

const nothing = Schema.Struct({})
const StateChange = Schema.Struct({
  machine: Schema.String,
  id: Schema.String,
  from: Schema.String,
  to: Schema.String
})

/** A job's durable sequence, which ends with one of `done`, `error`, `cancelled`. */
export const ofJob = {
  narration: Narration,
  state: StateChange,
  progress: ProgressEvent,
  token: Schema.Struct({ i: Count, t: Schema.String }),
  /** before its token, where the job asks for it */
  logprobs: Schema.Struct({ i: Count, ...TokenLogprob.fields }),
  failover: Schema.Struct({
    tokens: Count,
    from: Schema.String,
    to: Schema.String,
    resampled: Schema.optional(Schema.Literal(true)),
    continued: Schema.optional(Schema.Literal(true))
  }),
  done: DoneEvent,
  error: WireError,
  cancelled: nothing
}

/** What no job waits for; `gap`: the ids that a reader missed. */
export const ofCluster = {
  narration: Narration,
  state: StateChange,
  gap: Schema.Struct({ from: Schema.optional(Schema.String), to: Schema.String })
}

/** What every actor does; prompts and texts only if they were asked for. */
export const ofActors = { message: InspectRecord }

const Failure = Schema.Struct({
  ...WireError.fields,
  attempts: Schema.optional(Count),
  last_words: Schema.optional(Schema.String)
})

/** Something that takes its time (a download, an installation, a start), and its end: `ready` or `failed`. */
export const untilReady = <Ready extends Schema.Schema.AnyNoContext>(ready: Ready) => ({
  narration: Narration,
  progress: ProgressEvent,
  ready,
  failed: Failure
})

/** One answer of a worker: its prompt's tokens; how it is read, where it is not plain text; tokens; then one of `done`, `error`, `cancelled`. */
export const ofInfer = {
  prompt: Schema.Struct({ tokens: Count }),
  form: AnswerForm,
  token: InferToken,
  done: InferDone,
  error: WireError,
  cancelled: nothing
}

/** rbee is put on another machine. */
export const ofInstallation = {
  narration: Narration,
  done: Schema.Struct({ version: Schema.String, changed: Schema.Boolean }),
  error: WireError
}
