/** `rbee simulate`: the simulator, a program of its own beside the daemons, in a process of its own. */
import { spawnSync } from "node:child_process"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { Context } from "../spec.ts"

/** most objects of a run die young: a larger nursery spares copying them */
const nursery = "--max-semi-space-size=64"

/** Its exit code; `args` are those of src/main/simulate.ts. */
export const simulate = (args: ReadonlyArray<string>, { programs }: Context): Effect.Effect<number> =>
  Effect.sync(() => {
    const { signal, status } = spawnSync(process.execPath, [nursery, join(programs, "simulate.mjs"), ...args], {
      stdio: "inherit"
    })
    return signal === "SIGINT" ? 130 : (status ?? 1)
  })
