/** The caches that llama.cpp makes, by its own word, against those that the header promises: to the byte. */
import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { LOG_WARNINGS } from "../../../src/layers/engine/llama/addon.ts"
import { loadRuntime, type Runtime } from "../../../src/layers/engine/llama/runtime.ts"
import { type ModelFacts, readGguf } from "../../../src/machines/formats/gguf/gguf.ts"
import { kvBytes } from "../../../src/machines/kinds/llama/memory.ts"
import { families, type FamilyModel, familyModel } from "../../support/families/index.ts"

const LOG_INFO = 4
let runtime: Runtime
beforeAll(async () => {
  runtime = await loadRuntime({ gpu: "cpu" })
  runtime.addon.setLoggerLogLevel(LOG_INFO)
})
afterAll(() => runtime.addon.setLoggerLogLevel(LOG_WARNINGS))

const factsOf = (path: string): ModelFacts => {
  const file = readFileSync(path)
  const header = readGguf(file, file.length)
  if (header._tag !== "Model") throw new Error(`${path} is no model`)
  return header.facts
}

const shape = { context: 8192, slots: 3 }
const kvTypes = { f16: 1, q8_0: 8 } as const

/** MiB of keys, values and states; each buffer is told to two places. */
const made = async (path: string, kvType: keyof typeof kvTypes): Promise<ReadonlyArray<number>> => {
  const { addon } = runtime
  const model = new addon.AddonModel(path, {
    addonExports: addon,
    gpuLayers: 0,
    useMmap: true,
    onLoadProgress: () => undefined
  })
  expect(await model.init()).toBe(true)
  const since = runtime.mark()
  const context = new addon.AddonContext(model, {
    contextSize: shape.context * shape.slots,
    batchSize: 64,
    sequences: shape.slots,
    threads: 1,
    flashAttention: "auto",
    swaFullCache: true,
    kvCacheKeyType: kvTypes[kvType],
    kvCacheValueType: kvTypes[kvType]
  })
  expect(await context.init()).toBe(true)
  // the log comes through the event loop; this is the last that it says of a context
  await vi.waitFor(() => expect(since().join("\n")).toContain("reserve took"))
  const said = since().join("\n")
  await context.dispose()
  await model.dispose()
  return [...said.matchAll(/(?:KV|RS) buffer size = +([\d.]+) MiB/g)].map(([, mib]) => Number(mib))
}

const expectSame = async (architecture: string, kvType: keyof typeof kvTypes, model: FamilyModel): Promise<void> => {
  const path = await familyModel(architecture, { context: shape.context, ...model })
  const buffers = await made(path, kvType)
  const taken = buffers.reduce((sum, mib) => sum + mib, 0)
  expect(buffers.length).toBeGreaterThan(0)
  const promised = kvBytes(factsOf(path), shape, kvType) / 2 ** 20
  expect(Math.abs(promised - taken), `${promised} MiB promised, ${taken} MiB taken`).toBeLessThan(
    0.006 * buffers.length
  )
}

describe("The caches that are promised for a model are those that llama.cpp makes", () => {
  it.each([...families.keys()])("for %s", async (architecture) => {
    await expectSame(architecture, "f16", {})
    await expectSame(architecture, "f16", { layers: 9, interval: 3 })
    await expectSame(architecture, "q8_0", { layers: 6, interval: 2 })
  })
})
