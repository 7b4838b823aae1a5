import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { makeChatRenderer } from "../../../src/actors/keeper/chat-renderer.ts"
import { type Output, type Part, Terminal } from "../../../src/layers/terminal/index.ts"
import { contentOnly, type Dialect } from "../../../src/machines/dialect/dialect.ts"
import { inferConnected, jobFailed } from "../../../src/machines/narration.ts"
import { stage } from "./scripted.ts"

const thinking = (begins: "open" | "none"): Dialect => ({
  ...contentOnly(""),
  reasoning: {
    open: "<think>",
    close: "</think>",
    confirmed: "render",
    prompt: { on: begins, off: "closed", default: begins }
  }
})

/** A renderer, and what it wrote: what is dim or red in brackets. */
const written = (isTTY: boolean, isStyled = false) =>
  Effect.map(Terminal, (terminal) => {
    const seen = { stdout: "", stderr: "" }
    const shown = (part: Part) => (typeof part === "string" ? part : `[${part.colour} ${part.text}]`)
    const output = (to: "stdout" | "stderr"): Output => ({
      ...terminal[to],
      isTTY,
      isStyled,
      write: (...parts) => void (seen[to] += parts.map(shown).join("")),
      clearLine: () => void (seen[to] += "\r")
    })
    const connected: Array<string | undefined> = []
    const renderer = makeChatRenderer({ ...terminal, stdout: output("stdout"), stderr: output("stderr") }, (ref) =>
      connected.push(ref)
    )
    const say = (...texts: ReadonlyArray<string>) => {
      for (const text of texts) renderer.token(text, { event: "token", data: {} })
      renderer.flush()
    }
    return { seen, connected, renderer, say }
  }).pipe(Effect.provide(stage({ streams: [] }).layer))

const done = { event: "done", data: { tokens: 11, timings: { first_token_ms: 100, total_ms: 600 } } }

describe("an answer of a chat", () => {
  it.effect("has what was thought dim on a terminal, and apart from what is said", () =>
    Effect.gen(function* () {
      const { renderer, say, seen } = yield* written(true)
      say("<thi", "nk>", "hm")
      expect(seen.stdout).toBe("")
      renderer.writes(thinking("none"))
      say(" hm</think>", "Yes", ".")
      renderer.note(done)
      expect(seen.stdout).toBe("[dim hm][dim  hm]\n\nYes.\n")
      expect(seen.stderr).toBe("[dim bee-keeper: 11 tokens, 20 tokens/s]\n")
      expect(renderer.answer()).toEqual({ content: "Yes.", reasoning: "hm hm" })
    })
  )

  it.effect("has its Markdown rendered on a terminal with styles, and is kept as it was written", () =>
    Effect.gen(function* () {
      const { renderer, say, seen } = yield* written(true, true)
      renderer.writes(thinking("none"))
      say("<think>*hm*</think>Say **y", "es**:\n\n- a\n- b")
      renderer.note(done)
      expect(seen.stdout).toBe("[dim *hm*]\n\nSay [bold yes]:\n\n• a\n• b\n")
      expect(renderer.answer()).toEqual({ content: "Say **yes**:\n\n- a\n- b", reasoning: "*hm*" })
    })
  )

  it.effect("is the answer alone in a pipe, also where the prompt has opened the thought", () =>
    Effect.gen(function* () {
      const { renderer, say, seen } = yield* written(false)
      renderer.writes(thinking("open"))
      say("hm</think>\n\n", "Yes")
      renderer.note(done)
      expect(seen.stdout).toBe("Yes\n")
      expect(renderer.answer()).toEqual({ content: "Yes", reasoning: "hm" })
    })
  )

  it.effect("is read from its end where it was done before it was known how its model writes", () =>
    Effect.gen(function* () {
      const { renderer, say, seen } = yield* written(true)
      say("<think>hm</think>Yes")
      renderer.note({ ...done, data: { ...done.data, message: { content: "Yes", reasoning: "hm" } } })
      expect(seen.stdout).toBe("[dim hm]\n\nYes\n")
      expect(renderer.answer()).toEqual({ content: "Yes", reasoning: "hm" })
    })
  )

  it.effect("is shown at its end, at the latest, where nobody told how its model writes", () =>
    Effect.gen(function* () {
      const { connected, renderer, say, seen } = yield* written(false)
      renderer.say(inferConnected(), { event: "narration", data: { modelRef: "minillama" } })
      say("Yes")
      renderer.cancelled()
      expect(seen).toEqual({ stdout: "Yes\n", stderr: "[dim bee-keeper: cancelled]\n" })
      expect(connected).toEqual(["minillama"])
      expect(renderer.answer()).toEqual({ content: "Yes" })
    })
  )

  it.effect("tells what goes on in one line of a terminal, and only what failed in a pipe", () =>
    Effect.gen(function* () {
      const failure = jobFailed({ code: "QUEUE_FULL", message: "too many" })
      for (const [isTTY, before] of [
        [true, `\r[dim ${`queen: ${inferConnected().human}`.slice(0, 79)}]`],
        [false, ""]
      ] as const) {
        const { renderer, seen } = yield* written(isTTY)
        renderer.say(inferConnected())
        expect(seen.stderr).toBe(before)
        renderer.say(failure)
        renderer.close()
        expect(seen.stderr).toBe(`${before}${isTTY ? "\r" : ""}[red queen: ${failure.human}]\n`)
        expect(seen.stdout).toBe("")
      }
    })
  )
})
