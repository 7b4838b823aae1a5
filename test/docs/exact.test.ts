/** What docs/design.md says of an answer after a failover is what the engine decides. */
import { expect, it } from "vitest"
import { rowsOf } from "../../src/machines/kinds/llama/exact-types.ts"
import { textOf } from "./pages.ts"

const page = textOf("docs/design.md")

it("the page on the design says which answers are exact as the engine decides it, by the types of a file", () => {
  const row = (name: string) =>
    page
      .split("\n")
      .find((line) => line.startsWith(`| ${name} | `))
      ?.split(" | ")[1] ?? ""
  const typesIn = (text: string) =>
    (text.match(/\b(I?Q\d_\w+|F16|F32)\b/g) ?? []).map((name) => name.replace(/_[SML]$/, ""))
  const number: Readonly<Record<string, number>> = {
    F32: 0,
    F16: 1,
    Q4_0: 2,
    Q5_0: 6,
    Q8_0: 8,
    Q2_K: 10,
    Q3_K: 11,
    Q4_K: 12,
    Q5_K: 13,
    Q6_K: 14,
    IQ4_NL: 20,
    IQ4_XS: 23
  }
  const byRows = (name: string) => rowsOf(new Set([number[name] ?? -1]), 4) === undefined
  const [exact, not] = [typesIn(row("exact")), typesIn(row("not exact"))]
  expect(exact.length).toBeGreaterThan(4)
  expect(exact.filter(byRows)).toEqual([])
  expect(not.filter((name) => !byRows(name))).toEqual([])
})
