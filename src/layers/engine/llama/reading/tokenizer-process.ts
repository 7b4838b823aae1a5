/**
 * Reads long prompts in a process of its own (`src/main/tokenizer.ts`), one after the other: on the worker's event loop
 * a megabyte would hold up every neighbour's tokens and the worker's beat for seconds, and llama.cpp can crash over one.
 * Started by the first prompt, ended when idle.
 */
import { type ChildProcess, fork } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { rbeeError, type RbeeError } from "../../../../machines/errors.ts"
import { bytesOf, type Question, type Reading, type Vocabulary } from "./tokenize.ts"

/** an idle process gives its memory back after this long, milliseconds */
const idleMs = 60_000
/** some pre-tokenizers take the square of a long run of spaces */
const readMs = 60_000

type Failure = RbeeError<"INVALID_REQUEST" | "INTERNAL">
export type Read = Extract<Reading, { t: "tokens" | "too many" }> | Failure

/** Beside the running bundle, above its chunk, or as built from these sources. */
const program = (): string | undefined =>
  ["./tokenizer.js", "../tokenizer.js", "../../../../../dist/tokenizer.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))

interface Waiting {
  readonly question: Question
  readonly done: (read: Read) => void
}

const cannot = (question: Question, reason: string): Failure => {
  const bytes = bytesOf(question.input)
  const details = { prompt_bytes: bytes, reason }
  return rbeeError("INTERNAL", `the prompt of ${bytes} bytes cannot be turned into tokens (${reason})`, "", details)
}

const broke = (question: Question, reason: string): Failure => {
  const bytes = bytesOf(question.input)
  return rbeeError(
    "INVALID_REQUEST",
    `the model's tokenizer does not get through the prompt of ${bytes} bytes (${reason})`,
    "Shorten the prompt, or break up very long runs of one kind of character",
    { prompt_bytes: bytes, reason }
  )
}

export class TokenizerProcess {
  private readonly vocabulary: Vocabulary
  private readonly waiting: Array<Waiting> = []
  private child: ChildProcess | undefined
  private ready = false
  private timer: NodeJS.Timeout | undefined

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary
  }

  /** The returned function takes the question back; `done` is not called then. */
  read(question: Question, done: (read: Read) => void): () => void {
    const one: Waiting = { question, done }
    if (this.waiting.push(one) === 1) this.next()
    return () => {
      const at = this.waiting.indexOf(one)
      if (at > 0) this.waiting.splice(at, 1)
      else if (at === 0) {
        this.waiting.shift()
        this.stop()
        this.next()
      }
    }
  }

  close(): void {
    this.waiting.length = 0
    this.stop()
  }

  private next(): void {
    const [one] = this.waiting
    if (one === undefined) return this.alarm(idleMs, () => this.stop())
    const child = this.child ?? this.start()
    if (child === undefined) return this.end(cannot(one.question, "its program is missing: reinstall rbee"))
    this.alarm(readMs, () => {
      this.stop()
      this.end(broke(one.question, `${readMs / 1000} s are over`))
    })
    child.send(one.question, () => undefined)
  }

  private start(): ChildProcess | undefined {
    const path = program()
    if (path === undefined) return undefined
    const child = fork(path, [JSON.stringify(this.vocabulary)], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-semi-space-size=2"]
    })
    const gone = (reason: string): void => {
      if (this.child !== child) return
      const { ready } = this
      const [one] = this.waiting
      this.stop()
      if (one !== undefined) this.end(ready ? broke(one.question, reason) : cannot(one.question, reason))
    }
    child.on("message", (message) => {
      // our own program, of the same build
      if (this.child === child) this.hear(message as Reading)
    })
    child.on("error", (cause) => gone(cause.message))
    child.on("exit", (code, signal) => gone(signal ?? `code ${code}`))
    // nothing is kept alive for it
    child.unref()
    child.channel?.unref()
    this.child = child
    return child
  }

  private hear(reading: Reading): void {
    const [one] = this.waiting
    if (reading.t === "ready") this.ready = true
    if (reading.t === "ready" || one === undefined) return
    if (reading.t === "broken") {
      this.stop()
      this.end(cannot(one.question, reading.reason))
    } else if (reading.t === "refused") {
      this.end(rbeeError("INVALID_REQUEST", reading.what, "", { reason: reading.reason }))
    } else this.end(reading)
  }

  private end(read: Read): void {
    const one = this.waiting.shift()
    this.next()
    one?.done(read)
  }

  private alarm(ms: number, ring: () => void): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(ring, ms)
    this.timer.unref()
  }

  private stop(): void {
    clearTimeout(this.timer)
    const { child } = this
    this.child = undefined
    this.ready = false
    child?.kill("SIGKILL")
  }
}
