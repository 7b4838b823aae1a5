/** Ids as a command line names them. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { printable } from "../../layers/terminal/index.ts"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { HiveId, JobId, WorkerId } from "../../machines/vocabulary/ids.ts"

const named =
  <A extends string>(schema: Schema.Schema<A, string>, what: string, todo: string) =>
  (text: string): Effect.Effect<A, RbeeError<"INVALID_REQUEST">> =>
    Effect.mapError(Schema.decode(schema)(text), () =>
      rbeeError("INVALID_REQUEST", `'${printable(text.slice(0, 60))}' is no ${what}`, todo, { usage: true })
    )

export const hiveNamed = named(HiveId, "name of a hive", "Letters, digits, `.`, `_`, `-`.")
export const jobNamed = named(JobId, "id of a job", "See `rbee jobs ls`")
export const workerNamed = named(WorkerId, "id of a worker", "See `rbee workers ls`")
