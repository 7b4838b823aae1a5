/** What must never be: said where it would first be noticed, and checked there. */

/** Dies with `what` where it does not hold: that is a bug of ours and no failure, and its supervisor starts anew. */
export function invariant(holds: boolean, what: string | (() => string)): asserts holds {
  if (!holds) throw new Error(`this must never be: ${typeof what === "string" ? what : what()}`)
}
