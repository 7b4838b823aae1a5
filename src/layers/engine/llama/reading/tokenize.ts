/** What a tokenizer process is asked and what it says, as structured clones. */
import { eachSaid } from "../../../../machines/dialect/strings.ts"
import type { Dialect } from "../../../../machines/dialect/dialect.ts"
import type { Pairing } from "../../../../machines/formats/gguf/measures.ts"
import type { RoundTrip } from "../../../../machines/dialect/trial/trial.ts"
import type { TextAnswer, TextQuestion as WordsAsked } from "../../../../machines/vocabulary/model.ts"
import type { Conversation } from "../../../../machines/vocabulary/conversation.ts"
import type { GenerateRequest } from "../../index.ts"
import type { RuntimeOptions } from "../runtime.ts"
import type { Spelling } from "./renderer.ts"

/** What the process is started with. */
export interface Vocabulary {
  /** absent: a chat template without a model */
  readonly modelPath?: string
  readonly runtime: Pick<RuntimeOptions, "gpu" | "runtime">
  /** the model's chat template, where it has one */
  readonly template?: string
}

/** What is to be measured: a text; or a question and a text, as one that ranks reads them. */
export type Measured =
  | { readonly _tag: "Text"; readonly text: string }
  | ({ readonly _tag: "Pair"; readonly query: string; readonly document: string } & Pairing)

export type Readable = GenerateRequest["input"] | Measured

/** A prompt's tokens. */
export interface PromptQuestion {
  readonly ask: "tokens"
  readonly input: Readable
  readonly dialect: Dialect
  /** more tokens than these are counted, and not given */
  readonly limit: number
}

/** A chat as text. */
export interface TextQuestion {
  readonly ask: "text"
  readonly input: Conversation
  readonly dialect: Dialect
}

/** How the model writes. */
export interface DialectQuestion {
  readonly ask: "dialect"
  /** absent: it is looked up in the model's file */
  readonly spelling?: Spelling
  /** generated calls of each kind that are rendered and read back */
  readonly tries: number
}

/** What the vocabulary alone can tell. */
export interface WordsQuestion {
  readonly ask: "words"
  readonly question: WordsAsked
}

export type Question = PromptQuestion | TextQuestion | DialectQuestion | WordsQuestion

export type Reading =
  /** from here on it is the question's doing if it breaks */
  | { readonly t: "ready" }
  /** it cannot read anything */
  | { readonly t: "broken"; readonly reason: string }
  | { readonly t: "tokens"; readonly tokens: Uint32Array }
  | { readonly t: "text"; readonly text: string }
  | { readonly t: "too many"; readonly count: number }
  /** the conversation cannot be given to the model */
  | { readonly t: "refused"; readonly what: string; readonly todo: string; readonly details: Record<string, unknown> }
  /** the process ended over the question, or has had its time */
  | { readonly t: "lost"; readonly reason: string }
  | { readonly t: "dialect"; readonly dialect: Dialect; readonly trip: RoundTrip }
  | { readonly t: "words"; readonly answer: TextAnswer }

/**
 * Characters that a worker reads on its own event loop: some milliseconds, and less than what llama.cpp's regular
 * expressions take without overflowing the stack (a run of 20 000 letters does, with a dozen pre-tokenizers).
 */
export const shortPrompt = 8192

const summed = (input: Readable, lengthOf: (text: string) => number): number => {
  if (input._tag === "Text") return lengthOf(input.text)
  if (input._tag === "Pair") return lengthOf(input.query) + lengthOf(input.document)
  if (input._tag === "Tokens") return 0
  if (input._tag === "Prompt") return lengthOf(input.prompt) + lengthOf(input.suffix ?? "")
  let sum = 0
  eachSaid(input, (text) => {
    sum += lengthOf(text)
  })
  return sum
}

export const charactersOf = (input: Readable): number => summed(input, (text) => text.length)
export const bytesOf = (input: Readable): number => summed(input, (text) => Buffer.byteLength(text))
