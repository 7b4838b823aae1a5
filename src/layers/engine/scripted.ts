/**
 * An engine without a model: it says a script, at a given rate, and keeps the whole contract of the port (slots,
 * limits, stop strings, resume, cancel). For tests and benchmarks of everything around the engine. Its only time is
 * Effect's Clock.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { dialectOf, hasForm } from "../../machines/dialect/answer-form.ts"
import { templateInput } from "../../machines/dialect/conversation.ts"
import { contentOnly, type Dialect } from "../../machines/dialect/dialect.ts"
import { RbeeError, rbeeError } from "../../machines/errors.ts"
import { vectorLine } from "../../machines/formats/vectors.ts"
import { unsuitable } from "../../machines/policy/purpose.ts"
import type { Purpose } from "../../machines/vocabulary/model.ts"
import { usualContext } from "../../machines/policy/memory/context.ts"
import { checkFits, takeSlot } from "./admission.ts"
import type { Conversation } from "../../machines/vocabulary/conversation.ts"
import type { TokenLogprob } from "../../machines/vocabulary/job.ts"
import type { Exactness } from "../../machines/vocabulary/worker.ts"
import { Answer, type AnswerOptions, type Finish } from "./answer.ts"
import { Engine, type GenerateRequest, type GenerateResult, type LoadedModel, type LoadOptions } from "./index.ts"
import { makeSlots } from "./slots.ts"

export interface ScriptedOptions {
  /** the tokens of the answer to this, control tokens spelt out; absent: `text`, `tokens` and `next` say it */
  readonly answer?: (conversation: Conversation) => ReadonlyArray<string>
  /** of these, the control tokens: they say nothing in an answer that is text alone */
  readonly controls?: ReadonlySet<string>
  /** how it writes; absent: plain text */
  readonly dialect?: Dialect
  /** whether the answer to this waits before the token of an index; asked again and again while it does; absent: never */
  readonly holds?: (conversation: Conversation) => (index: number) => boolean
  /** the end of the prompt that an answer follows; absent: it has opened nothing */
  readonly prompt?: string
  /** what the token at an index of the answer says; absent: words that can be told apart */
  readonly text?: (index: number) => string
  /** tokens until the end-of-text token; absent: 128 */
  readonly tokens?: number
  /** of each answer; absent: as fast as the event loop allows */
  readonly tokensPerS?: number
  /** milliseconds that a load takes; absent: none */
  readonly loadMs?: number
  /** most tokens a slot; absent: 8 192 */
  readonly context?: number
  /**
   * the token after these (prompt, resumed and decoded ones), from 1 up, `text` says the token t as its index t - 1;
   * absent: the next index. For answers that depend on all that came before, so that a wrong continuation shows
   */
  readonly next?: (tokens: ReadonlyArray<number>) => number
  /** absent: exact, as its script says */
  readonly exactness?: Exactness
  /** it writes nothing, and gives vectors, or scores, made up of the texts; absent: it answers */
  readonly measures?: "embeddings" | "reranking" | undefined
  /** tokens between two looks at the event loop, when as fast as possible; absent: 32 */
  readonly burst?: number
}

/** the end-of-text token; the token at index i of an answer is i + 1 */
const END = 0

const WORDS = "one small bee flies over the wide green field and finds a new flower".split(" ")
const word = (index: number): string => `${index === 0 ? "" : " "}${WORDS[index % WORDS.length] ?? ""}${index}`

/** What an answer says, token by token; each token's id is its place and one. */
interface Lines {
  readonly say: (index: number) => string
  readonly count: number
  readonly isHeld: (index: number) => boolean
  readonly next?: ScriptedOptions["next"]
}

const never = (): boolean => false
/** milliseconds between two looks at whether an answer may go on */
const heldMs = 5

/** One token a word, the same for the same word; roles are tokens too. */
const tokenize = (input: GenerateRequest["input"]): ReadonlyArray<number> => {
  if (input._tag === "Tokens") return input.tokens
  const text =
    input._tag === "Prompt"
      ? input.prompt
      : input.messages.map((message) => `<${message.role}> ${message.content}`).join(" ")
  return (text.match(/\S+/g) ?? []).map((part) => {
    let hash = 7
    for (let i = 0; i < part.length; i++) hash = (Math.imul(hash, 31) + part.charCodeAt(i)) | 0
    return 1_000_000 + (hash >>> 1)
  })
}

/** Another vector for another text. */
const measured = (text: string | ReadonlyArray<number>, elements: number): Float32Array => {
  const numbers = typeof text === "string" ? Array.from(text, (letter) => letter.codePointAt(0) ?? 0) : text
  const sum = numbers.reduce((hash, number) => (Math.imul(hash, 31) + number) | 0, 7)
  return Float32Array.from({ length: elements }, (_, i) => Math.sin(sum + i))
}

const wordsIn = (text: string | ReadonlyArray<number>): number =>
  typeof text === "string" ? tokenize({ _tag: "Prompt", prompt: text }).length : text.length

/** Each text takes as long as a token. */
const measure = (purpose: Purpose, rate: number, counted: () => void): LoadedModel["measure"] =>
  Effect.fn(function* ({ before, onToken, texts }) {
    const asked = texts._tag === "Embed" ? "embeddings" : "reranking"
    if (asked !== purpose) return yield* unsuitable(purpose, asked)
    const all = texts._tag === "Embed" ? texts.inputs : texts.documents.map((document) => `${texts.query} ${document}`)
    let promptTokens = before.reduce((sum, tokens) => sum + tokens, 0)
    for (const text of all.slice(before.length)) {
      yield* Effect.sleep(1000 / rate)
      counted()
      promptTokens += wordsIn(text)
      onToken(vectorLine(measured(text, asked === "embeddings" ? 4 : 1)), wordsIn(text))
    }
    const completionTokens = all.length - before.length
    return { finishReason: "stop", promptTokens, cachedTokens: 0, completionTokens, promptMs: 0, totalMs: 0 } as const
  })

class ScriptedAnswer extends Answer {
  /** index of the token that ends it */
  readonly length: number
  readonly next: ScriptedOptions["next"]
  private readonly holds: Lines["isHeld"]
  private readonly say: Lines["say"]

  constructor(options: AnswerOptions, { count, isHeld, next, say }: Lines) {
    super(options)
    this.length = count
    this.next = next
    this.holds = isHeld
    this.say = say
  }

  /** Certain of what it says, more or less: it has nothing else to say. */
  likelihood(token: number, top: number): TokenLogprob {
    const text = this.say(token - 1)
    const own = { token: text, bytes: [...Buffer.from(text)], logprob: -(token % 8) / 8 - 0.125 }
    return { ...own, top: top > 0 ? [own] : [] }
  }

  get isHeld(): boolean {
    return this.holds(this.index)
  }
}

type Failed = RbeeError<"ALL_SLOTS_BUSY" | "INVALID_REQUEST">

// long: the calls of one scripted model over its one script, each of them short
const serve = (script: ScriptedOptions, options: LoadOptions): LoadedModel => {
  const longest = script.context ?? 8192
  const context = Math.min(options.context ?? usualContext(longest), longest)
  const learned = script.dialect ?? contentOnly("it is a script")
  const linesFor = (input: GenerateRequest["input"], isText: boolean): Lines => {
    const { answer, controls, holds, next, text = word, tokens: count = 128 } = script
    if (answer === undefined || input._tag !== "Messages")
      return { say: text, count, isHeld: never, ...(next === undefined ? {} : { next }) }
    const tokens = answer(input)
    const say = (index: number): string => {
      const token = tokens[index] ?? ""
      return isText && controls?.has(token) === true ? "" : token
    }
    return { say, count: tokens.length, isHeld: holds?.(input) ?? never }
  }
  const burst = script.burst ?? 32
  const rate = Math.min(script.tokensPerS ?? Infinity, options.maxTokensPerS ?? Infinity)
  const slots = makeSlots(options.slots)
  let batches = 0

  const begin = (request: GenerateRequest, now: () => number): ScriptedAnswer | Failed => {
    const { input } = request
    const dialect = input._tag === "Messages" ? dialectOf(input, request, learned) : learned
    const asked = input._tag === "Messages" ? templateInput(input, dialect) : undefined
    if (asked?._tag === "Left") return asked.left
    const prompt = tokenize(request.input)
    const refused = checkFits(prompt.length, context, longest)
    if (refused !== undefined) return refused
    // a script may be wrong, and must not keep a slot for it
    const isPlain = input._tag !== "Messages" || !hasForm(input, dialect)
    const lines = linesFor(input, isPlain)
    const taken = takeSlot(slots, [...prompt, ...(request.resume?.tokenIds ?? [])])
    if (taken instanceof RbeeError) return taken
    const { slot, prefix } = taken
    slot.busy = true
    request.onPrompt?.(prompt.length)
    if (!isPlain) request.onForm?.({ dialect, prompt: script.prompt ?? "" })
    const options = {
      request,
      prompt,
      slot,
      cached: prefix,
      context,
      trained: longest,
      textOf: (token: number) => (token === END ? "" : lines.say(token - 1)),
      isEnd: (token: number) => token === END,
      now,
      done: () => undefined
    }
    const answer = new ScriptedAnswer(options, lines)
    slot.tokens = answer.tokens
    return answer
  }

  /** Says what is due, and returns how the answer ended if it did. */
  const turn = (answer: ScriptedAnswer, count: number): Finish | undefined => {
    batches++
    for (let i = 0; i < count && !answer.isHeld; i++) {
      const token = answer.index === answer.length ? END : (answer.next?.(answer.tokens) ?? answer.index + 1)
      answer.filled = answer.tokens.length
      const top = answer.rankedBeside(token)
      const { text, finish } = answer.accept(token)
      answer.emit(text, token, top === undefined ? undefined : answer.likelihood(token, top))
      if (finish !== undefined) return finish
    }
    return undefined
  }

  const speak = (answer: ScriptedAnswer, clock: Clock.Clock): Effect.Effect<GenerateResult, RbeeError<"INTERNAL">> =>
    Effect.gen(function* () {
      const already = answer.finishedBefore() ?? (answer.full ? "length" : undefined)
      if (already !== undefined) return answer.result(already)
      const began = clock.unsafeCurrentTimeMillis()
      let said = 0
      for (;;) {
        if (answer.isHeld) yield* Effect.sleep(heldMs)
        else if (rate === Infinity) yield* Effect.sleep(0)
        else yield* Effect.sleep(Math.max(0, began + ((said + 1) * 1000) / rate - clock.unsafeCurrentTimeMillis()))
        const due =
          rate === Infinity
            ? burst
            : Math.floor(((clock.unsafeCurrentTimeMillis() - began) * rate) / 1000 + 1e-6) - said
        const finish = yield* Effect.try({
          try: () => turn(answer, due),
          catch: (cause) => rbeeError("INTERNAL", "the reader of the answer failed", "", { reason: String(cause) })
        })
        said += due
        if (finish !== undefined) return answer.result(finish)
      }
    })

  return {
    backend: "CPU",
    context,
    slots: options.slots,
    progress: () => batches,
    exactness: () => script.exactness ?? options.exactness ?? { exact: true, bits: "scripted" },
    measure: measure(script.measures ?? "chat", rate, () => batches++),
    generate: (request) =>
      script.measures !== undefined
        ? unsuitable(script.measures, "chat")
        : Effect.clockWith((clock) =>
            Effect.acquireUseRelease(
              Effect.suspend(() => {
                const answer = begin(request, () => clock.unsafeCurrentTimeMillis())
                return answer instanceof Answer ? Effect.succeed(answer) : Effect.fail(answer)
              }),
              (answer) => speak(answer, clock),
              ({ slot, filled }) =>
                Effect.sync(() => {
                  slot.filled = filled
                  slot.busy = false
                })
            )
          )
  }
}

export const layerScripted = (script: ScriptedOptions = {}): Layer.Layer<Engine> =>
  Layer.succeed(Engine, {
    load: (options) =>
      Effect.gen(function* () {
        options.onRuntime?.()
        const step = (script.loadMs ?? 0) / 4
        for (const fraction of [0.25, 0.5, 0.75, 1]) {
          if (step > 0) yield* Effect.sleep(step)
          options.onProgress(fraction)
        }
        return serve(script, options)
      })
  })
