/**
 * A chat in the terminal: each message is a job of its own, with all that was said before it, so that an answer goes on
 * whoever dies meanwhile. Ctrl-C stops an answer; twice where a message is asked for, it ends the chat.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import { hasForm } from "../../machines/dialect/answer-form.ts"
import { answered, asked, type Chat, cleared, loaded, saved } from "../../machines/chat/conversation.ts"
import { type Begun, ended, help, type Input, read } from "../../machines/chat/typed.ts"
import { type RbeeError, sentence } from "../../machines/errors.ts"
import type { JobRequest } from "../../machines/vocabulary/job.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import { type Lines, paint, plain, type SignalCode, Terminal } from "../../layers/terminal/index.ts"
import { makeChatRenderer } from "./chat-renderer.ts"
import { inferTo } from "./infer.ts"

export interface ChatOptions {
  /** without what is said */
  readonly request: Omit<JobRequest, "session" | "messages" | "model">
  readonly chat: Chat
  /** what a model is asked for by, or why it can be none */
  readonly modelNamed: (text: string) => Effect.Effect<string, RbeeError>
  readonly readFile: (file: string) => Effect.Effect<string, RbeeError>
  readonly writeFile: (file: string, text: string) => Effect.Effect<void, RbeeError>
}

type Heard =
  | { readonly _tag: "Line"; readonly line: string }
  | { readonly _tag: "Interrupt" }
  | { readonly _tag: "End" }
  | { readonly _tag: "Exit"; readonly code: number }

const prompts = { whole: ">>> ", more: "... " }

const dialectOf = (ref: string) =>
  Effect.gen(function* () {
    const api = (yield* QueenConnector).connect((yield* QueenLauncher).url)
    const [copy] = yield* api.showModel({ ref })
    const dialect = copy?.dialect
    return dialect !== undefined && hasForm({ messages: [] }, dialect) ? dialect : undefined
  }).pipe(
    // an answer of which nobody knows how it is written is shown as it is
    Effect.timeoutOption(2000),
    Effect.map(Option.getOrUndefined),
    Effect.orElseSucceed(() => undefined)
  )

/** One answer. The exit code is the session's, as of `rbee infer`. */
const turn = (options: ChatOptions, chat: Chat, question: string, lines: Lines) =>
  Effect.gen(function* () {
    const terminal = yield* Terminal
    const runtime = yield* Effect.runtime<QueenConnector | QueenLauncher>()
    const renderer = makeChatRenderer(terminal, (ref) => {
      Runtime.runFork(runtime)(Effect.map(dialectOf(ref ?? chat.model), renderer.writes))
    })
    const interrupted = Effect.raceFirst(terminal.interrupted, Effect.as(lines.interrupted, 130 as SignalCode))
    const request = { ...options.request, model: chat.model, messages: asked(chat, question) }
    const code = yield* inferTo(renderer, { request, teardown: "warm" }).pipe(
      Effect.provideService(Terminal, { ...terminal, interrupted })
    )
    return { code, chat: code === 1 ? chat : answered(chat, question, renderer.answer()) }
  })

/** What is done with a command: the conversation after it, and what is said of it. */
const obey = (
  options: ChatOptions,
  chat: Chat,
  input: Exclude<Input, { readonly _tag: "Message" | "Bye" | "Nothing" }>
): Effect.Effect<readonly [Chat, string], RbeeError> => {
  const say = (text: string, next = chat) => Effect.succeed([next, text] as const)
  switch (input._tag) {
    case "System":
      return say("system prompt set", { ...chat, system: input.text })
    case "Model":
      return Effect.map(
        options.modelNamed(input.text),
        (model) => [{ ...chat, model }, `${model} answers from here on`] as const
      )
    case "Save":
      return Effect.as(options.writeFile(input.text, saved(chat)), [chat, `saved as ${input.text}`] as const)
    case "Load":
      return Effect.flatMap(options.readFile(input.text), (text) =>
        Either.match(loaded(chat, text), {
          onLeft: (problem) => say(`${input.text} is no conversation: ${problem}`),
          onRight: (next) =>
            Effect.map(
              options.modelNamed(next.model),
              (model) => [{ ...next, model }, `${next.turns.length} messages, with ${model}`] as const
            )
        })
      )
    case "Clear":
      return say("forgotten", cleared(chat))
    case "Help":
      return say(help)
    case "Wrong":
      return say(input.problem)
  }
}

/** The next line, or what came in its place. */
const hear = (lines: Lines, prompt: string): Effect.Effect<Heard, never, Terminal> =>
  Effect.gen(function* () {
    const terminal = yield* Terminal
    const line = Effect.map(lines.next(prompt), (text): Heard =>
      text === undefined ? { _tag: "End" } : { _tag: "Line", line: text }
    )
    const exits = Effect.raceFirst(
      Effect.map(terminal.interrupted, (code): Heard => ({ _tag: "Exit", code })),
      Effect.map(terminal.closed, ({ failure }): Heard => ({ _tag: "Exit", code: failure === undefined ? 0 : 1 }))
    )
    const interrupt = Effect.map(lines.interrupted, (): Heard => ({ _tag: "Interrupt" }))
    return yield* Effect.raceFirst(line, Effect.raceFirst(interrupt, exits))
  })

/** Runs until its input ends, or the user ends it. The exit code; 1 where an answer that was piped in failed. */
// long: one loop over what is typed
export const chatting = (options: ChatOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const terminal = yield* Terminal
      const lines = yield* terminal.lines
      const say = (text: string) => terminal.stderr.write(paint("dim", plain(text)), "\n")
      let chat = options.chat
      let begun: Begun | undefined
      let failed = false
      let insisted = false
      if (terminal.stdinIsTTY) say(`${chat.model}; /help tells what else can be typed, /bye ends`)

      const answer = (question: string) =>
        Effect.map(turn(options, chat, question, lines), (after) => {
          chat = after.chat
          failed ||= after.code === 1
          return after.code === 129 || after.code === 143 ? after.code : undefined
        })
      /** The exit code, where that was the end. */
      const take = (
        input: Input
      ): Effect.Effect<number | undefined, never, Effect.Effect.Context<ReturnType<typeof answer>>> => {
        if (input._tag === "Nothing") return Effect.succeed(undefined)
        if (input._tag === "Bye") return Effect.succeed(0)
        if (input._tag === "Message") return answer(input.text)
        return obey(options, chat, input).pipe(
          Effect.match({
            onFailure: (error) => terminal.stderr.write(paint("red", plain(sentence(error))), "\n"),
            onSuccess: ([next, text]) => {
              chat = next
              say(text)
            }
          }),
          Effect.as(undefined)
        )
      }
      const end = (code: number) => (code === 0 && failed && !terminal.stdinIsTTY ? 1 : code)

      for (;;) {
        const heard = yield* hear(lines, begun === undefined ? prompts.whole : prompts.more)
        if (heard._tag === "Exit") return heard.code
        if (heard._tag === "End") {
          const code = begun === undefined ? undefined : yield* take(ended(begun))
          if (terminal.stdinIsTTY) terminal.stderr.write("\n")
          return end(code ?? 0)
        }
        if (heard._tag === "Interrupt") {
          if (insisted) return 130
          insisted = begun === undefined
          begun = undefined
          say("Ctrl-C again, Ctrl-D or /bye ends")
          continue
        }
        insisted = false
        const typed = read(heard.line, begun)
        begun = typed._tag === "Begun" ? typed.begun : undefined
        const code = typed._tag === "Whole" ? yield* take(typed.input) : undefined
        if (code !== undefined) return end(code)
      }
    })
  )
