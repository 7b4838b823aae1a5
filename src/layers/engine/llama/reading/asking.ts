/** From a request to all that is known before its first token: what is read, how the answer is read, what it is held to. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import {
  type AnswerForm,
  type Begun,
  dialectOf,
  hasForm,
  promptTail
} from "../../../../machines/dialect/answer-form.ts"
import { contentOnly, type Dialect } from "../../../../machines/dialect/dialect.ts"
import { shipped } from "../../../../machines/dialect/shipped.ts"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { isFree, wishesIn } from "../../../../machines/grammar/answer/constraint.ts"
import type { Conversation } from "../../../../machines/vocabulary/conversation.ts"
import { withMarks } from "../../../../machines/formats/images.ts"
import { threadedGrammars } from "../../../grammars/thread.ts"
import type { AnswerFailure, GenerateRequest, LoadOptions } from "../../index.ts"
import type { Addon, AddonModel } from "../addon.ts"
import { type Forbidden, forbiddenOf } from "../decoding/forbidden.ts"
import { hashOf, learnIn } from "./learner.ts"
import { Pieces, spellEnd } from "./pieces.ts"
import { type Known, Prompts } from "./prompts.ts"
import { type Spelling, spellingOf } from "./renderer.ts"
import { ChatTemplate } from "./template.ts"
import type { Vocabulary } from "./tokenize.ts"

/** of all models of this process */
const grammars = threadedGrammars()

/** A prompt's tokens, and how its answer is read where that may be more than text. */
export interface Asked {
  readonly tokens: ReadonlyArray<number>
  readonly form: AnswerForm | undefined
  /** what the answer is held to */
  readonly grammar: string | undefined
  readonly forbidden: Forbidden | undefined
}

/** The same where images stand in it: text with a mark for each, and their files in base64. */
export interface Shown extends Omit<Asked, "tokens"> {
  readonly text: string
  readonly images: ReadonlyArray<string>
}

/** A raw prompt's answer is text. */
const noDialect: Known = { dialect: contentOnly(""), isTrusted: true }

interface Writing {
  /** fails where the model is unloaded before it is known */
  readonly known: Effect.Effect<Known, RbeeError<"INTERNAL">>
  readonly close: () => void
}

const certain = (dialect: Dialect): Writing => ({
  known: Effect.succeed({ dialect, isTrusted: true }),
  close: () => undefined
})

/** How the model writes: known, or being learned beside all else; chats wait for it. */
const writingOf = (
  vocabulary: Vocabulary,
  spelling: Spelling,
  { learned: before, onLearned }: Pick<LoadOptions, "learned" | "onLearned">
): Writing => {
  const { template } = vocabulary
  if (template === undefined) return certain(contentOnly("the file has no chat template"))
  const hash = hashOf(template)
  const known = [before, shipped].find((one) => one?.template === hash)
  if (known !== undefined) return certain(known.dialect)
  const learned = Deferred.unsafeMake<Known, RbeeError<"INTERNAL">>(FiberId.none)
  const leave = learnIn(vocabulary, { spelling, tries: 0 }, ({ dialect, failed }) => {
    Deferred.unsafeDone(learned, Exit.succeed({ dialect, isTrusted: failed?.broken ?? true }))
    // the next load may have more time
    if (failed === undefined) onLearned?.({ template: hash, dialect })
  })
  const close = (): void => {
    leave()
    // who waits for it would wait for ever; nothing happens where it is known
    Deferred.unsafeDone(learned, Exit.fail(rbeeError("INTERNAL", "the model is being unloaded")))
  }
  return { known: Deferred.await(learned), close }
}

const checkBias = ({ bias = [] }: GenerateRequest["sampling"], vocabulary: number) => {
  const unknown = bias.find(({ token }) => token >= vocabulary)
  return unknown === undefined
    ? Effect.void
    : rbeeError("INVALID_REQUEST", `logit_bias names token ${unknown.token}, and the model has ${vocabulary}`, "", {
        field: "logit_bias",
        tokens: vocabulary
      })
}

const checkTokens = (input: GenerateRequest["input"], vocabulary: number) => {
  const unknown = input._tag === "Tokens" ? input.tokens.find((token) => token >= vocabulary) : undefined
  return unknown === undefined
    ? Effect.void
    : rbeeError("INVALID_REQUEST", `the prompt has token ${unknown}, and the model has ${vocabulary}`, "", {
        field: "prompt",
        tokens: vocabulary
      })
}

export interface AskingOptions {
  readonly addon: Addon
  /** its vocabulary is enough */
  readonly model: AddonModel
  readonly vocabulary: Vocabulary
  /** tokens of the vocabulary */
  readonly size: number
  /** tokens a slot, and the most that the model could hold */
  readonly context: number
  readonly trained: number
  readonly load: Pick<LoadOptions, "learned" | "onLearned">
}

export class Asking {
  readonly pieces: Pieces
  private readonly model: AddonModel
  private readonly size: number
  private readonly writing: Writing
  private readonly prompts: Prompts
  private forbidden: Promise<Forbidden> | undefined

  constructor({ addon, context, load, model, size, trained, vocabulary }: AskingOptions) {
    this.model = model
    this.size = size
    this.pieces = new Pieces(model)
    this.writing = writingOf(vocabulary, spellingOf(model), load)
    this.prompts = new Prompts({
      template: new ChatTemplate(addon, model, vocabulary.template),
      vocabulary,
      context,
      trained,
      tokenBytes: () => this.pieces.longest(size)
    })
  }

  read(request: GenerateRequest): Effect.Effect<Asked, AnswerFailure> {
    return Effect.gen(this, function* () {
      const { input, sampling } = request
      yield* checkBias(sampling, this.size)
      yield* checkTokens(input, this.size)
      const known = input._tag !== "Messages" ? noDialect : yield* this.knownFor(input, request)
      const tokens = yield* this.prompts.read(input, known)
      const tail = spellEnd(this.pieces, tokens, promptTail)
      return { tokens, ...(yield* this.answering(input, known.dialect, tail)) }
    })
  }

  /** `mark`: what stands for an image, which nobody outside knows. */
  show(request: GenerateRequest, input: Conversation, mark: string): Effect.Effect<Shown, AnswerFailure> {
    return Effect.gen(this, function* () {
      yield* checkBias(request.sampling, this.size)
      const known = yield* this.knownFor(input, request)
      const messages = input.messages.map(({ images = [], ...message }) => ({
        ...message,
        content: withMarks(message.content, images, mark)
      }))
      const text = yield* this.prompts.text({ ...input, messages }, known)
      const images = input.messages.flatMap((message) => message.images ?? []).map(({ data }) => data)
      if (text.split(mark).length - 1 !== images.length)
        return yield* rbeeError("INVALID_REQUEST", "the model's chat template leaves an image out", "", {
          field: "messages"
        })
      const asked = { _tag: "Messages", ...input } as const
      return { text, images, ...(yield* this.answering(asked, known.dialect, text.slice(-promptTail))) }
    })
  }

  /** How the answer is read, and what it is held to; `tail`: the end of its prompt, control tokens written out. */
  private answering(
    input: GenerateRequest["input"],
    dialect: Dialect,
    tail: string
  ): Effect.Effect<Omit<Asked, "tokens">, RbeeError<"INVALID_REQUEST">> {
    const isPlain = input._tag !== "Messages" || !hasForm(input, dialect)
    const form = isPlain ? undefined : { dialect, prompt: tail }
    return Effect.map(this.constrained(input, dialect, tail), (held) => ({ form, ...held }))
  }

  close(): void {
    this.writing.close()
    this.prompts.close()
  }

  /** What the answer is held to, and what it can never have; looked for when it is asked for first. */
  private constrained(
    input: GenerateRequest["input"],
    dialect: Dialect,
    prompt: string
  ): Effect.Effect<Pick<Asked, "grammar" | "forbidden">, RbeeError<"INVALID_REQUEST">> {
    if (input._tag !== "Messages" || isFree(input)) return Effect.succeed({ grammar: undefined, forbidden: undefined })
    this.forbidden ??= forbiddenOf(this.pieces, this.size, (token) => this.model.isEogToken(token))
    const found = this.forbidden
    return Effect.flatMap(
      Effect.promise(() => found),
      (never) =>
        Effect.map(grammars.of({ wishes: wishesIn(input), dialect, prompt, ends: never.ends }), (grammar) => ({
          grammar,
          forbidden: never
        }))
    )
  }

  private knownFor(conversation: Conversation, begun: Begun): Effect.Effect<Known, RbeeError<"INTERNAL">> {
    return Effect.map(this.writing.known, ({ dialect, isTrusted }) => ({
      dialect: dialectOf(conversation, begun, dialect),
      isTrusted
    }))
  }
}
