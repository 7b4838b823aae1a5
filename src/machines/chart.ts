/** Draws a chart as a Mermaid `stateDiagram-v2`. Same chart, same text: the documentation is compared with it. */
import type { AnyStateMachine } from "xstate"

type Node = AnyStateMachine["root"]
type Transition = NonNullable<Node["always"]>[number]

/**
 * Every state, its lifecycle tags, its activities (`do / name`) and every transition with its guard in brackets.
 * Transitions of a compound state to itself or into itself start at a state named "anywhere" inside it, because
 * Mermaid cannot draw an edge from a box into that box.
 */
export const toMermaid = (machine: AnyStateMachine): string =>
  ["stateDiagram-v2", ...inside(machine.root).map((line) => `  ${line}`)].join("\n") + "\n"

const inside = (parent: Node): ReadonlyArray<string> => {
  const children = childrenOf(parent)
  const drawn = children.map(state)
  const states =
    parent.type === "parallel" ? drawn.flatMap((lines, i) => (i === 0 ? lines : ["--", ...lines])) : drawn.flat()
  return [...start(parent), ...states, ...children.flatMap(edges), ...anywhere(parent)]
}

const start = (parent: Node): ReadonlyArray<string> =>
  parent.type === "compound" ? parent.initial.target.map((first: Node) => `[*] --> ${name(first)}`) : []

const state = (node: Node): ReadonlyArray<string> => {
  const title = `state "${clean(node.key)}" as ${name(node)}`
  if (childrenOf(node).length > 0) {
    return [`${title} {`, ...inside(node).map((line) => `  ${line}`), "}"]
  }
  if (node.type === "history") return [`state "${node.history === "deep" ? "H*" : "H"}" as ${name(node)}`]
  return [title, ...notes(node).map((note) => `${name(node)}: ${clean(note)}`)]
}

/** Tags that say more than the state's own name, and what it does while it is entered. */
const notes = (node: Node): ReadonlyArray<string> => [
  ...node.tags.filter((tag) => tag !== node.key).map((tag) => `«${tag}»`),
  ...activities(node)
]

const activities = (node: Node): ReadonlyArray<string> => node.invoke.map((invoke) => `do / ${source(invoke.src)}`)

const edges = (node: Node): ReadonlyArray<string> => [
  ...transitionsOf(node).flatMap((transition) =>
    isInner(node, transition) ? [] : targetsOf(transition).map((target) => edge(name(node), target, node, transition))
  ),
  ...(node.type === "final" ? [`${name(node)} --> [*]`] : [])
]

/** The transitions of a compound state that stay inside it. */
const anywhere = (parent: Node): ReadonlyArray<string> => {
  const from = `${name(parent)}_anywhere`
  const inner = transitionsOf(parent)
    .filter((transition) => isInner(parent, transition))
    .flatMap((transition) => {
      const targets = targetsOf(transition)
      if (targets.length === 0) return [`${from} --> ${from}: ${label(parent, transition)}`]
      return targets.map((target) => edge(from, target, parent, transition))
    })
  const does = activities(parent)
  if (inner.length === 0 && does.length === 0) return []
  // Regions of a parallel state are separated; this is one more of them.
  const title = [...(parent.type === "parallel" ? ["--"] : []), `state "anywhere" as ${from}`]
  return [...title, ...does.map((what) => `${from}: ${clean(what)}`), ...inner]
}

const edge = (from: string, target: Node, node: Node, transition: Transition): string => {
  const text = label(node, transition)
  return `${from} --> ${name(target)}${text === "" ? "" : `: ${text}`}`
}

const isInner = (node: Node, transition: Transition): boolean =>
  childrenOf(node).length > 0 &&
  targetsOf(transition).every(
    (target) => target === node || target.id.startsWith(`${node.id}.`) || node.parent === undefined
  )

/** An atomic state's transition without a target stays where it is. */
const targetsOf = (transition: Transition): ReadonlyArray<Node> =>
  transition.target ?? (childrenOf(transition.source).length === 0 ? [transition.source] : [])

const transitionsOf = (node: Node): ReadonlyArray<Transition> => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? [])
]

const childrenOf = (node: Node): ReadonlyArray<Node> => Object.values(node.states)

const label = (node: Node, transition: Transition): string => {
  const guard = transition.guard === undefined ? "" : `[${guardName(transition.guard)}]`
  return clean([trigger(node, transition), guard].filter((part) => part !== "").join(" "))
}

const trigger = (node: Node, transition: Transition): string => {
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
  if (!isRecord(guard)) return "condition"
  if (typeof guard["type"] === "string") return guard["type"]
  const functionName = typeof guard["name"] === "string" && guard["name"] !== "guard" ? guard["name"] : "condition"
  const parts: unknown = guard["guards"]
  if (!Array.isArray(parts)) return functionName
  const names = parts.map(guardName)
  return functionName === "not" ? `not ${names.join(" ")}` : `(${names.join(` ${functionName} `)})`
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  (typeof value === "object" && value !== null) || typeof value === "function"

/** Unique: ids of state nodes are paths. Words that Mermaid keeps for itself never stand alone, the root comes first. */
const name = (node: Node): string => node.id.replaceAll(/[^A-Za-z0-9]/g, "_")

/** Mermaid ends a label at these. */
const clean = (text: string): string => text.replaceAll(/[:;#"\n]/g, " ").trim()
