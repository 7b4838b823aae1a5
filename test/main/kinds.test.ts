/** A second kind of worker beside llama.cpp's, of nothing but its data: no other file knows of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type KindsHere, layerLogs, makeOneProcess, type OneProcess } from "../../src/main/cluster/world.ts"
import { loadSettings } from "../../src/main/config.ts"
import { workerKinds } from "../../src/machines/kinds/index.ts"
import type { RbeeError } from "../../src/machines/errors.ts"
import { readEvents, type SseEvent } from "../../src/protocol/sse.ts"
import { scriptEngine, scriptKind, scriptRuntimes } from "../support/script-kind.ts"

const { id } = scriptKind
const withScripts: KindsHere = {
  kinds: [...workerKinds, scriptKind],
  engines: { [id]: scriptEngine },
  runtimes: { [id]: scriptRuntimes }
}

interface Here extends OneProcess {
  /** a file of this text, as a reference */
  readonly file: (name: string, text: string) => string
  /** what a job for this model says and hears until its end */
  readonly ask: (
    model: string
  ) => Effect.Effect<{ text: string; lines: ReadonlyArray<string>; end: SseEvent }, RbeeError>
}

const withCluster = <A, E>(use: (here: Here) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const home = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-kinds-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    )
    const settings = yield* loadSettings({ env: { RBEE_HOME: home } })
    return yield* Effect.gen(function* () {
      const world = yield* makeOneProcess(settings, withScripts)
      const file = (name: string, text: string) => {
        writeFileSync(join(home, name), text)
        return `file:${join(home, name)}`
      }
      const ask = (model: string) =>
        Effect.gen(function* () {
          const { job_id } = yield* world.api.submitJob({ model, messages: [{ role: "user", content: "hello" }] })
          const heard: Array<SseEvent> = []
          yield* readEvents(yield* world.api.jobEvents({ id: job_id }), (event) => void heard.push(event))
          const told = (name: string, say: (data: Readonly<Record<string, string>>) => string) =>
            heard.filter(({ event }) => event === name).map(({ data }) => say(JSON.parse(data)))
          const end = heard.at(-1)
          if (end === undefined) return yield* Effect.dieMessage("nothing was heard")
          const text = told("token", ({ t }) => t ?? "").join("")
          return { text, lines: told("narration", ({ actor, human }) => `${actor}: ${human}`), end }
        })
      return yield* use({ ...world, file, ask })
    }).pipe(Effect.provide(layerLogs(settings)))
  }).pipe(Effect.scoped)

describe("A second kind of worker", () => {
  it.live("serves the files of its format, with its engine, runtime and estimate", () =>
    withCluster(({ api, ask, file }) =>
      Effect.gen(function* () {
        const model = file("play.script", "script")
        const { lines, text } = yield* ask(model)
        expect(text).toBe("one0 small1 bee2 flies3 over4")
        expect(lines).toContain("queen: worker cpu-script-worker already available")
        const [worker] = yield* api.listWorkers({})
        expect(worker).toMatchObject({ model, context: 2048 })
        expect(worker?.memory_mb).toBe(1 + Math.ceil((2048 * (worker?.slots ?? 0)) / 1000))
        expect((yield* api.listModels({})).map(({ architecture }) => architecture)).toEqual(["script"])
      })
    )
  )

  it.live("stands beside the first, which serves what it served", () =>
    withCluster(({ ask, file }) =>
      Effect.gen(function* () {
        yield* ask(file("play.script", "script"))
        const { lines, text } = yield* ask("minillama")
        expect(text).toMatch(/minillama/)
        expect(lines).toContain("queen: worker cpu-llm-worker-rbee already available")
      })
    )
  )

  it.live("says itself what is no file of its format", () =>
    withCluster(({ ask, file }) =>
      Effect.gen(function* () {
        const { end } = yield* ask(file("other.script", "GGUF"))
        expect(JSON.parse(end.data)).toMatchObject({ code: "MODEL_INVALID", details: { reason: "it is no script" } })
      })
    )
  )
})
