/** A worker tells how an answer is read before its tokens, to whoever reads it and however often. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { messageOf } from "../../../src/machines/dialect/meaning.ts"
import { JobId } from "../../../src/machines/vocabulary/ids.ts"
import { objectsBetweenMarks as dialect, written } from "../../support/scripts.ts"
import { begin, lastOf, readAll, request, startWorker, textOf, tokensOf } from "./harness.ts"

const call = { name: "get_weather", arguments: { city: "Paris", days: 3 } }
const tools = [{ name: "get_weather" }]
const messages = [{ role: "user" as const, content: "the weather?" }]
const asked = { messages, tools, prompt: undefined }
const script = {
  dialect,
  answer: () => written({ thought: "I look.", content: "Let me see.", calls: [call] })
}

describe("an answer that may be more than text", () => {
  it.scopedLive("begins with its form, by which its text is read", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(script)
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker, asked))
      expect(reader.events[1]).toMatchObject({ event: "form", data: JSON.stringify({ dialect, prompt: "" }) })
      const said = messageOf({ jobId: JobId.make("job-1"), form: { dialect, prompt: "" }, tools }, textOf(reader))
      expect(said).toMatchObject({ reasoning: "I look.", content: "Let me see." })
      expect(said.tool_calls).toMatchObject([{ name: "get_weather", arguments: '{"city":"Paris","days":3}' }])
    })
  )

  it.scopedLive("goes on at every token with the same form and the same text", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(script)
      yield* worker.ready
      const whole = tokensOf(yield* readAll(yield* begin(worker, asked)))
      const form = { dialect, prompt: "" }
      for (let at = 1; at < whole.length; at++) {
        const had = whole.slice(0, at)
        const resume = { token_ids: had.map(({ k }) => k), text: had.map(({ t }) => t).join("") }
        const rest = yield* readAll(yield* begin(worker, { ...asked, job_id: JobId.make(`job-${at}`), resume, form }))
        expect(rest.events[1]?.event).toBe("form")
        expect(tokensOf(rest)).toEqual(whole.slice(at))
      }
    })
  )

  it.scopedLive("goes on in its form with a worker that could not learn it", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker({ answer: script.answer })
      yield* worker.ready
      const form = { dialect, prompt: "" }
      const resume = { token_ids: [1], text: "<think>" }
      const reader = yield* readAll(yield* begin(worker, { ...asked, resume, form }))
      expect(reader.events[1]).toMatchObject({ event: "form", data: JSON.stringify(form) })
      expect(textOf(reader)).toBe(script.answer().slice(1).join(""))
    })
  )

  it.scopedLive("tells it with the whole answer too", () =>
    Effect.gen(function* () {
      const worker = yield* startWorker(script)
      yield* worker.ready
      const reply = yield* worker.api.infer(request({ ...asked, stream: false }))
      expect(reply).toMatchObject({ status: 200, body: { form: { dialect, prompt: "" } } })
    })
  )
})

describe("an answer that is nothing but text", () => {
  it.scopedLive("has no form: its first event after its prompt is a token", () =>
    Effect.gen(function* () {
      const plain = { ...dialect, reasoning: null }
      const worker = yield* startWorker({ dialect: plain, answer: () => ["a", "b"] })
      yield* worker.ready
      const reader = yield* readAll(yield* begin(worker, { messages, prompt: undefined }))
      expect(reader.events.map(({ event }) => event)).toEqual(["prompt", "token", "token", "token", "done"])
      expect(lastOf(reader).event).toBe("done")
      const silent = yield* begin(worker, { ...asked, tool_choice: "none", job_id: JobId.make("job-2") })
      expect((yield* readAll(silent)).events[1]?.event).toBe("token")
    })
  )
})
