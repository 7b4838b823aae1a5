/** `rbee engines ls|show|install|rm`: of this machine alone, by its own configuration. */
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { environmentOf, enginesHere, installEngine, removeEngine } from "../../../layers/kinds/engines-here.ts"
import { hiveFolder } from "../../../layers/paths/index.ts"
import type { EngineView } from "../../../machines/kinds/engine-view.ts"
import type { Context } from "../spec.ts"
import { roomOf, table } from "../table.ts"

const placesOf = ({ settings: { engines, hive, home } }: Context) => ({
  folder: hiveFolder(home, hive.id),
  env: environmentOf(process.env),
  engines
})

const write = (context: Context, text: string): number => {
  context.terminal.stdout.write(`${text}\n`)
  return 0
}

const wordOf: Readonly<Record<EngineView["state"], string>> = {
  ready: "ready",
  absent: "not here",
  broken: "of no use"
}

export const list = (json: boolean, context: Context): Effect.Effect<number> =>
  Effect.map(enginesHere(placesOf(context)), (all) => {
    if (json) return write(context, JSON.stringify(all))
    const rows = all.map(({ backends, engine, origin = "", state, version = "" }) => [
      engine,
      wordOf[state],
      version,
      origin,
      backends.join(", ")
    ])
    return write(
      context,
      table(["ENGINE", "STATE", "VERSION", "FROM", "DEVICES"], rows, roomOf(context.terminal.stdout))
    )
  })

const goesOn: Readonly<Record<EngineView["resume"]["greedy"], string>> = {
  ids: "from its exact tokens",
  text: "from its text, drawn anew",
  none: "not at all"
}

const details = ({ backends, engine, images, origin, program, reason, resume, state, version }: EngineView): string =>
  [
    ["engine", engine],
    ["state", wordOf[state]],
    ["why", reason],
    ["version", version],
    ["from", origin],
    ["program", program],
    ["devices", backends.length === 0 ? undefined : backends.join(", ")],
    ["images", images ? "yes, with a projector beside the model" : "no"],
    ["an answer goes on", goesOn[resume.greedy]],
    ["a drawn one", goesOn[resume.drawn]]
  ]
    .filter(([, value]) => value !== undefined)
    .map(([name = "", value]) => `${name.padEnd(18)} ${value}`)
    .join("\n")

const unknown = (name: string, all: ReadonlyArray<EngineView>) =>
  rbeeError("NOT_FOUND", `there is no engine ${name}`, `There are ${all.map(({ engine }) => engine).join(", ")}`)

const found = (name: string, context: Context): Effect.Effect<EngineView, RbeeError> =>
  Effect.flatMap(enginesHere(placesOf(context)), (all) => {
    const one = all.find(({ engine }) => engine === name)
    return one === undefined ? unknown(name, all) : Effect.succeed(one)
  })

export const show = (name: string, json: boolean, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.map(found(name, context), (view) => write(context, json ? JSON.stringify(view) : details(view)))

export const install = (
  name: string,
  archive: string | undefined,
  context: Context
): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    yield* found(name, context)
    const { stderr } = context.terminal
    let told = -1
    const building = installEngine(name, {
      ...placesOf(context),
      archive: archive === undefined ? undefined : resolve(process.cwd(), archive),
      onStep: (what) => stderr.write(`${what}…\n`),
      onProgress: (done, of) => {
        const tenth = Math.floor((10 * done) / of)
        // a terminal that is not one gets ten lines, no more
        if (!stderr.isTTY && tenth === told) return
        told = tenth
        stderr.write(stderr.isTTY ? `\r  ${done} of ${of}${done === of ? "\n" : ""}` : `  ${done} of ${of}\n`)
      }
    })
    const code = yield* Effect.raceFirst(Effect.as(building, 0), context.terminal.interrupted)
    if (code !== 0) return code
    const view = yield* found(name, context)
    return write(context, details(view))
  })

export const remove = (name: string, context: Context): Effect.Effect<number, RbeeError> =>
  Effect.gen(function* () {
    yield* found(name, context)
    const wasThere = yield* removeEngine(name, placesOf(context))
    if (!wasThere)
      return yield* rbeeError("NOT_FOUND", `no engine ${name} was built here`, "`rbee engines ls` lists what there is")
    return write(context, `engine ${name} is removed`)
  })
