/**
 * What is heard of answers, delta by delta: of each form, the calls, texts and thoughts that its template writes, and
 * what models make of them that are cut short or write it a little otherwise. `-u` draws it anew: look at what changed.
 */
import { expect, it } from "vitest"
import { type DeclaredTool, type Delta, Fold } from "../../../src/machines/dialect/fold/fold.ts"
import { kinds, Trial } from "../../../src/machines/dialect/trial/trial.ts"
import { dialectOf, type Form, renderOf, templates } from "../../support/dialects.ts"

interface Heard {
  readonly text: string
  readonly tools: ReadonlyArray<DeclaredTool>
  readonly prompt: string
}

/** As a model may have it instead of what the template writes. */
const otherwise: Readonly<Record<string, (text: string, tool: string) => string>> = {
  "as it is": (text) => text,
  "cut short": (text) => text.slice(0, Math.floor(text.length * 0.7)),
  "on lines of its own": (text) => `\n${text.replaceAll(">", ">\n")}\n`,
  "with more behind it": (text) => `${text} And so on.`,
  "of another tool": (text, tool) => (tool === "" ? text : text.replaceAll(tool, "no_such_tool"))
}

const short = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 50)}…${text.length}` : text)

const nameOf = (delta: Delta): string =>
  delta._tag === "Arguments" ? `arguments ${delta.index}` : delta._tag.toLowerCase()

/** A line for those of a kind that follow each other. */
const told = (deltas: ReadonlyArray<Delta>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let name = ""
  for (const delta of deltas)
    if (delta._tag === "Call") lines.push((name = `call ${delta.index} ${delta.name}`))
    else if (delta._tag === "CallId") lines.push((name = `id ${delta.index} ${delta.id}`))
    else if (nameOf(delta) === name) lines.push(`${lines.pop() ?? ""} ${short(delta.text)}`)
    else lines.push(`${(name = nameOf(delta))} ${short(delta.text)}`)
  return lines
}

/** In pieces of five characters, each as it would come from a model. */
const heard = (form: Form, { prompt, text, tools }: Heard): ReadonlyArray<string> => {
  const fold = new Fold(dialectOf(form), { tools, prompt })
  const pieces = text.match(/[^]{1,5}/g) ?? []
  return told([...pieces.flatMap((piece) => fold.push(piece)), ...fold.end()])
}

it.each(Object.entries(templates))("an answer with %s is heard as it was", async (form, template) => {
  const trial = new Trial(dialectOf(form as Form), await renderOf(template))
  const answers = kinds.flatMap((kind) => {
    const one = trial.try(kind, 11, true)
    return one === undefined ? [] : [one]
  })
  const lines = answers.flatMap((answer) =>
    Object.entries(otherwise).flatMap(([how, written]) => {
      const text = written(answer.text, answer.tools[0]?.name ?? "")
      return [
        `${answer.kind}, ${how}: ${short(text)}`,
        ...heard(form as Form, { ...answer, text }).map((one) => `  ${one}`)
      ]
    })
  )
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`heard/${form.replaceAll(/\W+/g, "-")}.txt`)
})
