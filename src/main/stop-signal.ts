/** How every daemon is asked to end. */
import * as Effect from "effect/Effect"

/** Completes at the first SIGTERM or SIGINT; from its start on SIGHUP, a closed terminal, is nobody's business. */
export const stopSignal: Effect.Effect<void> = Effect.async((resume) => {
  process.on("SIGHUP", () => {})
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resume(Effect.void))
})
