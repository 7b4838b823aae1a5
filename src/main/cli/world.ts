/** What the commands run in: this machine's processes, the queen over HTTP, this terminal. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerNode as layerDaemons } from "../../layers/daemon/node.ts"
import { layerRandom } from "../../layers/ids/random.ts"
import { layerNode as layerProcesses } from "../../layers/process/node.ts"
import { layerHttp } from "../../layers/queen-connector/http.ts"
import { layerProcess as layerLauncher } from "../../layers/queen-launcher/process.ts"
import { CurrentSettings } from "../../layers/settings/index.ts"
import { Terminal } from "../../layers/terminal/index.ts"
import { environmentOf } from "../config.ts"
import type { Context } from "./spec.ts"

const environment = (context: Context): Readonly<Record<string, string>> => {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { ...Object.fromEntries(own), ...environmentOf(context.settings) }
}

/** Provides everything that a command needs but the terminal's own layer. */
const layerWorld = (context: Context) =>
  Layer.mergeAll(
    layerHttp,
    layerRandom,
    Layer.succeed(Terminal, context.terminal),
    Layer.provideMerge(
      layerLauncher({ file: join(context.programs, "queen.js"), env: environment(context) }),
      Layer.merge(layerProcesses, layerDaemons)
    )
  ).pipe(Layer.provide(Layer.succeed(CurrentSettings, context.settings)))

type World = Layer.Layer.Success<ReturnType<typeof layerWorld>>

export const inWorld = <A, E>(context: Context, effect: Effect.Effect<A, E, World>): Effect.Effect<A, E> =>
  Effect.provide(effect, layerWorld(context))
