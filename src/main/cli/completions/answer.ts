/** `rbee __complete WORD…`: what the scripts of the shells ask. It says nothing of what goes wrong. */
import * as Effect from "effect/Effect"
import { layerNode as layerTerminal } from "../../../layers/terminal/node.ts"
import { printable, Terminal } from "../../../layers/terminal/index.ts"
import { loadSettings } from "../../config.ts"
import { knobs, nameOf } from "../../config/knobs.ts"
import { commands } from "../commands.ts"
import { type Asked, type Candidate, complete } from "./complete.ts"

const flagOfSetting = (knob: (typeof knobs)[number]): string => nameOf(knob).replaceAll(/[._]/g, "-")

const dynamic = ({ given, kind }: Asked, programs: string) =>
  Effect.gen(function* () {
    if (kind === undefined) return []
    const flags = Object.fromEntries(knobs.map((knob) => [nameOf(knob), given.get(flagOfSetting(knob))]))
    const settings = yield* loadSettings({ env: process.env, flags })
    const terminal = yield* Terminal
    // only for who needs it: it knows all that is asked of a queen
    const { valuesOf } = yield* Effect.promise(() => import("./values.ts"))
    const context = { settings, trouble: undefined, terminal, programs, typed: (command: string) => command }
    return yield* valuesOf(kind, context, given.get("hive"))
  }).pipe(
    Effect.provide(layerTerminal({ noColour: true })),
    Effect.catchAllCause(() => Effect.succeed<ReadonlyArray<Candidate>>([]))
  )

/** One line a candidate, whatever stands in it. */
const lineOf = (before: string, { doc, value }: Candidate): string =>
  `${before}${value}${doc === "" ? "" : `\t${printable(doc)}`}\n`

export const answer = async (typed: ReadonlyArray<string>, programs: string): Promise<number> => {
  const settings = knobs.map((knob) => ({ name: flagOfSetting(knob), doc: knob.doc }))
  const asked = complete(
    typed,
    commands.map(({ spec }) => spec),
    settings
  )
  const { before, fixed, kind } = asked
  if (kind === "files" || kind === "folders") {
    process.stdout.write(`:${kind}\n`)
    return 0
  }
  const current = (typed.at(-1) ?? "").slice(before.length)
  const there = (await Effect.runPromise(dynamic(asked, programs))).filter(
    ({ value }) => value.startsWith(current) && printable(value) === value
  )
  process.stdout.write([...fixed, ...there].map((one) => lineOf(before, one)).join(""))
  return 0
}
