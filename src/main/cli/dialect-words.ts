/** How a model writes, in words. */
import type { Dialect, Mark } from "../../machines/dialect/dialect.ts"

const textOf = (mark: Mark): string =>
  mark.map((piece) => (typeof piece === "string" ? piece : `{${piece.hole}}`)).join("")

const forms = { json: "objects", name_json: "a name and an object", elements: "an element for each argument" } as const

export const toolsWords = ({ tools, why = "" }: Dialect): string => {
  if (tools === null) return `none: ${why}`
  const opened = textOf(tools.open)
  const shape = tools.form._tag === "json" && tools.form.list ? "a list of objects" : forms[tools.form._tag]
  const untold = tools.told === false ? "; its chat template leaves out which tools there are" : ""
  return `${shape}${opened === "" ? "" : ` after ${JSON.stringify(opened)}`}${tools.parallel ? "" : ", one at a time"}${untold}`
}

export const reasoningWords = ({ reasoning }: Dialect): string => {
  if (reasoning === null) return "none"
  const { close, confirmed, open, prompt } = reasoning
  return `${open} … ${close} (${confirmed}); in the prompt: on ${prompt.on}, off ${prompt.off}, else ${prompt.default}`
}

/** What does not come back as it was given. */
export const lossyWords = ({ tools }: Dialect): string | undefined =>
  tools === null || tools.lossy.length === 0 ? undefined : tools.lossy.join(", ")
