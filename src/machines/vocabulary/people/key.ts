/** Keys of people (docs/sharing.md#a-key-for-each-person): what is asked for, and what is told of one. Never the key itself, but once. */
import * as Schema from "effect/Schema"
import { EpochMs } from "../common.ts"
import { Id } from "../ids.ts"

export const KeyName = Id.pipe(Schema.brand("KeyName"))
export type KeyName = typeof KeyName.Type

/** *infer*: ask models. *manage*: hives, models, workers, the daemons, keys. *observe*: what others do. */
export const KeyScope = Schema.Literal("infer", "manage", "observe")
export type KeyScope = typeof KeyScope.Type

/** what a key weighs where nothing is said: twice the weight, twice the device-seconds under load */
export const usualWeight = 1

const atLeastOne = Schema.Int.pipe(Schema.between(1, Number.MAX_SAFE_INTEGER))

/** What it may have; what is absent is not limited. */
export const KeyLimits = Schema.Struct({
  /** models that it may ask, by whatever name they are asked for */
  models: Schema.optional(Schema.NonEmptyArray(Schema.String)),
  /** of prompts and answers, in a local day of the queen's */
  tokens_per_day: Schema.optional(atLeastOne),
  /** jobs at once, those that wait among them */
  concurrent: Schema.optional(atLeastOne),
  expires_at: Schema.optional(EpochMs)
})
export type KeyLimits = typeof KeyLimits.Type

const Weight = Schema.Number.pipe(Schema.between(0.01, 1000))

/** absent: *infer* alone, and of the usual weight */
export const KeyRequest = Schema.Struct({
  name: KeyName,
  scopes: Schema.optional(Schema.NonEmptyArray(KeyScope)),
  weight: Schema.optional(Weight),
  ...KeyLimits.fields
})
export type KeyRequest = typeof KeyRequest.Type

export const KeyView = Schema.Struct({
  name: KeyName,
  scopes: Schema.Array(KeyScope),
  weight: Weight,
  ...KeyLimits.fields,
  created_at: EpochMs,
  /** by what right it was made */
  created_by: Schema.String,
  revoked_at: Schema.optional(EpochMs)
})
export type KeyView = typeof KeyView.Type

/** The one time that the key itself is told. */
export const KeyMade = Schema.Struct({ key: Schema.String, ...KeyView.fields })
export type KeyMade = typeof KeyMade.Type
