/** How a machine is put to sleep and woken. Implementations: `command.ts` and `magic-packet.ts`. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RbeeError } from "../../machines/errors.ts"
import type { Power } from "../../machines/vocabulary/place.ts"

/** Of a hive: its own machine. */
export class Suspend extends Context.Tag("rbee/Suspend")<
  Suspend,
  {
    /** Returns when the machine is about to sleep, or is awake again; fails where it does not. */
    readonly suspend: Effect.Effect<void, RbeeError<"INTERNAL">>
  }
>() {}

/** Of a queen: machines of her network. */
export class Wake extends Context.Tag("rbee/Wake")<
  Wake,
  {
    /** Sends the packet once. Nobody says whether it was heard. */
    readonly call: (power: Power) => Effect.Effect<void>
  }
>() {}
