import { existsSync, mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { layerNode as layerDaemons } from "../../../src/layers/daemon/node.ts"
import { statOf } from "../../../src/layers/process/identity.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { QueenLauncher } from "../../../src/layers/queen-launcher/index.ts"
import { layerProcess } from "../../../src/layers/queen-launcher/process.ts"
import { CurrentSettings } from "../../../src/layers/settings/index.ts"
import { loadSettings } from "../../../src/main/config.ts"

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rbee launcher "))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const freePort = () =>
  new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** A program that stands where the queen's would: `body` is its text, with `port` and `version` at hand. */
const launcher = async (body: string, port: number) => {
  const settings = await Effect.runPromise(loadSettings({ env: { RBEE_HOME: home, RBEE_QUEEN_PORT: String(port) } }))
  const file = join(home, "queen.mjs")
  const health = `JSON.stringify({ status: "healthy", role: "queen", version: ${JSON.stringify(settings.version)}, id: "q", instance: "queen-" + process.pid, pid: process.pid, uptime_s: 0 })`
  writeFileSync(
    file,
    `import { renameSync, writeFileSync } from "node:fs"
     import { createServer } from "node:http"
     const port = ${port}
     const serve = (ms) => setTimeout(() => createServer((ask, answer) => {
       answer.end(${health})
       if (ask.url === "/end") setTimeout(() => process.exit(0), 100)
     }).once("error", () => process.exit(75)).listen(port, "127.0.0.1"), ms)
     ${body}`
  )
  const layer = layerProcess({ file, env: { PATH: process.env["PATH"] ?? "" } }).pipe(
    Layer.provide(Layer.mergeAll(layerNode, layerDaemons, Layer.succeed(CurrentSettings, settings)))
  )
  return <A, E>(use: (launcher: QueenLauncher["Type"]) => Effect.Effect<A, E>) =>
    Effect.runPromise(Effect.either(Effect.flatMap(QueenLauncher, use).pipe(Effect.provide(layer))))
}
/** A queen who has started and takes a minute to come up. */
const neverUp = () => {
  const file = JSON.stringify(join(home, "started"))
  return `writeFileSync(${file} + ".part", String(process.pid)); renameSync(${file} + ".part", ${file}); serve(60_000)`
}
const started = () =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (!existsSync(join(home, "started"))) return
      seen.close()
      resolve()
    }
    const seen = watch(home, look)
    look()
  })
const pidOfStarted = () => Number(readFileSync(join(home, "started"), "utf8"))
const end = (port: number) => fetch(`http://127.0.0.1:${port}/end`).then((answer) => answer.text())

describe("the queen's launcher", () => {
  it("wakes a queen that takes her time, finds her, and sees her gone", async () => {
    const port = await freePort()
    const run = await launcher("serve(200)", port)
    const outcome = await run((queen) =>
      Effect.gen(function* () {
        expect(yield* queen.find).toBeUndefined()
        const { health, woken } = yield* queen.wake
        expect(woken).toBe(true)
        expect((yield* queen.find)?.instance).toBe(health.instance)
        yield* Effect.promise(() => end(port))
        expect(yield* queen.gone(health)).toBe(true)
        expect(yield* queen.find).toBeUndefined()
      })
    )
    expect(Either.isRight(outcome)).toBe(true)
  })

  it("gives the reason, from her log, when she ends while starting", async () => {
    const log = '{"message":"INVALID_REQUEST: the disk is made of cheese","logLevel":"ERROR"}'
    const run = await launcher(`process.stderr.write('${log}\\n'); process.exit(1)`, await freePort())
    const outcome = await run((queen) => queen.wake)
    expect(Either.isLeft(outcome) && outcome.left).toMatchObject({
      code: "INVALID_REQUEST",
      what: "the queen could not start: the disk is made of cheese"
    })
  })

  it("takes the winner of a race for its queen, and does not say that it woke her", async () => {
    const port = await freePort()
    // exits as a daemon does that finds its address in use; the winner answers a little later
    const run = await launcher("process.exit(75)", port)
    const winner = createServer((_, answer) =>
      answer.end(
        JSON.stringify({ status: "healthy", role: "queen", version, id: "q", instance: "winner", pid: 1, uptime_s: 0 })
      )
    )
    const { version } = await Effect.runPromise(loadSettings({ env: { RBEE_HOME: home } }))
    const timer = setTimeout(() => winner.listen(port, "127.0.0.1"), 300)
    try {
      const outcome = await run((queen) => queen.wake)
      expect(Either.isRight(outcome) && outcome.right).toMatchObject({ woken: false, health: { instance: "winner" } })
    } finally {
      clearTimeout(timer)
      await new Promise((resolve) => winner.close(resolve))
    }
  })

  it("ends its own queen who is slower than the winner: she would come up once that one is gone", async () => {
    const port = await freePort()
    const run = await launcher(neverUp(), port)
    const { version } = await Effect.runPromise(loadSettings({ env: { RBEE_HOME: home } }))
    const winner = createServer((_, answer) =>
      answer.end(
        JSON.stringify({ status: "healthy", role: "queen", version, id: "q", instance: "winner", pid: 1, uptime_s: 0 })
      )
    )
    const seen = started().then(() => winner.listen(port, "127.0.0.1"))
    try {
      const outcome = await run((queen) => queen.wake)
      expect(Either.isRight(outcome) && outcome.right).toMatchObject({ woken: false, health: { instance: "winner" } })
      expect(statOf(pidOfStarted())).toBeUndefined()
    } finally {
      await seen
      await new Promise((resolve) => winner.close(resolve))
    }
  })

  it("ends the queen that it started when nobody waits for her any more", async () => {
    const run = await launcher(neverUp(), await freePort())
    await run((queen) => Effect.race(Effect.ignore(queen.wake), Effect.promise(started)))
    expect(statOf(pidOfStarted())).toBeUndefined()
  })

  it("names the stranger who took the port in between", async () => {
    const port = await freePort()
    const stranger = createServer((_, answer) => answer.end("hello")).listen(port, "127.0.0.1")
    try {
      const run = await launcher("process.exit(75)", port)
      const outcome = await run((queen) => queen.wake)
      expect(Either.isLeft(outcome) && outcome.left).toMatchObject({ code: "CONFLICT", details: { port } })
    } finally {
      await new Promise((resolve) => stranger.close(resolve))
    }
  })
})
