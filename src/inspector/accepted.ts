/** The events that an actor can take now, by its chart; those that its own activities and timers send are left out. */
import { chartOf } from "./charts.ts"
import { activeIds } from "./format.ts"
import type { ActorState } from "./model.ts"

export const acceptedBy = ({ gone, machine, snapshot }: ActorState): ReadonlyArray<string> => {
  const chart = chartOf(machine ?? "")
  if (chart === undefined || gone !== undefined || snapshot?.status !== "active") return []
  const active = new Set(activeIds(snapshot.value))
  const events = chart.edges.flatMap(({ events, source }) =>
    active.has(source) ? events.filter((event) => event !== "" && !event.startsWith("xstate.")) : []
  )
  return [...new Set(events)].sort()
}
