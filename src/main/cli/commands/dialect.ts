/** `rbee models dialect FILE`: how a model writes reasoning and calls, by its chat template, and whether that holds. */
import { readFile } from "node:fs/promises"
import { isAbsolute, resolve } from "node:path"
import * as Effect from "effect/Effect"
import { type Learned, learned, templateOf, untold } from "../../../layers/engine/llama/reading/learner.ts"
import type { RoundTrip } from "../../../machines/dialect/trial/trial.ts"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { lossyWords, reasoningWords, toolsWords } from "../dialect-words.ts"
import type { Context } from "../spec.ts"

/** tries of each kind */
const tries = 50

const runtime = { gpu: "cpu" } as const

const learnedOf = (file: string): Effect.Effect<Learned, unknown> =>
  Effect.gen(function* () {
    if (!file.endsWith(".gguf")) {
      const template = yield* Effect.tryPromise({ try: () => readFile(file, "utf8"), catch: (cause) => cause })
      return yield* learned({ runtime, template }, { tries })
    }
    const template = yield* templateOf(file)
    return template === undefined ? untold : yield* learned({ modelPath: file, runtime, template }, { tries })
  })

const tripLine = ({ exact, impossible, kinds, tried }: RoundTrip): string => {
  const each = Object.entries(kinds).map(([kind, count]) => `${kind} ${count.exact}/${count.tried}`)
  const left = impossible.length === 0 ? "" : `; not written by the template: ${impossible.join(", ")}`
  return `${exact} of ${tried} exact${each.length === 0 ? "" : ` (${each.join(", ")})`}${left}`
}

const told = ({ dialect, trip }: Learned): string => {
  const lossy = lossyWords(dialect)
  return [
    `tools       ${toolsWords(dialect)}`,
    `reasoning   ${reasoningWords(dialect)}`,
    ...(lossy === undefined ? [] : [`lossy       ${lossy}`]),
    ...(dialect.source === "learned" ? [] : [`exception   ${dialect.source.exception}`]),
    `round trip  ${tripLine(trip)}`
  ].join("\n")
}

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
    const found = yield* Effect.mapError(learnedOf(file), (cause) => unreadable(file, cause))
    const { failed } = found
    if (failed?.broken === true) return yield* Effect.fail(unreadable(file, failed.reason))
    const shown = json ? JSON.stringify({ ...found.dialect, round_trip: found.trip }, null, 2) : told(found)
    context.terminal.stdout.write(`${shown}\n`)
    return 0
  })
