/**
 * The engine port: one loaded model that decodes text. Only the worker process (or, with `--one-process`, the whole
 * cluster's process) holds one. Implementations: `llama.ts` (llama.cpp through node-llama-cpp), `scripted.ts` (a
 * deterministic engine for tests and benchmarks of everything around the engine).
 *
 * Tokens leave through a plain callback, not through an Effect or a Stream: the token path is a pipe
 * (docs/design.md#the-token-path).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RbeeError } from "../../machines/errors.ts"
import type { AnswerForm } from "../../machines/dialect/answer-form.ts"
import type { LearnedDialect } from "../../machines/dialect/dialect.ts"
import type { ChatMessage, Conversation } from "../../machines/vocabulary/conversation.ts"
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { ParkingPlace } from "../parked/index.ts"
import type { KvType } from "../../machines/vocabulary/common.ts"
import type { Exactness, ExactWish } from "../../machines/vocabulary/worker.ts"

export type { ChatMessage }

/** How to load a model. Lengths are tokens; `context` is per slot. */
export interface LoadOptions {
  readonly modelPath: string
  /** tokens a slot; absent: the usual one (policy/context.ts); never more than the model's trained context */
  readonly context?: number
  /** sequences decoded together in one batch */
  readonly slots: number
  /** absent: f16. Fails with MODEL_INVALID where the model's heads are not whole blocks of 32 */
  readonly kvType?: KvType
  /** a file that makes tokens of images; absent: there are none */
  readonly projector?: string
  /** CPU threads; absent: the engine's sane default */
  readonly threads?: number
  /** documented pacing, tokens a second for each answer; absent: as fast as possible */
  readonly maxTokensPerS?: number
  /** absent: auto */
  readonly exact?: ExactWish
  /** as an earlier load of this file with these options found it; absent: the engine finds out, and tells `onExact` */
  readonly exactness?: Exactness
  /** called at most once, after the load */
  readonly onExact?: (exactness: Exactness) => void
  /** how the model writes, as an earlier load learned it; of another template, or absent: the engine learns it */
  readonly learned?: LearnedDialect
  /** called at most once, after the load, where it was learned */
  readonly onLearned?: (learned: LearnedDialect) => void
  /** absent: what slots hold is gone with them */
  readonly parking?: ParkingPlace
  /** called where an answer begins with what was parked: how many tokens it did not read */
  readonly onRestored?: (tokens: number) => void
  /** 0…1, monotonic, called while the file goes into memory */
  readonly onProgress: (fraction: number) => void
  /** the native runtime is there: what goes wrong from here on may be the file's doing */
  readonly onRuntime?: () => void
}

export interface Sampling {
  readonly temperature: number
  readonly topP: number
  /** 0: off */
  readonly topK: number
  /** of the likeliest token's share; absent or 0: off */
  readonly minP?: number
  readonly seed?: number
  readonly xtc?: { readonly probability: number; readonly threshold: number }
  /** of the last tokens, the prompt's included */
  readonly penalties?: {
    readonly repeat: number
    readonly presence: number
    readonly frequency: number
    /** Infinity: all that the slot may hold */
    readonly lastTokens: number
  }
  /** what goes on with a repetition; of the last tokens, the prompt's included */
  readonly dry?: {
    readonly multiplier: number
    readonly base: number
    readonly allowedLength: number
    /** Infinity: all that the slot may hold */
    readonly lastTokens: number
    readonly breakers: ReadonlyArray<string>
  }
  /** added to what the model says of these tokens */
  readonly bias?: ReadonlyArray<{ readonly token: number; readonly by: number }>
}

export interface GenerateRequest {
  readonly input:
    | {
        readonly _tag: "Prompt"
        readonly prompt: string
        /** what comes after the answer; refused with INVALID_REQUEST by a model that cannot fill in */
        readonly suffix?: string
      }
    /** read as they are; refused with INVALID_REQUEST where they are none of the model's */
    | { readonly _tag: "Tokens"; readonly tokens: ReadonlyArray<number> }
    | ({ readonly _tag: "Messages" } & Conversation)
  /** whose it is, as 16 digits of a hash: nothing that was read for another is used for it; absent: nobody's in particular */
  readonly scope?: string
  /** of the whole answer, what is resumed included; absent: the room left in the context */
  readonly maxTokens?: number
  readonly sampling: Sampling
  readonly stop: ReadonlyArray<string>
  /** decode on past the end-of-text token, up to `maxTokens` */
  readonly ignoreEos: boolean
  /** continue an answer that another worker began: the exact token ids that it gave, and their text */
  readonly resume?: { readonly tokenIds: ReadonlyArray<number>; readonly text: string }
  /** how that worker said that it is read; absent from what is resumed: it is text */
  readonly form?: AnswerForm
  /**
   * Called before the first token where the answer may be more than text: how it is read. The text of its tokens then
   * has control tokens written out, but for those that end it.
   */
  readonly onForm?: (form: AnswerForm) => void
  /** Called before all else, once it is read: how many tokens the prompt has. */
  readonly onPrompt?: (tokens: number) => void
  /** absent: none; else so many of the likeliest tokens beside each one */
  readonly logprobs?: number
  /**
   * Called once a decoded token, in order. `text` may be empty (half a UTF-8 character, a stop string held back);
   * the answer is the concatenation. `id` is the model's token id. The end-of-text token is one too, and brings the
   * text that was held back. `logprob`: where it is asked for, of all tokens but the one that ends the answer.
   */
  readonly onToken: (text: string, id: number, logprob?: TokenLogprob) => void
}

export interface MeasureRequest {
  readonly texts:
    | { readonly _tag: "Embed"; readonly inputs: ReadonlyArray<string | ReadonlyArray<number>> }
    | { readonly _tag: "Rerank"; readonly query: string; readonly documents: ReadonlyArray<string> }
  /** of the first of them, which another worker has measured: how many tokens each had */
  readonly before: ReadonlyArray<number>
  /** Called once a text, in order: its vector as a line (formats/vectors.ts), and how many tokens it has. */
  readonly onToken: (line: string, tokens: number) => void
}

/** Tokens a slot: what was full, and what the model could hold at most. */
export interface Outgrown {
  readonly context: number
  readonly trained: number
}

export interface GenerateResult {
  readonly finishReason: "stop" | "length"
  /** the stop string that ended it */
  readonly stopSequence?: string
  /** it ended because the context was full, and would go on in a larger one */
  readonly outgrown?: Outgrown
  /** tokens of the prompt, template included; resumed tokens are not counted in it */
  readonly promptTokens: number
  /** prompt tokens that the slot's cache already held */
  readonly cachedTokens: number
  /** tokens decoded by this call */
  readonly completionTokens: number
  /** milliseconds until the first token, and in all */
  readonly promptMs: number
  readonly totalMs: number
}

export interface ModelFacts {
  /** tokens that the model was trained on at once */
  readonly trainedContext: number
  readonly parameters: number
  readonly sizeBytes: number
  /** the engine's own words, for example "llama 8B Q4_K - Medium" */
  readonly description: string
  /** CPU threads that decode */
  readonly threads: number
  /** bytes that weights, cache and buffers take, by the engine's own count: the measured need of this load */
  readonly memory: { readonly ram: number; readonly vram: number }
}

/** What slots hold, in files. */
export interface LoadedParking {
  /** Writes what is in no file yet; nothing can be asked any more. */
  readonly all: Effect.Effect<void>
  /** Nothing is answered from what was read for this scope, or for any; its files are deleted by who asks. */
  readonly forget: (scope?: string) => void
}

export type AnswerFailure = RbeeError<"ALL_SLOTS_BUSY" | "INVALID_REQUEST" | "MODEL_INVALID" | "INTERNAL">

export interface LoadedModel {
  /** "CPU", "CUDA", "VULKAN" or "METAL": the word that narration prints */
  readonly backend: string
  /** tokens a slot, as loaded */
  readonly context: number
  readonly slots: number
  /**
   * Decodes one answer on a free slot; a slot keeps its KV cache, and the slot with the longest common prefix is
   * taken. Interrupting the fiber stops decoding within one batch and frees the slot. Fails with ALL_SLOTS_BUSY, or
   * with INVALID_REQUEST (`details.prompt_tokens`, `details.context`) when the prompt does not fit.
   */
  readonly generate: (request: GenerateRequest) => Effect.Effect<GenerateResult, AnswerFailure>
  /**
   * Measures texts one after the other, each in a batch of its own, in turn with those of other requests; results count
   * as tokens. Fails as `generate` does, and with MODEL_INVALID, as that does, where the model is for something else.
   */
  readonly measure: (request: MeasureRequest) => Effect.Effect<GenerateResult, AnswerFailure>
  /** whether another process would go on as this one; undefined: it is being found out */
  readonly exactness: () => Exactness | undefined
  /** batches decoded so far: the worker's own sign of progress */
  readonly progress: () => number
  /** absent: it keeps nothing */
  readonly parking?: LoadedParking
  /** what the engine found in the file; absent where there is no file */
  readonly about?: ModelFacts
}

export class Engine extends Context.Tag("rbee/Engine")<
  Engine,
  {
    /** Loads a model for as long as the scope is open. Fails with MODEL_INVALID, VRAM_EXHAUSTED or BACKEND_UNAVAILABLE. */
    readonly load: (
      options: LoadOptions
    ) => Effect.Effect<LoadedModel, RbeeError<"MODEL_INVALID" | "VRAM_EXHAUSTED" | "BACKEND_UNAVAILABLE">, Scope.Scope>
  }
>() {}
