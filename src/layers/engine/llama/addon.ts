/**
 * The part of node-llama-cpp's native addon that the engine uses: the prebuilt `llama-addon.node` of the packages
 * `@node-llama-cpp/{platform}`, of exactly the version in the lock file.
 *
 * Why the addon and not node-llama-cpp's JavaScript: importing that and its `getLlama` cost 0.65 s (most of a cold
 * start) against 0.02 s, and one `evaluate` generator a slot costs 15 to 30 % of the tokens a second of a small model.
 * It also has no way to draw a seeded answer's next token as the undisturbed run would have (see `sampling.ts`).
 */

/** A token's place in the logits of the batch that was decoded last. */
export type LogitIndex = number

/** Bytes that llama.cpp has taken. */
export interface MemoryBreakdown {
  readonly cpuRam: number
  readonly gpuVram: number
}

export interface AddonModel {
  /** false: the file could not be loaded; the reason is in the log */
  init(): Promise<boolean>
  abortActiveModelLoad(): void
  dispose(): Promise<void>
  tokenize(text: string, specialTokens: boolean): Uint32Array
  getTrainContextSize(): number
  getTotalSize(): number
  getTotalParameters(): number
  getModelDescription(): string
  getMemoryBreakdown(): MemoryBreakdown
  tokenBos(): number
  tokenEos(): number
  /** what says that a text to be filled in begins, what follows it, and that the answer is to come; -1: none */
  prefixToken(): number
  suffixToken(): number
  middleToken(): number
  getTokenString(token: number): string | undefined
  getTokenAttributes(token: number): number
  isEogToken(token: number): boolean
  getVocabularyType(): number
  shouldPrependBosToken(): boolean
  shouldAppendEosToken(): boolean
  /** ends a text of BERT's; -1: none */
  sepToken(): number
}

export interface AddonContext {
  /** false: no room for the KV cache, most often; the reason is in the log */
  init(): Promise<boolean>
  dispose(): Promise<void>
  initBatch(tokens: number): void
  /** returns one logit index for each of `logitIndexes`, which count from this call's first token */
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitIndexes: Uint32Array): Uint32Array
  decodeBatch(): Promise<void>
  /** -1: nothing could be drawn */
  sampleToken(index: LogitIndex, sampler: AddonSampler): Promise<number>
  disposeSequence(sequence: number): void
  getMemoryBreakdown(): MemoryBreakdown
  /** `[start, end)`; false where the model's memory cannot be cut there */
  removeTokenCellsFromSequence(sequence: number, start: number, end: number): boolean
  /** of its last token; -1: it has none */
  getSequenceKvCacheMaxPosition(sequence: number): number
  /** the sequence ends at position `last` again; false where it cannot */
  restoreCheckpoint(checkpoint: AddonCheckpoint, last: number): Promise<boolean>
  /** The whole state of a sequence, and tokens that are written before it; returns bytes. */
  saveSequenceStateToFile(path: string, sequence: number, tokens: Uint32Array): Promise<number>
  /**
   * In place of what the sequence held; returns those tokens, at most `most`. A file that is cut short ends the process.
   * What comes after the state is not read.
   */
  loadSequenceStateFromFile(path: string, sequence: number, most: number): Promise<Uint32Array>
}

/** The same call with more arguments: with the drawn token's share of all probabilities, in which every logit counts. */
export interface ConfidentDraw {
  sampleToken(
    index: LogitIndex,
    sampler: AddonSampler,
    probabilities: false,
    confidence: true
  ): Promise<readonly [token: number, probabilities: undefined, confidence: number]>
}

/** Where it gives vectors. */
export interface EmbeddingContext {
  /** Of sequence 0, as it was decoded last. `most`: its first elements alone; 0 for all. */
  getEmbedding(tokens: number, most: number): Float64Array
}

/** With all tokens that the sampler has left, each followed by its share of them. */
export interface RankedDraw {
  sampleToken(
    index: LogitIndex,
    sampler: AddonSampler,
    probabilities: true
  ): Promise<readonly [token: number, probabilities: ReadonlyArray<number>]>
}

export type NativeContext = AddonContext & ConfidentDraw & RankedDraw & EmbeddingContext

/** A copy of what a sequence's recurrent layers remember. */
export interface AddonCheckpoint {
  init(context: AddonContext, sequence: number): Promise<void>
  dispose(): void
  readonly size: number
  /** position of the last token before it */
  readonly maxPos: number
}

export interface SamplerConfig {
  readonly temperature: number
  readonly topK?: number
  readonly topP?: number
  readonly minP?: number
  readonly seed?: number
  readonly xtcProbability?: number
  readonly xtcThreshold?: number
  /** what came before, of which the last are counted */
  readonly repeatPenaltyTokens?: Uint32Array
  readonly repeatPenaltyMaxTokens?: number
  readonly repeatPenalty?: number
  readonly repeatPenaltyPresencePenalty?: number
  readonly repeatPenaltyFrequencyPenalty?: number
  readonly tokenBiasKeys?: Uint32Array
  readonly tokenBiasValues?: Float32Array
  /** moves on with each token that is drawn */
  readonly grammarEvaluationState?: AddonGrammarState
}

/** Where in a grammar an answer is. */
export interface AddonGrammarState {
  readonly constructor: unknown
}

export interface AddonSampler {
  applyConfig(config: SamplerConfig): void
  dispose(): void
}

/** A grammar as text; throws where it is none. */
export interface AddonGrammar {
  /** the whole text, and not the beginning of a longer one */
  isTextCompatible(text: string): boolean
}

export interface AddonJinja {
  render(variables: Record<string, unknown>): string
}

export interface ModelParams {
  readonly addonExports: Addon
  readonly gpuLayers: number
  readonly useMmap: boolean
  /** the vocabulary alone, without weights */
  readonly vocabOnly?: boolean
  readonly onLoadProgress?: (fraction: number) => void
}

export interface ContextParams {
  /** of all sequences together */
  readonly contextSize: number
  readonly batchSize: number
  readonly sequences: number
  readonly threads: number
  readonly flashAttention: "auto"
  readonly swaFullCache: boolean
  /** numbers of ggml's types */
  readonly kvCacheKeyType: number
  readonly kvCacheValueType: number
  /** vectors in place of tokens' probabilities */
  readonly embeddings?: boolean
  /** pooled as one that ranks, whatever its file says */
  readonly ranking?: boolean
}

export interface Addon {
  readonly AddonModel: new (path: string, params: ModelParams) => AddonModel
  readonly AddonContext: new (model: AddonModel, params: ContextParams) => NativeContext
  readonly AddonContextSequenceCheckpoint: new () => AddonCheckpoint
  readonly AddonSampler: (new (model: AddonModel) => AddonSampler) & {
    /** throws where the token does not fit; ends the process for one that ends an answer before it may */
    acceptGrammarEvaluationStateToken(state: AddonGrammarState, token: number): void
  }
  readonly AddonGrammarEvaluationState: new (model: AddonModel, grammar: AddonGrammar) => AddonGrammarState
  readonly AddonGrammar: new (
    grammar: string,
    options: { readonly addonExports: Addon; readonly rootRuleName: string }
  ) => AddonGrammar
  readonly AddonJinjaRenderer: new (template: string) => AddonJinja
  markLoaded(): boolean
  init(): Promise<void>
  loadBackends(folder?: string): void
  getGpuType(): "cuda" | "vulkan" | "metal" | false | undefined
  getSupportsMmap(): boolean
  getMathCores(): number
  /** what the CPU backend was built for and uses: "… | AVX512 = 1 | AMX_INT8 = 1 | …" */
  systemInfo(): string
  setLogger(logger: (level: number, text: string) => void): void
  setLoggerLogLevel(level: number): void
}

/** `getTokenAttributes`: stands for what the vocabulary cannot say */
export const UNKNOWN = 1
/** `getTokenAttributes`: ordinary text */
export const NORMAL = 4
/** `getTokenAttributes`: a token that steers the model and is no text */
export const CONTROL = 8
/** `getTokenAttributes`: text that is always one token, spelt as it is */
export const USER_DEFINED = 16
/** `getTokenAttributes`: one raw byte, spelt `<0xNN>` */
export const BYTE = 32
/** `getVocabularyType`: byte pair encoding; most of them spell bytes with printable characters */
export const VOCABULARY_BPE = 2
/** `getVocabularyType`: BERT's */
export const VOCABULARY_WORD_PIECE = 3
/** `getVocabularyType`: T5's */
export const VOCABULARY_UNIGRAM = 4
/** `getVocabularyType`: token strings with a program's escapes */
export const VOCABULARY_RWKV = 5
/** `getVocabularyType`: token strings as they are */
export const VOCABULARY_PLAMO2 = 6
/** the logger's level of errors */
export const LOG_ERRORS = 2
/** and of warnings; as `setLoggerLogLevel` both */
export const LOG_WARNINGS = 3

const functions = [
  "markLoaded",
  "init",
  "loadBackends",
  "getGpuType",
  "getMathCores",
  "systemInfo",
  "setLogger",
  "setLoggerLogLevel"
]
const classes: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["AddonModel", ["init", "tokenize", "getTokenString", "isEogToken", "abortActiveModelLoad"]],
  [
    "AddonContext",
    [
      "init",
      "initBatch",
      "addToBatch",
      "decodeBatch",
      "sampleToken",
      "getEmbedding",
      "removeTokenCellsFromSequence",
      "getSequenceKvCacheMaxPosition",
      "restoreCheckpoint",
      "saveSequenceStateToFile",
      "loadSequenceStateFromFile"
    ]
  ],
  ["AddonContextSequenceCheckpoint", ["init", "dispose"]],
  ["AddonSampler", ["applyConfig", "dispose"]],
  ["AddonGrammar", ["isTextCompatible"]],
  ["AddonGrammarEvaluationState", []],
  ["AddonJinjaRenderer", ["render"]]
]

/** The name of the first thing that the engine needs and `loaded` lacks: another version of the package is there. */
export const missingFrom = (loaded: unknown): string | undefined => {
  if (typeof loaded !== "object" || loaded === null) return "everything"
  const has = (holder: object, name: string): boolean => typeof Reflect.get(holder, name) === "function"
  const missing = functions.find((name) => !has(loaded, name))
  if (missing !== undefined) return missing
  for (const [name, methods] of classes) {
    const found: unknown = Reflect.get(loaded, name)
    if (typeof found !== "function") return name
    const prototype: unknown = found.prototype
    if (typeof prototype !== "object" || prototype === null) return name
    const method = methods.find((one) => !has(prototype, one))
    if (method !== undefined) return `${name}.${method}`
  }
  return undefined
}

export const isAddon = (loaded: unknown): loaded is Addon => missingFrom(loaded) === undefined
