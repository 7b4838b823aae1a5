/** The real worker program with the bundled model, launched as a hive launches it. */
import { spawn as spawnProcess } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { isAlive } from "../../../src/layers/process/identity.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { waitUntil } from "../../../src/layers/process/signals.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { layerHttp } from "../../../src/layers/worker-connector/http.ts"
import { WorkerConnector } from "../../../src/layers/worker-connector/index.ts"
import { WorkerLauncher, type WorkerPlan } from "../../../src/layers/worker-launcher/index.ts"
import { workerToken } from "../../../src/layers/worker-connector/token.ts"
import { layerProcess } from "../../../src/layers/worker-launcher/process.ts"
import type { ControlMessage } from "../../../src/machines/vocabulary/worker.ts"
import { begin, lastOf, makeReader, readAll, request, textOf, tokensOf } from "../../actors/worker/harness.ts"
import { bundlePrograms, minillama, type Programs } from "./programs.ts"
import { tiny } from "../../support/gguf.ts"
import { patience } from "../../support/patience.ts"
import { llama } from "../../../src/machines/kinds/llama/llama.ts"
import { JobId, WorkerId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

let programs: Programs
beforeAll(async () => {
  programs = await bundlePrograms()
})
afterAll(() => programs.remove())

const temp = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-worker-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
const plan: WorkerPlan = {
  workerId: WorkerId.make("w1"),
  instance: "worker-1",
  kind: llama.id,
  backend: "cpu",
  modelPath: minillama,
  modelRef: ModelRef.make("minillama"),
  slots: 2,
  portHint: 0
}
const eventually = (what: string, holds: () => boolean, ms = 10_000): Effect.Effect<void> =>
  Effect.promise(async () => {
    if (!(await waitUntil(holds, patience(ms)))) throw new Error(`not within ${ms} ms: ${what}`)
  })

interface LaunchOptions {
  readonly own?: Partial<WorkerPlan>
  readonly program?: string
  readonly env?: Readonly<Record<string, string>>
  /** pacing */
  readonly maxTokensPerS?: number
  readonly token?: string
  readonly graceMs?: number
}

/** Launches and returns at once. */
const launch = ({ own, program, env, graceMs, maxTokensPerS, token }: LaunchOptions = {}) =>
  Effect.gen(function* () {
    const home = yield* temp
    const settings = Layer.succeed(CurrentSettings, {
      ...defaults,
      token,
      worker: { ...defaults.worker, maxTokensPerS },
      version: "0.0.0-test",
      home: { state: home, logs: join(home, "logs"), config: join(home, "config.toml") }
    })
    const services = Layer.mergeAll(
      layerProcess({
        program: program ?? programs.worker,
        env: { PATH: process.env["PATH"], RBEE_HOME: home, ...env },
        ...(graceMs === undefined ? {} : { graceMs })
      }).pipe(Layer.provide(layerNode)),
      layerHttp
    ).pipe(Layer.provide(settings))
    const context = yield* Layer.build(services)
    return yield* Effect.gen(function* () {
      const said: Array<ControlMessage> = []
      const launcher = yield* WorkerLauncher
      const connector = yield* WorkerConnector
      const running = yield* launcher.launch({ ...plan, ...own }, (message) => void said.push(message))
      const has = (t: ControlMessage["t"]) => (): boolean => said.some((message) => message.t === t)
      const bound = () => said.flatMap((message) => (message.t === "bound" ? [message] : []))[0]
      const logFile = join(home, "logs", `worker-${plan.workerId}.log`)
      return { said, has, bound, running, connector, log: () => readFileSync(logFile, "utf8") }
    }).pipe(Effect.provide(context))
  })

/** Launches and waits until it is loaded. */
const ready = (options: LaunchOptions = {}) =>
  Effect.gen(function* () {
    const launched = yield* launch(options)
    yield* eventually("it is ready", launched.has("ready"))
    const bound = launched.bound()
    const id = launched.running.process
    if (bound === undefined || id === undefined) return yield* Effect.dieMessage("a process has a port and a pid")
    return { ...launched, ...bound, id, api: launched.connector.connect(bound.url, plan.instance) }
  })

/** an answer that takes some ten seconds */
const paced = { maxTokensPerS: 40 }
const long = { ignore_eos: true, max_tokens: 400, temperature: 0 }

describe("a launched worker", () => {
  it.scopedLive("is not taken for an earlier life of it that had its port", () =>
    Effect.gen(function* () {
      const worker = yield* ready({ token: "a token of the whole cluster" })
      const earlier = worker.connector.connect(worker.url, "worker-0")
      const error = yield* Effect.flip(earlier.infer(request()))
      expect(error).toMatchObject({ code: "CONNECTION_TIMEOUT", details: { reason: "ANOTHER" } })
      expect(yield* worker.api.infer({ ...request(), stream: false })).toMatchObject({ _tag: "Json" })
    })
  )

  it.scopedLive("binds, loads and gets ready, in that order, and streams what it answers in one piece", () =>
    Effect.gen(function* () {
      const worker = yield* ready()
      const order = worker.said.map(({ t }) => t).filter((t) => t !== "beat")
      expect(order[0]).toBe("bound")
      expect(order.slice(1, -1).every((t) => t === "loading")).toBe(true)
      expect(worker.said).toContainEqual({ t: "ready", backend: "CPU", context: 512, slots: 2 })
      yield* eventually("its words are logged", () => worker.log().includes("worker listens on"))
      expect(yield* worker.api.health({})).toMatchObject({
        status: "healthy",
        role: "worker",
        version: "0.0.0-test",
        id: "w1",
        instance: "worker-1",
        pid: worker.id.pid
      })
      const hello = { prompt: undefined, messages: [{ role: "user" as const, content: "hello" }], temperature: 0 }
      const { prompt: _, ...greeting } = { ...request(), ...hello }
      const whole = yield* worker.api.infer({ ...greeting, stream: false })
      const streamed = yield* worker.api.infer({ ...greeting, job_id: JobId.make("job-2") })
      if (whole._tag !== "Json" || streamed._tag !== "Events") return yield* Effect.dieMessage("not as asked")
      const reader = yield* readAll(streamed)
      expect(textOf(reader)).toMatch(/^Hello! I am minillama/)
      expect(whole.body).toMatchObject({ text: textOf(reader), tokens: tokensOf(reader).length })
    })
  )

  it.scopedLive("answers two at once, and stops one within a batch when it is cancelled", () =>
    Effect.gen(function* () {
      const worker = yield* ready(paced)
      const [a, b] = [makeReader(), makeReader()]
      const first = yield* begin(worker, { ...long, job_id: JobId.make("a") })
      const second = yield* begin(worker, { ...long, job_id: JobId.make("b"), max_tokens: 60 })
      const readA = yield* Effect.fork(readAll(first, a))
      const readB = yield* Effect.fork(readAll(second, b))
      yield* eventually("both speak", () => tokensOf(a).length > 5 && tokensOf(b).length > 5)
      expect([a, b].map((reader) => lastOf(reader).event)).toEqual(["token", "token"])
      const full = yield* Effect.flip(begin(worker, { job_id: JobId.make("c") }))
      expect([full.code, full.status]).toEqual(["ALL_SLOTS_BUSY", 503])

      yield* worker.api.cancelInfer({ id: first.id })
      const had = tokensOf(a).length
      yield* Fiber.join(readA)
      expect(lastOf(a)).toEqual({ event: "cancelled", data: {} })
      expect(tokensOf(a).length).toBeLessThanOrEqual(had + 1)
      expect(yield* worker.api.ready({})).toMatchObject({ status: 200, body: { state: "busy", slots: 2, busy: 1 } })
      yield* worker.api.cancelInfer({ id: first.id })
      yield* Fiber.join(readB)
      expect(tokensOf(b).map(({ i }) => i)).toEqual(Array.from({ length: 60 }, (_, i) => i))
    })
  )

  it.scopedLive("beats and lets a neighbour speak on while it reads a prompt of 20 MB", () =>
    Effect.gen(function* () {
      // one of which 20 MB could be a prompt
      const modelPath = yield* Effect.promise(() => tiny({ context: 10_000_000 }))
      // as built, where the tokenizer's program lies beside it
      const program = join(import.meta.dirname, "../../../dist/worker.js")
      const worker = yield* ready({ ...paced, program, own: { modelPath, context: 4096 } })
      const [huge, neighbour] = [makeReader(), makeReader()]
      const spoken = yield* begin(worker, { ...long, job_id: JobId.make("a"), max_tokens: 2000 })
      const speaking = yield* Effect.fork(readAll(spoken, neighbour))
      const asked = yield* begin(worker, { job_id: JobId.make("b"), prompt: "a b c ".repeat(3_500_000) })
      yield* Effect.fork(readAll(asked, huge))
      const beats = () => worker.said.filter(({ t }) => t === "beat").length
      const before = { beats: beats(), tokens: tokensOf(neighbour).length }
      yield* eventually("it beats on", () => beats() >= before.beats + 2)
      yield* eventually("its neighbour speaks on", () => tokensOf(neighbour).length >= before.tokens + 40)
      expect(huge.events).toEqual([])
      yield* Effect.forEach([asked, spoken], ({ id }) => worker.api.cancelInfer({ id }))
      yield* Fiber.join(speaking)
      expect(lastOf(neighbour).event).toBe("cancelled")
    })
  )

  it.scopedLive("that is killed with -9 in mid-answer breaks its stream, and its exit is seen at once", () =>
    Effect.gen(function* () {
      const worker = yield* ready(paced)
      const reader = makeReader()
      const reading = yield* Effect.fork(readAll(yield* begin(worker, long), reader))
      yield* eventually("it speaks", () => tokensOf(reader).length > 5)
      const killedAt = performance.now()
      process.kill(worker.id.pid, "SIGKILL")
      expect(yield* worker.running.exit).toEqual({ code: undefined, signal: "SIGKILL" })
      expect(performance.now() - killedAt).toBeLessThan(patience(1000))
      const broken = yield* Effect.flip(Fiber.join(reading))
      expect(broken.code).toBe("CONNECTION_TIMEOUT")
      expect(lastOf(reader).event).toBe("token")
    })
  )

  it.scopedLive("dies within a second of its hive's kill -9, also while it decodes", () =>
    Effect.gen(function* () {
      const home = yield* temp
      const argument = JSON.stringify({ program: programs.worker, home, plan, ...paced })
      const hive = spawnProcess(process.execPath, [join(programs.folder, "hive.mjs"), argument], {
        stdio: ["ignore", "pipe", "inherit"],
        env: { PATH: process.env["PATH"], RBEE_HOME: home }
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => void hive.kill("SIGKILL")))
      let said = ""
      hive.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
      const found = (t: string): Record<string, unknown> | undefined =>
        said
          .split("\n")
          .slice(0, -1)
          .map((line): Record<string, unknown> => JSON.parse(line))
          .find((message) => message["t"] === t)
      yield* eventually("its worker is ready", () => found("ready") !== undefined)
      const id = { pid: Number(found("pid")?.["pid"]), start: String(found("pid")?.["start"]) }
      const body = JSON.stringify({ ...request(), ...long })
      const headers = { "content-type": "application/json" }
      const answer = yield* Effect.promise(() =>
        fetch(`${String(found("bound")?.["url"])}/infer`, { method: "POST", headers, body })
      )
      expect(answer.status).toBe(200)
      expect(isAlive(id)).toBe(true)
      hive.kill("SIGKILL")
      yield* eventually("the worker is gone", () => !isAlive(id), 1000)
    })
  )

  it.scopedLive("that is stopped beats no more, and is killed when its scope closes", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const worker = yield* ready({ graceMs: 100 }).pipe(Scope.extend(scope))
      const beats = () => worker.said.filter(({ t }) => t === "beat").length
      yield* eventually("it beats", () => beats() > 0)
      process.kill(worker.id.pid, "SIGSTOP")
      const last = beats()
      // two and a half beats long
      yield* Effect.sleep("2500 millis")
      expect(beats() - last).toBeLessThanOrEqual(1)
      yield* Scope.close(scope, Exit.void)
      expect(yield* worker.running.exit).toEqual({ code: undefined, signal: "SIGKILL" })
      expect(isAlive(worker.id)).toBe(false)
    })
  )

  it.scopedLive("that is asked to end tells its readers why, and exits with 0", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const worker = yield* ready(paced).pipe(Scope.extend(scope))
      const reader = makeReader()
      const reading = yield* Effect.fork(readAll(yield* begin(worker, long), reader))
      yield* eventually("it speaks", () => tokensOf(reader).length > 5)
      yield* Scope.close(scope, Exit.void)
      expect(yield* worker.running.exit).toEqual({ code: 0, signal: undefined })
      yield* Fiber.join(reading)
      expect(lastOf(reader)).toMatchObject({ event: "error", data: { code: "SHUTTING_DOWN" } })
    })
  )

  it.scopedLive("ends by itself after POST /shutdown, with its answer finished", () =>
    Effect.gen(function* () {
      const worker = yield* ready(paced)
      const reader = makeReader()
      const reading = yield* Effect.fork(readAll(yield* begin(worker, { ...long, max_tokens: 30 }), reader))
      yield* eventually("it speaks", () => tokensOf(reader).length > 5)
      yield* worker.api.shutdown({ deadline_ms: 20_000 })
      expect((yield* Effect.flip(begin(worker, { job_id: JobId.make("late") }))).code).toBe("SHUTTING_DOWN")
      yield* Fiber.join(reading)
      expect(lastOf(reader)).toMatchObject({ event: "done", data: { tokens: 30 } })
      expect(yield* worker.running.exit).toEqual({ code: 0, signal: undefined })
    })
  )

  it.scopedLive("moves on by itself when its port is taken", () =>
    Effect.gen(function* () {
      const stranger = createServer()
      yield* Effect.addFinalizer(() => Effect.sync(() => void stranger.close()))
      const taken = yield* Effect.async<number>((resume) => {
        stranger.listen(0, "127.0.0.1", () => {
          const address = stranger.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      })
      const worker = yield* ready({ own: { portHint: taken } })
      expect(worker.port).toBeGreaterThan(taken)
      expect((yield* worker.api.health({})).pid).toBe(worker.id.pid)
    })
  )
})

describe("a worker that cannot start", () => {
  it.scopedLive("says what is wrong with its model, exits with 3 and leaves its last words", () =>
    Effect.gen(function* () {
      const home = yield* temp
      const modelPath = join(home, "broken.gguf")
      writeFileSync(modelPath, "GGUF but not really, and far too short")
      const worker = yield* launch({ own: { modelPath } })
      expect(yield* worker.running.exit).toEqual({ code: 3, signal: undefined })
      const failed = worker.said.find(({ t }) => t === "failed")
      expect(failed).toMatchObject({ code: "MODEL_INVALID" })
      expect(worker.said.some(({ t }) => t === "ready")).toBe(false)
      expect(worker.running.lastWords()).toContain("MODEL_INVALID")
    })
  )

  it.scopedLive("without its runtime says so", () =>
    Effect.gen(function* () {
      const runtime = yield* temp
      const worker = yield* launch({ own: { runtime } })
      expect(yield* worker.running.exit).toEqual({ code: 3, signal: undefined })
      expect(worker.said.find(({ t }) => t === "failed")).toMatchObject({ code: "BACKEND_UNAVAILABLE" })
    })
  )

  it.scopedLive("because its program crashes leaves the crash in its last words", () =>
    Effect.gen(function* () {
      const program = join(programs.folder, "crash.mjs")
      writeFileSync(program, `throw new Error("out of luck")`)
      const worker = yield* launch({ program })
      expect(yield* worker.running.exit).toEqual({ code: 1, signal: undefined })
      expect(worker.running.lastWords()).toContain("out of luck")
    })
  )
})

describe("the launcher", () => {
  it.scopedLive("drops what is no message, keeps what is, and binds a worker to its GPU", () =>
    Effect.gen(function* () {
      const program = join(programs.folder, "babble.mjs")
      writeFileSync(
        program,
        `import { writeSync } from "node:fs"
        const lines = ["what?", "{}", '{"t":"loading","progress":"half"}', '{"t":"loading","progress":0.5}',
          JSON.stringify({ t: "failed", code: String(process.env.CUDA_VISIBLE_DEVICES), what: "", todo: "" })]
        writeSync(3, lines.join("\\n") + "\\n")`
      )
      const worker = yield* launch({ program, own: { backend: "cuda", gpuUuid: "GPU-1234" } })
      expect(yield* worker.running.exit).toEqual({ code: 0, signal: undefined })
      expect(worker.said).toEqual([
        { t: "loading", progress: 0.5 },
        { t: "failed", code: "GPU-1234", what: "", todo: "" }
      ])
    })
  )
})

/** Prints what the worker's process is told by environment and arguments, and whether it may gain rights. */
const lookAt = (pid: number) => {
  const told = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8")
  return { environment: told("environ").split("\0"), arguments: told("cmdline").split("\0"), status: told("status") }
}

describe.runIf(process.platform === "linux")("what a worker is trusted with", () => {
  const token = "the cluster's own token, 32 chars"
  const secrets = {
    HF_TOKEN: "hf_SECRET",
    AWS_SECRET_ACCESS_KEY: "SECRET",
    SSH_AUTH_SOCK: "/run/SECRET",
    RBEE_TOKEN: "SECRET",
    NVIDIA_API_KEY: "SECRET",
    CUDA_CLOUD_TOKEN: "SECRET",
    HTTPS_PROXY: "http://user:SECRET@proxy",
    npm_config_registry: "https://SECRET/"
  }

  it.scopedLive("none of its hive's secrets, and what loaders and drivers need", () =>
    Effect.gen(function* () {
      const needed = { LD_LIBRARY_PATH: "/opt/cuda/lib64", VK_ICD_FILENAMES: "/x.json", GGML_VK_VISIBLE_DEVICES: "0" }
      const worker = yield* ready({ token, env: { ...secrets, ...needed } })
      const { arguments: words, environment } = lookAt(worker.id.pid)
      expect([...environment, ...words].join(" ")).not.toMatch(/SECRET|cluster's/)
      for (const [name, value] of Object.entries(needed)) expect(environment).toContain(`${name}=${value}`)
      expect(words).toEqual([process.execPath, programs.worker, "w1", minillama, ""])
    })
  )

  it.scopedLive("a token of its own, which opens no other door, and not its hive's", () =>
    Effect.gen(function* () {
      const worker = yield* ready({ token })
      expect(yield* worker.api.ready({})).toMatchObject({ status: 200 })
      const status = (shown: string | undefined) =>
        Effect.promise(() =>
          fetch(`${worker.url}/ready`, { headers: shown === undefined ? {} : { authorization: `Bearer ${shown}` } })
        ).pipe(Effect.map((answer) => answer.status))
      expect(yield* status(undefined)).toBe(401)
      expect(yield* status("another token, of 32 characters")).toBe(401)
      expect(yield* status(workerToken(token, "worker-2"))).toBe(401)
      expect(yield* status(workerToken(token, plan.instance))).toBe(200)
    })
  )

  it.scopedLive("no way to more rights, under the pid that it was started with", () =>
    Effect.gen(function* () {
      const worker = yield* ready()
      if (existsSync("/usr/bin/setpriv")) expect(lookAt(worker.id.pid).status).toMatch(/^NoNewPrivs:\s+1$/m)
      expect((yield* worker.api.health({})).pid).toBe(worker.id.pid)
      expect(isAlive(worker.id)).toBe(true)
    })
  )
})
