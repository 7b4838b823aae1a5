/** The shortest history that still breaks the same invariant: fewer faults, then fewer jobs (ddmin). */
import type { Plan } from "./plan.ts"
import { runPlan } from "./run.ts"

const runsMax = 200

/** The smallest part of `items`, found by halves, that `fails`. */
const ddmin = <A>(items: ReadonlyArray<A>, fails: (part: ReadonlyArray<A>) => boolean): ReadonlyArray<A> => {
  let current = items
  let parts = 2
  while (current.length > 0) {
    const size = Math.ceil(current.length / parts)
    let next: ReadonlyArray<A> | undefined
    for (let at = 0; at < current.length && next === undefined; at += size) {
      const without = [...current.slice(0, at), ...current.slice(at + size)]
      if (fails(without)) next = without
    }
    if (next !== undefined) {
      current = next
      parts = Math.max(2, parts - 1)
    } else if (size === 1) return current
    else parts = Math.min(current.length, parts * 2)
  }
  return current
}

export const shrink = (plan: Plan, invariant: string): { readonly plan: Plan; readonly runs: number } => {
  let runs = 0
  const fails = (candidate: Plan): boolean => runs++ < runsMax && runPlan(candidate).broken?.invariant === invariant
  const faults = ddmin(plan.faults, (part) => fails({ ...plan, faults: part }))
  const jobs = ddmin(plan.jobs, (part) => part.length > 0 && fails({ ...plan, faults, jobs: part }))
  return { plan: { ...plan, faults, jobs }, runs }
}
