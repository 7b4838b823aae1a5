/** The header of a model's file is read once as long as the file stays what it is. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { readHeader } from "../../../src/layers/models/header.ts"
import { gguf, type ModelFormat } from "../../../src/machines/formats/model-format.ts"
import { MINILLAMA } from "../engine/ask.ts"

const folder = mkdtempSync(join(tmpdir(), "rbee-header-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const counting = () => {
  const counted = { reads: 0 }
  const format: ModelFormat = { ...gguf, read: (start, bytes) => (counted.reads++, gguf.read(start, bytes)) }
  return { counted, format }
}

describe("the header of a file", () => {
  it("that has not changed is not read again", async () => {
    const file = join(folder, "same.gguf")
    copyFileSync(MINILLAMA, file)
    const { counted, format } = counting()
    const first = await readHeader(file, format)
    const { reads } = counted
    expect(reads).toBeGreaterThan(0)
    expect(await readHeader(file, format)).toEqual(first)
    expect(counted.reads).toBe(reads)
  })

  it("that was replaced is, also by one of the same size", async () => {
    const file = join(folder, "other.gguf")
    copyFileSync(MINILLAMA, file)
    const { format } = counting()
    const first = await readHeader(file, format)
    expect(first).toHaveProperty("facts")
    if (!("facts" in first)) return
    writeFileSync(file, Buffer.alloc(first.facts.fileBytes, "x"))
    expect(await readHeader(file, format)).toHaveProperty("reason")
  })
})
