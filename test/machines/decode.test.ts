/** Values that have no text, wherever they stand: refused as any other of a wrong type, and nothing is thrown. */
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { decoder, isOf, optionDecoder, textDecoder } from "../../src/machines/formats/json/decode.ts"
import { isObject } from "../../src/machines/formats/json/is-object.ts"
import { decodeMessages } from "../../src/machines/vocabulary/anthropic/anthropic.ts"
import { JobRequest } from "../../src/machines/vocabulary/job.ts"
import { ControlMessage, InferRequest } from "../../src/machines/vocabulary/worker.ts"
import { ChatCompletionRequest } from "../../src/machines/vocabulary/openai/openai.ts"
import { ResponseRequest } from "../../src/machines/vocabulary/responses/request.ts"
import { hiveApi } from "../../src/protocol/hive.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { decoderOf } from "../../src/protocol/wire/codec.ts"
import { workerApi } from "../../src/protocol/worker.ts"

/** An object has a text by one of these; it comes as JSON, so that its own ones hide those of every object. */
const textless: ReadonlyArray<unknown> = [
  JSON.parse('{"toString":1,"valueOf":1}'),
  JSON.parse('{"toString":{},"valueOf":null}'),
  [JSON.parse('{"toString":1}')],
  { toString: "x", valueOf: [] }
]

/** The value with each of its parts, one at a time, in place of which the other stands. */
const withInPlaceOfEach = (value: unknown, other: unknown): ReadonlyArray<unknown> => [
  other,
  ...(Array.isArray(value)
    ? value.flatMap((part, at) => withInPlaceOfEach(part, other).map((one) => value.with(at, one)))
    : isObject(value)
      ? Object.entries(value).flatMap(([name, part]) =>
          withInPlaceOfEach(part, other).map((one) => ({ ...value, [name]: one }))
        )
      : [])
]

const call = { id: "1", type: "function", function: { name: "f", arguments: "{}" } }
const messages = [
  { role: "system", content: "s" },
  { role: "user", content: [{ type: "text", text: "hi" }] },
  { role: "assistant", content: null, tool_calls: [call] },
  { role: "tool", content: "42", tool_call_id: "1" }
]
const asked = {
  model: "m",
  messages,
  tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
  tool_choice: "auto",
  response_format: { type: "json_schema", json_schema: { name: "n", schema: {} } },
  stop: ["x"]
}
const claude = {
  model: "m",
  max_tokens: 4,
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "tool_result", tool_use_id: "1", content: "b" }
      ]
    },
    { role: "assistant", content: [{ type: "tool_use", id: "1", name: "f", input: {} }] }
  ],
  tool_choice: { type: "auto" },
  thinking: { type: "enabled", budget_tokens: 1024 }
}
const items = {
  model: "m",
  input: [
    { type: "message", role: "user", content: [{ type: "input_text", text: "a" }] },
    { type: "function_call", call_id: "1", name: "f", arguments: "{}" },
    { type: "function_call_output", call_id: "1", output: "b" }
  ],
  tools: [{ type: "function", name: "f", parameters: {} }],
  text: { format: { type: "text" } }
}
const said = [
  { t: "bound", port: 1, url: "http://127.0.0.1:1" },
  { t: "ready", backend: "CPU", context: 512, slots: 4 },
  { t: "beat", busy: 0, tokens_out: 0, progress: 1, infers: [] }
]

describe("A value that has no text", () => {
  it.each<readonly [what: string, decode: (value: unknown) => unknown, right: unknown]>([
    ["a worker's message", decoder(ControlMessage), said[0]],
    ["a worker's readiness", decoder(ControlMessage), said[1]],
    ["a worker's beat", decoder(ControlMessage), said[2]],
    ["a job", decoder(JobRequest), { model: "m", messages, tools: asked.tools, response_format: { type: "text" } }],
    ["what a worker is asked", optionDecoder(InferRequest), { job_id: "j", epoch: 1, messages }],
    ["a chat completion", decoder(ChatCompletionRequest), asked],
    ["a message of Anthropic's", decodeMessages, claude],
    ["a response", decoder(ResponseRequest), items]
  ])("is refused anywhere in %s", (_, decode, right) => {
    for (const other of textless) for (const wrong of withInPlaceOfEach(right, other)) decode(wrong)
  })

  it("is refused by every call of every daemon", () => {
    for (const api of [queenApi, hiveApi, workerApi])
      for (const [name, endpoint] of Object.entries(api)) {
        const decode = decoderOf(endpoint.input, true)
        for (const other of textless)
          for (const input of [asked, claude, items, { model_ref: other, id: other, t: other }, ...said])
            for (const wrong of withInPlaceOfEach(input, other)) assert.isTrue(Either.isEither(decode(wrong)), name)
      }
  })

  it("is none of what it should be", () => {
    const Either2 = Schema.Union(Schema.Struct({ t: Schema.Literal("a") }), Schema.Struct({ t: Schema.Literal("b") }))
    for (const t of textless) {
      assert.isTrue(Either.isLeft(decoder(Either2)({ t })))
      assert.isFalse(isOf(Either2)({ t }))
      assert.isTrue(optionDecoder(Either2)({ t })._tag === "None")
    }
  })
})

describe("What is right as it stands", () => {
  const Point = Schema.Struct({ x: Schema.Number, y: Schema.optional(Schema.Number) })
  const Told = Schema.Struct({ at: Point, by: Schema.Trim })

  it("is taken as it is, and what is not is decoded", () => {
    const point = { x: 1 }
    assert.strictEqual(Either.getOrThrow(decoder(Point)(point)), point)
    assert.deepEqual(Either.getOrThrow(decoder(Point)({ x: 1, z: 2 })), { x: 1 })
    assert.deepEqual(Either.getOrThrow(decoder(Told)({ at: { x: 1 }, by: " me " })), { at: { x: 1 }, by: "me" })
    assert.isTrue(Either.isLeft(decoder(Point)({ x: "1" })))
    assert.isTrue(Either.isLeft(decoder(Point, { onExcessProperty: "error" })({ x: 1, z: 2 })))
  })

  it("may be a text, and one that is no JSON is told apart", () => {
    assert.deepEqual(Either.getOrThrow(textDecoder(Point)('{"x":1,"z":2}')), { x: 1 })
    assert.match(String(Either.getOrThrow(Either.flip(textDecoder(Point)("{")))), /JSON/)
    assert.match(String(Either.getOrThrow(Either.flip(textDecoder(Point)("{}")))), /"x"/)
  })
})
