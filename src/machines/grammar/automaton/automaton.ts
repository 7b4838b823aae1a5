/** Deterministic finite automata over code points. A state without a way for a character lets it not through. */
import { complement as others, every, intersection, type Ranges, union, without } from "./ranges.ts"

export interface State {
  readonly accepts: boolean
  readonly ways: ReadonlyArray<readonly [by: Ranges, to: number]>
}
/** The first state is where it begins. */
export type Automaton = ReadonlyArray<State>

export class TooLarge extends Error {
  override readonly name = "TooLarge"
}
export const statesMax = 8000

/** States by what they stand for, numbered as they are found. */
export class Numbers<Of> {
  readonly found: Array<Of> = []
  private readonly byKey = new Map<string, number>()

  of(key: string, what: Of): number {
    const known = this.byKey.get(key)
    if (known !== undefined) return known
    if (this.found.length >= statesMax) throw new TooLarge()
    this.byKey.set(key, this.found.length)
    return this.found.push(what) - 1
  }
}

const dead = -1

/** Both at once; `accepts` says which ends are ends. */
const product = (a: Automaton, b: Automaton, accepts: (inA: boolean, inB: boolean) => boolean): Automaton => {
  const numbers = new Numbers<readonly [number, number]>()
  const number = (one: number, other: number): number => numbers.of(`${one} ${other}`, [one, other])
  const [waysOfA, waysOfB] = [a.map(completed), b.map(completed)]
  number(0, 0)
  const states: Array<State> = []
  for (let at = 0; at < numbers.found.length; at++) {
    const [one = dead, other = dead] = numbers.found[at] ?? []
    const ways: Array<readonly [Ranges, number]> = []
    for (const [by, to] of waysOfA[one] ?? nowhere)
      for (const [by2, to2] of waysOfB[other] ?? nowhere) {
        const both = intersection(by, by2)
        if (both.length > 0) ways.push([both, number(to, to2)])
      }
    states.push({ accepts: accepts(a[one]?.accepts ?? false, b[other]?.accepts ?? false), ways })
  }
  return trimmed(states)
}

const nowhere: State["ways"] = [[every, dead]]

/** With a way for each character: those that have none lead to `dead`. */
const completed = ({ ways }: State): State["ways"] => {
  const rest = others(union(...ways.map(([by]) => by)))
  return rest.length === 0 ? ways : [...ways, [rest, dead]]
}

/** Without states from which no end is reached. */
export const trimmed = (automaton: Automaton): Automaton => {
  const before = new Map<number, Array<number>>()
  for (const [from, { ways }] of automaton.entries())
    for (const [, to] of ways) {
      const known = before.get(to)
      if (known === undefined) before.set(to, [from])
      else known.push(from)
    }
  const useful = new Set(automaton.flatMap(({ accepts }, at) => (accepts ? [at] : [])))
  for (const at of useful) for (const from of before.get(at) ?? []) useful.add(from)
  if (!useful.has(0)) return [{ accepts: false, ways: [] }]
  const place = new Map([...useful].sort((a, b) => a - b).map((old, at) => [old, at]))
  return [...place.keys()].map((old) => ({
    accepts: automaton[old]?.accepts ?? false,
    ways: (automaton[old]?.ways ?? []).flatMap(([by, to]) => {
      const at = place.get(to)
      return at === undefined ? [] : [[by, at] as const]
    })
  }))
}

export const both = (a: Automaton, b: Automaton): Automaton => product(a, b, (one, other) => one && other)
export const less = (a: Automaton, b: Automaton): Automaton => product(a, b, (one, other) => one && !other)
export const isEmpty = (automaton: Automaton): boolean => automaton.every(({ accepts }) => !accepts)

/** Any text. */
export const anything: Automaton = [{ accepts: true, ways: [[every, 0]] }]

/** As many characters. */
export const ofLength = (min: number, max: number | undefined): Automaton => {
  const last = max ?? min
  if (last >= statesMax) throw new TooLarge()
  return Array.from({ length: last + 1 }, (_, count) => ({
    accepts: count >= min,
    ways: count < last ? [[every, count + 1]] : max === undefined ? [[every, count]] : []
  }))
}

/** These texts. */
export const ofTexts = (texts: ReadonlyArray<string>): Automaton => {
  interface Node {
    accepts: boolean
    readonly next: Map<number, number>
  }
  const nodes: Array<Node> = [{ accepts: false, next: new Map() }]
  for (const text of texts) {
    let at: Node | undefined = nodes[0]
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0
      const to: number = at?.next.get(code) ?? nodes.push({ accepts: false, next: new Map() }) - 1
      if (nodes.length > statesMax) throw new TooLarge()
      at?.next.set(code, to)
      at = nodes[to]
    }
    if (at !== undefined) at.accepts = true
  }
  return nodes.map(({ accepts, next }) => ({
    accepts,
    ways: [...next].map(([code, to]) => [[[code, code]], to] as const)
  }))
}

export const accepts = (automaton: Automaton, text: string): boolean => {
  let at = 0
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    const way = automaton[at]?.ways.find(([by]) => by.some(([from, to]) => from <= code && code <= to))
    if (way === undefined) return false
    at = way[1]
  }
  return automaton[at]?.accepts ?? false
}

/** The parts into which these sets divide all characters, each with those that it is in. */
export const atoms = <Of>(
  sets: ReadonlyArray<readonly [Ranges, Of]>
): ReadonlyArray<readonly [Ranges, ReadonlyArray<Of>]> => {
  let parts: ReadonlyArray<readonly [Ranges, ReadonlyArray<Of>]> = []
  for (const [set, of] of sets) {
    const rest = without(set, union(...parts.map(([part]) => part)))
    parts = [
      ...parts.flatMap(([part, ofs]) => {
        const [inside, outside] = [intersection(part, set), without(part, set)]
        return [
          ...(inside.length > 0 ? [[inside, [...ofs, of]] as const] : []),
          ...(outside.length > 0 ? [[outside, ofs] as const] : [])
        ]
      }),
      ...(rest.length > 0 ? [[rest, [of]] as const] : [])
    ]
  }
  return parts
}
