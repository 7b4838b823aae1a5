/** A chat is decoded message by message where it can be: what comes of it is what the schema says. */
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { expect, it } from "vitest"
import { ChatCompletionRequest, decodeChat } from "../../src/machines/vocabulary/openai/openai.ts"

const bySchema = Schema.decodeUnknownEither(ChatCompletionRequest)

const message = fc.oneof(
  fc.record({ role: fc.constantFrom("user", "assistant", "system", "developer", "tool"), content: fc.string() }),
  fc.record({ role: fc.constantFrom("user", "stranger", 1), content: fc.constantFrom("hello", 1, null, undefined) }),
  fc.record({
    role: fc.constant("user"),
    content: fc.array(fc.record({ type: fc.constant("text"), text: fc.string() }))
  }),
  fc.record({ role: fc.constant("tool"), content: fc.string(), tool_call_id: fc.constantFrom("call", null, 7) }),
  fc.constantFrom(undefined, null, 1, "hello", [], {})
)

it("a chat is what the schema makes of it, with what is wrong at its place", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.array(message, { maxLength: 6 }), fc.constantFrom(undefined, null, {}, "hello")),
      (messages) => {
        const asked = { model: "m", messages }
        expect(JSON.stringify(decodeChat(asked))).toBe(JSON.stringify(bySchema(asked)))
      }
    )
  )
})

it("a chat of eight thousand messages is decoded in a part of the time that the schema takes", () => {
  const messages = Array.from({ length: 8000 }, (_, i) => ({
    role: i % 2 === 0 ? "user" : "assistant",
    content: `${i}`
  }))
  const took = (work: () => unknown): number => {
    const times = Array.from({ length: 5 }, () => {
      const began = process.cpuUsage()
      work()
      return process.cpuUsage(began).user
    })
    return Math.min(...times)
  }
  const asked = { model: "m", messages }
  expect(took(() => decodeChat(asked))).toBeLessThan(took(() => bySchema(asked)) / 3)
})
