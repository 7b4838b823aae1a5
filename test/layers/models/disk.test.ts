import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { describe } from "vitest"
import { layerDisk } from "../../../src/layers/models/disk.ts"
import { hubSettings } from "../../../src/layers/models/hugging-face/settings.ts"
import { huggingFace } from "../../../src/layers/models/hugging-face/source.ts"
import { Models } from "../../../src/layers/models/index.ts"
import type { ModelSource } from "../../../src/layers/models/source.ts"
import { bundled, bundledFolder, files } from "../../../src/layers/models/sources.ts"
import { type ParsedRef, parseModelRef } from "../../../src/machines/formats/model-ref.ts"
import { invalid, tiny } from "../../support/gguf.ts"

const liveClock = Clock.make()
const ref = (text: string): ParsedRef => Either.getOrThrow(parseModelRef(text))
const minillama = ref("minillama")

/** those of the release, but with nobody's cache and without a network */
const usual = (folder: string): ReadonlyArray<ModelSource> => [
  bundled(bundledFolder()),
  files,
  huggingFace(hubSettings({ HF_HOME: join(folder, "hf"), HF_HUB_OFFLINE: "1" }))
]

const withModels = <A, E>(use: (folder: string) => Effect.Effect<A, E, Models>, sources?: ReadonlyArray<ModelSource>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "rbee-models-"))),
    (folder) => Effect.provide(use(folder), layerDisk({ folder, sources: sources ?? usual(folder) })),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
const service = <A, E>(use: (models: Models["Type"]) => Effect.Effect<A, E>) => Effect.flatMap(Models, use)
const inModels = (folder: string) => (existsSync(join(folder, "models")) ? readdirSync(join(folder, "models")) : [])

/** The bundled model, in small pieces, with a hook before each. */
const pieces = (before: (offset: number) => Promise<void>, damage = false): ReadonlyArray<ModelSource> => {
  const bytes = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
  return [
    {
      locate: (asked) => {
        const found = bundled(bundledFolder()).locate(asked)
        return found === undefined
          ? undefined
          : Effect.map(found, (located) => ({
              ...located,
              files: [
                {
                  ...located.files[0],
                  open: async function* (offset: number) {
                    for (let at = offset; at < bytes.length; at += 100_000) {
                      await before(at)
                      const piece = new Uint8Array(bytes.subarray(at, Math.min(bytes.length, at + 100_000)))
                      if (damage && at < 200_000) piece[500] = (piece[500] ?? 0) ^ 1
                      yield piece
                    }
                  }
                }
              ]
            }))
      }
    }
  ]
}

describe("Models on disk", () => {
  it.effect("brings the bundled model, verified, under its name alone", () =>
    withModels((folder) =>
      service((models) =>
        Effect.gen(function* () {
          const resolved = yield* models.resolve(minillama)
          expect(resolved).toMatchObject({
            bytes: 3_297_568,
            inPlace: undefined,
            partial: 0
          })
          const seen: Array<number> = []
          yield* models.transfer(resolved, (received) => void seen.push(received))
          expect(seen.at(-1)).toBe(3_297_568)
          expect(seen).toEqual([...seen].sort((a, b) => a - b))
          expect(inModels(folder)).toEqual(["minillama-q8_0.gguf.part"])
          const published = yield* models.publish(resolved)
          expect(published.file).toBe(join(folder, "models", "minillama-q8_0.gguf"))
          expect(published.facts).toMatchObject({ architecture: "llama", parameters: 3_049_920 })
          expect(inModels(folder)).toEqual(["minillama-q8_0.gguf"])
          expect(yield* models.isThere(published.file, 3_297_568)).toBe(true)
          expect(yield* models.isThere(published.file, 1)).toBe(false)
        })
      )
    )
  )

  it.effect("goes on from what an interrupted transfer left", () => {
    let opened: Array<number> = []
    let release = () => {}
    const reached = new Promise<void>((resolve) => (release = resolve))
    const hold = new Promise<void>(() => {})
    let first = true
    const sources = pieces((at) => {
      opened.push(at)
      if (first && at === 1_000_000) {
        release()
        // the interrupt must not wait for a source that hangs: it is looked at between pieces
        return new Promise((resolve) => setTimeout(resolve, 50)).then(() => undefined)
      }
      return first && at > 1_000_000 ? hold : Promise.resolve()
    })
    return withModels(
      (folder) =>
        service((models) =>
          Effect.gen(function* () {
            const resolved = yield* models.resolve(minillama)
            const fiber = yield* Effect.fork(models.transfer(resolved, () => {}))
            yield* Effect.promise(() => reached)
            expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
            const left = statSync(join(folder, "models", "minillama-q8_0.gguf.part")).size
            expect(left).toBe(1_000_000)
            first = false
            opened = []
            const again = yield* models.resolve(minillama)
            expect(again.partial).toBe(left)
            yield* models.transfer(again, () => {})
            expect(opened[0]).toBe(left)
            yield* models.publish(again)
          })
        ),
      sources
    )
  })

  it.effect("publishes nothing that has another hash, and nothing of it stays after discarding", () =>
    withModels(
      (folder) =>
        service((models) =>
          Effect.gen(function* () {
            const resolved = yield* models.resolve(minillama)
            yield* models.transfer(resolved, () => {})
            const error = yield* Effect.flip(models.publish(resolved))
            expect(error.code).toBe("CHECKSUM_MISMATCH")
            yield* models.discard(resolved)
            expect(inModels(folder)).toEqual([])
          })
        ),
      pieces(() => Promise.resolve(), true)
    )
  )

  it.effect("registers a file where it lies, without a copy", () =>
    withModels((folder) =>
      service((models) =>
        Effect.gen(function* () {
          const path = yield* Effect.promise(() => tiny())
          const resolved = yield* models.resolve(ref(`file:${path}`))
          expect(resolved).toMatchObject({ inPlace: path, bytes: statSync(path).size })
          const seen: Array<number> = []
          yield* models.transfer(resolved, (received) => void seen.push(received))
          expect(seen).toEqual([0, resolved.bytes])
          expect((yield* models.publish(resolved)).file).toBe(path)
          expect(inModels(folder)).toEqual([])
        })
      )
    )
  )

  it.effect.each(["not-gguf", "truncated", "truncated-header", "vocabulary-only", "empty"] as const)(
    "refuses a file that is %s, and leaves it alone",
    (defect) =>
      withModels(() =>
        service((models) =>
          Effect.gen(function* () {
            const path = yield* Effect.promise(() => invalid(defect))
            const resolved = yield* models.resolve(ref(`file:${path}`))
            yield* models.transfer(resolved, () => {})
            expect((yield* Effect.flip(models.publish(resolved))).code).toBe("MODEL_INVALID")
            expect((yield* Effect.flip(models.inspect(path))).code).toBe("MODEL_INVALID")
            expect((yield* Effect.flip(models.preview(ref(`file:${path}`)))).code).toBe("MODEL_INVALID")
            expect(existsSync(path)).toBe(true)
          })
        )
      )
  )

  it.effect("tells a missing file, a folder and a hub reference apart, with what to do", () =>
    withModels((folder) =>
      service((models) =>
        Effect.gen(function* () {
          const missing = yield* Effect.flip(models.resolve(ref("file:/nowhere/at/all.gguf")))
          expect(missing).toMatchObject({
            code: "MODEL_NOT_FOUND",
            what: expect.stringContaining("/nowhere/at/all.gguf")
          })
          mkdirSync(join(folder, "dir.gguf"))
          expect((yield* Effect.flip(models.resolve(ref(`file:${folder}/dir.gguf`)))).code).toBe("MODEL_NOT_FOUND")
          const hub = yield* Effect.flip(models.resolve(ref("HF:author/repo:Q8_0")))
          expect(hub).toMatchObject({ code: "MODEL_NOT_FOUND", todo: expect.stringContaining("file:/") })
        })
      )
    )
  )

  it.effect("previews the bundled model without bringing it", () =>
    withModels((folder) =>
      service((models) =>
        Effect.gen(function* () {
          expect(yield* models.preview(minillama)).toMatchObject({ parameters: 3_049_920, fileBytes: 3_297_568 })
          expect(inModels(folder)).toEqual([])
        })
      )
    )
  )

  it.effect("keeps a fresh partial file for the next try, and sweeps one that is old", () =>
    Effect.withClock(
      withModels((folder) =>
        service((models) =>
          Effect.gen(function* () {
            const fresh = join(folder, "models", "fresh.gguf.part")
            const old = join(folder, "models", "old.gguf.part")
            mkdirSync(dirname(fresh))
            for (const file of [fresh, old]) writeFileSync(file, "x")
            utimesSync(old, 1, 1)
            yield* models.sweep
            expect(inModels(folder)).toEqual(["fresh.gguf.part"])
          })
        )
      ),
      liveClock
    )
  )

  it.effect("says that the bundled model is missing from a broken installation", () =>
    withModels(
      () =>
        service((models) =>
          Effect.map(Effect.flip(models.resolve(minillama)), (error) =>
            expect(error).toMatchObject({ code: "MODEL_NOT_FOUND", todo: "Install rbee anew" })
          )
        ),
      [bundled(undefined), files]
    )
  )

  it.effect("fails typed where its folder cannot be written", () =>
    withModels((folder) =>
      service((models) =>
        Effect.gen(function* () {
          // a file where the folder should be: also root cannot write there
          writeFileSync(join(folder, "models"), "in the way")
          const resolved = yield* models.resolve(minillama)
          expect((yield* Effect.flip(models.transfer(resolved, () => {}))).code).toBe("DOWNLOAD_FAILED")
        })
      )
    )
  )
})
