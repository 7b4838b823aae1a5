/** What docs/design.md says of an answer after a failover is what the engine decides. */
import { expect, it } from "vitest"
import { anyRows, isCheap, rowsOf } from "../../src/machines/kinds/llama/exact-types.ts"
import { ggmlTypes } from "../support/ggml-types.ts"
import { textOf } from "./pages.ts"

const page = textOf("docs/design.md")
const number: Readonly<Record<string, number>> = ggmlTypes
const most = { any: Infinity, seven: 7, three: 3, one: 1 } as const
const words = Object.keys(most) as ReadonlyArray<keyof typeof most>
const cellsOf = (line: string) => line.split("|").map((cell) => cell.trim())

/** as llama.cpp mixes them; its other types are exact */
const mixture: Readonly<Record<string, ReadonlyArray<number>>> = { Q3_K: [11, 12, 13] }
const typesOf = (name: string) => mixture[name] ?? [number[name] ?? -1]

it("the page on the design says how many tokens a batch may have as the engine decides it, by the types of a file", () => {
  const named = new Set<string>()
  for (const line of page.split("\n")) {
    const [, types = "", ...those] = cellsOf(line)
    const [one, more] = [words.find((word) => word === those[0]), words.find((word) => word === those[1])]
    if (one === undefined || more === undefined) continue
    for (const type of types.match(/\b(I?Q\d_\w+|B?F16|F32)\b/g) ?? []) {
      const name = type.replace(/_[SML]$/, "")
      named.add(name)
      expect(rowsOf({ matrices: new Set(typesOf(name)) }).most, name).toBe(most[one])
      expect(rowsOf({ matrices: new Set(typesOf(name)), splits: true }).most, name).toBe(most[more])
    }
  }
  expect([...named].toSorted()).toEqual(Object.keys(number).toSorted())
})

it("and up to how many slots that is cheap", () => {
  const line = page.split("\n").find((each) => each.startsWith("| `auto` |")) ?? ""
  const counts = { seven: 7, four: 4, two: 2 } as const
  for (const [, count, word] of line.matchAll(/(\w+) for \*(\w+)\*/g)) {
    const slots = counts[(count ?? "") as keyof typeof counts]
    if (slots === undefined) expect(word).toBe("any")
    else {
      const rows = { ...anyRows, most: most[(word ?? "") as keyof typeof most] }
      expect([isCheap(rows, slots, 1), isCheap(rows, slots + 1, 1)], line).toEqual([true, false])
      expect([isCheap(rows, rows.most, 2), isCheap(rows, rows.most + 1, 2)]).toEqual([true, false])
    }
  }
})
