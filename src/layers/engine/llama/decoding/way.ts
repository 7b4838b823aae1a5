/** How a context computes: chosen once, as it is loaded, by what is loaded, and never by what there is to do. */
import { cellStep } from "../../../../machines/kinds/llama/batches.ts"
import { anyRows, isCheap, type Rows, rowsOf, splitsAttention } from "../../../../machines/kinds/llama/exact-types.ts"
import type { ExactHow, Exactness } from "../../../../machines/vocabulary/worker.ts"
import type { LoadOptions } from "../../index.ts"
import type { Loaded } from "../model.ts"

export interface Way {
  readonly rows: Rows
  /** it may be exact, which its self-test finds out; false: it is not */
  readonly isTried: boolean
  readonly how: ExactHow
  /** what it computes by, besides the file: others compute otherwise */
  readonly name: string
}

const inexact = (how: ExactHow): Way => ({ rows: anyRows, isTried: false, how, name: "inexact" })

const named = ({ most }: Rows): ExactHow => (most === 1 ? "ones" : most === 3 ? "threes" : "sevens")

export const wayOf = (
  backend: string,
  { context, header, threads }: Pick<Loaded, "context" | "header" | "threads">,
  { exact = "auto", kvType = "f16", slots }: Pick<LoadOptions, "exact" | "kvType" | "slots">
): Way => {
  if (exact === "off") return inexact("off")
  // kernels are chosen by the size of a batch throughout
  if (backend !== "CPU") return inexact("gpu")
  const splits = splitsAttention(threads, Math.ceil(context / cellStep) * cellStep, kvType)
  const rows = rowsOf({ matrices: header.matrices, splits, hasState: header.facts.stateBytes > 0 })
  if (exact === "auto" && !isCheap(rows, slots, threads)) return inexact("dear")
  const name = splits ? `attention in ${threads}` : ""
  return { rows, isTried: true, how: slots <= rows.most ? "any" : named(rows), name }
}

/** What is said of it, once it is known whether it is exact. */
export const saidOf = ({ how }: Way, found: Exactness): Exactness => ({
  ...found,
  exact_how: found.exact ? how : "differs"
})
