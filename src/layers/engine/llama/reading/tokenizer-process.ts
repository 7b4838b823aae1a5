/**
 * Asks a process of its own (`src/main/tokenizer.ts`), one question after the other: long prompts, because on the
 * worker's event loop a megabyte would hold up every neighbour's tokens and the worker's beat for seconds, and llama.cpp
 * can crash over one; and what a chat template tells, which is a stranger's program. Started by the first question,
 * ended when idle.
 */
import { fork } from "node:child_process"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { nativeEnvironment } from "../../../process/environment.ts"
import { type HelperKind, OneAtATime } from "../../../process/one-at-a-time.ts"
import type { Question, Reading, Vocabulary } from "./tokenize.ts"

export type Read = Exclude<Reading, { t: "ready" }>

/** Beside the running bundle, above its chunk, or as built from these sources. */
const program = (): string | undefined =>
  ["./tokenizer.js", "../tokenizer.js", "../../../../../dist/tokenizer.js"]
    .map((path) => fileURLToPath(new URL(path, import.meta.url)))
    .find((path) => existsSync(path))

const tokenizer = (vocabulary: Vocabulary): HelperKind<Question, Read> => ({
  start: ({ answer, gone }) => {
    const path = program()
    if (path === undefined) return undefined
    const child = fork(path, [JSON.stringify(vocabulary)], {
      env: nativeEnvironment(process.env),
      serialization: "advanced",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: ["--max-semi-space-size=2"]
    })
    let ready = false
    const ended = (reason: string): void => gone({ t: ready ? "lost" : "broken", reason })
    child.on("message", (message) => {
      // our own program, of the same build
      const reading = message as Reading
      if (reading.t === "ready") ready = true
      else if (reading.t === "broken" || reading.t === "lost") gone(reading)
      else answer(reading)
    })
    child.on("error", (cause) => ended(cause.message))
    child.on("exit", (code, signal) => ended(signal ?? `code ${code}`))
    return {
      put: (question) => child.send(question, () => undefined),
      keepAlive: (alive) => {
        for (const one of [child, child.channel])
          if (alive) one?.ref()
          else one?.unref()
      },
      end: () => child.kill("SIGKILL")
    }
  },
  missing: () => ({ t: "broken", reason: "its program is missing: reinstall rbee" }),
  late: (withinMs) => ({ t: "lost", reason: `${withinMs / 1000} s are over` })
})

export class TokenizerProcess extends OneAtATime<Question, Read> {
  constructor(vocabulary: Vocabulary) {
    super(tokenizer(vocabulary))
  }
}
