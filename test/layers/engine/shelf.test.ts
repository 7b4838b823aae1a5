/** The parked files of a worker, by what they begin with; a state is any bytes here. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { Shelf, type ShelfOptions } from "../../../src/layers/engine/llama/parking/shelf.ts"

const IDENTITY = "0123456789abcdef"
const HERS = "1111111111111111"
const HIS = "2222222222222222"

let folder: string
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "rbee-shelf-"))))
afterEach(() => rmSync(folder, { recursive: true }))

const shelf = (options: Partial<ShelfOptions> = {}) =>
  new Shelf({ folder, key: "secret", maxBytes: 1e6, identity: IDENTITY, canCut: true, now: () => 0, ...options })

const draftOf = async (on: Shelf) => {
  const draft = await on.draft(1000)
  if (draft === undefined) throw new Error("there is no room")
  writeFileSync(draft.path, Buffer.alloc(1000, 7))
  return draft
}
const put = async (on: Shelf, tokens: ReadonlyArray<number>, scope = HERS): Promise<void> => {
  await on.open()
  await on.put(await draftOf(on), { scope, tokens: Uint32Array.from(tokens), wide: tokens.length })
}

/** What a worker that comes after finds of these tokens: how many a checked file begins with. */
const found = async (on: Shelf, wanted: ReadonlyArray<number>, scope = HERS): Promise<number> => {
  await on.open()
  const best = on.best(scope, wanted, (_, prefix) => prefix)
  return best !== undefined && (await on.check(best.parked)) ? best.prefix : 0
}
const files = () => readdirSync(folder).map((name) => join(folder, name))

describe("The parked files of a worker", () => {
  it("are found by the longest beginning", async () => {
    const on = shelf()
    await put(on, [1, 2, 9])
    await put(on, [1, 2, 3, 4, 5])
    expect(await found(shelf(), [1, 2, 3, 4, 6])).toBe(4)
    expect(await found(shelf(), [1, 2, 9, 9])).toBe(3)
    expect(await found(shelf(), [7, 8])).toBe(0)
  })

  it("make way for one that has all of theirs, where a state can be cut", async () => {
    const on = shelf()
    await put(on, [1, 2, 3])
    await put(on, [1, 2, 3], HIS)
    await put(on, [1, 2, 3, 4])
    expect(files()).toHaveLength(2)
    const whole = shelf({ canCut: false, identity: "f".repeat(16) })
    await put(whole, [1, 2, 3])
    await put(whole, [1, 2, 3, 4])
    expect(files()).toHaveLength(4)
  })

  it("are not those of another account, or of what computes otherwise", async () => {
    await put(shelf(), [1, 2, 3])
    expect(await found(shelf(), [1, 2, 3], HIS)).toBe(0)
    expect(await found(shelf({ identity: "f".repeat(16) }), [1, 2, 3])).toBe(0)
    expect(files()).toHaveLength(1)
  })

  it("serve nobody with a bit that is another, wherever it is", async () => {
    await put(shelf(), [1, 2, 3])
    const [file = ""] = files()
    const whole = readFileSync(file)
    for (let at = 0; at < whole.length; at += 13) {
      const changed = Buffer.from(whole)
      changed.writeUInt8(changed.readUInt8(at) ^ 4, at)
      writeFileSync(file, changed)
      expect(await found(shelf(), [1, 2, 3]), `a bit of byte ${at}`).toBe(0)
    }
  })

  it("serve nobody where they are cut short, wherever that is, and are deleted", async () => {
    await put(shelf(), [1, 2, 3])
    const [file = ""] = files()
    const whole = readFileSync(file)
    for (let length = 0; length < whole.length; length += 17) {
      writeFileSync(file, whole.subarray(0, length))
      expect(await found(shelf(), [1, 2, 3]), `${length} bytes`).toBe(0)
      expect(files()).toEqual([])
    }
  })

  it("serve nobody in another's place, genuine as they are", async () => {
    const on = shelf()
    await put(on, [1, 2, 3], HERS)
    await put(on, [1, 2, 3, 4], HIS)
    const [hers = "", his = ""] = [HERS, HIS].map((scope) => files().find((file) => file.includes(scope)))
    renameSync(his, hers)
    // of a worker that has read what is there, and of one that comes after
    expect(await found(on, [1, 2, 3, 4], HERS)).toBe(0)
    await put(on, [1, 2, 3, 4], HIS)
    const [again = ""] = files()
    renameSync(again, hers)
    expect(await found(shelf(), [1, 2, 3, 4], HERS)).toBe(0)
  })

  it("are not found before they are whole: a worker that is killed leaves a draft and no more", async () => {
    await draftOf(shelf())
    expect(await found(shelf(), [1, 2, 3])).toBe(0)
  })

  it("are gone where another worker has made room", async () => {
    const on = shelf()
    await put(on, [1, 2, 3])
    await shelf({ maxBytes: 1500 }).draft(1000)
    expect(await found(on, [1, 2, 3])).toBe(0)
  })

  it("that are to be forgotten while they are written are not kept", async () => {
    const on = shelf()
    const draft = await draftOf(on)
    on.forget(HERS)
    await on.put(draft, { scope: HERS, tokens: Uint32Array.of(1, 2), wide: 2 })
    expect(files()).toEqual([])
  })
})
