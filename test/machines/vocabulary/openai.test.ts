/** OpenAI's chats and completions as jobs. */
import { assert, describe, it } from "@effect/vitest"
import { promptsOf, completionFields, CompletionRequest } from "../../../src/machines/vocabulary/openai/completions.ts"
import { sortBy, sortFields } from "../../../src/machines/vocabulary/openai/fields.ts"
import { chatLogprobs, TextTokens } from "../../../src/machines/vocabulary/openai/logprobs.ts"
import { chatMessages, ignoredInMessages, isPlain } from "../../../src/machines/vocabulary/openai/messages.ts"
import {
  ChatCompletionRequest,
  completionUsage,
  decodeChat,
  logprobsOf,
  samplingOf
} from "../../../src/machines/vocabulary/openai/openai.ts"
import { wishesOf } from "../../../src/machines/vocabulary/openai/tools.ts"
import { asked, refused, right } from "./told.ts"

const hello = { role: "user", content: "hello" } as const
const chatOf = (more: object) => asked(ChatCompletionRequest, { model: "m", messages: [hello], ...more })
const messagesOf = (...messages: ReadonlyArray<object>) => chatMessages(chatOf({ messages }).messages)
const wished = (more: object) => wishesOf(chatOf(more))
const completionOf = (more: object) => promptsOf(asked(CompletionRequest, { model: "m", prompt: "a", ...more }))

describe("messages of a chat", () => {
  it("are what they say: roles by their own names, older and newer ones too", () => {
    const roles = ["system", "developer", "user", "assistant", "tool", "function"]
    assert.deepStrictEqual(
      right(messagesOf(...roles.map((role) => ({ role, content: role })))).map(({ role }) => role),
      ["system", "system", "user", "assistant", "tool", "tool"]
    )
  })

  it("have name, thoughts, calls and whose result they are, where they say so, and else nothing", () => {
    const call = { id: "c1", type: "function", function: { name: "f", arguments: '{"a":1}' } }
    assert.deepStrictEqual(
      right(
        messagesOf(
          { role: "user", content: "hi", name: "eve" },
          { role: "assistant", content: "", reasoning_content: "hm", tool_calls: [call] },
          { role: "assistant", content: "x", reasoning: "so" },
          { role: "tool", content: "2", tool_call_id: "c1" }
        )
      ),
      [
        { role: "user", content: "hi", name: "eve" },
        { role: "assistant", content: "", reasoning: "hm", tool_calls: [{ id: "c1", name: "f", arguments: { a: 1 } }] },
        { role: "assistant", content: "x", reasoning: "so" },
        { role: "tool", content: "2", tool_call_id: "c1" }
      ]
    )
  })

  it("may be parts, which are one text, and refusals are text", () => {
    const parts = [
      { type: "text", text: "a" },
      { type: "refusal", refusal: "no" },
      { type: "text", text: "b" }
    ]
    assert.deepStrictEqual(right(messagesOf({ role: "user", content: parts })), [{ role: "user", content: "anob" }])
    assert.deepStrictEqual(right(messagesOf({ role: "assistant", refusal: "never" })), [
      { role: "assistant", content: "never" }
    ])
  })

  it("have images where they stand among their texts", () => {
    const image = { type: "image_url", image_url: { url: "data:image/png;base64,aGk=", detail: "low" } }
    const content = [image, { type: "text", text: "ab" }, { ...image, image_url: image.image_url.url }]
    assert.deepStrictEqual(right(messagesOf({ role: "user", content })), [
      {
        role: "user",
        content: "ab",
        images: [
          { at: 0, data: "aGk=" },
          { at: 2, data: "aGk=" }
        ]
      }
    ])
  })

  it("are refused by their place where a part is not text, or says nothing", () => {
    const part = (one: object) =>
      refused(messagesOf(hello, { role: "user", content: [{ type: "text", text: "" }, one] }))
    const field = "messages[1].content[1]"
    assert.deepStrictEqual(part({ type: "input_audio" }), ["UNSUPPORTED_PARAMETER", { field }])
    for (const image_url of [undefined, {}, 7, "https://a.b/c.png", { url: "data:image/png,hi" }])
      assert.deepStrictEqual(part({ type: "image_url", image_url }), [
        "INVALID_REQUEST",
        { field: `${field}.image_url` }
      ])
    assert.deepStrictEqual(part({ type: "text" }), ["INVALID_REQUEST", { field: `${field}.text` }])
    assert.deepStrictEqual(part({ type: "refusal", text: "x" }), ["INVALID_REQUEST", { field: `${field}.refusal` }])
  })

  it("name the kind of a part in a refusal only where it is a word", () => {
    const told = (type: string) => {
      const result = messagesOf({ role: "user", content: [{ type }] })
      return result._tag === "Left" ? result.left.what : ""
    }
    assert.include(told("input_audio"), "of type input_audio;")
    for (const type of ["IMAGE", "an image", "1", `${"x".repeat(33)}`]) assert.include(told(type), "of type another;")
    assert.include(told("x".repeat(32)), "of type xxx")
  })

  it("may have no content only of an assistant, and no sound at all", () => {
    assert.deepStrictEqual(refused(messagesOf({ role: "user" })), ["INVALID_REQUEST", { field: "messages[0].content" }])
    assert.deepStrictEqual(right(messagesOf({ role: "assistant" })), [{ role: "assistant", content: "" }])
    assert.deepStrictEqual(refused(messagesOf({ role: "assistant", audio: { id: "x" } })), [
      "UNSUPPORTED_PARAMETER",
      { field: "messages[0].audio" }
    ])
  })

  it("call functions alone, by an object, its text, or nothing", () => {
    const called = (call: object) => messagesOf({ role: "assistant", tool_calls: [call] })
    const args = (given: object) =>
      right(called({ function: { name: "f", ...given } }))[0]?.tool_calls?.map((one) => one.arguments)
    assert.deepStrictEqual(args({}), [{}])
    assert.deepStrictEqual(args({ arguments: "  " }), [{}])
    assert.deepStrictEqual(args({ arguments: { a: 1 } }), [{ a: 1 }])
    assert.deepStrictEqual(args({ arguments: '{"a":[1]}' }), [{ a: [1] }])
    const place = "messages[0].tool_calls[0]"
    assert.deepStrictEqual(args({ arguments: "null" }), [{}])
    for (const written of ["[1]", "{", "1"])
      assert.deepStrictEqual(args({ arguments: written }), [{ INVALID_JSON: written }])
    for (const other of [{ type: "custom", function: { name: "f" } }, { type: "function" }, {}])
      assert.deepStrictEqual(refused(called(other)), ["UNSUPPORTED_PARAMETER", { field: place }])
  })

  it("have the calls of older clients too, which have no id", () => {
    assert.deepStrictEqual(right(messagesOf({ role: "assistant", function_call: { name: "f" } }))[0]?.tool_calls, [
      { id: "", name: "f", arguments: {} }
    ])
  })

  it("are plain where they have a known role and a text, and no more", () => {
    assert.isTrue(isPlain(hello))
    for (const other of [
      null,
      "x",
      { role: "user" },
      { role: "user", content: null },
      { role: "toString", content: "x" },
      { role: 1, content: "x" },
      { ...hello, name: "x" }
    ])
      assert.isFalse(isPlain(other), JSON.stringify(other))
  })

  it("are told by their unknown fields, once each, and by those of their parts", () => {
    const part = { type: "text", text: "a", cache_control: {}, image_url: "", input_audio: "", file: "" }
    assert.deepStrictEqual(
      ignoredInMessages([hello, { ...hello, weight: 1 }, { role: "user", weight: 2, content: [part, "x"] }, 7]),
      ["messages.weight", "messages.content.cache_control"]
    )
    assert.deepStrictEqual(ignoredInMessages("none"), [])
  })
})

describe("a chat that is decoded", () => {
  it("has plain and other messages in the order in which they were sent", () => {
    const other = { role: "user", content: [{ type: "text", text: "x" }] }
    const messages = [hello, other, { role: "system", content: "s" }, { role: "assistant" }, hello]
    const { messages: read, model } = right(decodeChat({ model: "m", messages }))
    assert.strictEqual(model, "m")
    assert.deepStrictEqual(read, messages as unknown as typeof read)
  })

  it("is refused where a message is none, one is missing, or they are no list", () => {
    for (const messages of [[], [hello, { role: "nobody", content: "x" }], "hello", [hello, 7]])
      assert.strictEqual(decodeChat({ model: "m", messages })._tag, "Left", JSON.stringify(messages))
  })

  it("says the place of what is wrong among all of its messages", () => {
    const result = decodeChat({ model: "m", messages: [hello, hello, { role: "user", content: 7 }] })
    assert.include(String(result._tag === "Left" ? result.left : ""), "[2]")
  })
})

describe("how an answer is drawn", () => {
  it("is what was asked for, by the names of a job", () => {
    const own = {
      temperature: 0.5,
      top_p: 0.6,
      top_k: 7,
      min_p: 0.1,
      xtc_probability: 0.2,
      xtc_threshold: 0.3,
      repeat_penalty: 1.1,
      presence_penalty: 0.4,
      frequency_penalty: 0.5,
      repeat_last_n: 9,
      dry_multiplier: 0.8,
      dry_base: 1.5,
      dry_allowed_length: 3,
      dry_penalty_last_n: 10,
      dry_sequence_breakers: ["."],
      stop: ["x"],
      ignore_eos: true
    }
    assert.deepStrictEqual(samplingOf(chatOf({ ...own, user: "me" })), own)
    assert.deepStrictEqual(samplingOf(chatOf({})), {})
  })

  it("has as many tokens as are asked for; what is over the most, or -1, is all that there is room for", () => {
    assert.deepStrictEqual(samplingOf(chatOf({ max_tokens: 5 })), { max_tokens: 5 })
    assert.deepStrictEqual(samplingOf(chatOf({ max_tokens: 5, max_completion_tokens: 0 })), { max_tokens: 0 })
    assert.deepStrictEqual(samplingOf(chatOf({ max_tokens: 1_048_576 })), { max_tokens: 1_048_576 })
    for (const all of [-1, 1_048_577]) assert.deepStrictEqual(samplingOf(chatOf({ max_tokens: all })), {})
    for (const wrong of [-2, 1.5]) assert.throws(() => chatOf({ max_tokens: wrong }))
  })

  it("has a seed unless that is -1, and a bias as an object or as pairs", () => {
    assert.deepStrictEqual(samplingOf(chatOf({ seed: 0 })), { seed: 0 })
    assert.deepStrictEqual(samplingOf(chatOf({ seed: -1 })), {})
    assert.deepStrictEqual(samplingOf(chatOf({ logit_bias: { "7": 1 } })), { logit_bias: { "7": 1 } })
    assert.deepStrictEqual(samplingOf(chatOf({ logit_bias: [[7, -2]] })), { logit_bias: { "7": -2 } })
  })

  it("takes seeds of 64 bits, and no others", () => {
    for (const seed of [2 ** 63, -(2 ** 63)]) assert.strictEqual(chatOf({ seed }).seed, seed)
    for (const seed of [2 ** 64, 0.5]) assert.throws(() => chatOf({ seed }))
  })

  it("takes 1024 biases at most", () => {
    const bias = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, id) => [String(id), 1]))
    assert.strictEqual(Object.keys(chatOf({ logit_bias: bias(1024) }).logit_bias ?? {}).length, 1024)
    assert.throws(() => chatOf({ logit_bias: bias(1025) }))
  })

  it("has logprobs where they are asked for in either way, and the likeliest only beside them", () => {
    assert.deepStrictEqual(right(logprobsOf({})), {})
    assert.deepStrictEqual(right(logprobsOf({ logprobs: true })), { logprobs: 0 })
    assert.deepStrictEqual(right(logprobsOf({ logprobs: true, top_logprobs: 3 })), { logprobs: 3 })
    assert.deepStrictEqual(right(logprobsOf({ n_probs: 2 })), { logprobs: 2 })
    assert.deepStrictEqual(right(logprobsOf({ n_probs: 2, top_logprobs: 5 })), { logprobs: 5 })
    assert.deepStrictEqual(refused(logprobsOf({ top_logprobs: 1 })), ["INVALID_REQUEST", { field: "top_logprobs" }])
  })
})

describe("what a chat wishes beside its messages", () => {
  const tool = { type: "function", function: { name: "f" } }
  const full = { name: "g", description: "d", parameters: { type: "object" }, strict: true }

  it("is nothing where nothing is wished", () => {
    assert.deepStrictEqual(right(wished({})), {})
    assert.deepStrictEqual(right(wished({ tools: [], tool_choice: "none", response_format: { type: "text" } })), {})
  })

  it("are tools as they are told, with what is said of each and no more", () => {
    assert.deepStrictEqual(right(wished({ tools: [tool, { type: "function", function: full }] })), {
      tools: [{ name: "f" }, full]
    })
  })

  it("are tools that are functions, by the place of the one that is not", () => {
    for (const other of [{ type: "custom", function: { name: "f" } }, { type: "function" }])
      assert.deepStrictEqual(refused(wished({ tools: [tool, other] })), [
        "UNSUPPORTED_PARAMETER",
        { field: "tools[1]" }
      ])
  })

  it("is a choice among its tools", () => {
    const choice = (tool_choice: unknown) => right(wished({ tools: [tool], tool_choice })).tool_choice
    for (const word of ["auto", "none", "required"] as const) assert.strictEqual(choice(word), word)
    assert.deepStrictEqual(choice({ type: "function", function: { name: "f" } }), { name: "f" })
  })

  it("is no choice that nothing can satisfy", () => {
    const wrong = ["INVALID_REQUEST", { field: "tool_choice" }]
    const named = { type: "function", function: { name: "g" } }
    assert.deepStrictEqual(refused(wished({ tool_choice: "required" })), wrong)
    assert.deepStrictEqual(refused(wished({ tool_choice: named })), wrong)
    assert.deepStrictEqual(refused(wished({ tools: [tool], tool_choice: named })), wrong)
    assert.isUndefined(refused(wished({ tools: [tool], tool_choice: "required" })))
  })

  it("is a form of the answer, whose schema may have a name or be missing", () => {
    const form = (json_schema: object) => right(wished({ response_format: { type: "json_schema", json_schema } }))
    assert.deepStrictEqual(right(wished({ response_format: { type: "json_object" } })).response_format, {
      type: "json_object"
    })
    assert.deepStrictEqual(form({ name: "n", schema: { type: "array" } }).response_format, {
      type: "json_schema",
      schema: { type: "array" },
      name: "n"
    })
    assert.deepStrictEqual(form({}).response_format, { type: "json_schema", schema: {} })
  })

  it("is how much it thinks, calls at once, and what its template is told", () => {
    const effort = (reasoning_effort: string) => right(wished({ reasoning_effort })).reasoning
    assert.strictEqual(effort("none"), "off")
    for (const word of ["minimal", "low", "medium", "high"] as const)
      assert.deepStrictEqual(effort(word), { effort: word })
    assert.deepStrictEqual(effort("xhigh"), { effort: "high" })
    assert.deepStrictEqual(right(wished({ parallel_tool_calls: false, chat_template_kwargs: { a: 1 } })), {
      parallel_tool_calls: false,
      template_args: { a: 1 }
    })
  })
})

describe("fields of a request", () => {
  it("are served, harmless, left out or refused", () => {
    const body = { model: "m", user: "me", made_up: 1, functions: null, mirostat: 0, modalities: ["text"] }
    assert.deepStrictEqual(right(sortFields(body)), { asked: { model: "m" }, ignored: ["made_up"] })
    for (const [field, value] of [
      ["mirostat", 1],
      ["mirostat", "0"],
      ["modalities", ["text", "audio"]],
      ["modalities", ["audio"]],
      ["modalities", { 0: "text" }],
      ["samplers", []],
      ["functions", {}],
      ["mm_processor_kwargs", []],
      ["mm_processor_kwargs", { a: 1 }]
    ] as const)
      assert.deepStrictEqual(refused(sortFields({ [field]: value })), ["UNSUPPORTED_PARAMETER", { field }], field)
  })

  it("are told with what they stand within", () => {
    const sort = sortBy({ served: ["a"], harmless: ["b"], unserved: { c: [] } }, "options.")
    assert.deepStrictEqual(right(sort({ a: 1, b: 2, d: 3 })), { asked: { a: 1 }, ignored: ["options.d"] })
    assert.deepStrictEqual(refused(sort({ c: 1 })), ["UNSUPPORTED_PARAMETER", { field: "options.c" }])
  })
})

describe("a completion", () => {
  it("goes on with a text, several, or tokens, each as often as choices are asked for", () => {
    assert.deepStrictEqual(right(completionOf({})), ["a"])
    assert.deepStrictEqual(right(completionOf({ prompt: ["a", "b"], n: 2 })), ["a", "a", "b", "b"])
    assert.deepStrictEqual(right(completionOf({ prompt: [1, 2] })), [[1, 2]])
    assert.deepStrictEqual(right(completionOf({ prompt: [[1], "b", [2, 3]] })), [[1], "b", [2, 3]])
  })

  it("of no text is refused unless something comes after it", () => {
    for (const prompt of ["", ["a", ""]])
      assert.deepStrictEqual(refused(completionOf({ prompt })), ["INVALID_REQUEST", { field: "prompt" }])
    assert.deepStrictEqual(right(completionOf({ prompt: "", suffix: "b" })), [""])
  })

  it("of tokens has no suffix and no echo, also where texts stand beside them", () => {
    for (const prompt of [[1], ["a", [1]]]) {
      const field = (more: object) => refused(completionOf({ prompt, ...more }))
      assert.deepStrictEqual(field({ suffix: "x" }), ["UNSUPPORTED_PARAMETER", { field: "suffix" }])
      assert.deepStrictEqual(field({ echo: true }), ["UNSUPPORTED_PARAMETER", { field: "echo" }])
      assert.isUndefined(field({ suffix: "", echo: false }))
    }
    assert.isUndefined(refused(completionOf({ echo: true })))
  })

  it("has 128 choices at most, over all its prompts", () => {
    assert.strictEqual(right(completionOf({ n: 128 })).length, 128)
    assert.deepStrictEqual(refused(completionOf({ prompt: ["a", "b"], n: 65 })), [
      "INVALID_REQUEST",
      { field: "prompt", max: 128 }
    ])
  })

  it("has the fields of a chat but what only a chat has", () => {
    const { served, unserved } = completionFields
    for (const own of ["echo", "prompt", "suffix", "logprobs", "temperature"]) assert.include(served, own)
    for (const other of ["messages", "tools", "tool_choice", "response_format", "top_logprobs"])
      assert.notInclude(served, other)
    assert.notProperty(unserved, "echo")
    assert.deepStrictEqual(unserved["response_format"], [{ type: "text" }])
    assert.deepStrictEqual(unserved["top_logprobs"], [0])
  })
})

describe("what an answer says of its tokens", () => {
  it("counts the prompt's, the answer's, both, and those that were there", () => {
    assert.deepStrictEqual(completionUsage({ prompt_tokens: 5, completion_tokens: 3, cached_tokens: 2 }), {
      prompt_tokens: 5,
      completion_tokens: 3,
      total_tokens: 8,
      prompt_tokens_details: { cached_tokens: 2 }
    })
  })

  const euro = [0xe2, 0x82, 0xac]
  const token = { token: "€", bytes: euro, logprob: -1, top: [{ token: "$", bytes: [36], logprob: -2 }] }

  it("has of each in a chat how likely it and others were", () => {
    assert.deepStrictEqual(chatLogprobs([token]), {
      content: [{ token: "€", bytes: euro, logprob: -1, top_logprobs: token.top }],
      refusal: null
    })
  })

  it("has in a completion where each begins, in characters, also where a character is of two tokens", () => {
    const half = (bytes: Array<number>) => ({ token: "", bytes, logprob: -3, top: [] })
    const tokens = new TextTokens(1, 4)
    const first = tokens.next([token, half(euro.slice(0, 1))])
    assert.deepStrictEqual(first.text_offset, [4, 5])
    assert.deepStrictEqual(tokens.next([half(euro.slice(1)), token]).text_offset, [6, 6])
    assert.deepStrictEqual(first.tokens, ["€", ""])
    assert.deepStrictEqual(first.token_logprobs, [-1, -3])
    assert.deepStrictEqual(first.top_logprobs, [{ $: -2, "€": -1 }, { "": -3 }])
    assert.isNull(new TextTokens(0, 0).next([token]).top_logprobs)
  })
})
