/** Lines as they are typed, or as they come from a pipe. */
import { createInterface } from "node:readline"
import { Writable } from "node:stream"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type { Lines } from "./index.ts"

/** What is echoed, as long as somebody is asked: what is typed during an answer is not written into it. */
const makeGate = () => {
  const gate = { open: false }
  const output = new Writable({
    write: (chunk, _encoding, done) => {
      if (gate.open) process.stderr.write(chunk)
      done()
    }
  })
  Object.defineProperty(output, "columns", { get: () => process.stderr.columns })
  return { gate, output }
}

/** `onSignal`: who is told of SIGINT as long as the lines are read. */
export const makeLines = (isTyped: boolean, onSignal: (handler: (() => void) | undefined) => void) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const queue = yield* Queue.unbounded<string | undefined>()
      const waiting = new Set<() => void>()
      const { gate, output } = makeGate()
      const reader = createInterface({
        input: process.stdin,
        ...(isTyped ? { output } : {}),
        terminal: isTyped,
        crlfDelay: Infinity
      })
      const interrupt = () => {
        if (isTyped && gate.open) {
          // what was typed so far is given up: from its end to its beginning
          reader.write(null, { ctrl: true, name: "e" })
          reader.write(null, { ctrl: true, name: "u" })
          process.stderr.write("\n")
        }
        for (const resume of waiting) resume()
      }
      reader.on("line", (line) => Queue.unsafeOffer(queue, line))
      reader.on("close", () => Queue.unsafeOffer(queue, undefined))
      // a terminal that readline steers gives Ctrl-C as a key
      reader.on("SIGINT", interrupt)
      onSignal(interrupt)
      const ask = (prompt: string) => {
        gate.open = true
        reader.setPrompt(prompt)
        reader.prompt(true)
        return Queue.take(queue)
      }
      const next = (prompt: string) =>
        Effect.flatMap(Queue.poll(queue), (early) => {
          if (Option.isNone(early)) return isTyped ? ask(prompt) : Queue.take(queue)
          // typed, or pasted, before it was asked for
          if (isTyped && early.value !== undefined) process.stderr.write(`${prompt}${early.value}\n`)
          return Effect.succeed(early.value)
        }).pipe(
          Effect.ensuring(
            Effect.sync(() => {
              gate.open = false
            })
          )
        )
      const interrupted = Effect.async<void>((resume) => {
        const tell = () => {
          waiting.delete(tell)
          resume(Effect.void)
        }
        waiting.add(tell)
        return Effect.sync(() => void waiting.delete(tell))
      })
      return { reader, lines: { next, interrupted } satisfies Lines }
    }),
    ({ reader }) =>
      Effect.sync(() => {
        onSignal(undefined)
        reader.close()
      })
  ).pipe(Effect.map(({ lines }) => lines))
