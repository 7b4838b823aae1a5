/** A projector beside a model: found by its name and by what it makes. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, expect, it } from "vitest"
import { projectorBeside } from "../../../src/layers/models/projector.ts"
import { readProjector } from "../../../src/machines/formats/gguf/projector.ts"
import { projector } from "../../support/projector.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
const folderWith = async (projectors: Readonly<Record<string, number>>): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-projector-"))
  folders.push(folder)
  for (const [name, width] of Object.entries(projectors)) copyFileSync(await projector(width), join(folder, name))
  return folder
}

it("is the one whose tokens are as wide as the model's", async () => {
  const folder = await folderWith({ "mmproj-a.gguf": 64, "b.mmproj-f16.gguf": 192 })
  writeFileSync(join(folder, "mmproj-broken.gguf"), "GGUF")
  const model = join(folder, "model.gguf")
  expect(await projectorBeside(model, 192)).toMatchObject({ file: join(folder, "b.mmproj-f16.gguf") })
  expect(await projectorBeside(model, 64)).toMatchObject({ file: join(folder, "mmproj-a.gguf") })
  expect(await projectorBeside(model, 32)).toBeUndefined()
})

it("is the only one that there is, where widths tell nothing: some files say another one of theirs", async () => {
  const folder = await folderWith({ "MMPROJ.gguf": 64 })
  expect(await projectorBeside(join(folder, "model.gguf"), 192)).toMatchObject({ file: join(folder, "MMPROJ.gguf") })
})

it("is none in a folder without one, or of another name", async () => {
  expect(await projectorBeside(join(await folderWith({ "other.gguf": 192 }), "model.gguf"), 192)).toBeUndefined()
  expect(await projectorBeside("/nowhere/model.gguf", 192)).toBeUndefined()
})

it("is read by its header, however it is cut", async () => {
  const bytes = new Uint8Array(readFileSync(await projector(192)))
  for (let length = 0; length < 400; length += 7)
    expect(readProjector(bytes.subarray(0, length), bytes.length)._tag).toBe("NeedMore")
  expect(readProjector(bytes.subarray(0, 4096), bytes.length)).toEqual({ _tag: "Projector", width: 192 })
  expect(readProjector(bytes.subarray(0, 100), 100)).toEqual({ _tag: "Other" })
  expect(readProjector(new TextEncoder().encode("no GGUF at all"), 14)).toEqual({ _tag: "Other" })
})
