/**
 * An actor that begins in the middle of its chart: the way there is known by heart, as is how it ends from there if
 * nothing comes between. So the chart is asked for the first time when something else happens than that, or when somebody
 * looks: most jobs are such, and to ask it takes longer than all else that they do.
 */
import type { AnyStateMachine, EmittedFrom, EventObject, InputFrom, OutputFrom } from "xstate"
import { invariant } from "../../../machines/invariant.ts"
import type { Step, Stepper } from "./chart-step.ts"

/** An activity that has ended well. */
export interface Ended {
  readonly activity: string
  readonly output: unknown
}

export interface ByHeart<M extends AnyStateMachine> {
  /** what its activities gave so far, in order; the chart's commands on that way have been performed */
  readonly past: ReadonlyArray<Ended>
  /** the one that runs from here */
  readonly now: { readonly activity: string; readonly input: unknown }
  /** What the chart commands where that one's output is this, and it ends so; undefined: the chart is to be asked. */
  readonly end: (
    output: unknown
  ) => { readonly commands: ReadonlyArray<EmittedFrom<M>>; readonly output: OutputFrom<M> } | undefined
}

export interface Retraced<M extends AnyStateMachine> {
  /** undefined: its start */
  readonly event: EventObject | undefined
  readonly step: Step<M>
}

export const done = (id: string, output: unknown): EventObject =>
  // what XState sends itself for an actor that it has invoked
  ({ type: `xstate.done.actor.${id}`, actorId: id, output }) as EventObject

const entered = <M extends AnyStateMachine>({ actions }: Step<M>, activity: string): string => {
  const found = actions.flatMap((action) => (action.kind === "enter" && action.name === activity ? [action.id] : []))
  const [id] = found
  invariant(id !== undefined, () => `the chart runs no ${activity} there`)
  return id
}

/** All steps of the way. */
export const retrace = <M extends AnyStateMachine>(
  chart: Stepper<M>,
  input: InputFrom<M> | undefined,
  { past }: ByHeart<M>
): ReadonlyArray<Retraced<M>> => {
  let step = chart.initial(input)
  const steps: Array<Retraced<M>> = [{ event: undefined, step }]
  for (const { activity, output } of past) {
    const event = done(entered(step, activity), output)
    step = chart.next(step.snapshot, event as Parameters<typeof chart.next>[1])
    steps.push({ event, step })
  }
  return steps
}

/** A chart's own, once for all its actors: an activity of one state is called the same in each. */
const ids = new WeakMap<AnyStateMachine, Map<string, string>>()

/** How the chart calls the activity that runs at the end of the way. */
export const idOf = <M extends AnyStateMachine>(machine: M, { now, past }: ByHeart<M>, last: () => Step<M>): string => {
  const way = [...past.map(({ activity }) => activity), now.activity].join(" ")
  const known = ids.get(machine) ?? new Map<string, string>()
  ids.set(machine, known)
  const id = known.get(way) ?? entered(last(), now.activity)
  known.set(way, id)
  return id
}
