/**
 * The surfaces over which an answer is heard, as a client of few words hears it: what it asks for, and what it makes of
 * the stream. By hand and not by the makers' libraries: these hide where a stream broke, and what came twice.
 */
import { argue, begin, callsOf, type Heard, say } from "./heard.ts"
import type { SseEvent } from "../../protocol/sse.ts"

export interface Tool {
  readonly name: string
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface Asked {
  readonly model: string
  readonly text: string
  /** to be measured: vectors, or how well they answer `text` */
  readonly texts?: ReadonlyArray<string>
  /** it is to think */
  readonly thinks?: boolean
  readonly tools?: ReadonlyArray<Tool>
  /** a JSON schema of the answer */
  readonly schema?: object
  readonly temperature?: number
  /** not every surface has it */
  readonly seed?: number
}

/** One of its stream: of SSE, or a line of JSON. */
export type SurfaceEvent = Pick<SseEvent, "data" | "event" | "id">

export interface Surface {
  readonly name: string
  readonly path: string
  /** the stream is JSON a line, and not SSE */
  readonly isLines?: boolean
  readonly body: (asked: Asked) => Readonly<Record<string, unknown>>
  readonly take: (heard: Heard, event: SurfaceEvent) => void
}

const asFunctions = ({ tools }: Asked) => tools?.map((tool) => ({ type: "function", function: tool }))
const said = ({ text }: Asked) => [{ role: "user", content: text }]

interface ChatDelta {
  readonly content?: string | null
  readonly reasoning_content?: string
  readonly tool_calls?: ReadonlyArray<{
    /** of an answer that comes as a whole they have none */
    readonly index?: number
    readonly id?: string
    readonly function?: { readonly name?: string; readonly arguments?: string }
  }>
}

interface ChatChunk {
  readonly error?: unknown
  readonly choices?: ReadonlyArray<{ readonly delta?: ChatDelta; readonly message?: ChatDelta }>
}

const chat: Surface = {
  name: "chat completions",
  path: "/v1/chat/completions",
  body: (asked) => ({
    model: asked.model,
    stream: true,
    messages: said(asked),
    tools: asFunctions(asked),
    temperature: asked.temperature,
    seed: asked.seed,
    ...(asked.schema === undefined
      ? {}
      : {
          response_format: {
            type: "json_schema",
            json_schema: { name: "answer", strict: true, schema: asked.schema }
          }
        })
  }),
  take: (heard, { data }) => {
    if (data === "[DONE]") return void heard.ends++
    const { choices = [], error } = JSON.parse(data) as ChatChunk
    if (error !== undefined) heard.wrongs.push(data)
    const delta = choices[0]?.delta ?? choices[0]?.message
    say(heard, "reasoning", delta?.reasoning_content)
    say(heard, "content", delta?.content)
    for (const [nth, { function: made, id = "", index = nth }] of (delta?.tool_calls ?? []).entries()) {
      if (made?.name !== undefined) begin(heard, index, id, made.name)
      argue(heard, index, made?.arguments ?? "")
    }
  }
}

interface ResponseEvent {
  readonly type: string
  readonly sequence_number: number
  readonly delta?: string
  readonly output_index?: number
  readonly item?: { readonly type: string; readonly call_id: string; readonly name: string }
  readonly response?: {
    readonly id: string
    readonly output?: ReadonlyArray<{ readonly type: string; readonly call_id: string }>
  }
}

const responses: Surface = {
  name: "Responses",
  path: "/v1/responses",
  body: (asked) => ({
    model: asked.model,
    stream: true,
    input: asked.text,
    tools: asked.tools?.map((tool) => ({ type: "function", strict: false, ...tool })),
    temperature: asked.temperature,
    ...(asked.schema === undefined
      ? {}
      : { text: { format: { type: "json_schema", name: "answer", strict: true, schema: asked.schema } } })
  }),
  take: (heard, { data }) => {
    const event = JSON.parse(data) as ResponseEvent
    const { delta = "", item, output_index: index = 0, response, sequence_number, type } = event
    if (sequence_number !== (heard.last === "" ? 0 : Number(heard.last) + 1)) heard.wrongs.push(data)
    heard.last = String(sequence_number)
    if (type === "response.created") heard.id = response?.id ?? ""
    if (type === "response.output_text.delta") say(heard, "content", delta)
    if (type === "response.reasoning_text.delta") say(heard, "reasoning", delta)
    if (type === "response.output_item.added" && item?.type === "function_call")
      begin(heard, index, item.call_id, item.name)
    if (type === "response.function_call_arguments.delta") argue(heard, index, delta)
    if (type === "response.completed") {
      heard.ends++
      const ids = response?.output?.flatMap((one) => (one.type === "function_call" ? [one.call_id] : []))
      if (String(ids) !== String(callsOf(heard).map((call) => call.id))) heard.wrongs.push(data)
    }
    if (["error", "response.failed", "response.incomplete"].includes(type)) heard.wrongs.push(data)
  }
}

interface MessageEvent {
  readonly type: string
  readonly index?: number
  readonly content_block?: { readonly type: string; readonly id: string; readonly name: string }
  readonly delta?: { readonly text?: string; readonly thinking?: string; readonly partial_json?: string }
}

const messages: Surface = {
  name: "Anthropic's messages",
  path: "/v1/messages",
  body: (asked) => ({
    model: asked.model,
    stream: true,
    max_tokens: 1000,
    messages: said(asked),
    tools: asked.tools?.map(({ parameters: input_schema, ...tool }) => ({ ...tool, input_schema })),
    temperature: asked.temperature,
    ...(asked.thinks !== true ? {} : { thinking: { type: "enabled", budget_tokens: 1024 } }),
    ...(asked.schema === undefined ? {} : { output_config: { format: { type: "json_schema", schema: asked.schema } } })
  }),
  take: (heard, { data }) => {
    const { content_block: block, delta, index = 0, type } = JSON.parse(data) as MessageEvent
    if (type === "content_block_start" && block?.type === "tool_use") begin(heard, index, block.id, block.name)
    say(heard, "content", delta?.text)
    say(heard, "reasoning", delta?.thinking)
    if (delta?.partial_json !== undefined) argue(heard, index, delta.partial_json)
    if (type === "message_stop") heard.ends++
    if (type === "error") heard.wrongs.push(data)
  }
}

interface OllamaLine {
  readonly error?: string
  readonly done?: boolean
  readonly message?: {
    readonly content: string
    readonly thinking?: string
    readonly tool_calls?: ReadonlyArray<{ readonly function: { readonly name: string; readonly arguments: object } }>
  }
}

const ollama: Surface = {
  name: "Ollama's chat",
  isLines: true,
  path: "/api/chat",
  body: (asked) => ({
    model: asked.model,
    messages: said(asked),
    tools: asFunctions(asked),
    ...(asked.thinks !== true ? {} : { think: true }),
    format: asked.schema,
    options: { temperature: asked.temperature, seed: asked.seed }
  }),
  take: (heard, { data }) => {
    const { done, error, message } = JSON.parse(data) as OllamaLine
    if (error !== undefined) heard.wrongs.push(data)
    say(heard, "reasoning", message?.thinking)
    say(heard, "content", message?.content)
    for (const { function: made } of message?.tool_calls ?? []) {
      const at = heard.parts.length
      begin(heard, at, "", made.name)
      argue(heard, at, JSON.stringify(made.arguments))
    }
    if (done === true) heard.ends++
  }
}

/** What the simulated clients have their models call. */
export const tools: ReadonlyArray<Tool> = [
  {
    name: "look_up",
    description: "looks it up",
    parameters: { type: "object", properties: { what: { type: "string" }, depth: { type: "integer" } } }
  }
]

export const surfaces = { chat, responses, messages, ollama } as const
export type SurfaceName = keyof typeof surfaces
export const surfaceNames: ReadonlyArray<SurfaceName> = ["chat", "responses", "messages", "ollama"]

/** Of a stream that is JSON a line. */
export const makeLinesParser = (onEvent: (event: SurfaceEvent) => void): ((text: string) => void) => {
  let rest = ""
  return (text) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop() ?? ""
    for (const data of lines) if (data !== "") onEvent({ data, event: "", id: undefined })
  }
}
