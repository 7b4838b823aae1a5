/** Launches one worker and stays, as a hive would: for the test that kills it. Argument: `{program, home, plan, maxTokensPerS}`. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layerNode } from "../../../src/layers/process/node.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { WorkerLauncher, type WorkerPlan } from "../../../src/layers/worker-launcher/index.ts"
import { layerProcess } from "../../../src/layers/worker-launcher/process.ts"

interface Argument {
  readonly program: string
  readonly home: string
  readonly plan: WorkerPlan
  readonly maxTokensPerS: number
}
// written by the test itself
const { home, maxTokensPerS, plan, program } = JSON.parse(process.argv[2] ?? "") as Argument

const settings = Layer.succeed(CurrentSettings, {
  ...defaults,
  worker: { ...defaults.worker, maxTokensPerS },
  version: "0.0.0-test",
  home: { state: home, logs: join(home, "logs"), config: join(home, "config.toml") }
})

const hive = Effect.gen(function* () {
  const { launch } = yield* WorkerLauncher
  const worker = yield* launch(plan, (message) => void process.stdout.write(`${JSON.stringify(message)}\n`))
  process.stdout.write(`${JSON.stringify({ t: "pid", ...worker.process })}\n`)
  yield* Effect.never
})

Effect.runFork(
  hive.pipe(
    Effect.scoped,
    Effect.provide(layerProcess({ program }).pipe(Layer.provide(Layer.merge(layerNode, settings))))
  )
)
