/** From what is asked to the tokens that the model reads, without holding anybody up. */
import * as Effect from "effect/Effect"
import { RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { tooManyBytes } from "../../../../machines/policy/memory/context.ts"
import { checkFits } from "../../admission.ts"
import type { Dialect } from "../../../../machines/dialect/dialect.ts"
import type { Conversation } from "../../../../machines/vocabulary/conversation.ts"
import { bytesOf, charactersOf, type Readable, shortPrompt, type Vocabulary } from "./tokenize.ts"
import type { ChatTemplate } from "./template.ts"
import { type Read, TokenizerProcess } from "./tokenizer-process.ts"

/** bytes from which a prompt waits in a line of its own, so that it cannot hold up those that take milliseconds */
const hugePrompt = 256 * 1024
/** milliseconds; some pre-tokenizers take the square of a long run of spaces */
const readMs = 60_000

type Failure = RbeeError<"INVALID_REQUEST" | "INTERNAL">
type Tokens = ReadonlyArray<number>

const cannot = (bytes: number, reason: string): Failure =>
  rbeeError("INTERNAL", `the prompt of ${bytes} bytes cannot be turned into tokens (${reason})`, "", {
    prompt_bytes: bytes,
    reason
  })

const broke = (bytes: number, reason: string): Failure =>
  rbeeError(
    "INVALID_REQUEST",
    `the model's tokenizer does not get through the prompt of ${bytes} bytes (${reason})`,
    "Shorten the prompt, or break up very long runs of one kind of character",
    { prompt_bytes: bytes, reason }
  )

/** Of a million some ms of the worker's event loop; by a typed array's iterator five times as many. */
const numbersOf = (tokens: Uint32Array): Tokens => {
  const numbers = Array<number>(tokens.length).fill(0)
  for (let i = 0; i < numbers.length; i++) numbers[i] = tokens[i] ?? 0
  return numbers
}

/** How the model writes. */
export interface Known {
  readonly dialect: Dialect
  /** false: the template did not come to an end in time, and is not run on the worker's event loop */
  readonly isTrusted: boolean
}

export interface PromptsOptions {
  readonly template: ChatTemplate
  readonly vocabulary: Vocabulary
  /** tokens a slot */
  readonly context: number
  /** tokens that the model can hold, given a larger context */
  readonly trained: number
  /** bytes that one token can stand for at most; undefined: any number */
  readonly tokenBytes: () => Promise<number | undefined>
  /** whether so many tokens are too many; absent: as of a prompt, which leaves room for an answer */
  readonly check?: (tokens: number) => RbeeError<"INVALID_REQUEST"> | undefined
}

export class Prompts {
  private readonly options: PromptsOptions
  private readonly long: TokenizerProcess
  private readonly huge: TokenizerProcess
  /** asked for once, by the first long prompt */
  private tokenBytes: Promise<number | undefined> | undefined

  constructor(options: PromptsOptions) {
    this.options = options
    this.long = new TokenizerProcess(options.vocabulary)
    this.huge = new TokenizerProcess(options.vocabulary)
  }

  /** The tokens of a prompt that fits. */
  read(input: Readable, { dialect, isTrusted }: Known): Effect.Effect<Tokens, Failure> {
    return Effect.suspend(() =>
      isTrusted && charactersOf(input) <= shortPrompt ? this.readHere(input, dialect) : this.readThere(input, dialect)
    )
  }

  /** A chat as text, which fits or not: who makes tokens of it says so. */
  text(input: Conversation, { dialect, isTrusted }: Known): Effect.Effect<string, Failure> {
    return Effect.suspend(() => {
      const readable = { _tag: "Messages", ...input } as const
      if (isTrusted && charactersOf(readable) <= shortPrompt)
        return this.here(() => this.options.template.text(input, dialect))
      const bytes = bytesOf(readable)
      return Effect.flatMap(
        Effect.async<Read>((resume) =>
          Effect.sync(this.long.ask({ ask: "text", input, dialect }, readMs, (read) => resume(Effect.succeed(read))))
        ),
        (read) =>
          read.t === "text"
            ? Effect.succeed(read.text)
            : Effect.flatMap(this.judge(read, bytes), () => Effect.fail(cannot(bytes, "it answered another question")))
      )
    })
  }

  close(): void {
    this.long.close()
    this.huge.close()
  }

  private readHere(input: Readable, dialect: Dialect): Effect.Effect<Tokens, Failure> {
    return Effect.flatMap(
      this.here(() => this.options.template.tokens(input, dialect)),
      (tokens) => this.fitting(tokens)
    )
  }

  private here<A>(read: () => A): Effect.Effect<A, Failure> {
    try {
      return Effect.succeed(read())
    } catch (cause) {
      // the template throws nothing else on purpose
      if (cause instanceof RbeeError) return Effect.fail(cause as Failure)
      const reason = cause instanceof Error ? cause.message : String(cause)
      return Effect.fail(rbeeError("INTERNAL", `the prompt could not be read (${reason})`, "", { reason }))
    }
  }

  private readThere(input: Readable, dialect: Dialect): Effect.Effect<Tokens, Failure> {
    const { context, trained } = this.options
    const bytes = bytesOf(input)
    const process = bytes < hugePrompt ? this.long : this.huge
    const asked = Effect.async<Tokens, Failure>((resume) =>
      Effect.sync(
        process.ask({ ask: "tokens", input, dialect, limit: context }, readMs, (read) =>
          resume(this.judge(read, bytes))
        )
      )
    )
    return Effect.flatMap(
      Effect.promise(() => (this.tokenBytes ??= this.options.tokenBytes())),
      (tokenBytes) => {
        const refused = tokenBytes === undefined ? undefined : tooManyBytes(bytes, tokenBytes, trained)
        return refused === undefined ? asked : Effect.fail(refused)
      }
    )
  }

  private judge(read: Read, bytes: number): Effect.Effect<Tokens, Failure> {
    switch (read.t) {
      case "tokens":
        return this.fitting(numbersOf(read.tokens))
      case "too many":
        return Effect.fail(this.refusal(read.count) ?? rbeeError("INTERNAL", "the prompt was miscounted"))
      case "refused":
        return Effect.fail(rbeeError("INVALID_REQUEST", read.what, read.todo, read.details))
      case "lost":
        return Effect.fail(broke(bytes, read.reason))
      case "broken":
        return Effect.fail(cannot(bytes, read.reason))
      case "text":
      case "dialect":
      case "words":
        return Effect.fail(cannot(bytes, "it answered another question"))
    }
  }

  private fitting(tokens: Tokens): Effect.Effect<Tokens, Failure> {
    const refused = this.refusal(tokens.length)
    return refused === undefined ? Effect.succeed(tokens) : Effect.fail(refused)
  }

  private refusal(tokens: number) {
    const { check, context, trained } = this.options
    return check === undefined ? checkFits(tokens, context, trained) : check(tokens)
  }
}
