/**
 * Random-weight models: real GGUF files of any shape, for the real llama.cpp. What they say is nonsense, always the
 * same for a seed; what they cost is what a model of that shape costs.
 *
 * Files are cached in the temporary folder under a name that is a hash of the shape, and published by rename, so that
 * tests that run at once share one file and never see half of one.
 */
import { createHash } from "node:crypto"
import { access, mkdir, open, rename, rm, truncate, writeFile, copyFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CHAT_TEMPLATE, FIRST_BYTE, type Shape, header, parametersOf, tensorsOf, vocabularyOf } from "./gguf-format.ts"
import type { Tensor } from "./gguf-container.ts"
import { fillTensor } from "./gguf-weights.ts"

export type { Shape } from "./gguf-format.ts"
export { CHAT_TEMPLATE, FIRST_BYTE, parametersOf }

/** Changes when the bytes of a given shape change: old files in the cache are then left alone and never read. */
const GENERATOR = 4

const write = async (path: string, shape: Shape): Promise<void> => {
  const tensors: ReadonlyArray<Tensor> = tensorsOf(shape)
  const vocabulary = vocabularyOf(shape)
  const file = await open(path, "w")
  try {
    await file.write(header(shape, vocabulary, tensors))
    for (const [index, tensor] of tensors.entries()) await file.write(fillTensor(shape, vocabulary, tensor, index))
  } finally {
    await file.close()
  }
}

const folder = join(tmpdir(), "rbee-test-models")

export const cached = async (name: string, make: (path: string) => Promise<void>): Promise<string> => {
  const path = join(folder, name)
  const there = await access(path).then(
    () => true,
    () => false
  )
  if (there) return path
  await mkdir(folder, { recursive: true })
  const partial = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    await make(partial)
    await rename(partial, path)
  } finally {
    await rm(partial, { force: true })
  }
  return path
}

const nameOf = (shape: Shape): string => {
  const hash = createHash("sha256")
    .update(JSON.stringify([GENERATOR, shape]))
    .digest("hex")
  return `random-${Math.round(parametersOf(shape) / 1000)}k-${hash.slice(0, 16)}.gguf`
}

/** The path of a model of this shape. */
export const model = (shape: Shape): Promise<string> => cached(nameOf(shape), (path) => write(path, shape))

/** The same model as `model` makes, in several files; the path of the first. */
export const splitModel = async (shape: Shape, count: number): Promise<string> => {
  const tensors = [...tensorsOf(shape).entries()]
  const vocabulary = vocabularyOf(shape)
  const each = Math.ceil(tensors.length / count)
  const stem = nameOf(shape).replace(/\.gguf$/, "")
  const paths: Array<string> = []
  for (let no = 0; no < count; no++) {
    const mine = tensors.slice(no * each, (no + 1) * each)
    const name = `${stem}-${String(no + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`
    paths.push(
      await cached(name, async (path) => {
        const start = header(
          shape,
          vocabulary,
          mine.map(([, tensor]) => tensor),
          { no, count, tensors: tensors.length }
        )
        await writeFile(
          path,
          Buffer.concat([start, ...mine.map(([index, tensor]) => fillTensor(shape, vocabulary, tensor, index))])
        )
      })
    )
  }
  return paths[0] ?? ""
}

export const TINY: Shape = {
  layers: 1,
  width: 64,
  heads: 2,
  kvHeads: 2,
  feedForward: 128,
  vocabulary: 320,
  context: 256,
  type: "f32",
  chat: true,
  tokenizer: "spm",
  spacePrefix: false,
  seed: 1
}

/** About 320 KB; loads in 10 ms. */
export const tiny = (overrides: Partial<Shape> = {}): Promise<string> => model({ ...TINY, ...overrides })

export const HUNDRED_MILLION: Shape = {
  layers: 12,
  width: 768,
  heads: 12,
  kvHeads: 4,
  feedForward: 2560,
  vocabulary: 8192,
  context: 8192,
  type: "q8_0",
  chat: true,
  tokenizer: "spm",
  spacePrefix: false,
  seed: 1
}

/** About 100 M parameters in 110 MB, context 8192: slow enough on any CPU to be caught in mid-answer. */
export const hundredMillion = (overrides: Partial<Shape> = {}): Promise<string> =>
  model({ ...HUNDRED_MILLION, ...overrides })

export type Defect =
  | "truncated"
  | "truncated-header"
  | "vocabulary-only"
  | "not-gguf"
  | "empty"
  | "future-version"
  | "unknown-architecture"

/** A file that no engine can load, each for another reason. */
export const invalid = (defect: Defect): Promise<string> =>
  cached(`invalid-${GENERATOR}-${defect}.gguf`, async (path) => {
    switch (defect) {
      case "not-gguf":
        return writeFile(path, "This is a text file, and no model at all.\n".repeat(100))
      case "empty":
        return writeFile(path, "")
      case "vocabulary-only":
        return writeFile(path, header(TINY, vocabularyOf(TINY), []))
      default:
        break
    }
    await copyFile(await tiny(), path)
    if (defect === "truncated") return truncate(path, 200_000)
    if (defect === "truncated-header") return truncate(path, 1_000)
    const file = await open(path, "r+")
    try {
      if (defect === "future-version") await file.write(Uint8Array.of(99, 0, 0, 0), 0, 4, 4)
      else {
        const { buffer } = await file.read(Buffer.alloc(200), 0, 200, 0)
        await file.write(Buffer.from("lalma"), 0, 5, buffer.indexOf("llama"))
      }
    } finally {
      await file.close()
    }
  })
