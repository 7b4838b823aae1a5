/** Regular expressions, and the automaton of the texts that one describes. */
import { atoms, type Automaton, Numbers, type State, statesMax, TooLarge, trimmed } from "./automaton.ts"
import type { Ranges } from "./ranges.ts"

export type Expression =
  | { readonly _tag: "Set"; readonly ranges: Ranges }
  | { readonly _tag: "Sequence"; readonly parts: ReadonlyArray<Expression> }
  | { readonly _tag: "Choice"; readonly parts: ReadonlyArray<Expression> }
  | { readonly _tag: "Repeat"; readonly part: Expression; readonly min: number; readonly max: number }

interface Node {
  readonly empty: Array<number>
  readonly moves: Array<readonly [Ranges, number]>
}

/** Thompson's construction: each expression leads from one node to another. */
class Nodes {
  readonly all: Array<Node> = []

  add(): number {
    if (this.all.length >= 4 * statesMax) throw new TooLarge()
    return this.all.push({ empty: [], moves: [] }) - 1
  }

  link(from: number, to: number): void {
    this.all[from]?.empty.push(to)
  }

  /** Gives where the expression ends. */
  build(expression: Expression, from: number): number {
    switch (expression._tag) {
      case "Set": {
        const to = this.add()
        this.all[from]?.moves.push([expression.ranges, to])
        return to
      }
      case "Sequence":
        return expression.parts.reduce((at, part) => this.build(part, at), from)
      case "Choice": {
        const to = this.add()
        for (const part of expression.parts) this.link(this.build(part, from), to)
        return to
      }
      case "Repeat":
        return this.repeat(expression.part, expression.min, expression.max, from)
    }
  }

  private repeat(part: Expression, min: number, max: number, from: number): number {
    let at = from
    for (let count = 0; count < min; count++) at = this.build(part, at)
    const to = this.add()
    if (max === Infinity) {
      const loop = this.add()
      this.link(at, loop)
      this.link(this.build(part, loop), loop)
      this.link(loop, to)
      return to
    }
    for (let count = min; count < max; count++) {
      this.link(at, to)
      // a node of its own, so that what repeats inside does not reach the way out
      const next = this.add()
      this.link(at, next)
      at = this.build(part, next)
    }
    this.link(at, to)
    return to
  }

  closure(nodes: ReadonlyArray<number>): ReadonlyArray<number> {
    const found = new Set(nodes)
    for (const node of found) for (const to of this.all[node]?.empty ?? []) found.add(to)
    return [...found].sort((a, b) => a - b)
  }
}

export const automatonOf = (expression: Expression): Automaton => {
  const nodes = new Nodes()
  const start = nodes.add()
  const end = nodes.build(expression, start)
  const numbers = new Numbers<ReadonlyArray<number>>()
  const number = (set: ReadonlyArray<number>): number => numbers.of(set.join(), set)
  number(nodes.closure([start]))
  const states: Array<State> = []
  for (let at = 0; at < numbers.found.length; at++) {
    const set = numbers.found[at] ?? []
    const moves = set.flatMap((node) => nodes.all[node]?.moves ?? [])
    const ways = atoms(moves).map(([by, to]) => [by, number(nodes.closure(to))] as const)
    states.push({ accepts: set.includes(end), ways })
  }
  return trimmed(states)
}
