/**
 * Asks a process of its own (`src/main/tokenizer.ts`), one question after the other: long prompts, because on the
 * worker's event loop a megabyte would hold up every neighbour's tokens and the worker's beat for seconds, and llama.cpp
 * can crash over one; and what a chat template tells, which is a stranger's program. Started by the first question,
 * ended when idle.
 */
import { type ChildProcess, fork } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { nativeEnvironment } from "../../../process/environment.ts"
import type { Question, Reading, Vocabulary } from "./tokenize.ts"

/** an idle process gives its memory back after this long, milliseconds */
const idleMs = 60_000

export type Read = Exclude<Reading, { t: "ready" }>

/** Beside the running bundle, above its chunk, or as built from these sources. */
const program = (): string | undefined =>
  ["./tokenizer.js", "../tokenizer.js", "../../../../../dist/tokenizer.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))

interface Waiting {
  readonly question: Question
  readonly withinMs: number
  readonly done: (read: Read) => void
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
  ask(question: Question, withinMs: number, done: (read: Read) => void): () => void {
    const one: Waiting = { question, withinMs, done }
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
    if (one === undefined) {
      // an idle one keeps nobody alive
      this.child?.unref()
      this.child?.channel?.unref()
      return this.alarm(idleMs, () => this.stop())
    }
    const child = this.child ?? this.start()
    if (child === undefined) return this.end({ t: "broken", reason: "its program is missing: reinstall rbee" })
    this.alarm(one.withinMs, () => {
      this.stop()
      this.end({ t: "lost", reason: `${one.withinMs / 1000} s are over` })
    })
    child.ref()
    child.channel?.ref()
    child.send(one.question, () => undefined)
  }

  private start(): ChildProcess | undefined {
    const path = program()
    if (path === undefined) return undefined
    const child = fork(path, [JSON.stringify(this.vocabulary)], {
      env: nativeEnvironment(process.env),
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-semi-space-size=2"]
    })
    const gone = (reason: string): void => {
      if (this.child !== child) return
      const { ready } = this
      this.stop()
      if (this.waiting.length > 0) this.end({ t: ready ? "lost" : "broken", reason })
    }
    child.on("message", (message) => {
      // our own program, of the same build
      if (this.child === child) this.hear(message as Reading)
    })
    child.on("error", (cause) => gone(cause.message))
    child.on("exit", (code, signal) => gone(signal ?? `code ${code}`))
    this.child = child
    return child
  }

  private hear(reading: Reading): void {
    if (reading.t === "ready") {
      this.ready = true
      return
    }
    if (this.waiting.length === 0) return
    if (reading.t === "broken" || reading.t === "lost") this.stop()
    this.end(reading)
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
