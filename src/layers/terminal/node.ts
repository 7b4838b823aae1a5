/** The terminal of this process. */
import { fstatSync } from "node:fs"
import { createInterface } from "node:readline"
import { Writable } from "node:stream"
import { styleText } from "node:util"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { rbeeError } from "../../machines/errors.ts"
import { type Output, type Part, type SignalCode, Terminal } from "./index.ts"
import { makeLines } from "./lines.ts"
import { makePlain } from "./plain.ts"

const set = (value: string | undefined): boolean => value !== undefined && value !== ""

/** Per stream: FORCE_COLOR wins, then --no-color, NO_COLOR (not empty), TERM=dumb, and that it is a terminal. */
export const wantsColours = (
  env: Readonly<Record<string, string | undefined>>,
  isTTY: boolean,
  noColour: boolean
): boolean => {
  if (noColour) return false
  if (set(env["FORCE_COLOR"])) return env["FORCE_COLOR"] !== "0" && env["FORCE_COLOR"] !== "false"
  return isTTY && !set(env["NO_COLOR"]) && env["TERM"] !== "dumb"
}

type Gone = (error: NodeJS.ErrnoException) => void

/** A stream of a process; `isTTY`: whoever reads it can be steered. */
type Stream = Writable & { readonly isTTY?: boolean; readonly columns?: number }

export const outputOf = (stream: Stream, noColour: boolean, onGone: Gone): Output => {
  const colours = wantsColours(process.env, stream.isTTY === true, noColour)
  // what a write meets is told through `closed`, and never thrown
  stream.on("error", onGone)
  const put = (text: string): void => void (stream.destroyed || stream.write(text))
  const clean = stream.isTTY === true ? makePlain() : (text: string) => text
  const shown = (part: Part): string => {
    if (typeof part === "string") return clean(part)
    const text = clean(part.text)
    // the stream was judged above, by stricter rules than styleText's own
    return colours ? styleText([part.colour].flat(), text, { validateStream: false }) : text
  }
  return {
    isTTY: stream.isTTY === true && process.env.TERM !== "dumb",
    isStyled: colours,
    columns: () => stream.columns ?? 80,
    write: (...parts) => put(parts.map(shown).join("")),
    writeRaw: put,
    clearLine: () => put("\r\u001b[2K")
  }
}

const isPiped = (): boolean => {
  try {
    const found = fstatSync(0)
    return found.isFIFO() || found.isFile()
  } catch {
    return false
  }
}

const readAll = async (maxBytes: number): Promise<string> => {
  const chunks: Array<Buffer> = []
  let bytes = 0
  for await (const chunk of process.stdin) {
    const part = Buffer.from(chunk)
    bytes += part.length
    if (bytes > maxBytes)
      throw rbeeError("PAYLOAD_TOO_LARGE", `the prompt on stdin has more than ${maxBytes} bytes`, "Shorten it.")
    chunks.push(part)
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw rbeeError("INVALID_REQUEST", "the prompt on stdin is not UTF-8", "Convert it, for example with iconv.")
  }
}

const readSecret = (question: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    // a terminal of its own for the reading: what it echoes goes nowhere
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
    const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true })
    process.stderr.write(question)
    reader.question("", (text) => {
      process.stderr.write("\n")
      reader.close()
      resume(Effect.succeed(text))
    })
    return Effect.sync(() => reader.close())
  })

/** `noColour`: --no-color was given. Signals are taken over as long as the layer lives. */
export const layerNode = (options: { readonly noColour: boolean }) =>
  Layer.scoped(
    Terminal,
    Effect.gen(function* () {
      const gone = yield* Deferred.make<{ readonly failure: string | undefined }>()
      const signalled = yield* Deferred.make<SignalCode>()
      let first = true
      /** who takes Ctrl-C in place of the program's end */
      let taken: (() => void) | undefined
      const onSignal = (code: SignalCode) => () => {
        // the user insists: finalizers, the cancel included, are given up; a closed terminal says so more than once
        if (!first && code !== 129) process.exit(code)
        first = false
        Deferred.unsafeDone(signalled, Effect.succeed(code))
      }
      const handlers = [
        ["SIGHUP", onSignal(129)],
        ["SIGINT", () => (taken ?? onSignal(130))()],
        ["SIGTERM", onSignal(143)]
      ] as const
      for (const [signal, handler] of handlers) process.on(signal, handler)
      yield* Scope.addFinalizer(
        yield* Effect.scope,
        Effect.sync(() => {
          for (const [signal, handler] of handlers) process.off(signal, handler)
        })
      )
      const close: Gone = ({ code, message }) =>
        Deferred.unsafeDone(gone, Effect.succeed({ failure: code === "EPIPE" ? undefined : message }))
      return {
        stdout: outputOf(process.stdout, options.noColour, close),
        stderr: outputOf(process.stderr, options.noColour, () => {}),
        stdinIsTTY: process.stdin.isTTY === true,
        stdinIsPiped: isPiped(),
        closed: Deferred.await(gone),
        interrupted: Deferred.await(signalled),
        readSecret,
        lines: makeLines(process.stdin.isTTY === true && process.stderr.isTTY === true, (handler) => {
          taken = handler
        }),
        readStdin: (maxBytes: number) =>
          Effect.tryPromise({
            try: () => readAll(maxBytes),
            catch: (cause) =>
              cause instanceof Error && "_tag" in cause
                ? (cause as ReturnType<typeof rbeeError<"INVALID_REQUEST" | "PAYLOAD_TOO_LARGE">>)
                : rbeeError("INVALID_REQUEST", `stdin cannot be read: ${String(cause)}`, "Give the prompt as argument.")
          })
      }
    })
  )
