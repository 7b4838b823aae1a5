/** Loads one model file and its context with the native runtime; all failures typed. */
import { rbeeError, type RbeeError } from "../../../machines/errors.ts"
import type { Header } from "../../../machines/formats/gguf/gguf.ts"
import { gguf } from "../../../machines/formats/model-format.ts"
import { batchTokens, cellStep, pieceTokens } from "../../../machines/kinds/llama/batches.ts"
import { kvBytes } from "../../../machines/kinds/llama/memory.ts"
import { saysMemory } from "../../../machines/kinds/llama/words.ts"
import { usualContext } from "../../../machines/policy/memory/context.ts"
import { toMb } from "../../../machines/policy/memory/fit.ts"
import { readHeader } from "../../models/header.ts"
import type { LoadOptions } from "../index.ts"
import type { AddonModel, NativeContext } from "./addon.ts"
import type { Runtime } from "./runtime.ts"
import { defaultThreads } from "./threads.ts"

export interface Loaded {
  readonly model: AddonModel
  readonly native: NativeContext
  readonly header: Header
  /** tokens a slot */
  readonly context: number
  readonly threads: number
  readonly batchSize: number
}

/** ggml's number of what the KV cache can be made of */
const kvTypes = { f16: 1, q8_0: 8 } as const

/**
 * Files whose matrices llama.cpp's CPU backend rearranges as it loads them, for wider registers (ggml's "repack"; seen
 * with AVX-512, and more kinds by its source with Arm's dot products).
 */
const rearranged = /^(Q4_0|Q2_K|Q2_K_S|Q4_K_[SM]|IQ4_NL|MXFP4)$/
const rearrangedByArm = /^(Q8_0|Q5_K_[SM]|Q6_K)$/

/** With a CPU's matrix tiles (AMX) these too: F16 is only copied there. */
const tiled = /^(F16|Q4_1|Q8_0|Q5_K_[SM]|Q6_K|IQ4_XS)$/

const isRearranged = (addon: Runtime["addon"], quantization: string): boolean =>
  rearranged.test(quantization) ||
  (process.arch === "arm64" && rearrangedByArm.test(quantization)) ||
  (tiled.test(quantization) && addon.systemInfo().includes("AMX_INT8 = 1"))

/** A mapped file costs no copy; but of one that is rearranged the mapping would stay in memory beside the copy. */
const mapped = ({ addon, backend }: Runtime, { facts }: Header): boolean =>
  addon.getSupportsMmap() && !(backend === "CPU" && isRearranged(addon, facts.quantization))

const invalid = (reason: string, todo = "Check the file, or fetch it again"): RbeeError<"MODEL_INVALID"> =>
  rbeeError("MODEL_INVALID", `the model file cannot be loaded (${reason})`, todo, { reason })

/** llama.cpp itself would not have it. */
const refusedBy = (words: string, path: string): RbeeError<"MODEL_INVALID"> => {
  const { details, todo, what } = invalid(tell(words, path))
  return rbeeError("MODEL_INVALID", what, todo, { ...details, by: "engine" })
}

const exhausted = (
  what: string,
  reason: string,
  amounts: { readonly required_mb?: number; readonly available_mb?: number } = {}
): RbeeError<"VRAM_EXHAUSTED"> =>
  rbeeError("VRAM_EXHAUSTED", `there is no room for ${what} (${reason})`, "Ask for a shorter context or fewer slots", {
    ...amounts,
    reason
  })

/** the log arrives through the event loop: one turn later it is all here */
const settled = async (words: () => ReadonlyArray<string>): Promise<string> => {
  await new Promise((resolve) => setImmediate(resolve))
  return words().join("\n")
}

/** The most telling line, without llama.cpp's function names and without the path. */
const tell = (words: string, path: string): string => {
  const lines = words.split("\n").filter((line) => line !== "")
  const line = lines.find((one) => /error loading model/.test(one)) ?? lines[0] ?? "llama.cpp gave no reason"
  return line.replace(/^\w+: (error loading model: )?(\w+: )?/, "").replaceAll(path, "the file")
}

const header = async (path: string): Promise<Header> => {
  const read = await readHeader(path, gguf).catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable"
    throw invalid(code === "ENOENT" ? "the file is not there" : `the file cannot be read: ${code}`)
  })
  if ("reason" in read) throw invalid(read.reason)
  return read
}

const openModel = async (
  runtime: Runtime,
  options: LoadOptions,
  useMmap: boolean,
  signal: AbortSignal
): Promise<AddonModel> => {
  const { addon } = runtime
  const since = runtime.mark()
  let highest = 0
  const model = new addon.AddonModel(options.modelPath, {
    addonExports: addon,
    gpuLayers: runtime.backend === "CPU" ? 0 : 9_999,
    useMmap,
    onLoadProgress: (fraction) => {
      if (!(fraction > highest) || fraction >= 1 || signal.aborted) return
      highest = fraction
      options.onProgress(fraction)
    }
  })
  const abort = (): void => model.abortActiveModelLoad()
  signal.addEventListener("abort", abort)
  try {
    if (await model.init()) return model
  } finally {
    signal.removeEventListener("abort", abort)
  }
  const words = await settled(since)
  await model.dispose()
  if (saysMemory(words)) throw exhausted("the model", tell(words, options.modelPath))
  throw refusedBy(words, options.modelPath)
}

/** Rejects with RbeeError MODEL_INVALID or VRAM_EXHAUSTED. The caller disposes of `native` and then of `model`. */
export const loadModel = async (runtime: Runtime, options: LoadOptions, signal: AbortSignal): Promise<Loaded> => {
  const read = await header(options.modelPath)
  const model = await openModel(runtime, options, mapped(runtime, read), signal)
  const trained = model.getTrainContextSize()
  // beyond what it was trained on, a model writes nonsense: never more, whatever was asked
  const { measures } = read.facts
  const usual = usualContext(trained, measures !== undefined)
  const context = Math.max(1, Math.min(options.context ?? usual, trained))
  // texts that are measured are read one at a time
  const sequences = measures === undefined ? options.slots : 1
  const cells = Math.ceil(context / cellStep) * cellStep * sequences
  const largest = runtime.backend === "CPU" && measures === undefined ? pieceTokens : batchTokens
  const batchSize = measures?.isWhole === true ? cells : Math.max(Math.min(cells, largest), sequences)
  const threads = options.threads ?? defaultThreads(model.getTotalParameters(), runtime.addon.getMathCores())
  const what = `a context of ${context} tokens in ${options.slots} slots`
  const kvType = options.kvType ?? "f16"
  const required = toMb(kvBytes(read.facts, { context, slots: options.slots }, kvType))
  const available = Math.floor(process.availableMemory() / 1_000_000)
  if (runtime.backend === "CPU" && required > available) {
    // Linux would grant the memory, and kill somebody when it is used.
    await model.dispose()
    throw exhausted(what, `${required} MB are needed and ${available} MB are free`, {
      required_mb: required,
      available_mb: available
    })
  }
  const since = runtime.mark()
  const native = new runtime.addon.AddonContext(model, {
    contextSize: cells,
    batchSize,
    sequences,
    threads,
    flashAttention: "auto",
    // a cache that keeps the whole of a sliding window can be cut to a common prefix
    swaFullCache: true,
    kvCacheKeyType: kvTypes[kvType],
    kvCacheValueType: kvTypes[kvType],
    embeddings: measures !== undefined,
    ranking: measures?.purpose === "reranking"
  })
  const made = await native.init().catch(() => false)
  if (made) {
    if (runtime.backend !== "CPU" && !signal.aborted) await warmUp(model, native, batchSize)
    if (!signal.aborted) options.onProgress(1)
    return { model, native, header: read, context, threads, batchSize }
  }
  const words = await settled(since)
  await native.dispose().catch(() => undefined)
  await model.dispose()
  if (words === "" || saysMemory(words)) {
    throw exhausted(what, tell(words, options.modelPath), { required_mb: required })
  }
  throw refusedBy(words, options.modelPath)
}

/**
 * A GPU compiles its kernels when they are first used, which takes seconds: while the model is loading, not in somebody's
 * answer, where it would look like a hang. Both shapes that answers have are run once, and leave nothing.
 */
const warmUp = async (model: AddonModel, native: NativeContext, batchSize: number): Promise<void> => {
  const prompt = new Uint32Array(Math.max(1, Math.min(batchSize, 64) - 1)).fill(Math.max(0, model.tokenBos()))
  for (const [position, tokens] of [
    [0, prompt],
    [prompt.length, prompt.subarray(0, 1)]
  ] as const) {
    native.initBatch(tokens.length)
    native.addToBatch(0, position, tokens, Uint32Array.of(tokens.length - 1))
    await native.decodeBatch()
  }
  native.disposeSequence(0)
}
