/** `rbee models dialect FILE`: how a model writes reasoning and calls, by its chat template, and whether that holds. */
import { readFile } from "node:fs/promises"
import { isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { rendererOf, spellingIn } from "../../../layers/engine/llama/reading/renderer.ts"
import { loadRuntime } from "../../../layers/engine/llama/runtime.ts"
import { invalid, readHeader } from "../../../layers/models/header.ts"
import { contentOnly, type Dialect, type Mark } from "../../../machines/dialect/dialect.ts"
import { learnDialect } from "../../../machines/dialect/learn/learn.ts"
import type { Render } from "../../../machines/dialect/template.ts"
import { type RoundTrip, roundTrip } from "../../../machines/dialect/trial/trial.ts"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { gguf } from "../../../machines/formats/model-format.ts"
import type { Context } from "../spec.ts"

/** tries of each kind */
const tries = 50

interface Learned {
  readonly dialect: Dialect
  readonly trip: RoundTrip
}

const untried: RoundTrip = { tried: 0, exact: 0, kinds: {}, impossible: [] }

const learnedWith = (render: Render): Learned => {
  const dialect = learnDialect(render)
  const { exact, impossible, kinds, tried } = roundTrip(dialect, render, tries)
  return { dialect, trip: { tried, exact, kinds, impossible } }
}

const nothing = (why: string): Learned => ({ dialect: contentOnly(why), trip: untried })

const learnedOf = async (file: string): Promise<Learned> => {
  const { addon } = await loadRuntime({ gpu: "cpu" })
  if (!file.endsWith(".gguf")) return learnedWith(rendererOf(addon, await readFile(file, "utf8"), { bos: "", eos: "" }))
  const header = await readHeader(file, gguf)
  if ("reason" in header) throw invalid(file, header.reason)
  if (header.template === undefined) return nothing("the file has no chat template")
  return learnedWith(rendererOf(addon, header.template, await spellingIn(addon, file)))
}

const textOf = (mark: Mark): string =>
  mark.map((piece) => (typeof piece === "string" ? piece : `{${piece.hole}}`)).join("")

const forms = { json: "objects", name_json: "a name and an object", elements: "an element for each argument" } as const

const toolsLine = ({ tools, why = "" }: Dialect): string => {
  if (tools === null) return `none: ${why}`
  const opened = textOf(tools.open)
  const shape = tools.form._tag === "json" && tools.form.list ? "a list of objects" : forms[tools.form._tag]
  return `${shape}${opened === "" ? "" : ` after ${JSON.stringify(opened)}`}${tools.parallel ? "" : ", one at a time"}`
}

const reasoningLine = ({ reasoning }: Dialect): string => {
  if (reasoning === null) return "none"
  const { close, confirmed, open, prompt } = reasoning
  return `${open} … ${close} (${confirmed}); in the prompt: on ${prompt.on}, off ${prompt.off}, else ${prompt.default}`
}

const tripLine = ({ exact, impossible, kinds, tried }: RoundTrip): string => {
  const each = Object.entries(kinds).map(([kind, count]) => `${kind} ${count.exact}/${count.tried}`)
  const left = impossible.length === 0 ? "" : `; not written by the template: ${impossible.join(", ")}`
  return `${exact} of ${tried} exact${each.length === 0 ? "" : ` (${each.join(", ")})`}${left}`
}

const told = ({ dialect, trip }: Learned): string =>
  [
    `tools       ${toolsLine(dialect)}`,
    `reasoning   ${reasoningLine(dialect)}`,
    ...(dialect.tools === null || dialect.tools.lossy.length === 0
      ? []
      : [`lossy       ${dialect.tools.lossy.join(", ")}`]),
    ...(dialect.source === "learned" ? [] : [`exception   ${dialect.source.exception}`]),
    `round trip  ${tripLine(trip)}`
  ].join("\n")

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? (cause.message.split("\n", 1)[0] ?? "") : String(cause)

export const dialect = (name: string, json: boolean, context: Context) =>
  Effect.gen(function* () {
    const file = isAbsolute(name) ? name : resolve(process.cwd(), name)
    const learned = yield* Effect.tryPromise({
      try: () => learnedOf(file),
      catch: (cause) =>
        cause instanceof RbeeError
          ? cause
          : rbeeError(
              "INVALID_REQUEST",
              `${file} cannot be read as a chat template (${reasonOf(cause)})`,
              "Accepted: a model's .gguf, or a template's .jinja.",
              {
                reason: reasonOf(cause)
              }
            )
    })
    const shown = json ? JSON.stringify({ ...learned.dialect, round_trip: learned.trip }, null, 2) : told(learned)
    context.terminal.stdout.write(`${shown}\n`)
    return 0
  })
