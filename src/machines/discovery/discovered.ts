/** What `rbee hives discover` prints: machines that could be added, each with where it was seen. */
import * as Schema from "effect/Schema"
import { Count } from "../vocabulary/common.ts"
import { HiveId } from "../vocabulary/ids.ts"

const Seen = Schema.Literal("ssh configuration", "LAN", "known hosts")
export type Seen = typeof Seen.Type

const Machine = Schema.Struct({
  name: Schema.String,
  address: Schema.optional(Schema.String),
  /** of its sshd, where that is not 22 */
  port: Schema.optional(Schema.Int),
  /** of its network card: what can wake it */
  mac: Schema.optional(Schema.String),
  found_in: Schema.Array(Seen),
  /** it is this hive already */
  hive: Schema.optional(HiveId),
  /** why it cannot be added as it is */
  problem: Schema.optional(Schema.String),
  /** what is typed next; absent: nothing is to be, or nothing would do */
  add: Schema.optional(Schema.String)
})
export type Machine = typeof Machine.Type

export const Discovered = Schema.Struct({
  machines: Schema.Array(Machine),
  /** names of known hosts that are hashed: they can be compared and not be read */
  hashed: Count,
  /** why the local network could not be asked */
  lan_problem: Schema.optional(Schema.String)
})
export type Discovered = typeof Discovered.Type
