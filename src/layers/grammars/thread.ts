/**
 * Grammars made by a thread (`src/main/grammars.ts`), one after the other, and remembered: agents send the same tools
 * with every request. Started by the first question, ended when idle.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import { type HelperKind, OneAtATime } from "../process/one-at-a-time.ts"
import { type Grammars, grammarsBy } from "./index.ts"
import { answerTo, type Made, type Question } from "./questions.ts"

/** what one grammar may take */
const madeMs = 10_000
const memoryMb = 512
/** what is remembered: grammars, and characters of all together */
const remembered = { most: 64, characters: 8_000_000 }

/** Beside the running bundle, or as built from these sources. */
const ownProgram = (): string | undefined =>
  ["./grammars.cjs", "../grammars.cjs", "../../../dist/grammars.cjs"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))

const tooLarge: Made = {
  t: "refused",
  what: "the schemas are too large to be a grammar",
  todo: "Make them smaller",
  details: { field: "schema" }
}

const grammarThread = (program: string | undefined): HelperKind<Question, Made> => ({
  start: ({ answer, gone }) => {
    const path = program ?? ownProgram()
    if (path === undefined) return undefined
    const thread = new Worker(path, { resourceLimits: { maxOldGenerationSizeMb: memoryMb } })
    let asked: Question | undefined
    // our own program, of the same build
    thread.on("message", (made: Made) => answer(made))
    thread.on("error", () => gone(tooLarge))
    // one that just ended is no judgement on what it was asked: that is made here, as where there is no thread
    thread.on("exit", (code) => gone(code === 0 && asked !== undefined ? answerTo(asked) : tooLarge))
    return {
      put: (question) => {
        asked = question
        thread.postMessage(question)
      },
      keepAlive: (alive) => (alive ? thread.ref() : thread.unref()),
      end: () => void thread.terminate()
    }
  },
  missing: answerTo,
  late: () => tooLarge
})

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

/** One thread, which there is once it is asked something; `program`: in the place of ours. */
export const threadedGrammars = (program?: string): Grammars => {
  const thread = new OneAtATime(grammarThread(program))
  const known = new Remembered()
  return grammarsBy((question) =>
    Effect.async<Made>((resume) => {
      const key = keyOf(question)
      const found = known.get(key)
      if (found !== undefined) return resume(Effect.succeed(found))
      thread.ask(question, madeMs, (made) => {
        // who has had its time may have had bad luck
        if (made !== tooLarge) known.put(key, made)
        resume(Effect.succeed(made))
      })
    })
  )
}
