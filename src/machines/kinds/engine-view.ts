/** An engine of a machine, as `rbee engines` shows it. */
import * as Schema from "effect/Schema"
import { Backend } from "../vocabulary/device.ts"
import { KindId } from "../vocabulary/kind.ts"

export const EngineView = Schema.Struct({
  engine: KindId,
  /** `absent`: it is not on this machine; `broken`: it is, and cannot be used */
  state: Schema.Literal("ready", "absent", "broken"),
  version: Schema.optional(Schema.String),
  /** where it comes from: with rbee, named by the configuration, built by `rbee engines install`, found on the path */
  origin: Schema.optional(Schema.Literal("rbee", "configuration", "installed", "path")),
  program: Schema.optional(Schema.String),
  /** devices that it serves */
  backends: Schema.Array(Backend),
  /** why it cannot be used */
  reason: Schema.optional(Schema.String),
  /** it can be shown images */
  images: Schema.Boolean,
  /** how answers go on that another worker began: greedy ones, and those that are drawn or held to a form */
  resume: Schema.Struct({ greedy: Schema.Literal("ids", "text", "none"), drawn: Schema.Literal("ids", "text", "none") })
})
export type EngineView = typeof EngineView.Type
