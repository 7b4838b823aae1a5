/**
 * Streams of a scripted worker on the other machine, read as a queen reads them: through rbee's tunnel, through a port
 * that OpenSSH forwards (`ssh -L`), and directly.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { HiveKeys } from "../../../src/layers/keys/index.ts"
import { homeOf } from "../../../src/layers/paths/index.ts"
import { DirectListener } from "../../../src/layers/remote/direct-listener.ts"
import { Tunnels, layerTunnels } from "../../../src/layers/remote/tunnels.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerSsh2 } from "../../../src/layers/ssh/ssh2.ts"
import { type WorkerApi, workerApi } from "../../../src/protocol/worker.ts"
import { farUrl } from "../../../src/machines/vocabulary/place.ts"
import type { Namespace } from "../../support/namespace.ts"
import type { RemoteMachine } from "../../support/remote.ts"
import { startScriptedWorker } from "../relay-parts/scripted-worker.ts"
import { cpuSeconds } from "../relay-parts/contenders.ts"
import { JobId, HiveId } from "../../../src/machines/vocabulary/ids.ts"

/** A benchmark's bundle, started as the worker on the other machine. */
export const playWorker = async (): Promise<void> => {
  if (process.argv[2] !== "role:far-worker") return
  process.stdout.write(`${await startScriptedWorker("0.0.0.0")}\n`)
  process.stdin.resume().on("end", () => process.exit(0))
}

export interface Load {
  readonly streams: number
  readonly tokens: number
  /** tokens a second and stream; 0: flat out */
  readonly pace: number
}

export interface StreamFigure {
  readonly tokensPerS: number
  /** microseconds of CPU a token on this side: of the reader, and of `ssh` where that is another process */
  readonly cpuUs: number
  readonly firstMs: ReadonlyArray<number>
  /** milliseconds that a token came off its pace */
  readonly jitterMs: ReadonlyArray<number>
}

const readStream = (api: WorkerApi, { pace, tokens }: Load) =>
  Effect.gen(function* () {
    const began = performance.now()
    const request = {
      job_id: JobId.make("job-bench"),
      epoch: 1,
      prompt: "hello",
      stream: true,
      max_tokens: tokens,
      seed: pace
    }
    const reply = yield* api.infer(request)
    if (reply._tag !== "Events") return yield* Effect.dieMessage("no stream came")
    const at: Array<number> = []
    let got = 0
    const write = (frames: string) => {
      const count = frames.split("event: token\n").length - 1
      if (count > 0) at.push(performance.now())
      got += count
      return true
    }
    yield* reply.feed({ write, drain: (resume) => resume() })
    if (got !== tokens) return yield* Effect.dieMessage(`${got} of ${tokens} tokens came`)
    return { firstMs: (at[0] ?? began) - began, gaps: at.slice(1).map((now, i) => now - (at[i] ?? now)) }
  })

/** All streams of a load at once; paced ones begin spread over one period, as answers do. */
const load = async (api: WorkerApi, helper: ChildProcess | undefined, work: Load): Promise<StreamFigure> => {
  const { pace, streams, tokens } = work
  const cpu = () => {
    const { system, user } = process.cpuUsage()
    return user + system + (helper?.pid === undefined ? 0 : cpuSeconds(helper.pid) * 1e6)
  }
  const before = cpu()
  const began = performance.now()
  const all = await Effect.runPromise(
    Effect.forEach(
      Array.from({ length: streams }, (_, k) => k),
      (k) => Effect.delay(readStream(api, work), pace === 0 ? 0 : (k * 1000) / pace / streams),
      { concurrency: "unbounded" }
    )
  )
  return {
    tokensPerS: (streams * tokens * 1000) / (performance.now() - began),
    cpuUs: (cpu() - before) / (streams * tokens),
    firstMs: all.map(({ firstMs }) => firstMs),
    jitterMs: pace === 0 ? [] : all.flatMap(({ gaps }) => gaps.map((gap) => Math.abs(gap - 1000 / pace)))
  }
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      // listening on a port
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** `ssh -L`, once it takes connections. */
const forwarded = async (config: string, port: number, ssh: Array<ChildProcess>): Promise<number> => {
  const local = await freePort()
  const args = ["-F", config, "-N", "-o", "ExitOnForwardFailure=yes", "-L", `127.0.0.1:${local}:127.0.0.1:${port}`]
  ssh.push(spawn("ssh", [...args, "remote"], { stdio: "ignore" }))
  for (let tries = 0; tries < 200; tries++) {
    const there = await fetch(`http://127.0.0.1:${local}/`).then(
      () => true,
      () => false
    )
    if (there) return local
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("ssh -L does not answer")
}

export type Way = "tunnel" | "ssh -L" | "direct"

export interface Streams {
  readonly run: (way: Way, work: Load) => Promise<StreamFigure>
  readonly close: () => Promise<void>
}

export const openStreams = async (link: Namespace, there: RemoteMachine, bundle: string): Promise<Streams> => {
  const children: Array<ChildProcess> = []
  const [command = "ip", ...prefix] = link.prefix
  const worker = spawn(command, [...prefix, process.execPath, bundle, "role:far-worker"], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  children.push(worker)
  let port = 0
  for await (const line of createInterface({ input: worker.stdout })) {
    port = Number(line)
    break
  }
  const settings = {
    ...defaults,
    home: homeOf({ RBEE_HOME: there.home }, there.home),
    version: "0.0.0",
    queen: { ...defaults.queen, sshConfig: there.config }
  }
  const scope = await Effect.runPromise(Scope.make())
  const nobody = Layer.succeed(DirectListener, { channel: () => Effect.succeed(() => {}), open: () => Effect.never })
  const ssh2 = Layer.provideMerge(layerSsh2, Layer.succeed(CurrentSettings, settings))
  const world = Layer.provide(layerTunnels, Layer.mergeAll(HiveKeys.layer, nobody, ssh2))
  const tunnelled = await Effect.runPromise(
    Effect.gen(function* () {
      const tunnels = yield* Effect.flatMap(Layer.build(world), (context) => Effect.provide(Tunnels, context))
      const tunnel = yield* tunnels.of(HiveId.make("remote"), { host: "remote", hive_port: port })
      yield* tunnel.hold
      yield* tunnel.connection
      const url = farUrl({ hive: HiveId.make("remote"), port })
      return makeHttpClient(workerApi, { baseUrl: url, way: tunnels.way(url) })
    }).pipe(Scope.extend(scope), Effect.provide(Logger.remove(Logger.defaultLogger)))
  )
  const ssh: Array<ChildProcess> = []
  const local = await forwarded(there.config, port, ssh)
  children.push(...ssh)
  const clients: Readonly<Record<Way, WorkerApi>> = {
    tunnel: tunnelled,
    "ssh -L": makeHttpClient(workerApi, { baseUrl: `http://127.0.0.1:${local}` }),
    direct: makeHttpClient(workerApi, { baseUrl: `http://${link.address}:${port}` })
  }
  return {
    run: (way, work) => load(clients[way], way === "ssh -L" ? ssh[0] : undefined, work),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      for (const child of children) child.kill("SIGKILL")
    }
  }
}
