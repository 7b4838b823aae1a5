/** What a refused request is told: the field and what it takes, and nothing of what was in it. */
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { compile } from "../../../src/protocol/wire/wire.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"

const submit = compile("submitJob", queenApi.submitJob)

const refusal = (body: unknown): string => {
  const joined = submit.join({ params: {}, query: {}, headers: {}, body: JSON.stringify(body) })
  return Either.isLeft(joined) ? joined.left.message : "accepted"
}

describe("a refused request", () => {
  it.each([
    [{}, "field model is missing."],
    [{ model: 5 }, "model must be a string."],
    [{ model: "m", max_tokens: 0 }, "max_tokens must be a number between 1 and 1048576."],
    [{ model: "m", max_tokens: 1e9 }, "max_tokens must be a number between 1 and 1048576."],
    [{ model: "m", max_tokens: 1.5 }, "max_tokens must be an integer."],
    [{ model: "m", temperature: -1 }, "temperature must be a number between 0 and 2."],
    [{ model: "m", temperature: "hot" }, "temperature must be a number."],
    [{ model: "m", temperature: null }, "temperature must be a number."],
    [{ model: "m", stream: "yes" }, "stream must be true or false."],
    [{ model: "m", messages: [] }, "messages must be an array of at least 1 item(s)."],
    [{ model: "m", messages: [{ role: "user" }] }, "field messages[0].content is missing."],
    [
      { model: "m", messages: [{ role: "root", content: "" }] },
      'messages[0].role must be "system", "user", "assistant" or "tool".'
    ],
    [{ model: "m", stop: 5 }, "stop must be a string or an array of at most 16 item(s)."],
    [{ model: "m", hive: "../x" }, "hive must be an id."],
    [{ model: "m", device: "tpu0" }, "device must be cpu, gpu0, gpu1, …."],
    [{ model: "m", promt: "hello" }, "unknown field promt. Leave it out"],
    [{ model: "m", idempotency_key: "in the body" }, "unknown field idempotency_key."],
    [
      { model: "m", session: { id: "s", teardown: "hot", woke_queen: true } },
      'session.teardown must be "warm" or "cold".'
    ],
    [[], "the body must be a JSON object."],
    [null, "the body must be a JSON object."]
  ])("%j is told: %s", (body, told) => {
    expect(refusal(body)).toBe(told)
  })

  it("is told of a field that it made up by 64 letters of its name, cleaned", () => {
    const told = (name: string) => refusal({ model: "m", [name]: 1 })
    expect(told("x".repeat(64))).toBe(`unknown field ${"x".repeat(64)}. Leave it out`)
    expect(told("x".repeat(65))).toBe(`unknown field ${"x".repeat(64)}. Leave it out`)
    expect(told("a b\u001b[31m")).toBe("unknown field a?b??31m. Leave it out")
  })

  it("never quotes a value, wherever it stands", () => {
    const secret = "hunter2"
    const anything = FastCheck.anything({ values: [FastCheck.constant(secret)], withNullPrototype: false })
    FastCheck.assert(
      FastCheck.property(
        FastCheck.dictionary(
          FastCheck.constantFrom(...Object.keys(queenApi.submitJob.input.fields)),
          FastCheck.oneof(anything, FastCheck.constant(secret))
        ),
        (body) => {
          let text: string
          try {
            text = JSON.stringify(body)
          } catch {
            return FastCheck.pre(false)
          }
          const joined = submit.join({ params: {}, query: {}, headers: {}, body: text })
          if (Either.isLeft(joined)) expect(joined.left.message).not.toContain(secret)
        }
      ),
      { numRuns: 500 }
    )
    expect(
      Either.getLeft(submit.join({ params: {}, query: {}, headers: {}, body: `{"model": ${secret}` }))
    ).toMatchObject({
      value: { what: "the body is not valid JSON" }
    })
  })

  it("cannot set a prototype", () => {
    const chat = compile("v1Chat", queenApi.v1Chat)
    const joined = chat.join({ params: {}, query: {}, headers: {}, body: '{"__proto__": {"model": "m"}}' })
    expect(Either.isLeft(joined)).toBe(true)
  })
})
