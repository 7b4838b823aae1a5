/** What was learned is tried at once: what does not come back is told, and what is not read at all is not kept. */
import type { Dialect } from "../dialect.ts"
import { callWith, firstCall, secondCall, type Turn } from "../learn/renders.ts"
import type { Render } from "../template.ts"
import { hardTexts } from "./generate.ts"
import { type Kind, Trial } from "./trial.ts"

/** Values of each type, by what is said of them. */
const values: Readonly<Record<string, ReadonlyArray<unknown>>> = {
  "whole numbers": [7, -12],
  numbers: [1.5, -0.25],
  booleans: [true, false],
  null: [null],
  "empty texts": [""],
  lists: [["x", 2, false], [1]],
  "empty lists": [[]],
  "lists with null alone": [[null]],
  objects: [{ a: "b", c: [1, null, true] }, { a: { b: 1 } }],
  "empty objects": [{}],
  "texts with quotes": [`it's "so"`, "it's", 'say "hi"', "'''"],
  "texts with backslashes": ["\\n \\ back"],
  "texts with line ends": ["line1\nline2\n", "\n"],
  "texts with spaces around": ["  lead", "tail  "],
  "texts that look like other values": ["7", "true", "null", '{"k": 1}', "[1]"],
  "texts with marks": [...hardTexts.filter((text) => text.includes("<")), "a & b"],
  "texts with backslashes, quotes or line ends in objects and lists": [{ a: "\\n \\" }, [`it's "so"`], { a: "line\n" }]
}

const lossyValues = (trial: Trial): ReadonlyArray<string> =>
  Object.entries(values)
    .filter(([, samples]) =>
      samples.some((value) => !comesBack(trial, "one", { calls: [callWith({ path: value, n: value })] }))
    )
    .map(([name]) => name)

/** A kind that the template does not render cannot be wrong. */
const comesBack = (trial: Trial, kind: Kind, turn: Turn): boolean => trial.turn(kind, turn)?.exact ?? true

export const verified = (dialect: Dialect, render: Render): Dialect => {
  const { reasoning, tools } = dialect
  const trial = new Trial(dialect, render)
  if (tools === null) return dialect
  const one = trial.turn("one", { calls: [firstCall] })
  if (one?.exact !== true)
    return { ...dialect, tools: null, why: "what the template writes for a call is not read back" }
  const two = !tools.parallel || comesBack(trial, "two", { calls: [firstCall, secondCall] })
  const text = !tools.textBeside || comesBack(trial, "text", { content: "So.", calls: [firstCall] })
  const field = reasoning?.field
  const thought =
    field === undefined ||
    comesBack(trial, "reasoning", { calls: [firstCall], reasoning: { field, text: "So." }, thinking: true })
  const none = comesBack(trial, "none", { calls: [callWith({})] })
  const lossy = [
    ...(two ? [] : ["two calls"]),
    ...(text ? [] : ["text beside a call"]),
    ...(thought ? [] : ["reasoning before a call"]),
    ...(none ? [] : ["calls without arguments"]),
    ...lossyValues(trial)
  ]
  return {
    ...dialect,
    tools: { ...tools, parallel: tools.parallel && two, textBeside: tools.textBeside && text, lossy }
  }
}
