/**
 * A simulated hub and disk of one hive. Files outlive the hive's processes; a transfer that is cut leaves what it had
 * synced, and the next one goes on from there.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { rbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/gguf.ts"
import { Models, type ResolvedModel } from "../models/index.ts"
import type { SimProcess } from "./process.ts"

export interface Hub {
  /** bytes a second */
  readonly bytesPerS: number
  /** how likely it is that one transfer breaks */
  readonly breaks: number
  /** how likely it is that what arrived is not what was sent */
  readonly corrupts: number
}

/** One hive's model folder. */
export class ModelDisk {
  readonly partial = new Map<string, { bytes: number; isGood: boolean }>()
  readonly files = new Map<string, number>()
}

export const modelBytes = 40e6

export const facts: ModelFacts = {
  fileBytes: modelBytes,
  architecture: "simulated",
  parameters: 20e6,
  trainedContext: 2048,
  quantization: "Q8_0",
  kvElementsPerToken: 1024,
  keyLength: 32,
  valueLength: 32,
  embedding: 256,
  feedForward: 512,
  heads: 8,
  layers: 4,
  vocabulary: 8192,
  template: true,
  merges: 0
}

const stepMs = 100

export const layerModels = (process: SimProcess, hub: Hub, disk: ModelDisk): Layer.Layer<Models> => {
  const { random } = process.kernel
  const fileOf = (model: ResolvedModel): string => `/models/${model.ref.replaceAll(/[^a-z0-9]/gi, "_")}`
  return Layer.succeed(Models, {
    resolve: (ref) =>
      Effect.sync(() => ({
        ref: ref.ref,
        bytes: modelBytes,
        inPlace: undefined,
        partial: disk.partial.get(ref.ref)?.bytes ?? 0
      })).pipe(Effect.delay(random.between(1, 200))),
    transfer: (model, onProgress) =>
      Effect.gen(function* () {
        const part = disk.partial.get(model.ref) ?? { bytes: 0, isGood: true }
        disk.partial.set(model.ref, part)
        const breaksAt = random.chance(hub.breaks) ? random.between(0, modelBytes) : Infinity
        if (random.chance(hub.corrupts)) part.isGood = false
        while (part.bytes < modelBytes) {
          yield* Effect.sleep(stepMs)
          part.bytes = Math.min(modelBytes, part.bytes + (hub.bytesPerS * stepMs) / 1000)
          onProgress(part.bytes)
          if (part.bytes >= breaksAt)
            return yield* Effect.fail(rbeeError("DOWNLOAD_FAILED", "the hub broke the connection"))
        }
      }),
    publish: (model) =>
      Effect.suspend(() => {
        const part = disk.partial.get(model.ref)
        if (part?.isGood !== true) return Effect.fail(rbeeError("CHECKSUM_MISMATCH", "the hash of the file is another"))
        disk.partial.delete(model.ref)
        disk.files.set(fileOf(model), modelBytes)
        return Effect.succeed({ file: fileOf(model), sha256: "good", facts })
      }),
    discard: (model) => Effect.sync(() => void disk.partial.delete(model.ref)),
    inspect: (file) =>
      Effect.suspend(() =>
        disk.files.has(file)
          ? Effect.succeed(facts)
          : Effect.fail(rbeeError("MODEL_NOT_FOUND", `there is no file ${file}`))
      ),
    preview: () => Effect.succeed(facts),
    isThere: (file, bytes) => Effect.sync(() => disk.files.get(file) === bytes),
    note: () => Effect.void,
    forget: () => Effect.void,
    notes: Effect.succeed([]),
    remove: (file) => Effect.sync(() => void disk.files.delete(file)),
    diskFree: Effect.succeed(100e9),
    sweep: Effect.void
  })
}
