/**
 * How much memory a model takes on its device, from the facts of its GGUF header, before a byte of it is loaded. The
 * terms are llama.cpp's, their factors measured on its CPU backend: `npm run bench -- estimate` holds them against real
 * workers. After each load there the hive corrects the sum by what it measured. CUDA's were measured on one card.
 */
import type { ModelFacts } from "../../formats/gguf/gguf.ts"
import type { Measures } from "../../formats/gguf/measures.ts"
import type { Backend } from "../../vocabulary/device.ts"
import type { KvType } from "../../vocabulary/common.ts"
import { copyBytes } from "./copies.ts"
import type { Shape } from "../../policy/memory/fit.ts"
import type { Terms } from "../kind.ts"
import { batchTokens, cellStep, pieceTokens } from "./batches.ts"

const float = 4

/** Bytes of an element of the cache; q8_0 is blocks of 32 bytes and a half-precision scale. */
const kvElementBytes: Readonly<Record<KvType, number>> = { f16: 2, q8_0: 34 / 32 }

/** The kind of cache that a model can have: q8_0 needs heads that are whole blocks of 32. */
export const kvTypeOf = ({ headLengths }: ModelFacts, wanted: KvType): KvType =>
  headLengths.every((length) => length % 32 === 0) ? wanted : "f16"

const cellsOf = (context: number): number => Math.ceil(context / cellStep) * cellStep

/** Texts that are measured are read one after the other, whatever the slots. */
const sequences = ({ measures }: ModelFacts, slots: number): number => (measures === undefined ? slots : 1)

/** What is kept of what was read. llama.cpp clears all of it as it makes it, so that it is taken from the start. */
export const kvBytes = (facts: ModelFacts, { context, slots }: Shape, kvType: KvType): number =>
  facts.measures?.isEncoder === true
    ? 0
    : (facts.kvElementsPerToken * kvElementBytes[kvType] * cellsOf(context) + facts.stateBytes) *
      sequences(facts, slots)

/** The tokens of the largest batch that can come. */
const batchOf = ({ context, slots }: Shape, backend: Backend): number =>
  Math.min(backend === "cpu" ? Math.max(pieceTokens, slots) : batchTokens, cellsOf(context) * slots)

/** Does the CPU hold its matrices in tiles? */
const isTiled = ({ quantization }: ModelFacts, { backend, hasTiles }: Terms): boolean =>
  backend === "cpu" && hasTiles === true && quantization !== "F32" && quantization !== "BF16"

const hiddenOf = ({ embedding, feedForward, passing = 0 }: ModelFacts): number =>
  Math.max(9 * embedding, 4 * embedding + 3 * feedForward, passing)

/** Less is alive at once, but the batch is rounded to blocks of 34 bytes before it meets a matrix. */
const hiddenInTiles = ({ embedding, feedForward, kvElementsPerToken, layers, passing = 0 }: ModelFacts): number => {
  const attention = 4 * embedding + kvElementsPerToken / Math.max(1, layers)
  const rounded = (Math.max(embedding, feedForward) * 34) / 32
  return Math.max(attention, 3 * embedding + 3 * feedForward, passing) + rounded / float
}

/**
 * Buffers of one batch. They are reserved with the model, but a CPU takes their pages only when the first long prompt
 * is read. Each token of a batch has its activations (a layer's, as many as live at once, or the widest part of its feed
 * forward), and its row of the attention mask over all cells in half precision.
 */
export const computeBytes = (facts: ModelFacts, shape: Shape, terms: Terms): number => {
  const { backend, kvType } = terms
  if (facts.measures !== undefined) return measuringBytes(facts, facts.measures, shape.context)
  const { embedding, vocabulary } = facts
  const hidden = isTiled(facts, terms) ? hiddenInTiles(facts) : hiddenOf(facts)
  // A CPU touches the logits of the tokens that are drawn; a GPU has the buffer reserved for those of the whole batch.
  const widest = backend === "cpu" ? hidden : Math.max(hidden, vocabulary + 5 * embedding)
  // The query is rounded like the keys that it is held against.
  const rounded = kvType === "f16" ? 0 : (embedding * 34) / 32
  const mask = 2 * cellsOf(shape.context)
  // For each slot its logits, and the sampler's candidates: id, logit and probability of every token.
  const drawing = 4 * float * vocabulary * shape.slots
  return batchOf(shape, backend) * (float * (widest + rounded) + mask) + drawing
}

/**
 * Of a model that writes nothing. What comes of each token is kept until it is pooled; llama.cpp computes the logits of
 * all of them where the model has an output, though nobody asks. The mask is there in full precision and in half.
 */
const measuringBytes = (facts: ModelFacts, { isEncoder, isWhole }: Measures, context: number): number => {
  const batch = isWhole ? cellsOf(context) : Math.min(batchTokens, cellsOf(context))
  const { embedding, feedForward, vocabulary } = facts
  // of an encoder less is alive at once, by half again where its feed forward has no gate
  const widest = isEncoder ? 3 * embedding + 2 * feedForward : Math.max(hiddenOf(facts), vocabulary + embedding)
  return batch * (float * (widest + 2 * embedding) + (float + 2) * cellsOf(context))
}

/**
 * A worker process beside its model: Node, our code, the addon, the tables of the tokenizer. Of its first run, which
 * compiles that code: later ones take 4 to 6 MB less.
 */
const processBytes = ({ merges, vocabulary }: ModelFacts): number =>
  84e6 + Math.min(10e6, 1300 * vocabulary) + 160 * vocabulary + 130 * merges

/** a token's nodes of a long graph, and what llama.cpp keeps for one: it has two graphs, whatever the device */
const tokenNodes = 40
const nodeBytes = 2 * 430

const graphBytes = ({ graphNodes }: ModelFacts, shape: Shape): number =>
  graphNodes === undefined ? 0 : nodeBytes * Math.max(graphNodes, tokenNodes * batchOf(shape, "cpu"))

/** Of a larger read buffer nothing was seen to stay. */
const keptBytes = 16 * 2 ** 20

/**
 * For tiles the matrices are copied, through a buffer as large as the largest of them, whose pages were seen to stay with
 * the process (not so where weights have 4 bits); and of Q8_0 the sum of each block of 34 bytes is kept beside it, in 4
 * more. The embeddings stay as they are in the file.
 */
const tileBytes = ({ embedding, feedForward, fileBytes, parameters, quantization, vocabulary }: ModelFacts): number => {
  const weight = fileBytes / Math.max(1, parameters)
  const largest = embedding * Math.max(feedForward, vocabulary) * weight
  const buffer = /^I?Q4/.test(quantization) ? 0 : largest <= keptBytes ? largest : embedding * feedForward * weight
  const matrices = Math.max(0, fileBytes - vocabulary * embedding * weight)
  return buffer + (quantization === "Q8_0" ? (matrices * 4) / 34 : 0)
}

/**
 * What a driver takes of a GPU for a process that uses it. CUDA's context and kernels were measured on an H100 (550 MB
 * with the model, 631 once it has answered); smaller cards take less. For others 300 MB are a guess.
 */
const driverBytes = ({ backend }: Terms): number => (backend === "cuda" ? 635e6 : 300e6)

/** Measured with it. Quantised matrices are multiplied by llama.cpp's own kernels, others by this library. */
const cublasBytes = 105e6
/** Weights that are not quantised, which CUDA multiplies with cuBLAS. */
const isFloat = (quantization: string): boolean => /^(F16|F32|BF16)$/.test(quantization)
/** The smallest heads that CUDA's flash attention can do. */
const flashHead = 64

/**
 * Beside what every backend takes. Attention without flash holds each head's scores, and its mask in full precision;
 * over a quantised cache there is none on the card.
 */
const cudaBytes = ({ headLengths, heads, quantization }: ModelFacts, shape: Shape, kvType: KvType): number => {
  const isPlain = Math.min(...headLengths) < flashHead && kvType === "f16"
  const scores = isPlain ? batchOf(shape, "cuda") * cellsOf(shape.context) * (float * heads + 2) : 0
  return scores + (isFloat(quantization) || isPlain ? cublasBytes : 0)
}

/** Bytes that a worker with this model and shape takes on its device, once it has read a prompt that fills its slots. */
export const estimateBytes = (facts: ModelFacts, shape: Shape, terms: Terms): number => {
  const { context } = shape
  const slots = sequences(facts, shape.slots)
  return Math.ceil(
    (terms.backend === "cpu"
      ? processBytes(facts) + copyBytes(facts.stateBytes, context, slots) + graphBytes(facts, shape)
      : driverBytes(terms)) +
      (terms.backend === "cuda" ? cudaBytes(facts, shape, terms.kvType) : 0) +
      facts.fileBytes +
      (isTiled(facts, terms) ? tileBytes(facts) : 0) +
      kvBytes(facts, shape, terms.kvType) +
      computeBytes(facts, shape, terms)
  )
}

/**
 * How long decoding one full batch may take before anything was measured, in milliseconds: generous, because it only
 * decides when a worker that beats but does not move is given up.
 */
export const expectedBatchMs = (parameters: number, cores: number): number =>
  (2 * parameters * batchTokens) / (Math.max(1, cores) * 5e6)
