/**
 * Workers as processes: the worker program on a leash, with a control pipe that first tells it its plan. It parses files
 * that strangers made: it gets nothing of ours that it does not need, and can gain no rights.
 */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { ControlMessage } from "../../machines/vocabulary/worker.ts"
import { boundTo, kindOf, type WorkerKinds } from "../../machines/kinds/kind.ts"
import { Kinds } from "../kinds/index.ts"
import { type Env, nativeEnvironment } from "../process/environment.ts"
import { controlFd, Processes } from "../process/index.ts"
import { CurrentSettings, type Settings } from "../settings/index.ts"
import { workerToken } from "../worker-connector/token.ts"
import { WorkerLauncher, type WorkerPlan } from "./index.ts"

export interface ProcessOptions {
  /** path of the worker program; absent: `worker.js` beside the running bundle */
  readonly program?: string
  /** what loaders and drivers are told by; absent: this process's environment */
  readonly env?: Env
  /** after SIGTERM a worker has this long to end its streams, milliseconds; absent: 3 000 */
  readonly graceMs?: number
}

const decode = decoder(Schema.parseJson(ControlMessage))

/** The bundler may put this file into dist/chunks/. */
const besideUs = (): string => {
  const [beside, above] = [new URL("./worker.js", import.meta.url), new URL("../worker.js", import.meta.url)]
  return fileURLToPath(existsSync(beside) ? beside : above)
}

/** What it needs of the hive's, bound to one GPU where the plan says so. */
const environment = (plan: WorkerPlan, kinds: WorkerKinds, base: Env): Record<string, string> => ({
  ...nativeEnvironment(base),
  ...boundTo(kindOf(kinds, plan.kind), plan.backend, plan.gpuUuid)
})

/** Its own token is of no use elsewhere: who takes a worker over by its model file is no nearer to the cluster. */
const introductionOf = (plan: WorkerPlan, { hive, token, version, worker }: Settings): string =>
  JSON.stringify({
    ...plan,
    host: hive.host,
    controlFd,
    settings: { version, worker },
    token: workerToken(token, plan.instance)
  })

export const layerProcess = (
  options: ProcessOptions = {}
): Layer.Layer<WorkerLauncher, never, Processes | CurrentSettings> =>
  Layer.effect(
    WorkerLauncher,
    Effect.gen(function* () {
      const processes = yield* Processes
      const kinds = yield* Kinds
      const settings = yield* CurrentSettings
      const runFork = Runtime.runFork(yield* Effect.runtime<never>())
      return {
        launch: (plan, onMessage) =>
          Effect.map(
            processes.spawn({
              command: process.execPath,
              // for who looks at the machine: whose worker this is, and what it serves
              args: [options.program ?? besideUs(), plan.workerId, plan.modelPath],
              env: environment(plan, kinds, options.env ?? process.env),
              confined: true,
              firstLine: introductionOf(plan, settings),
              logFile: join(settings.home.logs, `worker-${plan.workerId}.log`),
              graceMs: options.graceMs ?? 3000,
              onControlLine: (line) => {
                const message = decode(line)
                if (Either.isRight(message)) onMessage(message.right)
                else
                  runFork(Effect.logWarning(`worker ${plan.workerId} said what is no message: ${line.slice(0, 200)}`))
              }
            }),
            (child) => ({ process: child.id, exit: child.exit, lastWords: child.lastWords })
          )
      }
    })
  )
