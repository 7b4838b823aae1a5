/** Draws a chart as a Mermaid `stateDiagram-v2`. Same chart, same text: the documentation is compared with it. */
import type { AnyStateMachine } from "xstate"
import {
  activities,
  childrenOf,
  guardOf,
  isInner,
  type Node,
  targetsOf,
  transitionsOf,
  type Transition,
  triggerOf
} from "./chart-parts.ts"

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

const label = (node: Node, transition: Transition): string => {
  const guard = guardOf(transition)
  return clean(
    [triggerOf(node, transition), guard === undefined ? "" : `[${guard}]`].filter((part) => part !== "").join(" ")
  )
}

/** Unique: ids of state nodes are paths. Words that Mermaid keeps for itself never stand alone, the root comes first. */
const name = (node: Node): string => node.id.replaceAll(/[^A-Za-z0-9]/g, "_")

/** Mermaid ends a label at these. */
const clean = (text: string): string => text.replaceAll(/[:;#"\n]/g, " ").trim()
