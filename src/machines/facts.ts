/**
 * The facts of errors that steer what is done next: each has its type here, which holds where it is written
 * (`rbeeError`) and is checked where it is read (`fact`), since an error may have come over the wire. What else stands in
 * `details` is for people.
 */
import * as Schema from "effect/Schema"
import { isOf } from "./formats/json/decode.ts"
import { Health } from "./vocabulary/common.ts"
import { WorkerId } from "./vocabulary/ids.ts"
import { Purpose } from "./vocabulary/model.ts"

const facts = {
  /** the HTTP status, where a code has two */
  status: Schema.Number,
  /** of a connection, a socket, a template: what exactly went wrong, in one word */
  reason: Schema.String,
  /** seconds after which the same request may be sent again */
  retry_after_s: Schema.Finite.pipe(Schema.nonNegative()),
  /** of a request: the field that is to blame, what stands for it, and what it would take */
  field: Schema.String,
  expected: Schema.Unknown,
  /** the forms of a reference, none of which it has */
  accepted: Schema.String,
  /** of the prompt and of its model, tokens */
  prompt_tokens: Schema.Number,
  /** it was refused unread: its tokens are as many at least */
  prompt_bytes: Schema.Number,
  context: Schema.Number,
  trained_context: Schema.Number,
  /** what a model is for that was asked for something else */
  purpose: Purpose,
  /** that nobody serves */
  path: Schema.String,
  /** of a command line: it was called wrongly */
  usage: Schema.Boolean,
  /** of a host key that was never seen: `SHA256:…` */
  fingerprint: Schema.String,
  /** a key file that needs its passphrase */
  locked: Schema.String,

  /** of a hive of another version: which */
  hive_version: Schema.String,
  /** trying again is no use: of a download, of a hive */
  permanent: Schema.Boolean,
  /** of a hub: it answered so, was not reached at all, or said nothing; milliseconds until it wants to be asked again */
  http_status: Schema.Number,
  unreachable: Schema.Boolean,
  silent: Schema.Boolean,
  retry_after_ms: Schema.Number,

  /** what a place had to give, and could give if others went, MB; the longest context with room, tokens */
  required_mb: Schema.Number,
  needed_mb: Schema.Number,
  available_mb: Schema.Number,
  most_mb: Schema.Number,
  context_max: Schema.Number,
  /** the device is out of service */
  degraded: Schema.Boolean,
  /** the file is not tried on this device any more */
  quarantined: Schema.Boolean,
  /** that was started, and did not come up */
  worker_id: WorkerId,
  /** how often it was tried, and what it said last */
  attempts: Schema.Number,
  last_words: Schema.String,
  /** who would not have the file */
  by: Schema.Literal("engine"),

  /** the queen that a hive belongs to; of a port that is taken, the program that has it */
  owner: Schema.Union(
    Schema.Struct({ id: Schema.String, name: Schema.String, epoch: Schema.Number, url: Schema.String }),
    Schema.String
  ),
  /** of a daemon of another version */
  health: Health
} as const

export type FactName = keyof typeof facts
export type Fact<Name extends FactName> = Schema.Schema.Type<(typeof facts)[Name]>

/** What may be written as the details of an error: these facts by their types, and whatever people may want to know. */
export type GivenDetails = Readonly<Record<string, unknown>> & {
  readonly [Name in FactName]?: Fact<Name> | undefined
}

type Check = { readonly [Name in FactName]: (value: unknown) => value is Fact<Name> }
// each guard is of its own schema: the types of the entries are lost on the way through `fromEntries`
const checks = Object.fromEntries(
  Object.entries(facts).map(([name, schema]) => [name, isOf(Schema.make<unknown>(schema.ast))])
) as Check

/** A fact of an error; undefined: it has none, or one of another type, which no program of ours wrote. */
export const fact = <Name extends FactName>(
  error: { readonly details: Readonly<Record<string, unknown>> },
  name: Name
): Fact<Name> | undefined => {
  const value = error.details[name]
  const check: (value: unknown) => value is Fact<Name> = checks[name]
  return check(value) ? value : undefined
}
