/** One pure step of a chart: the next snapshot, and what the chart wants done, as data. */
import {
  type AnyActorScope,
  type AnyStateMachine,
  type EventObject,
  type EventFromLogic,
  type InputFrom,
  type SnapshotFrom,
  createActor
} from "xstate"
import { activity } from "../../../machines/activity.ts"

export type ChartAction =
  | { readonly kind: "timer"; readonly id: string | undefined; readonly delayMs: number; readonly event: EventObject }
  | { readonly kind: "cancel"; readonly id: string }
  | { readonly kind: "enter"; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly kind: "leave"; readonly id: string }
  | { readonly kind: "command"; readonly event: EventObject }
  | { readonly kind: "impure"; readonly type: string }

export interface Step<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>
  readonly actions: ReadonlyArray<ChartAction>
  /** `error`: a throw in the initial step, or a failed activity for which the chart has no `onError`. */
  readonly status: "active" | "done" | "error" | "stopped"
  readonly output: unknown
  readonly error: unknown
}

export interface Stepper<M extends AnyStateMachine> {
  readonly initial: (input: InputFrom<M> | undefined) => Step<M>
  readonly next: (snapshot: SnapshotFrom<M>, event: EventFromLogic<M>) => Step<M>
}

/** One scope is reused for all steps: XState's own `transition()` builds an actor system per call and is 4 × slower. */
export const stepper = <M extends AnyStateMachine>(machine: M, path: string): Stepper<M> => {
  let actions: Array<ChartAction> = []
  // Never started: XState wants an identity for `self` and the parent of invoked children, nothing more.
  const identity = createActor(activity())
  const scope: AnyActorScope = {
    self: identity,
    id: path,
    sessionId: path,
    system: identity.system,
    logger: nothing,
    defer: nothing,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: ({ type, params }) => {
      const action = toAction(type, params)
      if (action !== undefined) actions.push(action)
    }
  }
  const step = (next: () => SnapshotFrom<AnyStateMachine>): Step<M> => {
    actions = []
    const snapshot = next()
    const { status, output, error } = snapshot
    // Seen through AnyStateMachine the snapshot has lost the chart's own types; M gives them back.
    return { snapshot: snapshot as SnapshotFrom<M>, actions, status, output, error }
  }
  return {
    initial: (input) => step(() => machine.getInitialSnapshot(scope, input)),
    next: (snapshot, event) => step(() => machine.transition(snapshot, event, scope))
  }
}

const nothing = () => {}

const toAction = (type: string, params: unknown): ChartAction | undefined => {
  const { id, sendId, delay, event, src, input, actorRef } = fields(params)
  switch (type) {
    case "xstate.raise":
      // Without a delay it was applied inside this very step.
      return typeof delay !== "number"
        ? undefined
        : isEvent(event)
          ? { kind: "timer", id: typeof id === "string" ? id : undefined, delayMs: delay, event }
          : { kind: "impure", type }
    case "xstate.cancel":
      return typeof sendId === "string" ? { kind: "cancel", id: sendId } : undefined
    case "xstate.spawnChild":
      return typeof id === "string" && typeof src === "string" && actorRef !== undefined
        ? { kind: "enter", id, name: src, input }
        : { kind: "impure", type: `${type}(${typeof src === "string" ? src : "inline"})` }
    case "xstate.stopChild":
      return typeof id === "string" ? { kind: "leave", id } : undefined
    case "xstate.emit":
      return isEvent(event) ? { kind: "command", event } : { kind: "impure", type }
    default:
      return { kind: "impure", type }
  }
}

const fields = (params: unknown): Readonly<Record<string, unknown>> =>
  // Any object can be read by name; the values stay unknown and are checked where they are used.
  typeof params === "object" && params !== null ? (params as Readonly<Record<string, unknown>>) : {}

const isEvent = (value: unknown): value is EventObject => typeof fields(value)["type"] === "string"
