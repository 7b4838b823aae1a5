/** A dialect learned in a short-lived process: a chat template is a stranger's program, which may not end. */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import { gguf } from "../../../../machines/formats/model-format.ts"
import { invalid, readHeader } from "../../../models/header.ts"
import { contentOnly, type Dialect } from "../../../../machines/dialect/dialect.ts"
import type { RoundTrip } from "../../../../machines/dialect/trial/trial.ts"
import type { DialectQuestion, Vocabulary } from "./tokenize.ts"
import { type Read, TokenizerProcess } from "./tokenizer-process.ts"

/** milliseconds; templates that people use take some 100 */
const learnMs = 10_000
/** with generated calls that are tried */
const tryMs = 20_000

export interface Learned {
  readonly dialect: Dialect
  readonly trip: RoundTrip
  /** why it could not be learned; `broken`: it is no template */
  readonly failed?: { readonly broken: boolean; readonly reason: string }
}

const untried: RoundTrip = { tried: 0, exact: 0, kinds: {}, impossible: [] }

const found = (read: Read): Learned => {
  if (read.t === "dialect") return read
  const [reason = ""] = "reason" in read ? read.reason.split("\n", 1) : [read.t]
  const dialect = contentOnly(`its chat template could not be learned: ${reason}`)
  return { dialect, trip: untried, failed: { broken: read.t === "broken", reason } }
}

/** What a template is known by. */
export const hashOf = (template: string): string => createHash("sha256").update(template).digest("hex")

/** Of a model's file, or of a template without a model; interrupting it ends the process. */
export const learned = (vocabulary: Vocabulary, question: Omit<DialectQuestion, "ask">): Effect.Effect<Learned> =>
  Effect.async((resume) => Effect.sync(learnIn(vocabulary, question, (found) => resume(Effect.succeed(found)))))

/** The chat template of a model's file, where it has one. */
export const templateOf = (file: string): Effect.Effect<string | undefined, unknown> =>
  Effect.flatMap(
    Effect.tryPromise({ try: () => readHeader(file, gguf), catch: (cause) => cause }),
    (header): Effect.Effect<string | undefined, unknown> =>
      "reason" in header ? Effect.fail(invalid(file, header.reason)) : Effect.succeed(header.template)
  )

/** A model whose file has no template. */
export const untold: Learned = { dialect: contentOnly("the file has no chat template"), trip: untried }

/** What is learned, however it went; and what gives up waiting for it, after which `done` is not called. */
export const learnIn = (
  vocabulary: Vocabulary,
  question: Omit<DialectQuestion, "ask">,
  done: (learned: Learned) => void
): (() => void) => {
  const process = new TokenizerProcess(vocabulary)
  process.ask({ ask: "dialect", ...question }, question.tries === 0 ? learnMs : tryMs, (read) => {
    process.close()
    done(found(read))
  })
  return () => process.close()
}
