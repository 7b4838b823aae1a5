/** Fresh identifiers. The one door to randomness for names; in simulation it is seeded. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

export class Ids extends Context.Tag("rbee/Ids")<
  Ids,
  {
    /** `{prefix}-{16 lower-case hex digits}`, for example `job-3f2a90c1d4e5b687` */
    readonly make: (prefix: string) => Effect.Effect<string>
  }
>() {}
