/** The decisions of a supervisor, without their effects. */
import type * as Cause from "effect/Cause"
import type { Bound } from "./child.ts"

export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"

/** `any_significant`: the first significant child that ends by itself ends the supervisor; `all_`: the last one. */
export type AutoShutdown = "never" | "any_significant" | "all_significant"

/** Who stops and starts again with a dead child, itself included, in start order. */
export const affected = <C>(strategy: Strategy, children: ReadonlyArray<C>, dead: C): ReadonlyArray<C> => {
  switch (strategy) {
    case "one_for_one":
      return [dead]
    case "rest_for_one":
      return children.slice(children.indexOf(dead))
    case "one_for_all":
      return children
  }
}

/** Whether a child that ended by itself comes back. */
export const comesBack = (spec: Bound, reason: "normal" | "killed" | Cause.Cause<unknown>): boolean => {
  switch (spec.restart ?? "permanent") {
    case "permanent":
      return true
    case "transient":
      return reason !== "normal"
    case "temporary":
      return false
  }
}

/** Whether the end of `gone`, which does not come back, ends the supervisor. `left` are its living siblings. */
export const endsSupervisor = (autoShutdown: AutoShutdown, gone: Bound, left: ReadonlyArray<Bound>): boolean =>
  gone.significant === true &&
  (autoShutdown === "any_significant" ||
    (autoShutdown === "all_significant" && !left.some((spec) => spec.significant === true)))

/** What is wrong with a specification, as OTP checks it; such a mistake is a defect. */
export const mistake = (autoShutdown: AutoShutdown, spec: Bound): string | undefined => {
  if (spec.significant !== true) return undefined
  if ((spec.restart ?? "permanent") === "permanent") return `${spec.id}: a permanent child cannot be significant`
  if (autoShutdown === "never") return `${spec.id}: significant without autoShutdown`
  return undefined
}
