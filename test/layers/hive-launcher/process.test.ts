/** Hives as daemons, with a small real program in their place: woken, found again, adopted, ended. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { layerNode as layerDaemons } from "../../../src/layers/daemon/node.ts"
import { HiveLauncher } from "../../../src/layers/hive-launcher/index.ts"
import { layerProcess } from "../../../src/layers/hive-launcher/process.ts"
import { Processes, type ProcessId } from "../../../src/layers/process/index.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"
import { localHive } from "../../../src/machines/vocabulary/ids.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-hive-launcher-"))
const file = join(folder, "stub-hive.mjs")
beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("stub-hive.ts", import.meta.url))],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node"
  })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A port that nobody listens on. */
const freePort = Effect.promise(
  () =>
    new Promise<number>((resolve) => {
      const server = createServer()
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
      })
    })
)

const world = (stub = "") =>
  Effect.gen(function* () {
    const state = mkdtempSync(join(folder, "home-"))
    const port = yield* freePort
    const home = { state, logs: join(state, "logs"), config: join(state, "config.toml") }
    const settings = { ...defaults, home, version: "test", hive: { ...defaults.hive, port } }
    const env = { RBEE_HOME: state, RBEE_HIVE_PORT: String(port), STUB: stub }
    const layer = layerProcess({ file, env }).pipe(
      Layer.provideMerge(Layer.mergeAll(layerNode, layerDaemons, Layer.succeed(CurrentSettings, settings)))
    )
    const context = yield* Layer.build(layer)
    const { launcher, processes } = yield* Effect.provide(
      Effect.all({ launcher: HiveLauncher, processes: Processes }),
      context
    )
    const target = launcher.target(localHive)
    const stateFile = join(state, "hive-localhost", "daemon.json")
    const running = () => JSON.parse(readFileSync(stateFile, "utf8")) as ProcessId
    // whatever a test leaves behind
    yield* Effect.addFinalizer(() => Effect.orDie(launcher.kill(target)))
    const inHome = (name: string) => join(state, name)
    /** One that somebody else starts. */
    const another = (stub: string) =>
      processes.daemon({
        command: process.execPath,
        args: [file],
        env: { ...env, STUB: stub, RBEE_HIVE_ID: "localhost" },
        logFile: join(home.logs, "another.log")
      })
    return { another, inHome, launcher, processes, target, port, stateFile, running }
  })

const seen = (condition: () => boolean) => Effect.repeat(Effect.sleep("10 millis"), { until: condition })

describe("The launcher of hives", () => {
  it.scopedLive("wakes one, finds it again, adopts it, and ends it", () =>
    Effect.gen(function* () {
      const { launcher, processes, running, target, port } = yield* world()
      const url = `http://127.0.0.1:${port}`
      expect(target.at).toBe(`localhost:${port}`)
      expect(yield* launcher.find(target)).toBeUndefined()
      expect(yield* launcher.present(target)).toBe(false)
      expect(yield* launcher.wake(target)).toEqual({ url, woken: true })
      expect(yield* launcher.find(target)).toBe(url)
      expect(yield* launcher.wake(target)).toEqual({ url, woken: false })
      const process = running()
      yield* launcher.kill(target)
      expect(yield* processes.alive(process)).toBe(false)
      expect(yield* launcher.present(target)).toBe(false)
    })
  )

  it.scopedLive("sees one that is there and does not answer, and ends it by force", () =>
    Effect.gen(function* () {
      const { launcher, processes, running, target } = yield* world()
      yield* launcher.wake(target)
      const hive = running()
      process.kill(hive.pid, "SIGSTOP")
      expect(yield* launcher.find(target)).toBeUndefined()
      expect(yield* launcher.present(target)).toBe(true)
      yield* launcher.kill(target)
      expect(yield* processes.alive(hive)).toBe(false)
    })
  )

  it.scopedLive("waits for one that holds its own address and is slow to answer, which is no stranger", () =>
    Effect.gen(function* () {
      const { inHome, launcher, port, running, target } = yield* world()
      yield* launcher.wake(target)
      const hive = running()
      const asked = () => (existsSync(inHome("asked")) ? readFileSync(inHome("asked")).length : 0)
      writeFileSync(inHome("silent"), "")
      const woken = yield* Effect.fork(launcher.wake(target))
      yield* seen(() => existsSync(inHome("refused")))
      // it asks on, in vain, after the one that it started has ended
      const before = asked()
      yield* seen(() => asked() >= before + 2)
      rmSync(inHome("silent"))
      expect(yield* Fiber.join(woken)).toEqual({ url: `http://127.0.0.1:${port}`, woken: false })
      expect(running()).toEqual(hive)
    })
  )

  it.scopedLive("waits for one that has bound its address and is not on file yet, which is no stranger", () =>
    Effect.gen(function* () {
      const { another, inHome, launcher, port, running, target } = yield* world()
      const { id } = yield* another("late")
      yield* seen(() => existsSync(inHome("bound")))
      const woken = yield* Effect.fork(launcher.wake(target))
      yield* seen(() => existsSync(inHome("refused")))
      writeFileSync(inHome("go"), "")
      expect(yield* Fiber.join(woken)).toEqual({ url: `http://127.0.0.1:${port}`, woken: false })
      expect(running().pid).toBe(id.pid)
    })
  )

  it.scopedLive("starts another where the one that holds the address is just ending", () =>
    Effect.gen(function* () {
      const { another, inHome, launcher, port, processes, running, target } = yield* world()
      // a hive takes its state file away before it leaves its port
      const { id } = yield* another("mute")
      yield* seen(() => existsSync(inHome("bound")))
      const woken = yield* Effect.fork(launcher.wake(target))
      yield* seen(() => existsSync(inHome("refused")))
      yield* processes.end(id, 1000)
      expect(yield* Fiber.join(woken)).toEqual({ url: `http://127.0.0.1:${port}`, woken: true })
      expect(running().pid).not.toBe(id.pid)
    })
  )

  it.scopedLive("ends its own that is slower than the winner: it would come up once that one is gone", () =>
    Effect.gen(function* () {
      const { another, inHome, launcher, processes, running, target } = yield* world("slow")
      const woken = yield* Effect.fork(launcher.wake(target))
      yield* seen(() => existsSync(inHome("started")))
      const own = Number(readFileSync(inHome("started"), "utf8"))
      yield* another("")
      expect(yield* Fiber.join(woken)).toMatchObject({ woken: false })
      expect(running().pid).not.toBe(own)
      expect(yield* processes.identify(own)).toBeUndefined()
    })
  )

  it.scopedLive("says why one ended while it was starting", () =>
    Effect.gen(function* () {
      const { launcher, target } = yield* world("early")
      expect(yield* Effect.flip(launcher.wake(target))).toMatchObject({
        code: "INTERNAL",
        what: "hive localhost ended while it was starting: no disk left"
      })
    })
  )

  it.scopedLive("names the port and whoever has taken it", () =>
    Effect.gen(function* () {
      const { launcher, target, port } = yield* world()
      yield* Effect.acquireRelease(
        Effect.promise(
          () =>
            new Promise<ReturnType<typeof createServer>>((resolve) => {
              const stranger = createServer()
              stranger.listen(port, "127.0.0.1", () => resolve(stranger))
            })
        ),
        (stranger) => Effect.sync(() => stranger.close())
      )
      const error = yield* Effect.flip(launcher.wake(target))
      expect(error).toMatchObject({ code: "CONFLICT", details: { port } })
      expect(error.message).toContain(String(process.pid))
    })
  )

  it.scopedLive("leaves nothing behind when it is not wanted any more before it is up", () =>
    Effect.gen(function* () {
      const { launcher, target, port } = yield* world("mute")
      const refused = (): Promise<boolean> =>
        fetch(`http://127.0.0.1:${port}/health`).then(
          () => false,
          () => true
        )
      const listens = Effect.promise(refused).pipe(
        Effect.zipLeft(Effect.sleep("10 millis")),
        Effect.repeat({ until: (no) => !no })
      )
      yield* Effect.raceFirst(launcher.wake(target), listens)
      expect(yield* Effect.promise(refused)).toBe(true)
    })
  )

  it.scopedLive("does not believe a state file of a process that is gone, or of another one with its pid", () =>
    Effect.gen(function* () {
      const { launcher, target, stateFile, port } = yield* world()
      mkdirSync(join(stateFile, ".."), { recursive: true })
      const url = `http://127.0.0.1:${port}`
      const state = { id: "localhost", instance: "hive-1", port, role: "hive", url, version: "test" }
      for (const content of [
        JSON.stringify({ ...state, pid: process.pid, start: "another" }),
        JSON.stringify({ ...state, pid: 4_194_304, start: "gone" }),
        "{ torn"
      ]) {
        writeFileSync(stateFile, content)
        expect(yield* launcher.present(target)).toBe(false)
        expect(yield* launcher.find(target)).toBeUndefined()
        yield* launcher.kill(target)
      }
    })
  )
})
