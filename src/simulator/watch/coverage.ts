/**
 * Which states of the charts are entered, and which transitions taken, over many seeds. A chart is pure: each step that
 * an actor took is taken here once more, with an inspector of XState's own that tells the transitions of every
 * microstep, those without an event included.
 */
import { type AnyActorScope, type AnyMachineSnapshot, type AnyStateMachine, createActor } from "xstate"
import type { Observation } from "../../actors/core/system.ts"
import type { SimProcess } from "../world/process.ts"
import { activity } from "../../machines/activity.ts"
import { childrenOf, type Node, type Transition, transitionsOf, triggerOf } from "../../machines/charts/chart-parts.ts"
import { charts } from "../../machines/charts/charts.ts"
import type { Onlooker } from "./onlooker.ts"

const below = (node: Node): ReadonlyArray<Node> => childrenOf(node).flatMap((child) => [child, ...below(child)])

/** How a transition is told from the others: where, upon what, the how manyth of those, and where to. */
const nameOf = (transition: Transition): string => {
  const source: Node = transition.source
  const alike = transitionsOf(source).filter(({ eventType }) => eventType === transition.eventType)
  const nth = alike.length > 1 ? ` (${alike.indexOf(transition) + 1} of ${alike.length})` : ""
  const to = (transition.target ?? []).map(({ id }: Node) => id).join(", ")
  return `${source.id}: ${triggerOf(source, transition) || "always"}${nth}${to === "" ? "" : ` → ${to}`}`
}

interface Known {
  readonly states: ReadonlyArray<string>
  readonly transitions: ReadonlyArray<string>
}

const everything = new Map<string, Known>(
  Object.values(charts).map(({ machine }) => {
    const nodes: ReadonlyArray<Node> = [machine.root, ...below(machine.root)]
    return [
      machine.id,
      {
        states: nodes.slice(1).map(({ id }) => id),
        transitions: nodes.flatMap((node) => transitionsOf(node).map(nameOf))
      }
    ]
  })
)

/** Takes steps of charts, and tells which transitions each took. */
class Retracer {
  private taken: Array<Transition> = []
  private readonly scope: AnyActorScope

  constructor() {
    const identity = createActor(activity(), {
      inspect: (seen) => {
        if (seen.type === "@xstate.microstep") this.taken.push(...seen._transitions)
      }
    })
    const nothing = () => undefined
    this.scope = {
      self: identity,
      id: "retracer",
      sessionId: "retracer",
      system: identity.system,
      logger: nothing,
      defer: nothing,
      stopChild: nothing,
      emit: nothing,
      actionExecutor: nothing
    }
  }

  step(
    machine: AnyStateMachine,
    before: AnyMachineSnapshot,
    event: { readonly type: string }
  ): ReadonlyArray<Transition> {
    this.taken = []
    machine.transition(before, event, this.scope)
    return this.taken
  }
}

export class Coverage implements Onlooker {
  /** state or transition → how often */
  readonly counts = new Map<string, number>()
  private readonly retracer = new Retracer()
  private readonly latest = new Map<
    string,
    { readonly machine: AnyStateMachine; readonly snapshot: AnyMachineSnapshot }
  >()

  saw(process: SimProcess, seen: Observation): void {
    const actor = `${process.name} ${seen.path}`
    if (seen.type === "started" && seen.entry.machine !== undefined)
      this.enter(actor, seen.entry.machine, undefined, seen.snapshot)
    const known = this.latest.get(actor)
    if (known === undefined) return
    if (seen.type === "snapshot") {
      for (const transition of this.retracer.step(known.machine, known.snapshot, seen.event))
        if (transition.source !== undefined) this.count(nameOf(transition))
      this.enter(actor, known.machine, known.snapshot, seen.snapshot)
    } else if (seen.type === "stopped") this.latest.delete(actor)
  }

  private enter(actor: string, machine: AnyStateMachine, before: AnyMachineSnapshot | undefined, now: unknown): void {
    // an actor with a chart publishes that chart's snapshots
    const snapshot = now as AnyMachineSnapshot
    this.latest.set(actor, { machine, snapshot })
    const were = new Set(before?._nodes)
    for (const node of snapshot._nodes) if (node.parent !== undefined && !were.has(node)) this.count(node.id)
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }
}

/** For people: how much of each chart was reached, and what was not. `counts` may be of several processes. */
export const coverageReport = (counts: Readonly<Record<string, number>>): ReadonlyArray<string> =>
  [...everything].flatMap(([chart, { states, transitions }]) => {
    const missing = (all: ReadonlyArray<string>) => all.filter((one) => counts[one] === undefined)
    const reached = (all: ReadonlyArray<string>) => `${all.length - missing(all).length} of ${all.length}`
    return [
      `${chart}: ${reached(states)} states, ${reached(transitions)} transitions`,
      ...[...missing(states), ...missing(transitions)].map((one) => `  not reached: ${one}`)
    ]
  })
