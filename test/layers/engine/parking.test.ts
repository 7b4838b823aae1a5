/** What slots held, in files: an answer that begins with them is the one that reads its prompt for the first time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { LoadedModel, LoadOptions } from "../../../src/layers/engine/index.ts"
import { layerLlama } from "../../../src/layers/engine/llama.ts"
import type { ParkingPlace } from "../../../src/layers/parked/index.ts"
import { familyModel } from "../../support/families/index.ts"
import { ask, loadWith, plain, type Question } from "./ask.ts"

const layer = layerLlama({ gpu: "cpu" })
const SEEDED = { temperature: 1, topP: 1, topK: 0, seed: 42 }
const HERS = "1111111111111111"
const HIS = "2222222222222222"

const place = Effect.acquireRelease(
  Effect.sync((): ParkingPlace => ({
    folder: join(mkdtempSync(join(tmpdir(), "rbee-parked-")), "parked"),
    key: "a secret",
    maxBytes: 50_000_000
  })),
  ({ folder }) => Effect.sync(() => rmSync(join(folder, ".."), { recursive: true }))
)

const filesOf = ({ folder }: ParkingPlace): ReadonlyArray<string> =>
  readdirSync(folder).map((name) => join(folder, name))

const words = (count: number, of = "word"): string =>
  Array.from({ length: count }, (_, i) => `${of}${i % 17}`).join(" ")
const first: Question = { input: plain(words(80)), maxTokens: 20, ignoreEos: true }

/** A worker's life, at whose end what its slots hold is parked. */
const life = <A, E>(
  options: Partial<LoadOptions>,
  use: (loaded: LoadedModel) => Effect.Effect<A, E>
): Effect.Effect<A, E | Effect.Effect.Error<ReturnType<typeof loadWith>>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const loaded = yield* loadWith(layer, { slots: 2, threads: 1, exactness, ...options })
      const used = yield* use(loaded)
      yield* loaded.parking?.all ?? Effect.void
      return used
    })
  )
/** as its self-test finds it on every processor */
const exactness = { exact: true, bits: "0", threads: 1 }

/** After the first turn and an unload: the same with more. */
const second = (text: string): Question => ({ ...first, input: plain(`${words(80)}${text} and so on`) })

describe("A conversation whose worker was unloaded", () => {
  it.scopedLive.each([
    ["greedily", {}],
    ["by a seed", { sampling: SEEDED }]
  ] as const)("goes on, %s, as if it were read anew, and reads the new part alone", ([, how]) =>
    Effect.gen(function* () {
      const parking = yield* place
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, { ...first, ...how }))
      const question = { ...second(text), ...how }
      const cold = yield* life({}, (loaded) => ask(loaded, question))
      const warm = yield* life({ parking }, (loaded) => ask(loaded, question))
      expect(cold.cachedTokens).toBe(0)
      expect(warm.cachedTokens).toBeGreaterThan(cold.promptTokens / 2)
      expect(warm.ids).toEqual(cold.ids)
    })
  )

  it.scopedLive("lies in one file that this user alone can read", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, first))
      yield* life({ parking }, (loaded) => ask(loaded, second(text)))
      const files = filesOf(parking)
      expect(files).toHaveLength(1)
      expect(statSync(parking.folder).mode & 0o777).toBe(0o700)
      for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600)
    })
  )
})

/** What is done to the file; the prompt is read again then, and the file is gone. */
const damages: ReadonlyArray<readonly [what: string, (file: string, parking: ParkingPlace) => ParkingPlace]> = [
  [
    "a byte of which was changed",
    (file, parking) => {
      const bytes = readFileSync(file)
      bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
      writeFileSync(file, bytes)
      return parking
    }
  ],
  [
    "that was cut short",
    (file, parking) => {
      truncateSync(file, statSync(file).size - 100_000)
      return parking
    }
  ],
  ["that was sealed by another hive", (_file, parking) => ({ ...parking, key: "another" })]
]

describe("A parked file", () => {
  it.scopedLive.each(damages)("%s is not loaded but deleted, and the prompt read again", ([, damage]) =>
    Effect.gen(function* () {
      const parking = yield* place
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, first))
      const [file = ""] = filesOf(parking)
      const damaged = damage(file, parking)
      const cold = yield* life({}, (loaded) => ask(loaded, second(text)))
      const again = yield* life({ parking: damaged }, (loaded) => ask(loaded, second(text)))
      expect(again.cachedTokens).toBe(0)
      expect(again.ids).toEqual(cold.ids)
      expect(filesOf(parking)).not.toContain(file)
    })
  )

  it.scopedLive("of one account serves no other", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, { ...first, scope: HERS }))
      const [his, hers] = yield* life({ parking }, (loaded) =>
        Effect.all([ask(loaded, { ...second(text), scope: HIS }), ask(loaded, { ...second(text), scope: HERS })])
      )
      expect(his.cachedTokens).toBe(0)
      expect(hers.cachedTokens).toBeGreaterThan(0)
      expect(hers.ids).toEqual(his.ids)
    })
  )

  it.scopedLive("of a worker with another number of slots is left to that one", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, first))
      const other = yield* life({ parking, slots: 3 }, (loaded) => ask(loaded, second(text)))
      const same = yield* life({ parking }, (loaded) => ask(loaded, second(text)))
      expect(other.cachedTokens).toBe(0)
      expect(same.cachedTokens).toBeGreaterThan(0)
    })
  )
})

describe("What was read for one account", () => {
  it.scopedLive("is used no more once it is to be forgotten, and what others have is", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const turn = (loaded: LoadedModel, scope: string) => ask(loaded, { ...first, scope })
      const cached = yield* life({ parking }, (loaded) =>
        Effect.gen(function* () {
          yield* turn(loaded, HERS)
          yield* turn(loaded, HIS)
          loaded.parking?.forget(HERS)
          const [hers, his] = [yield* turn(loaded, HERS), yield* turn(loaded, HIS)]
          return [hers.cachedTokens, his.cachedTokens > 0]
        })
      )
      expect(cached).toEqual([0, true])
    })
  )
})

describe("A slot that another conversation takes", () => {
  it.scopedLive("is parked first, and its conversation goes on from there", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const { other, text, third } = yield* life({ parking, slots: 1 }, (loaded) =>
        Effect.gen(function* () {
          const { text } = yield* ask(loaded, first)
          const other = yield* ask(loaded, { ...first, input: plain(words(80, "thing")) })
          return { text, other, third: yield* ask(loaded, second(text)) }
        })
      )
      const cold = yield* life({ slots: 1 }, (loaded) => ask(loaded, second(text)))
      expect(other.cachedTokens).toBeLessThan(10)
      expect(third.cachedTokens).toBeGreaterThan(cold.promptTokens / 2)
      expect(third.ids).toEqual(cold.ids)
    })
  )

  it.scopedLive("is not parked where nothing may be", () =>
    Effect.gen(function* () {
      const parking = { ...(yield* place), maxBytes: 10_000 }
      const { text } = yield* life({ parking }, (loaded) => ask(loaded, first))
      const again = yield* life({ parking }, (loaded) => ask(loaded, second(text)))
      expect(again.cachedTokens).toBe(0)
    })
  )
})

describe("A model with recurrent layers", () => {
  it.scopedLive.each(["mamba2", "qwen3next"] as const)(
    "goes on from its state at the end of its prompt: %s",
    (architecture) =>
      Effect.gen(function* () {
        const parking = yield* place
        const modelPath = yield* Effect.promise(() => familyModel(architecture))
        const options = { modelPath, slots: 1 }
        const tokens = Array.from({ length: 150 }, (_, i) => 40 + ((i * 7) % 200))
        const begun = yield* life({ ...options, parking }, (loaded) =>
          ask(loaded, { input: { _tag: "Tokens", tokens }, maxTokens: 10, ignoreEos: true })
        )
        const question: Question = {
          input: { _tag: "Tokens", tokens: [...tokens, ...begun.ids, 50, 60, 70] },
          maxTokens: 20,
          ignoreEos: true
        }
        const cold = yield* life(options, (loaded) => ask(loaded, question))
        const warm = yield* life({ ...options, parking }, (loaded) => ask(loaded, question))
        // 64 before its last token: so much is there to be read in any case, however little is new
        expect(warm.cachedTokens).toBe(tokens.length - 1 - 64)
        expect(warm.ids).toEqual(cold.ids)
      })
  )
})

describe("At rest", () => {
  it.scopedLive("what slots hold is written without being asked, so that a killed worker loses little", () =>
    Effect.gen(function* () {
      const parking = yield* place
      const loaded = yield* loadWith(layer, { slots: 2, threads: 1, exactness, parking })
      const { text } = yield* ask(loaded, first)
      yield* Effect.promise(() =>
        expect
          .poll(() => readdirSync(parking.folder).filter((name) => name.endsWith(".kv")), { timeout: 20_000 })
          .toHaveLength(1)
      )
      const after = yield* life({ parking }, (one) => ask(one, second(text)))
      expect(after.cachedTokens).toBeGreaterThan(0)
    })
  )
})
