/**
 * Grammars made by a thread (`src/main/grammars.ts`), one after the other, and remembered: agents send the same tools
 * with every request. Started by the first question, ended when idle.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import { type Grammars, grammarsBy } from "./index.ts"
import { answerTo, type Made, type Question } from "./questions.ts"

/** an idle thread gives its memory back after this long, milliseconds */
const idleMs = 60_000
/** what one grammar may take */
const madeMs = 10_000
const memoryMb = 512
/** what is remembered: grammars, and characters of all together */
const remembered = { most: 64, characters: 8_000_000 }

/** Beside the running bundle, or as built from these sources. */
const program = (): string | undefined =>
  ["./grammars.cjs", "../grammars.cjs", "../../../dist/grammars.cjs"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))

interface Waiting {
  readonly question: Question
  readonly done: (made: Made) => void
}

const tooLarge: Made = {
  t: "refused",
  what: "the schemas are too large to be a grammar",
  todo: "Make them smaller",
  details: { field: "schema" }
}

class GrammarThread {
  private readonly waiting: Array<Waiting> = []
  private thread: Worker | undefined
  private timer: NodeJS.Timeout | undefined

  ask(question: Question, done: (made: Made) => void): void {
    if (this.waiting.push({ question, done }) === 1) this.next()
  }

  private next(): void {
    clearTimeout(this.timer)
    const [one] = this.waiting
    if (one === undefined) {
      // an idle one keeps nobody alive
      this.thread?.unref()
      return this.alarm(idleMs, () => this.stop())
    }
    const thread = this.thread ?? this.start()
    if (thread === undefined) return this.end(answerTo(one.question))
    thread.ref()
    this.alarm(madeMs, () => this.giveUp(thread))
    thread.postMessage(one.question)
  }

  private start(): Worker | undefined {
    const path = program()
    if (path === undefined) return undefined
    const thread = new Worker(path, { resourceLimits: { maxOldGenerationSizeMb: memoryMb } })
    thread.on("message", (made: Made) => {
      // our own program, of the same build
      if (this.thread === thread) this.end(made)
    })
    thread.on("error", () => this.giveUp(thread))
    thread.on("exit", () => this.giveUp(thread))
    return (this.thread = thread)
  }

  /** It was too much for it. */
  private giveUp(thread: Worker): void {
    if (this.thread !== thread) return
    this.stop()
    if (this.waiting.length > 0) this.end(tooLarge)
  }

  private end(made: Made): void {
    const one = this.waiting.shift()
    this.next()
    one?.done(made)
  }

  private alarm(ms: number, ring: () => void): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(ring, ms)
    this.timer.unref()
  }

  private stop(): void {
    clearTimeout(this.timer)
    const { thread } = this
    this.thread = undefined
    void thread?.terminate()
  }
}

/** The newest ones, by a hash of what was asked. */
class Remembered {
  private readonly made = new Map<string, Made>()
  private characters = 0

  get(key: string): Made | undefined {
    const found = this.made.get(key)
    if (found !== undefined) {
      this.made.delete(key)
      this.made.set(key, found)
    }
    return found
  }

  put(key: string, made: Made): void {
    if (this.made.has(key)) return
    this.made.set(key, made)
    this.characters += lengthOf(made)
    for (const [oldest, one] of this.made) {
      if (this.made.size <= remembered.most && this.characters <= remembered.characters) return
      this.made.delete(oldest)
      this.characters -= lengthOf(one)
    }
  }
}

const lengthOf = (made: Made): number => (made.t === "made" ? (made.grammar ?? "").length : made.what.length)

const keyOf = (question: Question): string => createHash("sha256").update(JSON.stringify(question)).digest("base64")

/** One thread, which there is once it is asked something. */
export const threadedGrammars = (): Grammars => {
  const thread = new GrammarThread()
  const known = new Remembered()
  return grammarsBy((question) =>
    Effect.async<Made>((resume) => {
      const key = keyOf(question)
      const found = known.get(key)
      if (found !== undefined) return resume(Effect.succeed(found))
      thread.ask(question, (made) => {
        // who has had its time may have had bad luck
        if (made !== tooLarge) known.put(key, made)
        resume(Effect.succeed(made))
      })
    })
  )
}
