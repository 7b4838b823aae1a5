/** The commands of the simulated cluster: what people run, who find or wake the queen. Compare `src/main/cli`. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { infer, type InferOptions } from "../../actors/keeper/infer.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { layerProcess as layerQueen } from "../../layers/queen-launcher/process.ts"
import { type Part, Terminal } from "../../layers/terminal/index.ts"
import { type WorkerId, type HiveId, localHive } from "../../machines/vocabulary/ids.ts"
import type { SimProcess } from "../world/process.ts"
import { type Cluster, files } from "./cluster.ts"
import { common, exitCode } from "./programs.ts"

/** What a program that talks to the queen is provided with: it finds or wakes her. */
export const asKeeper =
  (cluster: Cluster, process: SimProcess) =>
  <A, E>(
    program: Effect.Effect<A, E, QueenLauncher | Layer.Layer.Success<ReturnType<typeof common>>>
  ): Effect.Effect<A, E> =>
    program.pipe(
      Effect.provide(Layer.provide(layerQueen({ file: files.queen, env: {} }), common(cluster, process, localHive))),
      Effect.provide(common(cluster, process, localHive))
    )

export interface KeeperRun {
  readonly process: SimProcess
  stdout: string
  stderr: string
  interrupt: () => void
}

/** `rbee infer`. */
export const bootKeeper = (cluster: Cluster, process: SimProcess, options: InferOptions): KeeperRun => {
  const interrupted = Deferred.unsafeMake<130>(process.fork(Effect.void).id())
  const run: KeeperRun = {
    process,
    stdout: "",
    stderr: "",
    interrupt: () => process.post(process, () => Deferred.unsafeDone(interrupted, Effect.succeed(130 as const)))
  }
  const output = (write: (text: string) => void) => ({
    isTTY: false,
    isStyled: false,
    columns: () => 80,
    write: (...parts: ReadonlyArray<Part>) =>
      write(parts.map((part) => (typeof part === "string" ? part : part.text)).join("")),
    writeRaw: write,
    clearLine: () => undefined
  })
  const terminal = Terminal.of({
    stdout: output((text) => {
      run.stdout += text
    }),
    stderr: output((text) => {
      run.stderr += text
    }),
    stdinIsTTY: false,
    stdinIsPiped: false,
    closed: Effect.never,
    interrupted: Deferred.await(interrupted),
    readSecret: () => Effect.succeed(""),
    lines: Effect.never,
    readStdin: () => Effect.succeed("")
  })
  process.main(infer(options).pipe(Effect.provideService(Terminal, terminal), asKeeper(cluster, process)))
  return run
}

/** `rbee workers ls` of a queen that is awake: `tell` hears of each worker how many jobs hold a slot of it. */
export const bootLook = (
  cluster: Cluster,
  process: SimProcess,
  tell: (busy: ReadonlyMap<string, number>) => void
): void => {
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    if ((yield* launcher.find) === undefined) return 0
    const workers = yield* (yield* QueenConnector).connect(launcher.url).listWorkers({})
    tell(new Map(workers.map(({ busy, id }) => [id, busy])))
    return 0
  }).pipe(asKeeper(cluster, process), Effect.catchAll(exitCode))
  process.main(program)
}

/** To find or wake a queen, `rbee up` (`stay`), `rbee down`, and `rbee hives …` and `rbee workers …` of a queen that is awake. */
export type Command =
  | "up"
  | "stay"
  | "down"
  | { readonly startHive: HiveId }
  | { readonly stopHive: HiveId }
  /** stops it before, as one is told to */
  | { readonly removeHive: HiveId }
  | { readonly stopWorker: WorkerId }

export const bootCommand = (cluster: Cluster, process: SimProcess, command: Command): void => {
  const program = Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const found = yield* launcher.find
    if (command === "up" && found !== undefined) return 0
    const health = found ?? (yield* launcher.wake).health
    if (command === "up") return 0
    const api = (yield* QueenConnector).connect(launcher.url)
    if (command === "stay") {
      yield* api.startHive({ id: localHive })
      yield* api.stay({})
      return 0
    }
    if (command === "down") {
      yield* api.shutdown({ cascade: true })
      return (yield* launcher.gone(health)) ? 0 : 1
    }
    if ("startHive" in command) yield* api.startHive({ id: command.startHive })
    else if ("stopHive" in command) yield* api.stopHive({ id: command.stopHive })
    else if ("stopWorker" in command) yield* api.stopWorker({ id: command.stopWorker })
    else {
      const { removeHive: id } = command
      yield* api.stopHive({ id })
      yield* api.removeHive({ id })
    }
    return 0
  }).pipe(asKeeper(cluster, process), Effect.catchAll(exitCode))
  process.main(program)
}
