/** What a worker and its tokenizer process say to each other, as structured clones. */
import type { GenerateRequest } from "../../index.ts"
import type { RuntimeOptions } from "../runtime.ts"

/** What the process is started with. */
export interface Vocabulary {
  readonly modelPath: string
  readonly runtime: Pick<RuntimeOptions, "gpu" | "runtime">
  /** the model's chat template, where it has one */
  readonly template?: string
}

export interface Question {
  readonly input: GenerateRequest["input"]
  /** more tokens than these are counted, and not given */
  readonly limit: number
}

export type Reading =
  | { readonly t: "ready" }
  /** it cannot read anything */
  | { readonly t: "broken"; readonly reason: string }
  | { readonly t: "tokens"; readonly tokens: Uint32Array }
  | { readonly t: "too many"; readonly count: number }
  /** the template refuses the messages */
  | { readonly t: "refused"; readonly what: string; readonly reason: string }

/**
 * Characters that a worker reads on its own event loop: some milliseconds, and less than what llama.cpp's regular
 * expressions take without overflowing the stack (a run of 20 000 letters does, with a dozen pre-tokenizers).
 */
export const shortPrompt = 8192

export const charactersOf = (input: GenerateRequest["input"]): number =>
  input._tag === "Prompt" ? input.prompt.length : input.messages.reduce((sum, { content }) => sum + content.length, 0)

export const bytesOf = (input: GenerateRequest["input"]): number =>
  input._tag === "Prompt"
    ? Buffer.byteLength(input.prompt)
    : input.messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
