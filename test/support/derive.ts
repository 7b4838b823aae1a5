/** Random texts of a grammar, as a model without any sense would write them. */
import type { SeededRandom } from "../../src/simulator/world/kernel/random.ts"

type Part =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Class"; readonly ranges: ReadonlyArray<readonly [number, number]> }
  | { readonly _tag: "Rule"; readonly name: string }
type Grammar = ReadonlyMap<string, ReadonlyArray<ReadonlyArray<Part>>>

const point = (spelt: string): number =>
  spelt.startsWith("\\") ? Number.parseInt(spelt.slice(2), 16) : (spelt.codePointAt(0) ?? 0)
const spelling = /\\x[\da-f]{2}|\\u[\da-f]{4}|\\U[\da-f]{8}|./gu

const partOf = (token: string): Part => {
  if (token.startsWith('"'))
    return {
      _tag: "Text",
      text: (token.slice(1, -1).match(spelling) ?? []).map((one) => String.fromCodePoint(point(one))).join("")
    }
  if (token.startsWith("[")) return { _tag: "Class", ranges: ranges(token.slice(1, -1)) }
  return { _tag: "Rule", name: token }
}

const ranges = (inside: string): ReadonlyArray<readonly [number, number]> =>
  inside.split(/(?<!-)(?=\\)/).map((range) => {
    const [from = "", to = from] = range.split("-")
    return [point(from), point(to)]
  })

const readGrammar = (text: string): Grammar =>
  new Map(
    text
      .trimEnd()
      .split("\n")
      .map((line) => {
        const [name = "", ...rest] = line.split(" ::= ")
        const tokens = rest.join(" ::= ").match(/"[^"]*"|\[[^\]]*\]|\||[\w-]+/g) ?? []
        const choice: Array<Array<Part>> = [[]]
        for (const token of tokens) {
          if (token === "|") choice.push([])
          else choice.at(-1)?.push(partOf(token))
        }
        return [name, choice] as const
      })
  )

/** rules on the shortest way to an end */
const heights = (grammar: Grammar): ReadonlyMap<string, number> => {
  const found = new Map<string, number>()
  for (let changed = true; changed;) {
    changed = false
    for (const [name, choice] of grammar) {
      const height = 1 + Math.min(...choice.map((one) => heightOf(one, found)))
      if (height < (found.get(name) ?? Infinity)) {
        found.set(name, height)
        changed = true
      }
    }
  }
  return found
}
const heightOf = (sequence: ReadonlyArray<Part>, found: ReadonlyMap<string, number>): number =>
  Math.max(0, ...sequence.map((part) => (part._tag === "Rule" ? (found.get(part.name) ?? Infinity) : 0)))

/** Texts that it lets through; past `most` characters each comes to its end as soon as it can. */
export const deriver = (text: string, random: SeededRandom, most = 200): (() => string) => {
  const grammar = readGrammar(text)
  const height = heights(grammar)
  return () => {
    let made = ""
    const left: Array<Part> = [{ _tag: "Rule", name: "root" }]
    for (let part = left.pop(); part !== undefined; part = left.pop()) {
      if (part._tag === "Text") made += part.text
      else if (part._tag === "Class") {
        const [from, to] = random.pick(part.ranges)
        made += String.fromCodePoint(random.int(from, Math.min(to, random.int(0, 3) > 0 ? from + 60 : to)))
      } else {
        const choice = grammar.get(part.name) ?? []
        const least = Math.min(...choice.map((one) => heightOf(one, height)))
        const open = made.length > most ? choice.filter((one) => heightOf(one, height) === least) : choice
        left.push(...[...random.pick(open)].reverse())
      }
    }
    return made
  }
}
