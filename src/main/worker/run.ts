/** Runs the worker that a hive asks for, until its process ends. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { makeWorker } from "../../actors/worker/worker.ts"
import { serveHttp } from "../../layers/transport/http/server/server.ts"
import { type EngineEnd, engineOf, type EnginesByKind, engines, type EngineStart } from "../../layers/kinds/engines.ts"
import { layerRandom } from "../../layers/ids/random.ts"
import { CurrentSettings, type Settings } from "../../layers/settings/index.ts"
import { defaults } from "../../layers/settings/defaults.ts"
import { layerNode as layerTurns } from "../../layers/turns/node.ts"
import { workerApi } from "../../protocol/worker.ts"
import { loadFailedCode } from "../../layers/worker-launcher/index.ts"
import { version as ownVersion } from "../config.ts"
import { jsonLogs } from "../logs.ts"
import { readArgument, type WorkerArgument } from "./argument.ts"
import { holdLeash, openControl, speakToStdout } from "./control.ts"

/** ports tried from the hint upwards */
const portTries = 200
/** what a stopped worker's readers have to take their last event, milliseconds */
const closeMs = 500

const exit = (code: number): Effect.Effect<never> => Effect.sync(() => process.exit(code))
const say = (text: string): Effect.Effect<void> => Effect.sync(() => void process.stderr.write(`${text}\n`))

/** As the process of its engine went: whose answers it had knows what to do of a worker that is gone. */
const goAs = ({ code, signal }: EngineEnd): void => {
  process.stderr.write(`its engine ended: ${signal ?? `exit code ${code ?? "unknown"}`}\n`)
  if (signal !== undefined) process.kill(process.pid, signal)
  process.exit(1)
}

/** What the engine calls an error goes to the log: it may be the last that is heard of it. */
const startOf = (plan: WorkerArgument["plan"]): EngineStart => ({
  ...plan,
  onError: (text) => void process.stderr.write(text),
  onEnd: goAs
})

/** Completes at the first SIGTERM or SIGINT. */
const stopSignal = Effect.async<void>((resume) => {
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resume(Effect.void))
})

/** No config file and no token file: a worker reads nothing of the cluster's. */
const settingsOf = ({ settings, token, version = ownVersion }: WorkerArgument): Settings => ({
  ...defaults,
  version,
  home: { state: "", logs: "", config: "" },
  worker: settings,
  token
})

const program = (argument: WorkerArgument, known: EnginesByKind) =>
  Effect.gen(function* () {
    const { controlFd, host, plan, token } = argument
    const tell = controlFd === undefined ? speakToStdout : openControl(controlFd)
    const services = Layer.mergeAll(
      engineOf(startOf(plan), known),
      layerRandom,
      layerTurns,
      Layer.succeed(CurrentSettings, settingsOf(argument))
    )
    const worker = yield* Effect.provide(makeWorker({ plan, pid: process.pid, tell }), services)
    const server = yield* Scope.make()
    // exits without tearing the model down: the operating system takes its memory back faster, and never fails at it
    const leave = Effect.zipRight(Scope.close(server, Exit.void), exit(0))
    yield* Effect.forkScoped(stopSignal.pipe(Effect.zipRight(worker.shutdown(0)), Effect.zipRight(leave)))
    const { port, url } = yield* serveHttp({
      apis: [{ api: workerApi, handlers: worker.api }],
      host,
      port: plan.portHint,
      portTries,
      token,
      role: "worker",
      graceMs: closeMs
    }).pipe(
      Scope.extend(server),
      Effect.tapError(({ code, todo, what }) => Effect.sync(() => tell({ t: "failed", code, what, todo })))
    )
    tell({ t: "bound", port, url })
    yield* worker.run
    yield* leave
  }).pipe(
    Effect.scoped,
    Effect.catchAll((error) => Effect.zipRight(say(`${error.code}: ${error.message}`), exit(loadFailedCode))),
    Effect.catchAllCause((cause) => Effect.zipRight(say(Cause.pretty(cause)), exit(1)))
  )

/** Never returns where it has a plan. */
export const runWorker = (known: EnginesByKind = engines): void => {
  const argument = readArgument(process.argv[2])
  if (Either.isLeft(argument)) {
    process.stderr.write(`worker: bad plan: ${argument.left}\n`)
    process.exit(2)
  }
  const { controlFd, plan } = argument.right
  if (controlFd !== undefined) holdLeash()
  // loads in the background while the server binds
  known[plan.kind]?.preload?.(startOf(plan))
  Effect.runFork(Effect.provide(program(argument.right, known), jsonLogs))
}
