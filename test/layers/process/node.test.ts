import { spawn as spawnProcess } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Processes } from "../../../src/layers/process/index.ts"
import { layerNode } from "../../../src/layers/process/node.ts"
import { isAlive, parseStat } from "../../../src/layers/process/identity.ts"
import { waitUntil } from "../../../src/layers/process/signals.ts"
import { patience } from "../../support/patience.ts"

const env = { PATH: process.env["PATH"] ?? "" }
const node = process.execPath
/** a child that stays for as long as its leash is held */
const onLeash = `process.stdin.resume().on("end", () => process.exit(0));`

const temp = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-process-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)
const eventually = (what: string, holds: () => boolean, ms = 5000): Effect.Effect<void> =>
  Effect.promise(async () => {
    if (!(await waitUntil(holds, patience(ms)))) throw new Error(`not within ${ms} ms: ${what}`)
  })
const script = (code: string): { command: string; args: ReadonlyArray<string> } => ({
  command: node,
  args: ["-e", code]
})

describe("a child", () => {
  it.scopedLive("reports its exit code with its last words and everything it said on descriptor 3", () =>
    Effect.gen(function* () {
      const { spawn } = yield* Processes
      const lines: Array<string> = []
      const child = yield* spawn({
        ...script(
          `const fs = require("fs"); fs.writeSync(3, "one\\ntw"); fs.writeSync(3, "o\\n" + "x".repeat(70000) + "\\nlast");` +
            `console.error("a\\nGGML_ASSERT failed"); process.exit(7)`
        ),
        env,
        graceMs: 1000,
        onControlLine: (line) => lines.push(line)
      })
      expect(yield* child.exit).toEqual({ code: 7, signal: undefined })
      expect(child.lastWords()).toBe("a\nGGML_ASSERT failed")
      // the line over the bound is dropped, the ones around it are whole
      expect(lines).toEqual(["one", "two", "last"])
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("that is killed reports the signal, and nobody is left with its identity", () =>
    Effect.gen(function* () {
      const { spawn, alive } = yield* Processes
      const child = yield* spawn({ ...script(onLeash), env, graceMs: 1000 })
      expect(yield* alive(child.id)).toBe(true)
      process.kill(child.id.pid, "SIGKILL")
      expect(yield* child.exit).toEqual({ code: undefined, signal: "SIGKILL" })
      expect(yield* alive(child.id)).toBe(false)
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("that cannot be started is a typed failure", () =>
    Effect.gen(function* () {
      const { spawn } = yield* Processes
      const failure = yield* Effect.flip(spawn({ command: "/no/such/program", args: [], env, graceMs: 100 }))
      expect(failure.code).toBe("WORKER_START_FAILED")
      expect(failure.what).toContain("/no/such/program")
    }).pipe(Effect.provide(layerNode))
  )

  it.live("that ignores SIGTERM is killed after its grace when its scope closes, and so is its own child", () =>
    Effect.gen(function* () {
      const { spawn, identify } = yield* Processes
      const scope = yield* Scope.make()
      let grandchild = 0
      const child = yield* spawn({
        ...script(
          `process.on("SIGTERM", () => {}); ${onLeash}` +
            `const kid = require("child_process").spawn("sleep", ["1000"]); require("fs").writeSync(3, kid.pid + "\\n")`
        ),
        env,
        graceMs: 200,
        onControlLine: (line) => (grandchild = Number(line))
      }).pipe(Scope.extend(scope))
      yield* eventually("the grandchild runs", () => grandchild !== 0)
      const kid = yield* identify(grandchild)
      if (kid === undefined) throw new Error("no grandchild")
      const began = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - began).toBeGreaterThanOrEqual(190)
      expect(yield* child.exit).toEqual({ code: undefined, signal: "SIGKILL" })
      yield* eventually("the grandchild is gone", () => !isAlive(kid))
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("that dies alone takes its group with it", () =>
    Effect.gen(function* () {
      const { spawn, identify } = yield* Processes
      let grandchild = 0
      const child = yield* spawn({
        ...script(
          `${onLeash} const kid = require("child_process").spawn("sleep", ["1000"], { stdio: "inherit" });` +
            `require("fs").writeSync(3, kid.pid + "\\n")`
        ),
        env,
        graceMs: 200,
        onControlLine: (line) => (grandchild = Number(line))
      })
      yield* eventually("the grandchild runs", () => grandchild !== 0)
      const kid = yield* identify(grandchild)
      if (kid === undefined) throw new Error("no grandchild")
      process.kill(child.id.pid, "SIGKILL")
      yield* child.exit
      yield* eventually("the grandchild is gone", () => !isAlive(kid))
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("has its words in the log too, which is appended to and put aside when it is large", () =>
    Effect.gen(function* () {
      const { spawn } = yield* Processes
      const folder = yield* temp
      const logFile = join(folder, "logs", "worker.log")
      const say = (text: string) =>
        Effect.flatMap(
          spawn({ ...script(`console.error(${JSON.stringify(text)})`), env, graceMs: 100, logFile }),
          (child) => child.exit
        )
      yield* say("first")
      yield* say("second")
      const written = (text: string) => () => readFileSync(logFile, "utf8") === text
      yield* eventually("both are logged", written("first\nsecond\n"))
      truncateSync(logFile, 10_000_001)
      yield* say("third")
      yield* eventually("a new log", written("third\n"))
      expect(statSync(`${logFile}.1`).size).toBe(10_000_001)
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("goes on in a new log where its own was deleted with its folder", () =>
    Effect.gen(function* () {
      const { spawn } = yield* Processes
      const folder = yield* temp
      const logFile = join(folder, "logs", "worker.log")
      const talking = `setInterval(() => console.error("tick"), 10);${onLeash}`
      yield* spawn({ ...script(talking), env, graceMs: 100, logFile })
      const isWritten = () => existsSync(logFile) && readFileSync(logFile, "utf8").startsWith("tick\n")
      yield* eventually("it is written", isWritten)
      rmSync(join(folder, "logs"), { recursive: true })
      yield* eventually("it is written again", isWritten)
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("runs on when its log cannot be written", () =>
    Effect.gen(function* () {
      const { spawn } = yield* Processes
      const folder = yield* temp
      chmodSync(folder, 0o700)
      const child = yield* spawn({ ...script(`console.error("still here")`), env, graceMs: 100, logFile: folder })
      expect(yield* child.exit).toEqual({ code: 0, signal: undefined })
      expect(child.lastWords()).toBe("still here")
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("on a leash ends within a second when its parent is killed with -9", () =>
    Effect.gen(function* () {
      const { identify } = yield* Processes
      const folder = yield* temp
      const source = join(import.meta.dirname, "leash-holder.ts")
      const holder = join(folder, "holder.mjs")
      yield* Effect.promise(() =>
        build({
          entryPoints: [source],
          outfile: holder,
          bundle: true,
          platform: "node",
          format: "esm",
          logLevel: "error"
        })
      )
      writeFileSync(join(folder, "package.json"), `{"type":"module"}`)
      const parent = spawnProcess(node, [holder], { stdio: ["ignore", "pipe", "inherit"] })
      let said = ""
      parent.stdout.setEncoding("utf8").on("data", (text: string) => (said += text))
      yield* eventually("the parent names its child", () => said.includes("\n"), 20_000)
      const child = yield* identify(Number(said))
      if (child === undefined) throw new Error(`no child ${said}`)
      parent.kill("SIGKILL")
      yield* eventually("the child is gone", () => !isAlive(child), 1000)
    }).pipe(Effect.provide(layerNode))
  )
})

describe("a daemon", () => {
  it.live("leads a session of its own, writes to its log, and is ended by pid and start only", () =>
    Effect.gen(function* () {
      const { daemon, identify, alive, end, memory } = yield* Processes
      const folder = yield* temp
      const logFile = join(folder, "daemon.log")
      const started = yield* daemon({
        ...script(`console.log("up"); setInterval(() => {}, 1000)`),
        env,
        logFile
      })
      yield* eventually("it is up", () => readFileSync(logFile, "utf8") === "up\n")
      // pid, comm, state, parent, group, session
      expect(readFileSync(`/proc/${started.id.pid}/stat`, "utf8").split(" ").slice(4, 6)).toEqual([
        String(started.id.pid),
        String(started.id.pid)
      ])
      expect(yield* identify(started.id.pid)).toEqual(started.id)
      const { own = 0, resident = 0 } = (yield* memory(started.id)) ?? {}
      expect(own).toBeGreaterThan(1_000_000)
      // Node's own program is a mapped file
      expect(resident).toBeGreaterThan(own + 10_000_000)

      const reused = { pid: started.id.pid, start: `1${started.id.start}` }
      expect(yield* alive(reused)).toBe(false)
      expect(yield* memory(reused)).toBeUndefined()
      yield* end(reused, 100)
      expect(yield* alive(started.id)).toBe(true)

      yield* end(started.id, 2000)
      expect(yield* alive(started.id)).toBe(false)
      expect(yield* started.exit).toEqual({ code: undefined, signal: "SIGTERM" })
      yield* end(started.id, 100)
    }).pipe(Effect.scoped, Effect.provide(layerNode))
  )

  it.live("that is stopped and deaf is still ended", () =>
    Effect.gen(function* () {
      const { daemon, end, alive } = yield* Processes
      const folder = yield* temp
      const logFile = join(folder, "daemon.log")
      const started = yield* daemon({
        ...script(`process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)`),
        env,
        logFile
      })
      yield* eventually("it is up", () => readFileSync(logFile, "utf8") === "up\n")
      process.kill(started.id.pid, "SIGSTOP")
      yield* end(started.id, 100)
      expect(yield* alive(started.id)).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(layerNode))
  )
})

describe("identity", () => {
  it("is read behind a name that looks like more fields", () => {
    const fields = ["S", "1", "77", "77", ...Array.from({ length: 15 }, () => "0"), "4242", "0"]
    expect(parseStat(`5 (a) R 1 (b c)) ${fields.join(" ")}`)).toEqual({ state: "S", group: 77, start: "4242" })
  })

  it.effect("is stable for a living process and nothing for an unused or senseless pid", () =>
    Effect.gen(function* () {
      const { identify, self, alive } = yield* Processes
      expect(yield* identify(process.pid)).toEqual(self)
      expect(yield* alive(self)).toBe(true)
      for (const pid of [0, -1, 2 ** 30, Number.NaN]) expect(yield* identify(pid)).toBeUndefined()
    }).pipe(Effect.provide(layerNode))
  )

  it.scopedLive("takes a zombie for gone", () =>
    Effect.gen(function* () {
      const { identify, spawn } = yield* Processes
      // a shell that has become `sleep` never waits for the child that it started before
      let zombie = 0
      yield* spawn({
        command: "sh",
        args: ["-c", "sleep 0.05 & echo $! >&3; exec sleep 1000"],
        env,
        graceMs: 100,
        onControlLine: (line) => (zombie = Number(line))
      })
      const state = (): string | undefined => {
        try {
          return parseStat(readFileSync(`/proc/${zombie}/stat`, "utf8"))?.state
        } catch {
          return undefined
        }
      }
      yield* eventually("it is a zombie", () => state() === "Z")
      expect(yield* identify(zombie)).toBeUndefined()
    }).pipe(Effect.provide(layerNode))
  )
})

describe("the owner of a port", () => {
  it.effect("is named by pid and program, and unknown when nobody listens", () =>
    Effect.gen(function* () {
      const { portOwner } = yield* Processes
      const server = createServer()
      const port = yield* Effect.async<number>((resume) => {
        server.listen(0, "127.0.0.1", () => {
          const address = server.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      })
      expect(yield* portOwner(port)).toMatch(new RegExp(`^pid ${process.pid} \\(.+\\)$`))
      yield* Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
      expect(yield* portOwner(port)).toBeUndefined()
    }).pipe(Effect.provide(layerNode))
  )
})
