/** What a response is beside its job, and is kept with it: what was asked for it, and whom it answers to. */
import * as Schema from "effect/Schema"

const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })

export const KeptResponse = Schema.Struct({
  /** the model, as it was asked for */
  model: Schema.String,
  /** it can be asked for again */
  store: Schema.Boolean,
  /** it lives on without a reader */
  background: Schema.Boolean,
  /** the response that it goes on from */
  previous: Schema.optional(Schema.String),
  /** the first of its messages is its own, and of no response that goes on from it */
  instructions: Schema.optional(Schema.String),
  /** as they were given; none where nothing is stored */
  input: Schema.Array(Json),
  /** thoughts are told as a summary */
  summary: Schema.Boolean,
  /** thoughts are given to the client in a field that it only keeps */
  sealed: Schema.Boolean,
  /** fields of the request that the response repeats */
  echo: Json
})
export type KeptResponse = typeof KeptResponse.Type
