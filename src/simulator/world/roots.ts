/**
 * Effect keeps every fiber that was forked at the top of a program in a set of its own until it ends. Those of a killed
 * process never end (a kill runs no finalizer), so a run lets go of what it has left there: a long batch would
 * otherwise hold every cluster that it ever simulated.
 */
import { globalValue } from "effect/GlobalValue"

/** Effect's own set, under the name that its FiberScope registers it by (effect 3.22). */
const roots = () =>
  globalValue(Symbol.for("effect/FiberScope/Global"), (): { readonly roots: Set<unknown> } => ({ roots: new Set() }))
    .roots

/** Call it when a run begins; what it returns, when the run is over. */
export const holdRoots = (): (() => void) => {
  const before = new Set(roots())
  return () => {
    for (const fiber of roots()) if (!before.has(fiber)) roots().delete(fiber)
  }
}
