/** What llama.cpp's tests assert of Anthropic's messages and OpenAI's Responses, and of fields that are neither's own. */
import { type Answer, at, chunksIn, isRefused, isServed, model, type Row, type Tried } from "./llama-server-tried.ts"

const user = (content: unknown) => ({ role: "user", content })
const claude = { model, max_tokens: 8, messages: [user("hello")] }
const messages = "/v1/messages"
const asking =
  (path: string, body: object, is: (answer: Answer) => boolean) =>
  async ({ post }: Tried): Promise<boolean> =>
    is(await post(path, body))
const served = (test: string, asserts: string, own: object): Row => ({
  test: `test_anthropic_${test}`,
  asserts,
  holds: asking(messages, { ...claude, ...own }, (answer) => isServed(answer) && answer.body["type"] === "message")
})

const image = { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } }
const calc = { name: "calc", input_schema: { type: "object", properties: {} } }
const called = { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "calc", input: {} }] }
const given = (content: unknown) => [user("1+1"), called, user([{ type: "tool_result", tool_use_id: "t1", content }])]
const noTools = "a model that cannot be told of tools is refused by name, and so is what a tool gave it"

const counted = (test: string, own: object): Row => ({
  test: `test_anthropic_count_tokens${test}`,
  asserts: "`count_tokens` gives `input_tokens`, and nothing else",
  holds: asking(
    `${messages}/count_tokens`,
    { model, messages: claude.messages, ...own },
    ({ body }) => Number(body["input_tokens"]) > 0 && Object.keys(body).length === 1
  )
})

const isImageRefused = ({ body, status }: Answer): boolean =>
  status === 400 && String(at(body, "error", "message")).includes("image")

const ofAnthropic: ReadonlyArray<Row> = [
  {
    test: "test_anthropic_messages_basic",
    asserts: "a message of an assistant, with a block of text, stop_reason and usage, and no `timings`",
    holds: asking(
      messages,
      claude,
      ({ body }) =>
        body["role"] === "assistant" &&
        at(body, "content", 0, "type") === "text" &&
        body["stop_reason"] === "max_tokens" &&
        typeof at(body, "usage", "cache_read_input_tokens") === "number" &&
        at(body, "usage", "output_tokens") === 8 &&
        !("timings" in body)
    )
  },
  served("messages_with_system", "a system prompt is served", { system: "You are a bee." }),
  served("messages_multipart_content", "several blocks of text are served", {
    messages: [
      user([
        { type: "text", text: "What is" },
        { type: "text", text: " the answer?" }
      ])
    ]
  }),
  served("messages_conversation", "several turns are served", {
    messages: [user("Hello"), { role: "assistant", content: "Hi there!" }, user("How are you?")]
  }),
  {
    test: "test_anthropic_messages_streaming",
    asserts: "message_start, a block from start to stop, message_delta with stop_reason, message_stop",
    holds: asking(messages, { ...claude, stream: true }, (answer) => {
      const types = chunksIn(answer).map((event) => String(at(event, "type")))
      const runs = types.filter((type, i) => type !== types[i - 1] && type !== "ping")
      const text = ["content_block_start", "content_block_delta", "content_block_stop"]
      return runs.join() === ["message_start", ...text, "message_delta", "message_stop"].join()
    })
  },
  counted("", {}),
  counted("_with_system", { system: "You are a bee." }),
  counted("_no_max_tokens", {}),
  { ...served("tool_use_basic", "a request with tools is served by any model", { tools: [calc] }), why: noTools },
  { ...served("tool_result", "and what a tool gave", { messages: given("2"), tools: [calc] }), why: noTools },
  {
    test: "test_anthropic_tool_result_with_image",
    asserts: "an image that a tool gave is not dropped: the error names it",
    holds: asking(messages, { ...claude, messages: given([image]) }, isImageRefused)
  },
  {
    test: "test_anthropic_vision_format_accepted",
    asserts: "an image is refused in words that say so",
    holds: asking(messages, { ...claude, messages: [user([image])] }, isImageRefused)
  },
  {
    test: "test_anthropic_vision_format_accepted",
    asserts: "with status 500",
    why: "it is the request that cannot be served: 400, and its place",
    holds: asking(messages, { ...claude, messages: [user([image])] }, ({ status }) => status === 500)
  },
  served("stop_sequences", "`stop_sequences` are served", { stop_sequences: ["\n", "END"] }),
  served("temperature", "`temperature` is served", { temperature: 0.5 }),
  served("top_p", "`top_p` is served", { top_p: 0.9 }),
  served("top_k", "`top_k` is served", { top_k: 40 }),
  {
    test: "test_anthropic_missing_messages",
    asserts: "a request without messages is refused",
    holds: asking(messages, { ...claude, messages: undefined }, isRefused)
  },
  {
    ...served("empty_messages", "no messages at all are served", { messages: [] }),
    why: "there is nothing to answer: it is refused, as Anthropic's own does"
  },
  served("thinking", "`thinking` is served", { thinking: { type: "enabled", budget_tokens: 50 } }),
  served("metadata", "`metadata` is served", { metadata: { user_id: "somebody" } })
]

const response = { model, max_output_tokens: 8, temperature: 0, input: "hello" }

const ofResponses: ReadonlyArray<Row> = [
  {
    test: "test_responses_with_openai_library",
    asserts: "an id with `resp_`, an item with `msg_`, and its text",
    holds: async ({ client }) => {
      const { id, output, output_text } = await client.responses.create(response)
      return id.startsWith("resp_") && output[0]?.id?.startsWith("msg_") === true && output_text !== ""
    }
  },
  {
    test: "test_responses_stream_with_openai_library",
    asserts: "one id throughout, and the deltas are the text of the end",
    holds: async ({ client }) => {
      let gathered = ""
      let whole = ""
      const ids = new Set<string>()
      for await (const event of await client.responses.create({ ...response, stream: true })) {
        if (event.type === "response.output_text.delta") gathered += event.delta
        if ("response" in event) ids.add(event.response.id)
        if (event.type === "response.incomplete") whole = String(at(event.response.output, 0, "content", 0, "text"))
      }
      return ids.size === 1 && gathered !== "" && gathered === whole
    }
  },
  {
    test: "test_responses_stream_with_llama_telemetry",
    asserts: "events carry `prompt_progress` and `timings`",
    why: "they are llama.cpp's own; a job's `done` has its times",
    holds: asking("/v1/responses", { ...response, stream: true, timings_per_token: true }, ({ text }) =>
      text.includes('"timings"')
    )
  }
]

const chat = { model, max_tokens: 8, temperature: 0, messages: [user("hello")] }
const asked = "/v1/chat/completions"
const begun = [...chat.messages, { role: "assistant", content: "Hello! I am" }]

const ofFields: ReadonlyArray<Row> = [
  {
    test: "test_chat_template_continue_final_message_vllm_compat",
    asserts: "`continue_final_message` goes on with the last message",
    holds: asking(
      asked,
      { ...chat, messages: begun, add_generation_prompt: false, continue_final_message: true },
      ({ body }) =>
        String(at(body, "choices", 0, "message", "content"))
          .trimStart()
          .startsWith("minillama")
    )
  },
  {
    test: "test_chat_template_continue_final_message_mutual_exclusion",
    asserts: "beside `add_generation_prompt` it is refused",
    holds: asking(
      asked,
      { ...chat, messages: begun, add_generation_prompt: true, continue_final_message: true },
      isRefused
    )
  },
  {
    test: "test_logit_bias",
    asserts: "tokens that are biased away do not come",
    holds: async ({ post }) => {
      const { tokens } = (await post("/tokenize", { model, content: " minillama" })).body
      const bias = Object.fromEntries(Array.isArray(tokens) ? tokens.map((token) => [token, -100]) : [])
      const { body } = await post(asked, { ...chat, max_tokens: 40, logit_bias: bias })
      const said = String(at(body, "choices", 0, "message", "content"))
      return said !== "" && !said.includes("minillama")
    }
  },
  {
    test: "test_context_size_exceeded_stream",
    asserts: "a prompt that is too long is refused before a stream begins",
    holds: asking(asked, { ...chat, stream: true, messages: [user("word ".repeat(2000))] }, isRefused)
  },
  {
    test: "test_return_progress",
    asserts: "`return_progress` tells how far the prompt is read",
    why: "it is llama.cpp's own, and refused by name",
    holds: asking(asked, { ...chat, stream: true, return_progress: true }, ({ text }) =>
      text.includes("prompt_progress")
    )
  },
  {
    test: "test_tokenize_with_bos",
    asserts: "`add_special` is served",
    holds: asking("/tokenize", { model, content: "What is the capital of France ?", add_special: true }, isServed)
  },
  {
    test: "test_ignore_eos_populates_logit_bias",
    asserts: "`ignore_eos` goes on past the end of text",
    holds: asking(
      asked,
      { ...chat, max_tokens: 60, ignore_eos: true },
      ({ body }) => at(body, "choices", 0, "finish_reason") === "length"
    )
  }
]

export const surfaceRows: ReadonlyArray<Row> = [...ofAnthropic, ...ofResponses, ...ofFields]
