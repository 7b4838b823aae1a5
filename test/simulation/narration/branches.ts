/**
 * The branches of the flow (docs/design.md#the-flow): every state in which `rbee infer` can find the cluster, and how
 * the run goes on.
 */

export interface Branch {
  readonly queen: "asleep" | "awake"
  /** unknown: not in the queen's catalog; asleep: known, and does not run; stale: its capabilities are to be asked again */
  readonly hive: "unknown" | "asleep" | "fresh" | "stale"
  /** resident: a worker has the model loaded, so that steps 5 to 8 are skipped */
  readonly worker: "resident" | "none"
  readonly model: "present" | "missing"
  readonly runtime: "present" | "missing"
  /** the first device with room, from the strongest; none: the CPU would have room and is not allowed */
  readonly capacity: "GPU1" | "GPU0" | "CPU" | "none"
  /** how the worker starts there: at once, at its second try, or never, so that its device is degraded */
  readonly boots: "at once" | "at the second try" | "never"
  readonly answer: "streamed" | "whole"
  readonly session: "warm" | "cold"
}

/** A worker that is there needs no more decisions; where there is no room none is made about it. */
const isPossible = ({ boots, capacity, hive, model, runtime, worker }: Branch): boolean => {
  const isSettled = boots === "at once" && model === "present" && runtime === "present"
  if (worker === "resident") return (hive === "fresh" || hive === "stale") && capacity === "GPU1" && isSettled
  return capacity !== "none" || (boots === "at once" && runtime === "present")
}

function* all(): Generator<Branch> {
  for (const queen of ["asleep", "awake"] as const)
    for (const hive of ["unknown", "asleep", "fresh", "stale"] as const)
      for (const worker of ["resident", "none"] as const)
        for (const model of ["present", "missing"] as const)
          for (const runtime of ["present", "missing"] as const)
            for (const capacity of ["GPU1", "GPU0", "CPU", "none"] as const)
              for (const boots of ["at once", "at the second try", "never"] as const)
                for (const answer of ["streamed", "whole"] as const)
                  for (const session of ["warm", "cold"] as const)
                    yield { queen, hive, worker, model, runtime, capacity, boots, answer, session }
}

export const branches: ReadonlyArray<Branch> = [...all()].filter(isPossible)

export const nameOf = (branch: Branch): string => Object.values(branch).join(" · ")

/** So many that every two decisions meet in every way in which they can: what one does to another is seen. */
export const pairwise: ReadonlyArray<Branch> = (() => {
  const pairsOf = (branch: Branch): ReadonlyArray<string> => {
    const decisions = Object.entries(branch).map(([dimension, value]) => `${dimension} ${value}`)
    return decisions.flatMap((left, i) => decisions.slice(i + 1).map((right) => `${left}, ${right}`))
  }
  const open = new Set(branches.flatMap(pairsOf))
  const chosen: Array<Branch> = []
  while (open.size > 0) {
    const gains = branches.map((branch) => pairsOf(branch).filter((pair) => open.has(pair)).length)
    const best = branches[gains.indexOf(Math.max(...gains))]
    if (best === undefined) break
    chosen.push(best)
    for (const pair of pairsOf(best)) open.delete(pair)
  }
  return chosen
})()
