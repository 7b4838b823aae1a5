/** Calls that somebody could make, the same for the same seed. */
import type { SaidCall } from "../learn/renders.ts"
import type { DeclaredTool } from "../fold/fold.ts"

/** Numbers from 0 up to `below`, one after the other: a linear congruence is chance enough here. */
export type Chance = (below: number) => number

export const chanceOf = (seed: number): Chance => {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

export const easyTexts = [
  "x",
  "hello world",
  "Zürich",
  "日本語 😀",
  "7",
  "true",
  "a, b: c",
  "path/to/file.ts",
  "null",
  "3.5",
  "it is 20 °C"
] as const

/** What programs, pages and other calls hold. */
export const hardTexts = [
  "it's",
  'say "hi"',
  "line1\nline2\n",
  "  lead",
  "tail  ",
  "\\n \\ back",
  "a<b>c</b>",
  "</tool_call>",
  "",
  "if (a < b && c > d) {\n\treturn [1,2];\n}",
  '{"k": 1}',
  "[1]",
  "</parameter>",
  "</arg_value>",
  "<think>x</think>",
  "'''",
  "a\u0007b"
] as const

const pick = <A>(chance: Chance, from: ReadonlyArray<A>, otherwise: A): A => from[chance(from.length)] ?? otherwise

const some = <A>(chance: Chance, from: ReadonlyArray<A>, count: number): ReadonlyArray<A> => {
  const left = [...from]
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(chance(left.length), 1)).flat()
}

const value = (chance: Chance, texts: ReadonlyArray<string>, depth: number): unknown => {
  switch (chance(depth < 2 ? 10 : 7)) {
    case 0:
    case 1:
    case 2:
      return pick(chance, texts, "")
    case 3:
      return chance(100_000) - 999
    case 4:
      return pick(chance, [1.5, -0.25, 1e10, 3.75], 0)
    case 5:
      return chance(2) === 0
    case 6:
      return chance(2) === 0 ? null : pick(chance, texts, "")
    case 7:
    case 8:
      return Object.fromEntries(
        some(chance, ["a", "b_c", "city", "x-y", "n1"], chance(4)).map((key) => [key, value(chance, texts, depth + 1)])
      )
    default:
      return Array.from({ length: chance(4) }, () => value(chance, texts, depth + 1))
  }
}

const names = ["get_weather", "search", "read_file", "Bash", "a.b", "mcp__x__y", "get"] as const
const keys = ["city", "unit", "n", "path", "old_string", "opts"] as const

export const aCall = (chance: Chance, texts: ReadonlyArray<string>, name: string, most: number): SaidCall => ({
  name,
  id: Array.from({ length: 9 }, () => pick(chance, [..."abcdefgh"], "a")).join(""),
  arguments: Object.fromEntries(
    some(chance, keys, most === 0 ? 0 : 1 + chance(most)).map((key) => [key, value(chance, texts, 0)])
  )
})

export const twoNames = (chance: Chance): ReadonlyArray<string> => some(chance, names, 2)

const typeOf = (given: unknown): string => (given === null ? "null" : Array.isArray(given) ? "array" : typeof given)

/** Tools whose schemas say of each argument what it is; with others that are not called. */
export const toolsOf = (calls: ReadonlyArray<SaidCall>): ReadonlyArray<DeclaredTool> => [
  ...calls.map(({ arguments: args, name }) => ({
    name,
    parameters: {
      type: "object",
      properties: Object.fromEntries(Object.entries(args).map(([key, given]) => [key, { type: typeOf(given) }]))
    }
  })),
  ...names.filter((name) => !calls.some((call) => call.name === name)).map((name) => ({ name }))
]
