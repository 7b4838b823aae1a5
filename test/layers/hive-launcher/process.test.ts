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
import { HiveLauncher } from "../../../src/layers/hive-launcher/index.ts"
import { layerProcess } from "../../../src/layers/hive-launcher/process.ts"
import { Processes, type ProcessId } from "../../../src/layers/process/index.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { defaults } from "../../../src/layers/settings/defaults.ts"

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
      Layer.provideMerge(Layer.merge(layerNode, Layer.succeed(CurrentSettings, settings)))
    )
    const context = yield* Layer.build(layer)
    const { launcher, processes } = yield* Effect.provide(
      Effect.all({ launcher: HiveLauncher, processes: Processes }),
      context
    )
    const target = launcher.target("localhost")
    const stateFile = join(state, "hive-localhost", "daemon.json")
    const running = () => JSON.parse(readFileSync(stateFile, "utf8")) as ProcessId
    // whatever a test leaves behind
    yield* Effect.addFinalizer(() => Effect.orDie(launcher.kill(target)))
    return { launcher, processes, target, port, stateFile, running }
  })

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
      const { launcher, port, running, stateFile, target } = yield* world()
      yield* launcher.wake(target)
      const hive = running()
      const inHome = (name: string) => join(stateFile, "../..", name)
      const seen = (condition: () => boolean) => Effect.repeat(Effect.sleep("10 millis"), { until: condition })
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
      for (const content of [
        JSON.stringify({ pid: process.pid, start: "another", url: `http://127.0.0.1:${port}` }),
        JSON.stringify({ pid: 4_194_304, start: "gone", url: `http://127.0.0.1:${port}` }),
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
