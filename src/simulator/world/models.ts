/**
 * A simulated hub and disk of one hive. Files outlive the hive's processes; a transfer that is cut leaves what it had
 * synced, and the next one goes on from there.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import type { ModelFacts } from "../../machines/formats/gguf/gguf.ts"
import type { Measures } from "../../machines/formats/gguf/measures.ts"
import { type ModelNote, Models, type ResolvedModel } from "../../layers/models/index.ts"
import type { SimProcess } from "./process.ts"
import type { SeededRandom } from "./kernel/random.ts"

/** What a hub does wrong; each lasts a while and hits every transfer in that time. */
export type HubTrouble = "cut" | "stall" | "404" | "403" | "429" | "5xx" | "hash" | "no-range"

export interface Hub {
  /** bytes a second */
  readonly bytesPerS: number
  /** how likely it is that one transfer breaks */
  readonly breaks: number
  /** how likely it is that what arrived is not what was sent */
  readonly corrupts: number
  readonly trouble: HubTrouble | undefined
}

/** One hive's model folder. */
export class ModelDisk {
  readonly partial = new Map<string, { bytes: number; isGood: boolean }>()
  readonly files = new Map<string, number>()
  readonly notes = new Map<string, ModelNote>()
  isFull = false

  /** The machine went down: the end of what was being written is lost, or is there and is not what was written. */
  crash(random: SeededRandom): void {
    for (const part of this.partial.values()) {
      if (random.chance(0.5)) part.bytes = Math.floor(part.bytes * random.next())
      else part.isGood = false
    }
  }
}

export const modelBytes = 40e6
/** tokens that it was trained with, and tokens of a slot of a worker that nobody asked for more */
export const trainedContext = 8192
export const usualContext = 2048

export const facts: ModelFacts = {
  fileBytes: modelBytes,
  architecture: "simulated",
  parameters: 20e6,
  trainedContext,
  quantization: "Q8_0",
  kvElementsPerToken: 1024,
  headLengths: [32],
  stateBytes: 0,
  embedding: 256,
  feedForward: 512,
  heads: 8,
  layers: 4,
  vocabulary: 8192,
  template: true,
  merges: 0
}

/** What the model in a file is for, as its name says; undefined: it writes. */
export const measuredBy = (name: string): Measures["purpose"] | undefined =>
  (["embeddings", "reranking"] as const).find((purpose) => name.includes(purpose))

const factsOf = (name: string): ModelFacts => {
  const purpose = measuredBy(name)
  return purpose === undefined ? facts : { ...facts, measures: { purpose, isEncoder: true, isWhole: true } }
}

const stepMs = 100
/** as the hub's client: a transfer without a byte for this long has stalled */
const stalledMs = 30_000

/** What an answer of a hub in trouble is to its client; undefined: it sends what it is asked for. */
const refusal = (
  trouble: HubTrouble | undefined
): RbeeError<"MODEL_NOT_FOUND" | "MODEL_ACCESS_DENIED" | "DOWNLOAD_FAILED"> | undefined => {
  switch (trouble) {
    case "404":
      return rbeeError("MODEL_NOT_FOUND", "the hub has no such model")
    case "403":
      return rbeeError("MODEL_ACCESS_DENIED", "the hub gives this model to nobody but those it knows")
    case "429":
      return rbeeError("DOWNLOAD_FAILED", "the hub is busy", "", { retry_after_ms: 3000 })
    case "5xx":
      return rbeeError("DOWNLOAD_FAILED", "the hub answered 503")
    default:
      return undefined
  }
}

export const layerModels = (process: SimProcess, hubNow: () => Hub, disk: ModelDisk): Layer.Layer<Models> => {
  const { random } = process.kernel
  const free = () => (disk.isFull ? 1e6 : 100e9)
  const fileOf = (model: ResolvedModel): string => `/models/${model.ref.replaceAll(/[^a-z0-9]/gi, "_")}`
  return Layer.succeed(Models, {
    resolve: (ref) =>
      Effect.suspend(
        () =>
          refusal(hubNow().trouble) ??
          Effect.succeed({
            ref: ref.ref,
            bytes: modelBytes,
            inPlace: undefined,
            partial: disk.partial.get(ref.ref)?.bytes ?? 0
          })
      ).pipe(Effect.delay(random.between(1, 200))),
    transfer: (model, onProgress) =>
      Effect.gen(function* () {
        const part = disk.partial.get(model.ref) ?? { bytes: 0, isGood: true }
        disk.partial.set(model.ref, part)
        const { breaks, corrupts, trouble } = hubNow()
        const refused = refusal(trouble)
        if (refused !== undefined) return yield* refused
        const breaksAt = random.chance(breaks) ? random.between(0, modelBytes) : Infinity
        if (random.chance(corrupts)) part.isGood = false
        // a hub that sends the whole file where a part was asked for
        if (trouble === "no-range") {
          part.bytes = 0
          part.isGood = true
        }
        while (part.bytes < modelBytes) {
          yield* Effect.sleep(stepMs)
          const hub = hubNow()
          if (disk.isFull) return yield* rbeeError("DISK_FULL", "the disk of the models is full")
          if (hub.trouble === "cut" || part.bytes >= breaksAt)
            return yield* rbeeError("DOWNLOAD_FAILED", "the hub broke the connection")
          if (hub.trouble === "stall") {
            yield* Effect.sleep(stalledMs)
            return yield* rbeeError("DOWNLOAD_STALLED", "the hub sent nothing for 30 s")
          }
          if (hub.trouble === "hash") part.isGood = false
          part.bytes = Math.min(modelBytes, part.bytes + (hub.bytesPerS * stepMs) / 1000)
          onProgress(part.bytes)
        }
      }),
    publish: (model) =>
      Effect.suspend(() => {
        const part = disk.partial.get(model.ref)
        if (part?.isGood !== true) return Effect.fail(rbeeError("CHECKSUM_MISMATCH", "the hash of the file is another"))
        disk.partial.delete(model.ref)
        disk.files.set(fileOf(model), modelBytes)
        return Effect.succeed({ file: fileOf(model), sha256: "good", facts: factsOf(model.ref) })
      }),
    discard: (model) => Effect.sync(() => void disk.partial.delete(model.ref)),
    // nobody else keeps models on a simulated machine
    scan: () => Effect.succeed({ folders: [], models: [], skipped: [] }),
    inspect: (file) =>
      Effect.suspend(() =>
        disk.files.has(file)
          ? Effect.succeed(factsOf(file))
          : Effect.fail(rbeeError("MODEL_NOT_FOUND", `there is no file ${file}`))
      ),
    projector: () => Effect.succeed(undefined),
    preview: ({ ref }) => Effect.succeed(factsOf(ref)),
    offered: () => Effect.void,
    isThere: (file, bytes) => Effect.sync(() => disk.files.get(file) === bytes),
    stamp: (file) => Effect.succeed(`40000000@${file}`),
    note: (note) => Effect.sync(() => void disk.notes.set(note.ref, note)),
    forget: (ref) => Effect.sync(() => void disk.notes.delete(ref)),
    notes: Effect.sync(() => [...disk.notes.values()].filter(({ file }) => disk.files.has(file))),
    remove: (file) => Effect.sync(() => void disk.files.delete(file)),
    diskFree: Effect.sync(free),
    sweep: Effect.void
  })
}
