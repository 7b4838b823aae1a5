/** Where a job would rather run: it is tried first, and gives way with a reason. */
import * as Effect from "effect/Effect"
import type { RbeeError } from "../../../machines/errors.ts"
import type { Placed, PlaceInput } from "../../../machines/job.ts"
import { preferenceGivesWay } from "../../../machines/narration.ts"
import { decide, type PlacementRequest } from "../../../machines/policy/placement/placement.ts"
import type { HiveId } from "../../../machines/vocabulary/ids.ts"
import type { ClusterView } from "../cluster/cluster-view.ts"
import type { JobLog } from "../log/job-log.ts"
import { placementRequestOf, type Preference, preferenceOf } from "./job-request.ts"

/** milliseconds */
const leftAloneFor = 60_000

/** Hives that could not be woken: who only prefers them does not wait for that each time. */
export class OutOfReach {
  private readonly until = new Map<HiveId, number>()
  private readonly view: ClusterView

  constructor(view: ClusterView) {
    this.view = view
  }

  has({ hive }: Preference): boolean {
    return hive !== undefined && (this.until.get(hive) ?? 0) > this.view.now() && this.isFailed(hive)
  }

  note({ hive }: Preference): void {
    if (hive !== undefined && this.isFailed(hive)) this.until.set(hive, this.view.now() + leftAloneFor)
  }

  private isFailed(hive: HiveId): boolean {
    return this.view.hive(hive)?.state === "failed"
  }
}

interface World {
  readonly view: ClusterView
  readonly outOfReach: OutOfReach
  readonly place: (request: PlacementRequest) => (input: PlaceInput) => Effect.Effect<Placed, RbeeError>
}

export interface Preferring {
  /** undefined: there is none, or it has given way */
  readonly now: () => Preference | undefined
  /** Gives way where the job would have to wait for a slot there, and not elsewhere. */
  readonly admit: (input: Pick<PlaceInput, "alone" | "needs">) => void
  /** A place there; or another one is to be looked for (`full`), as if none were preferred. */
  readonly find: (input: PlaceInput, otherwise: Effect.Effect<Placed, RbeeError>) => Effect.Effect<Placed, RbeeError>
}

export const preferring = ({ outOfReach, place, view }: World, log: JobLog): Preferring => {
  let wish = preferenceOf(log.request)
  const giveWay = (to: Preference, why: string): Placed => {
    wish = undefined
    log.narrate(preferenceGivesWay(to, why))
    return { kind: "full" }
  }
  const requestThere = ({ alone, needs }: Pick<PlaceInput, "alone" | "needs">) =>
    placementRequestOf(log, alone, needs, wish)
  return {
    now: () => wish,
    admit: (input) => {
      if (wish === undefined) return
      const anywhere = placementRequestOf(log, input.alone, input.needs)
      if (decide(requestThere(input), view.fleet).kind === "full" && decide(anywhere, view.fleet).kind === "resident")
        giveWay(wish, "all slots there are busy")
    },
    find: (input, otherwise) =>
      Effect.suspend(() => {
        const to = wish
        if (to === undefined) return otherwise
        if (outOfReach.has(to)) return Effect.succeed(giveWay(to, "it could not be reached a moment ago"))
        return Effect.catchAll(place(requestThere(input))(input), (error) =>
          Effect.sync(() => {
            outOfReach.note(to)
            return giveWay(to, error.what)
          })
        )
      })
  }
}
