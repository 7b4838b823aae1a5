/** A chart as a graph of nested states, ready to be laid out: what `/inspect/machines` is made of. */
import type { AnyStateMachine } from "xstate"
import { activities, childrenOf, guardOf, type Node, targetsOf, transitionsOf, triggerOf } from "./chart-parts.ts"

export interface ChartState {
  /** path from the root, as in a snapshot: `healthy.idle`; the root's is empty */
  readonly id: string
  readonly key: string
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history"
  /** lifecycle words */
  readonly tags: ReadonlyArray<string>
  /** `do / load` */
  readonly activities: ReadonlyArray<string>
  /** the state that it begins in */
  readonly initial: string | undefined
  readonly states: ReadonlyArray<ChartState>
}

export interface ChartEdge {
  readonly id: string
  readonly source: string
  readonly target: string
  /** types of the events that lead this way, as actors report them */
  readonly events: ReadonlyArray<string>
  /** the same for a reader, with guards, a line each */
  readonly label: string
}

export interface ChartGraph {
  readonly id: string
  readonly root: ChartState
  readonly edges: ReadonlyArray<ChartEdge>
}

export const toGraph = (machine: AnyStateMachine): ChartGraph => ({
  id: machine.id,
  root: stateOf(machine.root),
  edges: merged(waysOf(machine.root))
})

const idOf = (node: Node): string => node.path.join(".")

const stateOf = (node: Node): ChartState => ({
  id: idOf(node),
  key: node.key,
  kind: node.type,
  tags: [...node.tags],
  activities: activities(node),
  initial: node.type === "compound" ? node.initial.target.map(idOf)[0] : undefined,
  states: childrenOf(node).map(stateOf)
})

interface Way {
  readonly source: string
  readonly target: string
  readonly event: string
  readonly label: string
}

/** A transition that only acts, without leaving its state, is no line between states. */
const waysOf = (node: Node): ReadonlyArray<Way> => [
  ...transitionsOf(node).flatMap((transition) =>
    transition.target === undefined
      ? []
      : targetsOf(transition).map((target) => {
          const guard = guardOf(transition)
          const shown = guard === undefined ? "" : `[${guard}]`
          const label = [triggerOf(node, transition), shown].filter((part) => part !== "").join(" ")
          const event: string = transition.eventType
          return { source: idOf(node), target: idOf(target), event, label }
        })
  ),
  ...childrenOf(node).flatMap(waysOf)
]

/** All ways from one state to another are one line. */
const merged = (ways: ReadonlyArray<Way>): ReadonlyArray<ChartEdge> => {
  const lines = new Map<string, ChartEdge>()
  for (const { event, label, source, target } of ways) {
    const id = `${source}>${target}`
    const known = lines.get(id)
    const labels = new Set([...(known?.label.split("\n") ?? []), label].filter((text) => text !== ""))
    const events = new Set([...(known?.events ?? []), event])
    lines.set(id, { id, source, target, events: [...events], label: [...labels].join("\n") })
  }
  return [...lines.values()]
}
