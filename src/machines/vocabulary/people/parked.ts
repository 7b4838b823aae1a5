/** What hives keep of conversations, so that their next turn need not be read again. */
import * as Schema from "effect/Schema"
import { Count, Megabytes } from "../common.ts"
import { HiveId } from "../ids.ts"

/** An account, told to workers and hives as digits of a hash: they need not know whose it is. */
export const Scope = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{16}$/))

/** Of whom; absent: of all. */
export const ofScope = Schema.Struct({ scope: Schema.optional(Scope) })

const held = { files: Count, mb: Megabytes }

/** What was deleted. */
export const Cleared = Schema.Struct(held)

export const Parked = Schema.Struct({
  ...held,
  /** answers that began with it since the hive was started, and tokens that they did not read again */
  answers: Count,
  tokens: Count
})

export const HiveCleared = Schema.Struct({ hive: HiveId, ...Cleared.fields })
export type HiveCleared = typeof HiveCleared.Type
export const HiveParked = Schema.Struct({ hive: HiveId, ...Parked.fields })
export type HiveParked = typeof HiveParked.Type
