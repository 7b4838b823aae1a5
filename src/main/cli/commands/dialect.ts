/** `rbee models dialect FILE`: how a model writes reasoning and calls, by its chat template, and whether that holds. */
import { readFile } from "node:fs/promises"
import { isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { type Learned, learnIn, untried } from "../../../layers/engine/llama/reading/learner.ts"
import type { Vocabulary } from "../../../layers/engine/llama/reading/tokenize.ts"
import { invalid, readHeader } from "../../../layers/models/header.ts"
import { contentOnly, type Dialect, type Mark } from "../../../machines/dialect/dialect.ts"
import type { RoundTrip } from "../../../machines/dialect/trial/trial.ts"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { gguf } from "../../../machines/formats/model-format.ts"
import type { Context } from "../spec.ts"

/** tries of each kind */
const tries = 50

const nothing = (why: string): Learned => ({ dialect: contentOnly(why), trip: untried })

/** Of its file alone; interrupting it ends the process that learns. */
const learnedOf = (vocabulary: Vocabulary): Effect.Effect<Learned> =>
  Effect.async((resume) => Effect.sync(learnIn(vocabulary, { tries }, (found) => resume(Effect.succeed(found)))))

const runtime = { gpu: "cpu" } as const

const reading = <A>(read: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: read, catch: (cause) => cause })

const learned = (file: string): Effect.Effect<Learned, unknown> =>
  Effect.gen(function* () {
    if (!file.endsWith(".gguf"))
      return yield* learnedOf({ runtime, template: yield* reading(() => readFile(file, "utf8")) })
    const header = yield* reading(() => readHeader(file, gguf))
    if ("reason" in header) return yield* Effect.fail(invalid(file, header.reason))
    const { template } = header
    return template === undefined
      ? nothing("the file has no chat template")
      : yield* learnedOf({ modelPath: file, runtime, template })
  })

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

/** What is wrong with the file. */
const unreadable = (file: string, cause: unknown): RbeeError =>
  cause instanceof RbeeError
    ? cause
    : rbeeError(
        "INVALID_REQUEST",
        `${file} cannot be read as a chat template (${reasonOf(cause)})`,
        "Accepted: a model's .gguf, or a template's .jinja.",
        { reason: reasonOf(cause) }
      )

export const dialect = (name: string, json: boolean, context: Context) =>
  Effect.gen(function* () {
    const file = isAbsolute(name) ? name : resolve(process.cwd(), name)
    const found = yield* Effect.mapError(learned(file), (cause) => unreadable(file, cause))
    const { broken } = found
    if (broken !== undefined) return yield* Effect.fail(unreadable(file, broken))
    const shown = json ? JSON.stringify({ ...found.dialect, round_trip: found.trip }, null, 2) : told(found)
    context.terminal.stdout.write(`${shown}\n`)
    return 0
  })
