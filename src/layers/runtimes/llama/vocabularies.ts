/** Vocabularies of files that are asked about texts and tokens: a process each, which ends when it is idle. */
import { stat } from "node:fs/promises"
import * as Effect from "effect/Effect"
import { gguf } from "../../../machines/formats/model-format.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { TextAnswer, TextQuestion } from "../../../machines/vocabulary/model.ts"
import type { Vocabulary } from "../../engine/llama/reading/tokenize.ts"
import { type Read, TokenizerProcess } from "../../engine/llama/reading/tokenizer-process.ts"
import { invalid, readHeader } from "../../models/header.ts"

/** milliseconds; some pre-tokenizers take the square of a long run of spaces */
const readMs = 60_000
/** files whose headers are remembered */
const most = 32

type Failure = RbeeError<"INVALID_REQUEST" | "MODEL_INVALID" | "INTERNAL">

interface Opened {
  readonly process: TokenizerProcess
  /** tokens of it */
  readonly size: number
}

export class Vocabularies {
  /** by the file as it was; the newest last */
  private readonly opened = new Map<string, Opened>()

  read(file: string, question: TextQuestion, runtime: Vocabulary["runtime"]): Effect.Effect<TextAnswer, Failure> {
    return Effect.gen(this, function* () {
      const { process, size } = yield* this.open(file, runtime)
      const strange = tokensIn(question).find((token) => token >= size)
      if (strange !== undefined)
        return yield* rbeeError("INVALID_REQUEST", `there is no token ${strange}: the model has ${size}`, "", {
          field: question.ask === "detokenize" ? "tokens" : "content",
          tokens: size
        })
      const read = yield* Effect.async<Read>((resume) =>
        Effect.sync(process.ask({ ask: "words", question }, readMs, (said) => resume(Effect.succeed(said))))
      )
      return yield* answerIn(read)
    })
  }

  private open(file: string, runtime: Vocabulary["runtime"]): Effect.Effect<Opened, Failure> {
    return Effect.gen(this, function* () {
      const [key, header] = yield* Effect.tryPromise({
        try: async () => {
          const { mtimeMs, size } = await stat(file)
          const name = `${size}/${mtimeMs}/${file}`
          return [name, this.opened.has(name) ? undefined : await readHeader(file, gguf)] as const
        },
        catch: () => invalid(file, "the file cannot be read")
      })
      const known = this.opened.get(key)
      if (known !== undefined) return known
      if (header === undefined || "reason" in header)
        return yield* invalid(file, header?.reason ?? "it changed while it was read")
      const { facts, template } = header
      const vocabulary = { modelPath: file, runtime, ...(template === undefined ? {} : { template }) }
      const opened = { process: new TokenizerProcess(vocabulary), size: facts.vocabulary }
      this.opened.set(key, opened)
      this.forgetOldest()
      return opened
    })
  }

  /** Who is being answered by it still is: it ends when it is idle. */
  private forgetOldest(): void {
    for (const key of this.opened.keys()) {
      if (this.opened.size <= most) return
      this.opened.delete(key)
    }
  }
}

const tokensIn = (question: TextQuestion): ReadonlyArray<number> => {
  if (question.ask === "detokenize") return question.tokens
  if (question.ask === "about" || typeof question.content === "string") return []
  return question.content.filter((part) => typeof part === "number")
}

const answerIn = (read: Read): Effect.Effect<TextAnswer, Failure> => {
  switch (read.t) {
    case "words":
      return Effect.succeed(read.answer)
    case "lost":
      return rbeeError(
        "INVALID_REQUEST",
        `the model's tokenizer does not get through this (${read.reason})`,
        "Shorten it, or break up very long runs of one kind of character",
        { field: "content", reason: read.reason }
      )
    default: {
      const reason = "reason" in read ? read.reason : "it answered another question"
      return rbeeError("INTERNAL", `the model's vocabulary cannot be read (${reason})`, "", { reason })
    }
  }
}
