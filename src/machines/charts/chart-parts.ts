/** What a chart is made of, in the words that its drawings use. */
import type { AnyStateMachine } from "xstate"

export type Node = AnyStateMachine["root"]
export type Transition = NonNullable<Node["always"]>[number]

/** It stays inside the compound state that it belongs to. */
export const isInner = (node: Node, transition: Transition): boolean =>
  childrenOf(node).length > 0 &&
  targetsOf(transition).every(
    (target) => target === node || target.id.startsWith(`${node.id}.`) || node.parent === undefined
  )

/** An atomic state's transition without a target stays where it is. */
export const targetsOf = (transition: Transition): ReadonlyArray<Node> =>
  transition.target ?? (childrenOf(transition.source).length === 0 ? [transition.source] : [])

export const transitionsOf = (node: Node): ReadonlyArray<Transition> => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? [])
]

export const childrenOf = (node: Node): ReadonlyArray<Node> => Object.values(node.states)

export const activities = (node: Node): ReadonlyArray<string> =>
  node.invoke.map((invoke) => `do / ${source(invoke.src)}`)

/** The guard's name; undefined: there is none. */
export const guardOf = (transition: Transition): string | undefined =>
  transition.guard === undefined ? undefined : guardName(transition.guard)

/** What sets a transition off, as a reader says it: an event, `after 5 s`, `done(load)`. */
export const triggerOf = (node: Node, transition: Transition): string => {
  const type: string = transition.eventType
  const delayed = node.after.find((candidate) => candidate.eventType === type)
  if (delayed !== undefined) return `after ${delay(delayed.delay)}`
  for (const invoke of node.invoke) {
    if (type === `xstate.done.actor.${invoke.id}`) return `done(${source(invoke.src)})`
    if (type === `xstate.error.actor.${invoke.id}`) return `failed(${source(invoke.src)})`
  }
  if (type.startsWith("xstate.done.state.")) return "done"
  return type
}

const source = (src: unknown): string => (typeof src === "string" ? src : "inline")

/** 5000 is "5 s", 300000 "5 min", 1500 "1.5 s", a named delay its name. */
const delay = (value: unknown): string => {
  if (typeof value !== "number") return typeof value === "string" ? value : "a while"
  if (value < 1_000) return `${value} ms`
  if (value < 60_000 || value % 60_000 !== 0) return `${value / 1_000} s`
  return `${value / 60_000} min`
}

/** The name of a guard; XState's and, or, not carry their parts in `guards`. An inline function shows its name. */
const guardName = (guard: unknown): string => {
  if (typeof guard === "string") return guard
  if (!hasFields(guard)) return "condition"
  if (typeof guard["type"] === "string") return guard["type"]
  const functionName = typeof guard["name"] === "string" && guard["name"] !== "guard" ? guard["name"] : "condition"
  const parts: unknown = guard["guards"]
  if (!Array.isArray(parts)) return functionName
  const names = parts.map(guardName)
  return functionName === "not" ? `not ${names.join(" ")}` : `(${names.join(` ${functionName} `)})`
}

const hasFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  (typeof value === "object" && value !== null) || typeof value === "function"
