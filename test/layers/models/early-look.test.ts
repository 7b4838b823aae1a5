/** The header of a file that is being fetched, which was looked at before or was not. */
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "vitest"
import { EarlyLook, wasSeen } from "../../../src/layers/models/early-look.ts"
import { bundledFolder } from "../../../src/layers/models/sources.ts"
import { workerKinds } from "../../../src/machines/kinds/index.ts"
import { formatOf } from "../../../src/machines/kinds/kind.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-early-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const model = readFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"))
const rubbish = Buffer.alloc(model.length, "no model")
const half = model.length / 2

/** Of a file with these bytes; `reads`: how often its header was read. */
const lookAt = (bytes: Buffer) => {
  const format = formatOf(workerKinds, "a.gguf")
  let reads = 0
  const counting: typeof format = {
    ...format,
    read: (...args) => {
      reads++
      return format.read(...args)
    }
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex")
  const file = {
    name: "a.gguf",
    bytes: bytes.length,
    sha256,
    inPlace: undefined,
    open: () => assert.fail("not opened")
  }
  return { file, look: new EarlyLook(file, counting), reads: () => reads, again: () => lookAt(bytes) }
}

describe("A file that is fetched", () => {
  it("has its header read as it comes, and is given up where it is no model", () => {
    const good = lookAt(model)
    assert.isTrue(good.look.hear(model.subarray(0, half), half))
    assert.strictEqual(good.reads(), 1)
    const bad = lookAt(rubbish)
    assert.throws(() => bad.look.hear(rubbish.subarray(0, half), half), /a\.gguf/)
    // of one that is whole its hash speaks first
    assert.isTrue(lookAt(rubbish).look.hear(rubbish, rubbish.length))
  })

  it("is not looked at again where that was done before it was sent for, by its hash alone", () => {
    const before = lookAt(model)
    wasSeen(undefined)
    wasSeen(before.file.sha256)
    const { look, reads } = before.again()
    assert.isTrue(look.hear(model.subarray(0, 10), 10))
    assert.strictEqual(reads(), 0)
    assert.throws(() => lookAt(rubbish).look.hear(rubbish.subarray(0, half), half))
  })

  it("is looked at all the same where an earlier try has left its beginning, which may be damaged", async () => {
    wasSeen(lookAt(model).file.sha256)
    const part = join(folder, "a.part")
    const signal = new AbortController().signal
    for (const [bytes, isModel] of [
      [model, true],
      [rubbish, false]
    ] as const) {
      writeFileSync(part, bytes.subarray(0, half))
      const { look, reads } = lookAt(model)
      assert.strictEqual(await look.hearPart(part, half, signal), isModel)
      assert.isAbove(reads(), 0)
    }
  })

  it("is looked at again once many others were seen meanwhile", () => {
    wasSeen(lookAt(model).file.sha256)
    for (let other = 0; other < 64; other++) wasSeen(String(other))
    const { look, reads } = lookAt(model)
    assert.isTrue(look.hear(model.subarray(0, half), half))
    assert.strictEqual(reads(), 1)
  })
})
