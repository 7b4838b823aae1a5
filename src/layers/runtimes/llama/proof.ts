/**
 * The proof that a runtime works here: a child loads the bundled model on the device and decodes. That it can be loaded
 * proves little: a build for a newer CUDA than the driver's loads, and aborts at its first kernel (seen on an H100 with
 * driver 580: "the provided PTX was compiled with an unsupported toolchain").
 */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { saysMemory } from "../../../machines/kinds/llama/words.ts"
import type { Proof } from "../../../machines/policy/blame.ts"
import type { Backend } from "../../../machines/vocabulary/device.ts"
import { addonOf, libraryOf } from "../../engine/llama/packages.ts"
import { bundledFile } from "../../models/sources.ts"
import type { Processes } from "../../process/index.ts"
import { run } from "./run.ts"

/** a driver may compile kernels for a card that the build was not made for */
const within = Duration.minutes(5)

/** Ends with code 0, or with why not on stderr. Arguments: addon, backend, model, and the folders that the engine tries. */
const program = `
const [file, backend, modelPath, ...folders] = process.argv.slice(1)
const wanted = backend === "cpu" ? false : backend
const prove = async () => {
  const addon = require(file)
  addon.markLoaded()
  addon.setLogger((level, text) => process.stderr.write(text))
  addon.setLoggerLogLevel(2)
  const isThere = () => {
    const found = addon.getGpuType()
    return found !== undefined && (wanted === false || found === wanted)
  }
  addon.loadBackends()
  for (const folder of folders) if (!isThere()) addon.loadBackends(folder)
  if (!isThere()) throw "no such device answers"
  await addon.init()
  const model = new addon.AddonModel(modelPath, {
    addonExports: addon, gpuLayers: wanted === false ? 0 : 9999, useMmap: true, onLoadProgress() {}
  })
  if (!(await model.init())) throw "a model could not be loaded"
  const context = new addon.AddonContext(model, {
    contextSize: 256, batchSize: 64, sequences: 1, threads: 1,
    flashAttention: "auto", swaFullCache: true, kvCacheKeyType: 1, kvCacheValueType: 1
  })
  if (!(await context.init())) throw "a context could not be made"
  for (const [position, length] of [[0, 32], [32, 1]]) {
    context.initBatch(length)
    context.addToBatch(0, position, new Uint32Array(length).fill(model.tokenBos()), Uint32Array.of(length - 1))
    await context.decodeBatch()
  }
}
prove().then(() => process.exit(0), (error) => {
  process.stderr.write((error instanceof Error ? error.message : String(error)) + "\\n")
  process.exit(3)
})
`

export interface Trial {
  readonly backend: Backend
  /** in the engine's order (`foldersIn`), the addon's first */
  readonly folders: ReadonlyArray<string>
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** A card's driver may take its time; one that takes this long proves nothing. */
const againWithin = Duration.minutes(1)

const trial = (
  processes: Context.Tag.Service<Processes>,
  beside: string,
  model: string,
  { backend, folders, cwd, env }: Trial,
  within: Duration.Duration
): Effect.Effect<void, string> => {
  const args = ["-e", program, addonOf(beside), backend, model, ...folders]
  return run(processes, { what: "its trial", command: process.execPath, args, cwd, env, within, confined: true })
}

/** Does a runtime that was proven once still work on its device? Changes nothing. */
export const proveAgain = (processes: Context.Tag.Service<Processes>, options: Trial): Effect.Effect<Proof> => {
  const [beside] = options.folders
  const model = bundledFile()
  if (beside === undefined || model === undefined) return Effect.succeed("unclear")
  return trial(processes, beside, model, options, againWithin).pipe(
    Effect.as("works" as const),
    Effect.catchAll((reason) =>
      // want of memory, of processes or of time is nobody's fault here
      Effect.succeed(
        saysMemory(reason) || !reason.startsWith("its trial ended") ? ("unclear" as const) : ("fails" as const)
      )
    )
  )
}

/** Fails with why. Of several builds the first that works stays the first that the engine finds: others before it go. */
export const prove = (
  processes: Context.Tag.Service<Processes>,
  { backend, folders, cwd, env }: Trial
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const [beside] = folders
    const model = bundledFile()
    if (beside === undefined || model === undefined) return
    const reasons = new Set<string>()
    for (const folder of folders) {
      const failed = yield* Effect.flip(trial(processes, beside, model, { backend, folders, cwd, env }, within)).pipe(
        Effect.catchAll(() => Effect.succeed(undefined))
      )
      if (failed === undefined) return
      reasons.add(failed)
      yield* Effect.promise(() => rm(join(folder, libraryOf(backend)), { force: true }))
    }
    return yield* Effect.fail([...reasons].join("; "))
  })
