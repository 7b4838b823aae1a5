/** Loads one model file and its context with the native runtime; all failures typed. */
import { rbeeError, type RbeeError } from "../../../machines/errors.ts"
import { batchTokens, cellStep } from "../../../machines/policy/batches.ts"
import type { LoadOptions } from "../index.ts"
import type { AddonContext, AddonModel } from "./addon.ts"
import { type GgufHeader, NotGguf, readHeader } from "./header.ts"
import type { Runtime } from "./runtime.ts"
import { defaultThreads } from "./threads.ts"

export interface Loaded {
  readonly model: AddonModel
  readonly native: AddonContext
  readonly header: GgufHeader
  /** tokens a slot */
  readonly context: number
  readonly threads: number
  readonly batchSize: number
}

/** ggml's number of what the KV cache can be made of, and its bytes an element */
const kvTypes = { f16: { type: 1, bytes: 2 }, q8_0: { type: 8, bytes: 34 / 32 } } as const

/**
 * `general.file_type` of files whose matrices llama.cpp's CPU backend rearranges as it loads them, for wider registers
 * (ggml's "repack"; seen with AVX-512, and more kinds by its source with Arm's dot products): Q4_0, Q2_K, Q4_K, IQ4_NL,
 * MXFP4; Q8_0, Q5_K, Q6_K.
 */
const rearranged = new Set([2, 10, 14, 15, 21, 25, 38, ...(process.arch === "arm64" ? [7, 16, 17, 18] : [])])

/** With a CPU's matrix tiles (AMX) these too: F16 is only copied there. F16, Q4_1, Q8_0, Q5_K, Q6_K, IQ4_XS. */
const tiled = new Set([1, 3, 7, 16, 17, 18, 30])

const isRearranged = (addon: Runtime["addon"], fileType: number): boolean =>
  rearranged.has(fileType) || (tiled.has(fileType) && addon.systemInfo().includes("AMX_INT8 = 1"))

/** A mapped file costs no copy; but of one that is rearranged the mapping would stay in memory beside the copy. */
const mapped = ({ addon, backend }: Runtime, { metadata }: GgufHeader): boolean =>
  addon.getSupportsMmap() && !(backend === "CPU" && isRearranged(addon, Number(metadata.get("general.file_type"))))

const invalid = (reason: string, todo = "Check the file, or fetch it again"): RbeeError<"MODEL_INVALID"> =>
  rbeeError("MODEL_INVALID", `the model file cannot be loaded (${reason})`, todo, { reason })

const mb = (bytes: number): number => Math.ceil(bytes / 1_000_000)

const exhausted = (
  what: string,
  reason: string,
  amounts: { readonly required_mb?: number; readonly available_mb?: number } = {}
): RbeeError<"VRAM_EXHAUSTED"> =>
  rbeeError("VRAM_EXHAUSTED", `there is no room for ${what} (${reason})`, "Ask for a shorter context or fewer slots", {
    ...amounts,
    reason
  })

/** llama.cpp's spellings of "no memory", over its backends */
const outOfMemory =
  /out of memory|bad_alloc|failed to allocate|unable to allocate|alloc_tensor_range|cudaMalloc|ErrorOutOf\w*Memory|mmap failed/i

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

const header = async (path: string): Promise<GgufHeader> => {
  try {
    const read = await readHeader(path)
    if (read.tensors === 0) throw new NotGguf("it holds a vocabulary only, without weights")
    return read
  } catch (cause) {
    if (cause instanceof NotGguf) throw invalid(cause.message)
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable"
    throw invalid(code === "ENOENT" ? "the file is not there" : `the file cannot be read: ${code}`)
  }
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
  if (outOfMemory.test(words)) throw exhausted("the model", tell(words, options.modelPath))
  throw invalid(tell(words, options.modelPath))
}

/** Rejects with RbeeError MODEL_INVALID or VRAM_EXHAUSTED. The caller disposes of `native` and then of `model`. */
export const loadModel = async (runtime: Runtime, options: LoadOptions, signal: AbortSignal): Promise<Loaded> => {
  const read = await header(options.modelPath)
  const model = await openModel(runtime, options, mapped(runtime, read), signal)
  const trained = model.getTrainContextSize()
  // beyond what it was trained on, a model writes nonsense: never more, whatever was asked
  const context = Math.max(1, Math.min(options.context ?? trained, trained))
  const cells = Math.ceil(context / cellStep) * cellStep * options.slots
  const batchSize = Math.max(Math.min(cells, batchTokens), options.slots)
  const threads = options.threads ?? defaultThreads(model.getTotalParameters(), runtime.addon.getMathCores())
  const what = `a context of ${context} tokens in ${options.slots} slots`
  const kv = kvTypes[options.kvType ?? "f16"]
  const required = mb(cacheBytes(read, cells, kv.bytes))
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
    sequences: options.slots,
    threads,
    flashAttention: "auto",
    // a cache that keeps the whole of a sliding window can be cut to a common prefix
    swaFullCache: true,
    kvCacheKeyType: kv.type,
    kvCacheValueType: kv.type
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
  if (words === "" || outOfMemory.test(words)) {
    throw exhausted(what, tell(words, options.modelPath), { required_mb: required })
  }
  throw invalid(tell(words, options.modelPath))
}

/**
 * A GPU compiles its kernels when they are first used, which takes seconds: while the model is loading, not in somebody's
 * answer, where it would look like a hang. Both shapes that answers have are run once, and leave nothing.
 */
const warmUp = async (model: AddonModel, native: AddonContext, batchSize: number): Promise<void> => {
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

/** Bytes of the KV cache, from the header; 0 where the header does not say. */
const cacheBytes = ({ metadata }: GgufHeader, cells: number, elementBytes: number): number => {
  const arch = metadata.get("general.architecture")
  const of = (key: string): number => {
    const value = metadata.get(`${String(arch)}.${key}`)
    return typeof value === "number" ? value : 0
  }
  const heads = of("attention.head_count")
  const keyValueHeads = of("attention.head_count_kv") || heads
  const size = of("attention.key_length") || (heads > 0 ? of("embedding_length") / heads : 0)
  return of("block_count") * cells * keyValueHeads * size * 2 * elementBytes
}
