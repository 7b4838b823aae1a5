/**
 * What the tests of llama.cpp's own server assert of chat, completions, tokens and tools, tried here: one row for each
 * assertion or group of them that can be tried without its models, with what it gives here and, where that is another
 * thing, why. docs/llama-server.md is made of it.
 */
import { surfaceRows } from "./llama-server-surfaces.ts"
import { type Answer, at, chunksIn, isRefused, isServed, model, type Row, type Tried } from "./llama-server-tried.ts"

export type { Tried }

const chat = { model, max_tokens: 8, temperature: 0, messages: [{ role: "user", content: "hello" }] }
const text = { model, prompt: "Hello", max_tokens: 8, temperature: 0 }

const content = ({ body }: Answer): unknown => at(body, "choices", 0, "message", "content")
const completed = ({ body }: Answer): unknown => at(body, "choices", 0, "text")
const asked = "/v1/chat/completions"
const written = "/v1/completions"
const chatWith =
  (own: object, is: (answer: Answer) => boolean) =>
  async ({ post }: Tried): Promise<boolean> =>
    is(await post(asked, { ...chat, ...own }))
const answers =
  (method: "get" | "post", path: string, body: object = {}) =>
  async ({ get, post }: Tried): Promise<boolean> =>
    isServed(await (method === "get" ? get(path) : post(path, body)))

const noOwnForm = "the server's own form of completion (`/completion`) is not served; `/v1/completions` is"

const ofChats: ReadonlyArray<Row> = [
  {
    test: "test_chat_completion",
    asserts: "200, an id with `cmpl`, usage, role and finish_reason `length`",
    holds: chatWith({}, ({ body, status }) => {
      const { choices, id, usage } = body
      return (
        status === 200 &&
        String(id).includes("cmpl") &&
        at(usage, "completion_tokens") === 8 &&
        at(choices, 0, "message", "role") === "assistant" &&
        at(choices, 0, "finish_reason") === "length"
      )
    })
  },
  {
    test: "test_chat_completion",
    asserts: "content in parts of text is one text",
    holds: chatWith(
      {
        messages: [
          {
            role: "user",
            content: [
              { type: "text", text: "hel" },
              { type: "text", text: "lo" }
            ]
          }
        ]
      },
      (answer) => content(answer) === "Hello! I am minillama, a very"
    )
  },
  {
    test: "test_chat_completion",
    asserts: "`system_fingerprint` begins with `b`",
    why: "it is the build of llama-server; here workers may be of several",
    holds: chatWith({}, ({ body }) => String(body["system_fingerprint"]).startsWith("b"))
  },
  {
    test: "test_chat_completion",
    asserts: "a request without `model` is served",
    why: "a cluster has many models; the one to ask is named",
    holds: chatWith({ model: undefined }, isServed)
  },
  {
    test: "test_chat_completion_cached_tokens",
    asserts: "the second time most of the prompt is cached",
    holds: async ({ post }) => {
      const body = { ...chat, messages: [{ role: "user", content: "1 2 3 4 5 6" }] }
      const cached = async () =>
        Number(at((await post(asked, body)).body, "usage", "prompt_tokens_details", "cached_tokens"))
      // a worker's self-test, which is made once, takes the cells of a slot that is free
      for (let again = 0; again < 200; again++) if ((await cached()) > 0) return true
      return false
    }
  },
  {
    test: "test_chat_completion_stream",
    asserts: "one id throughout; the role once, at the start; a last delta without content and with finish_reason",
    holds: chatWith({ stream: true }, (answer) => {
      const chunks = chunksIn(answer)
      const deltas = chunks.map((chunk) => Object(at(chunk, "choices", 0, "delta")))
      return (
        new Set(chunks.map((chunk) => at(chunk, "id"))).size === 1 &&
        deltas[0]["role"] === "assistant" &&
        deltas.slice(1).every((delta) => !("role" in delta)) &&
        !("content" in deltas[deltas.length - 1]) &&
        at(chunks.at(-1), "choices", 0, "finish_reason") === "length"
      )
    })
  },
  {
    test: "test_chat_completion_stream",
    asserts: "the first delta's content is null",
    why: 'it is "", as OpenAI\'s own is',
    holds: chatWith({ stream: true }, (answer) => at(chunksIn(answer)[0], "choices", 0, "delta", "content") === null)
  },
  {
    test: "test_chat_completion_with_openai_library",
    asserts: "OpenAI's client has content and finish_reason",
    holds: async ({ client }) => {
      const messages = [{ role: "user" as const, content: "hello" }]
      const { choices } = await client.chat.completions.create({ model, messages, max_tokens: 8, seed: 42 })
      return choices[0]?.finish_reason === "length" && typeof choices[0].message.content === "string"
    }
  },
  {
    test: "test_chat_template_assistant_prefill",
    asserts: "a last message of the assistant is gone on with",
    why: "it is a message like any other unless `continue_final_message` says so",
    holds: chatWith({ messages: [...chat.messages, { role: "assistant", content: "Hello! I am" }] }, (answer) =>
      String(content(answer)).trimStart().startsWith("minillama")
    )
  },
  {
    test: "test_apply_chat_template",
    asserts: "`/apply-template` tells the prompt",
    why: "it is not served",
    holds: answers("post", "/apply-template", chat)
  },
  ...[{ type: "sound" }, { type: "json_object", schema: 123 }].map((response_format) => ({
    test: "test_completion_with_response_format",
    asserts: `\`${JSON.stringify(response_format)}\` is refused`,
    ...("schema" in response_format ? { why: "`schema` beside `json_object` is llama.cpp's own, and left out" } : {}),
    holds: chatWith({ response_format }, isRefused)
  })),
  {
    test: "test_completion_with_response_format",
    asserts: "`json_schema` with a constant gives that constant",
    holds: chatWith(
      {
        max_tokens: 60,
        response_format: { type: "json_schema", json_schema: { name: "a", schema: { const: "foooooo" } } }
      },
      (answer) => String(content(answer)).trim() === '"foooooo"'
    )
  },
  {
    test: "test_completion_with_response_format",
    asserts: "a schema of an unknown type is refused",
    holds: chatWith(
      { response_format: { type: "json_schema", json_schema: { name: "a", schema: { type: "hiccup" } } } },
      isRefused
    )
  },
  {
    test: "test_completion_with_json_schema",
    asserts: "`json_schema` beside the messages constrains the answer",
    why: "it is refused by name: `response_format` says the same in OpenAI's words",
    holds: chatWith({ json_schema: { const: "42" } }, isServed)
  },
  {
    test: "test_completion_with_grammar",
    asserts: "`grammar` constrains the answer",
    why: "it is refused by name: grammars are the engine's own language",
    holds: chatWith({ grammar: 'root ::= "a"{5,5}' }, isServed)
  },
  {
    test: "test_completion_with_invalid_grammar",
    asserts: "a grammar that is none is refused",
    holds: chatWith({ grammar: "root ::= this is (not valid GBNF" }, isRefused)
  },
  ...["string", [], [{ role: 123 }], [{ role: "system", content: 123 }], [{ role: "system", content: "test" }, {}]].map(
    (messages) => ({
      test: "test_invalid_chat_completion_req",
      asserts: `messages \`${JSON.stringify(messages)}\` are refused`,
      holds: chatWith({ messages }, isRefused)
    })
  ),
  {
    test: "test_chat_completion_with_timings_per_token",
    asserts: "chunks carry `timings`",
    why: "the field is taken and changes nothing; a job's `done` has its times",
    holds: chatWith({ stream: true, timings_per_token: true }, (answer) =>
      chunksIn(answer).some((chunk) => at(chunk, "timings") !== undefined)
    )
  },
  {
    test: "test_logprobs",
    asserts: "each token has its logprob and bytes, with the likeliest ones beside it; together they are the answer",
    holds: chatWith({ logprobs: true, top_logprobs: 10 }, (answer) => {
      const tokens = at(answer.body, "choices", 0, "logprobs", "content")
      if (!Array.isArray(tokens)) return false
      const isTold = (one: unknown): boolean =>
        Number(at(one, "logprob")) <= 0 && Array.isArray(at(one, "bytes")) && at(one, "top_logprobs", 9) !== undefined
      return tokens.every(isTold) && tokens.map((one) => at(one, "token")).join("") === content(answer)
    })
  },
  {
    test: "test_logprobs_stream",
    asserts: "and in a stream, with the text",
    holds: chatWith({ logprobs: true, top_logprobs: 10, stream: true }, (answer) => {
      const choices = chunksIn(answer).map((chunk) => at(chunk, "choices", 0))
      const text = choices.map((choice) => at(choice, "delta", "content") ?? "").join("")
      const tokens = choices.flatMap((choice) => at(choice, "logprobs", "content") ?? [])
      return text !== "" && tokens.map((one) => at(one, "token")).join("") === text
    })
  },
  {
    test: "test_context_size_exceeded",
    asserts: "400, and the error says how many tokens the prompt has and the context",
    holds: chatWith(
      { messages: [{ role: "user", content: "word ".repeat(2000) }] },
      (answer) =>
        isRefused(answer) &&
        Number(at(answer.body, "error", "details", "prompt_tokens")) > 512 &&
        at(answer.body, "error", "details", "context") === 512
    )
  },
  {
    test: "test_context_size_exceeded",
    asserts: "`type` is `exceed_context_size_error`, with `n_prompt_tokens` and `n_ctx`",
    why: "`code` is OpenAI's `context_length_exceeded`; the numbers are in `details`",
    holds: chatWith(
      { messages: [{ role: "user", content: "word ".repeat(2000) }] },
      ({ body }) => at(body, "error", "type") === "exceed_context_size_error"
    )
  },
  {
    test: "test_chat_completions_multiple_choices",
    asserts: "`n: 2` gives two choices",
    holds: chatWith({ n: 2 }, ({ body }) => Array.isArray(body["choices"]) && body["choices"].length === 2)
  },
  {
    test: "test_chat_completions_token_count",
    asserts: "`/chat/completions/input_tokens` counts the prompt",
    why: "it is not served; Anthropic's `count_tokens` is",
    holds: answers("post", "/v1/chat/completions/input_tokens", chat)
  },
  {
    test: "test_verbose_debug",
    asserts: "a server in debug mode shows the prompt in `__verbose`",
    why: "there is no such mode: prompts are nobody's business",
    holds: chatWith({}, ({ body }) => "__verbose" in body)
  }
]

const ofCompletions: ReadonlyArray<Row> = [
  {
    test: "test_completion",
    asserts: "`/completion` gives `content`, `timings`, `truncated`",
    why: noOwnForm,
    holds: answers("post", "/completion", text)
  },
  {
    test: "test_completion_stream_vs_non_stream",
    asserts: "both say the same",
    holds: async ({ post }) => {
      const chunks = chunksIn(await post(written, { ...text, stream: true }))
      const streamed = chunks.map((chunk) => String(at(chunk, "choices", 0, "text"))).join("")
      return streamed !== "" && streamed === completed(await post(written, text))
    }
  },
  {
    test: "test_completion_with_openai_library",
    asserts: "OpenAI's client has text and finish_reason `length`",
    holds: async ({ client }) => {
      const { choices } = await client.completions.create({ model, prompt: "Hello", temperature: 0, max_tokens: 8 })
      return choices[0]?.finish_reason === "length" && choices[0].text !== ""
    }
  },
  {
    test: "test_completion_stream_with_openai_library",
    asserts: "and in a stream",
    holds: async ({ client }) => {
      let all = ""
      const stream = await client.completions.create({
        model,
        prompt: "Hello",
        temperature: 0,
        max_tokens: 8,
        stream: true
      })
      for await (const { choices } of stream) all += choices[0]?.text ?? ""
      return all !== ""
    }
  },
  {
    test: "test_completion_stream_with_openai_library_stops",
    asserts: "`stop` ends it, and is not in the text",
    holds: async ({ client }) => {
      const { choices } = await client.completions.create({ ...text, max_tokens: 40, stop: ["capital"] })
      return choices[0]?.finish_reason === "stop" && !choices[0].text.includes("capital")
    }
  },
  {
    test: "test_consistent_result_same_seed",
    asserts: "the same seed gives the same text",
    holds: async ({ post }) => {
      const seeded = { ...text, temperature: 1, seed: 42, max_tokens: 16 }
      return completed(await post(written, seeded)) === completed(await post(written, seeded))
    }
  },
  {
    test: "test_different_result_different_seed",
    asserts: "another seed gives another text",
    holds: async ({ post }) => {
      const texts = new Set<unknown>()
      for (const seed of [1, 2, 3, 4])
        texts.add(completed(await post(written, { ...text, temperature: 2, top_k: 0, top_p: 1, seed, max_tokens: 16 })))
      return texts.size === 4
    }
  },
  {
    test: "test_cache_vs_nocache_prompt",
    asserts: "`cache_prompt` changes nothing of the text",
    holds: async ({ post }) =>
      completed(await post(written, { ...text, cache_prompt: true })) ===
      completed(await post(written, { ...text, cache_prompt: false }))
  },
  {
    test: "test_nocache_long_input_prompt",
    asserts: "a prompt that is too long is refused with 400",
    holds: async ({ post }) => isRefused(await post(written, { ...text, prompt: "I believe ".repeat(2000) }))
  },
  {
    test: "test_json_prompt_mtm_error_when_not_supported",
    asserts: "a prompt with images is refused",
    holds: async ({ post }) =>
      isRefused(await post(written, { ...text, prompt: { prompt_string: "I", multimodal_data: ["aGk="] } }))
  },
  {
    test: "test_completion_with_tokens_input",
    asserts: "several prompts give several texts",
    holds: async ({ post }) =>
      at((await post(written, { ...text, prompt: ["a", "a"] })).body, "choices", "length") === 2
  },
  {
    test: "test_completion_with_tokens_input",
    asserts: "a prompt of tokens is served",
    holds: async ({ post }) => isServed(await post(written, { ...text, prompt: [1, 2, 3] }))
  },
  {
    test: "test_completion_parallel_slots",
    asserts: "more requests than slots are all served",
    holds: async ({ post }) => {
      const all = await Promise.all(Array.from({ length: 8 }, () => post(written, text)))
      return all.every(isServed) && new Set(all.map(completed)).size === 1
    }
  },
  {
    test: "test_n_probs",
    asserts: "`n_probs` tells probabilities",
    holds: async ({ post }) => {
      const logprobs = at((await post(written, { ...text, n_probs: 10 })).body, "choices", 0, "logprobs")
      return Object.keys(Object(at(logprobs, "top_logprobs", 0))).length === 10
    }
  },
  {
    test: "test_infill_without_input_extra",
    asserts: "`/infill` fills in the middle",
    why: "it is not served; `suffix` of /v1/completions is",
    holds: answers("post", "/infill", { input_prefix: "a", input_suffix: "b" })
  },
  {
    test: "test_ctx_shift_disabled_long_prompt",
    asserts: "without context shift a long prompt is refused",
    holds: async ({ post }) => isRefused(await post(written, { ...text, prompt: "word ".repeat(3000) }))
  },
  {
    test: "test_ctx_shift_disabled_short_prompt",
    asserts: "an answer ends where the context is full",
    holds: async ({ post }) => {
      const { body } = await post(written, { ...text, max_tokens: -1, ignore_eos: true })
      return at(body, "choices", 0, "finish_reason") === "length" && Number(at(body, "usage", "total_tokens")) >= 511
    }
  },
  {
    test: "test_ctx_shift_enabled",
    asserts: "an answer goes on beyond the context, whose beginning is forgotten",
    why: "a context is never shifted: an answer would go on from what nobody said",
    holds: async ({ post }) => {
      const { body } = await post(written, { ...text, max_tokens: 1000, ignore_eos: true })
      return Number(at(body, "usage", "completion_tokens")) > 512
    }
  }
]

const ofTheRest: ReadonlyArray<Row> = [
  { test: "test_server_start_simple", asserts: "`/health` is 200", holds: answers("get", "/health") },
  {
    test: "test_server_models",
    asserts: "`/v1/models` lists the model",
    holds: async ({ get }) => at((await get("/v1/models")).body, "data", 0, "id") === model
  },
  {
    test: "test_server_props",
    asserts: "`/props` has the slots, and how answers are drawn where nobody says",
    holds: async ({ get }) => {
      const { body, status } = await get("/props")
      const settings = body["default_generation_settings"]
      return status === 200 && at(settings, "n_ctx") === 512 && at(settings, "params", "top_k") === 40
    }
  },
  {
    test: "test_server_props",
    asserts: "`model_path` is where the file lies",
    why: "it is the file's name: where it lies is its machine's business",
    holds: async ({ get }) => String((await get("/props")).body["model_path"]).includes("/")
  },
  {
    test: "test_server_slots",
    asserts: "`/slots` is 200",
    why: "slots are the cluster's own business: `/workers` has them",
    holds: answers("get", "/slots")
  },
  {
    test: "test_tokenize_detokenize",
    asserts: "text to tokens and back",
    holds: async ({ post }) => {
      const content = "What is the capital of France ?"
      const { tokens } = (await post("/tokenize", { content })).body
      return (await post("/detokenize", { tokens })).body["content"] === content
    }
  },
  {
    test: "test_tokenize_with_pieces",
    asserts: "tokens with their pieces",
    holds: async ({ post }) => {
      const { tokens } = (await post("/tokenize", { content: "This is a test", with_pieces: true })).body
      return (
        Array.isArray(tokens) && tokens.every((token) => at(token, "id") !== undefined && at(token, "piece") !== "")
      )
    }
  },
  {
    test: "test_completion_without_tool_call_fast",
    asserts: "without `tools`, or with `tool_choice: none`, no call comes",
    holds: chatWith(
      { tools: [{ type: "function", function: { name: "f" } }], tool_choice: "none" },
      (answer) => isServed(answer) && at(answer.body, "choices", 0, "message", "tool_calls") === undefined
    )
  },
  {
    test: "test_completion_with_required_tool_tiny",
    asserts: "`tool_choice: required` makes a model without tools in its template call one",
    why: "a model that cannot be told of tools is not asked to call them: 400 says so",
    holds: chatWith({ tools: [{ type: "function", function: { name: "f" } }], tool_choice: "required" }, isServed)
  }
]

const measured = "/v1/embeddings"
const life = "I believe the meaning of life is"

/** The vectors of an answer. */
const vectors = ({ body, status }: Answer): ReadonlyArray<ReadonlyArray<number>> => {
  const data = body["data"]
  return status === 200 && Array.isArray(data) ? data.map((one) => Object(one)["embedding"]) : []
}
const embeddingsOf =
  (input: unknown, is: (found: ReadonlyArray<ReadonlyArray<number>>, answer: Answer) => boolean, own: object = {}) =>
  async ({ embedder, post }: Tried): Promise<boolean> => {
    const answer = await post(measured, { model: embedder, input, ...own })
    return is(vectors(answer), answer)
  }
const isUnit = (vector: ReadonlyArray<number> = []): boolean => Math.abs(Math.hypot(...vector) - 1) < 1e-3
const isSame = (one: ReadonlyArray<number> = [], other: ReadonlyArray<number> = []): boolean =>
  one.length > 1 && one.every((value, i) => Math.abs(value - (other[i] ?? 0)) < 1e-3)

const ofEmbeddings: ReadonlyArray<Row> = [
  {
    test: "test_embedding_single",
    asserts: "one vector, of length one",
    holds: embeddingsOf(life, (found) => found.length === 1 && isUnit(found[0]))
  },
  {
    test: "test_embedding_multiple",
    asserts: "one vector for each text",
    holds: embeddingsOf([life, "Write a joke", "This is a test", "This is another test"], ({ length }) => length === 4)
  },
  ...[
    "",
    "string",
    [12, 34, 56],
    ["string1", "string2"],
    ["string1", [12, 34, 56]],
    [
      [12, 34],
      [12, 34, 56]
    ]
  ].map((input) => ({
    test: "test_embedding_mixed_input",
    asserts: `\`${JSON.stringify(input)}\` is served`,
    holds: embeddingsOf(
      input,
      ({ length }) => length === (Array.isArray(input) && typeof input[0] !== "number" ? input.length : 1)
    )
  })),
  {
    test: "test_embedding_mixed_input",
    asserts: '`[12, 34, "string", 56, 78]`, ids and text in one text, is served',
    why: "a text is a string, or the ids of its tokens",
    holds: embeddingsOf([12, 34, "string", 56, 78], ({ length }) => length === 1)
  },
  {
    test: "test_embedding_pooling_mean_multiple",
    asserts: "the same of a model whose vectors are means",
    holds: embeddingsOf([life, "Write a joke about AI", "This is a test"], ({ length }) => length === 3)
  },
  {
    test: "test_embedding_pooling_none",
    asserts: "`/embeddings` of a model without pooling gives a vector for each token",
    why: "`/embeddings` is OpenAI's too; a file that does not say how its vectors become one is refused as it is loaded",
    holds: async ({ embedder, post }) =>
      Array.isArray((await post("/embeddings", { model: embedder, input: "a" })).body)
  },
  {
    test: "test_embedding_openai_library_multiple",
    asserts: "OpenAI's client has a vector for each text",
    holds: async ({ client, embedder }) => {
      const { data } = await client.embeddings.create({ model: embedder, input: [life, "This is a test"] })
      return data.length === 2 && data.every(({ embedding }) => isUnit(embedding))
    }
  },
  {
    test: "test_embedding_error_prompt_too_long",
    asserts: "a text that is too long is refused",
    holds: embeddingsOf("This is a test ".repeat(512), (_, answer) => isRefused(answer))
  },
  {
    test: "test_embedding_error_prompt_too_long",
    asserts: "with the words `too large`",
    why: "it is OpenAI's `context_length_exceeded`, with both numbers: a text may be as long as the model can read",
    holds: embeddingsOf("This is a test ".repeat(512), (_, { text: said }) => said.includes("too large"))
  },
  {
    test: "test_same_prompt_give_same_result",
    asserts: "the same text gives the same vector",
    holds: embeddingsOf(
      [life, life, life],
      (found) => found.length === 3 && found.every((one) => isSame(one, found[0]))
    )
  },
  {
    test: "test_embedding_usage_multiple",
    asserts: "`usage` counts each text's tokens, those at its ends too",
    holds: embeddingsOf([life, life], (_, { body }) => {
      const { prompt_tokens, total_tokens } = Object(body["usage"])
      return prompt_tokens > 2 && prompt_tokens === total_tokens && prompt_tokens % 2 === 0
    })
  },
  {
    test: "test_embedding_openai_library_base64",
    asserts: "base64 has the same numbers",
    holds: async (tried) => {
      const { embedder, post } = tried
      const asked = { model: embedder, input: "Test base64" }
      const [numbers] = vectors(await post(measured, asked))
      const encoded = String(vectors(await post(measured, { ...asked, encoding_format: "base64" }))[0])
      const bytes = Buffer.from(encoded, "base64")
      return isSame(
        numbers,
        numbers?.map((_, i) => bytes.readFloatLE(4 * i))
      )
    }
  }
]

const documents = ["A machine is a physical system", "Learning is", "Machine learning is a field", "Paris, capitale"]
const ranked =
  (own: object, is: (results: ReadonlyArray<unknown>, answer: Answer) => boolean, path = "/rerank") =>
  async ({ post, ranker }: Tried): Promise<boolean> => {
    const answer = await post(path, { model: ranker, query: "Machine learning is", ...own })
    const results = answer.body["results"] ?? answer.body
    return is(Array.isArray(results) ? results : [], answer)
  }

const ofRerank: ReadonlyArray<Row> = [
  {
    test: "test_rerank",
    asserts: "a `relevance_score` for each of the documents",
    holds: ranked(
      { documents },
      (results) => results.length === 4 && typeof at(results[0], "relevance_score") === "number"
    )
  },
  {
    test: "test_rerank_tei_format",
    asserts: "with `texts` a list of `score`s",
    holds: ranked(
      { texts: documents },
      (results) => results.length === 4 && typeof at(results[0], "score") === "number"
    )
  },
  ...[[], null, 123, [1, 2, 3]].map((wrong) => ({
    test: "test_invalid_rerank_req",
    asserts: `documents \`${JSON.stringify(wrong)}\` are refused`,
    holds: ranked({ documents: wrong }, (_, answer) => isRefused(answer))
  })),
  {
    test: "test_rerank_usage",
    asserts: "`usage` counts what was read",
    holds: ranked({ documents }, (_, { body }) => {
      const { prompt_tokens, total_tokens } = Object(body["usage"])
      return prompt_tokens > 4 && prompt_tokens === total_tokens
    })
  },
  ...[2, 4, 99].map((top_n) => ({
    test: "test_rerank_top_n",
    asserts: `\`top_n\` ${top_n} gives so many, or as many as there are`,
    holds: ranked({ documents, top_n }, ({ length }) => length === Math.min(4, top_n))
  })),
  {
    test: "test_rerank_tei_top_n",
    asserts: "in both forms",
    holds: ranked({ texts: documents, top_n: 2 }, ({ length }) => length === 2)
  }
]

// the first of them leave out which model they ask, where one alone is loaded
export const rows: ReadonlyArray<Row> = [
  ...ofChats,
  ...ofCompletions,
  ...ofTheRest,
  ...ofEmbeddings,
  ...ofRerank,
  ...surfaceRows
]

const cell = (words: string): string => words.replaceAll("|", "\\|")

/** The page. */
export const page = `# llama.cpp's own server tests

What the unit tests of llama.cpp's server (chat, completions, embeddings, rerank, tokens, tools, context shift, the basics,
Anthropic's and OpenAI's newer interfaces)
assert, tried on a cluster with the bundled model. Their texts and counts of tokens are of other models, and are not compared;
those of real models, of Windows' and of the server's own flags are not tried. \`test/e2e/llama-server.test.ts\` tries every row, and
writes this page with \`-u\`.

| test | asserts | holds | why not |
|---|---|---|---|
${rows.map(({ asserts, test, why }) => `| \`${test}\` | ${cell(asserts)} | ${why === undefined ? "yes" : "no"} | ${cell(why ?? "")} |`).join("\n")}
`
