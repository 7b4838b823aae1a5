/**
 * The tokenizer program: a model's vocabulary without its weights. It reads a worker's long prompts and learns what a
 * chat template tells, one after the other, and dies with who asks it. Its one argument is a `Vocabulary`.
 *
 * The work is done in a thread, because a thread's stack can be chosen: llama.cpp's regular expressions take some 400
 * bytes of it a character, and the main thread's 8 MB end in a crash at 20 000 letters in a row.
 */
import { fileURLToPath } from "node:url"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { RbeeError } from "../machines/errors.ts"
import { learnDialect } from "../machines/dialect/learn/learn.ts"
import { roundTrip } from "../machines/dialect/trial/trial.ts"
import type { Addon, AddonModel } from "../layers/engine/llama/addon.ts"
import { openVocabulary, rendererOf, type Spelling, spellingOf } from "../layers/engine/llama/reading/renderer.ts"
import type {
  DialectQuestion,
  PromptQuestion,
  Question,
  Reading,
  TextQuestion,
  Vocabulary,
  WordsQuestion
} from "../layers/engine/llama/reading/tokenize.ts"
import { loadRuntime, type Runtime } from "../layers/engine/llama/runtime.ts"
import { ChatTemplate } from "../layers/engine/llama/reading/template.ts"
import { wordsOf } from "../layers/engine/llama/reading/words.ts"

/** for a million characters in a row; taken from the system only as far as it is used */
const stackSizeMb = 512

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** What a question may take: a chat template is a stranger's program, and a long prompt is much work. */
const bytesMax: Readonly<Record<Question["ask"], number>> = { dialect: 1e9, tokens: 4e9, text: 4e9, words: 4e9 }
const lookEveryMs = 50

const relay = (): void => {
  const thread = new Worker(fileURLToPath(import.meta.url), {
    workerData: process.argv[2],
    resourceLimits: { stackSizeMb }
  })
  const say = (reading: Reading): void => void process.send?.(reading)
  // not by `exit`: that would wait for the thread's call of llama.cpp
  const end = (): void => void process.kill(process.pid, "SIGKILL")
  process.on("disconnect", end)
  // who asks may have died while this was starting: that is told before anybody listens
  if (!process.connected) end()
  let watch: NodeJS.Timeout | undefined
  process.on("message", (question: Question) => {
    const max = bytesMax[question.ask]
    watch = setInterval(() => {
      if (process.memoryUsage.rss() < max) return
      const reason = `it takes more than ${max / 1e6} MB of memory`
      const lost: Reading = { t: "lost", reason }
      process.send?.(lost, undefined, undefined, () => process.kill(process.pid, "SIGKILL"))
    }, lookEveryMs)
    thread.postMessage(question)
  })
  let isReady = false
  thread.on("message", (reading: Reading) => {
    if (reading.t === "ready") isReady = true
    else clearInterval(watch)
    say(reading)
  })
  thread.on("error", (cause) => say({ t: "broken", reason: reasonOf(cause) }))
  // without a word, or after its error, which is told already: nobody is left who would answer
  thread.on("exit", (code) => {
    const last: Reading = { t: isReady ? "lost" : "broken", reason: `its thread ended without a word (code ${code})` }
    process.send?.(last, undefined, undefined, end)
  })
}

/** The CPU's build serves every model; where it is not installed, the worker's own does. */
const runtimeFor = (own: Vocabulary["runtime"]): Promise<Runtime> =>
  loadRuntime({ gpu: "cpu" }).catch(() => loadRuntime(own))

class Reader {
  private readonly vocabulary: Vocabulary
  private readonly say: (reading: Reading) => void
  private opened: Promise<AddonModel> | undefined
  private template: ChatTemplate | undefined

  constructor(vocabulary: Vocabulary, say: (reading: Reading) => void) {
    this.vocabulary = vocabulary
    this.say = say
  }

  async answer(question: Question): Promise<Reading> {
    switch (question.ask) {
      case "tokens":
        return this.tokens(question)
      case "text":
        return this.text(question)
      case "dialect":
        return this.dialect(question)
      case "words":
        return this.words(question)
    }
  }

  private async words({ question }: WordsQuestion): Promise<Reading> {
    const { addon } = await runtimeFor(this.vocabulary.runtime)
    const model = await this.model(addon)
    this.say({ t: "ready" })
    return { t: "words", answer: wordsOf(model, question, this.vocabulary.template) }
  }

  private async tokens({ dialect, input, limit }: PromptQuestion): Promise<Reading> {
    return this.written((template) => {
      const tokens = template.tokens(input, dialect)
      return tokens.length > limit
        ? { t: "too many", count: tokens.length }
        : { t: "tokens", tokens: Uint32Array.from(tokens) }
    })
  }

  private text({ dialect, input }: TextQuestion): Promise<Reading> {
    return this.written((template) => ({ t: "text", text: template.text(input, dialect) }))
  }

  /** By the model's template, which may refuse what is asked. */
  private async written(read: (template: ChatTemplate) => Reading): Promise<Reading> {
    const { addon } = await runtimeFor(this.vocabulary.runtime)
    this.template ??= new ChatTemplate(addon, await this.model(addon), this.vocabulary.template)
    this.say({ t: "ready" })
    try {
      return read(this.template)
    } catch (cause) {
      if (!(cause instanceof RbeeError)) throw cause
      const { details, todo, what } = cause
      return { t: "refused", what, todo, details }
    }
  }

  private async dialect({ spelling, tries }: DialectQuestion): Promise<Reading> {
    const { modelPath, runtime, template = "" } = this.vocabulary
    const { addon } = await runtimeFor(runtime)
    const spelt = spelling ?? (modelPath === undefined ? unspelt : spellingOf(await this.model(addon)))
    this.say({ t: "ready" })
    const render = rendererOf(addon, template, spelt)
    const dialect = learnDialect(render)
    const { exact, impossible, kinds, tried } = roundTrip(dialect, render, tries)
    return { t: "dialect", dialect, trip: { tried, exact, kinds, impossible } }
  }

  private model(addon: Addon): Promise<AddonModel> {
    return (this.opened ??= openVocabulary(addon, this.vocabulary.modelPath ?? ""))
  }
}

const unspelt: Spelling = { bos: "", eos: "" }

const read = (): void => {
  const say = (reading: Reading): void => parentPort?.postMessage(reading)
  // written by the worker, of the same build
  const reader = new Reader(JSON.parse(String(workerData)) as Vocabulary, say)
  parentPort?.on("message", (question: Question) => {
    reader.answer(question).then(say, (cause: unknown) => say({ t: "broken", reason: reasonOf(cause) }))
  })
}

if (isMainThread) relay()
else read()
