/** The folder of parked files: how much it may hold, and who goes first. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { layerDisk } from "../../../src/layers/parked/disk.ts"
import { draftMs, filesIn, makeRoom } from "../../../src/layers/parked/folder.ts"
import { Parked } from "../../../src/layers/parked/index.ts"
import { draftName, parkedName } from "../../../src/layers/parked/names.ts"

const IDENTITY = "0123456789abcdef"
const HERS = "1111111111111111"
const HIS = "2222222222222222"
const NOW = Date.UTC(2026, 0, 1)

let home: string
let folder: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rbee-parked-"))
  folder = join(home, "parked")
  mkdirSync(folder)
})
afterEach(() => rmSync(home, { recursive: true }))

/** a file that was last used so many seconds before now */
const file = (name: string, bytes: number, age: number): string => {
  const path = join(folder, name)
  writeFileSync(path, Buffer.alloc(bytes))
  utimesSync(path, NOW / 1000 - age, NOW / 1000 - age)
  return path
}
const parked = (bytes: number, age: number, scope = HERS) => file(parkedName(IDENTITY, scope), bytes, age)

describe("Room for a parked file", () => {
  it("is made of those that were not used for longest, and of no more than needed", async () => {
    const [newest, oldest, middle] = [parked(400, 1), parked(400, 9), parked(400, 5)]
    expect(await makeRoom(folder, 300, 1200, NOW)).toBe(true)
    expect([newest, middle, oldest].map((path) => existsSync(path))).toEqual([true, true, false])
  })

  it("is not there for one that is larger than all may be, and nothing goes for it", async () => {
    const one = parked(400, 1)
    expect(await makeRoom(folder, 1201, 1200, NOW)).toBe(false)
    expect(existsSync(one)).toBe(true)
  })

  it("is not taken from a file that is being written, but from one that was left half written", async () => {
    const [fresh, left] = [file(draftName(), 400, 1), file(draftName(), 400, draftMs / 1000 + 1)]
    expect(await makeRoom(folder, 1000, 1200, NOW)).toBe(false)
    expect([fresh, left].map((path) => existsSync(path))).toEqual([true, false])
  })

  it("is not made of what is no parked file", async () => {
    const other = file("notes.txt", 5000, 99)
    expect(await makeRoom(folder, 300, 1200, NOW)).toBe(true)
    expect(existsSync(other)).toBe(true)
    expect(await filesIn(folder)).toEqual([])
  })
})

const inHome = (maxBytes = 1000) => Effect.provide(layerDisk({ folder: home, maxBytes }))

describe("A hive's parked files", () => {
  it.effect("are deleted for one account, or all", () =>
    Effect.gen(function* () {
      const [hers, his] = [parked(100, 1, HERS), parked(200, 1, HIS)]
      const { clear, held } = yield* Parked
      expect(yield* held).toEqual({ files: 2, bytes: 300 })
      expect(yield* clear(HERS)).toEqual({ files: 1, bytes: 100 })
      expect([hers, his].map((path) => existsSync(path))).toEqual([false, true])
      expect(yield* clear()).toEqual({ files: 1, bytes: 200 })
      expect(readdirSync(folder)).toEqual([])
    }).pipe(inHome())
  )

  it.effect("are sealed for each model by another key, the same at each start", () =>
    Effect.gen(function* () {
      const key = (model: string) => Effect.map(Parked, ({ placeOf }) => placeOf(model)?.key).pipe(inHome())
      expect(yield* key("/one")).toBe(yield* key("/one"))
      expect(yield* key("/one")).not.toBe(yield* key("/another"))
      expect(statSync(join(home, "parked.secret")).mode & 0o777).toBe(0o600)
    })
  )

  it.effect("are not kept where they may have no room, and those of before are deleted", () =>
    Effect.gen(function* () {
      const before = parked(100, 1)
      const place = yield* Effect.map(Parked, ({ placeOf }) => placeOf("/one")).pipe(inHome(0))
      expect(place).toBeUndefined()
      expect(existsSync(before)).toBe(false)
    })
  )
})
