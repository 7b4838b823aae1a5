/**
 * Every surface over which a call can be heard, as a client of few words hears it: what it asks, and what it makes of
 * the stream. By hand and not by the makers' libraries: these hide where a stream broke, and what came twice.
 */
import { makeSseParser, type SseEvent } from "../../../src/protocol/sse.ts"

/** What a reader has heard so far. */
export interface Heard {
  /** of the response or job, where the surface tells it at once */
  id: string
  content: string
  reasoning: string
  calls: Array<{ id: string; name: string; arguments: string; told: number }>
  /** how often the answer was said to be whole: `[DONE]`, `message_stop`, `done: true` and the like */
  ends: number
  /** errors, and whatever else must not come */
  wrongs: Array<string>
  /** where a later reader goes on */
  last: string
  /** of a job, which is told them one by one; and after how many of them it went on elsewhere */
  tokens: number
  failovers: Array<number>
}

export const nothing = (): Heard => ({
  id: "",
  content: "",
  reasoning: "",
  calls: [],
  ends: 0,
  wrongs: [],
  last: "",
  tokens: 0,
  failovers: []
})

export interface Tool {
  readonly name: string
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface Asked {
  readonly fetch: typeof fetch
  readonly queenUrl: string
  readonly model: string
  readonly text: string
  /** it is to think, and may call these; absent: neither */
  readonly tools?: ReadonlyArray<Tool>
  /** a JSON schema of the answer */
  readonly schema?: object
  readonly temperature?: number
  /** not every surface has it */
  readonly seed?: number
}

export interface Surface {
  readonly name: string
  readonly open: (asked: Asked, heard: Heard) => Promise<Response>
  /** where the stream goes on that was broken; absent: it does not */
  readonly after?: (heard: Heard) => { readonly path: string; readonly headers?: Readonly<Record<string, string>> }
  readonly take: (heard: Heard, event: Pick<SseEvent, "data" | "event" | "id">) => void
  /** the stream is JSON a line, and not SSE */
  readonly isLines?: boolean
}

const callOf = (heard: Heard, index: number): Heard["calls"][number] =>
  (heard.calls[index] ??= { id: "", name: "", arguments: "", told: 0 })

const begin = (heard: Heard, index: number, id: string, name: string): void => {
  const call = callOf(heard, index)
  call.id = id
  call.name = name
  call.told++
}

/** Has the callee taken this? Else what it said instead. */
const taken = async (reply: Response): Promise<Response> => {
  if (!reply.ok) throw new Error(`${reply.status}: ${await reply.text()}`)
  return reply
}

const post = async ({ fetch, queenUrl }: Asked, path: string, body: object, headers: object = {}): Promise<Response> =>
  taken(
    await fetch(`${queenUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body)
    })
  )

const asFunctions = ({ tools }: Asked) => tools?.map((tool) => ({ type: "function", function: tool }))
const said = ({ text }: Asked) => [{ role: "user", content: text }]

interface ChatChunk {
  readonly error?: unknown
  readonly choices?: ReadonlyArray<{
    readonly delta: {
      readonly content?: string | null
      readonly reasoning_content?: string
      readonly tool_calls?: ReadonlyArray<{
        readonly index: number
        readonly id?: string
        readonly function?: { readonly name?: string; readonly arguments?: string }
      }>
    }
  }>
}

const chat: Surface = {
  name: "chat completions",
  open: (asked) =>
    post(asked, "/v1/chat/completions", {
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
    const delta = choices[0]?.delta
    heard.content += delta?.content ?? ""
    heard.reasoning += delta?.reasoning_content ?? ""
    for (const { function: made, id = "", index } of delta?.tool_calls ?? []) {
      if (made?.name !== undefined) begin(heard, index, id, made.name)
      callOf(heard, index).arguments += made?.arguments ?? ""
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
  open: (asked) =>
    post(asked, "/v1/responses", {
      model: asked.model,
      stream: true,
      input: asked.text,
      tools: asked.tools?.map((tool) => ({ type: "function", strict: false, ...tool })),
      temperature: asked.temperature,
      ...(asked.schema === undefined
        ? {}
        : { text: { format: { type: "json_schema", name: "answer", strict: true, schema: asked.schema } } })
    }),
  after: ({ id, last }) => ({ path: `/v1/responses/${id}?stream=true&starting_after=${last}` }),
  take: (heard, { data }) => {
    const event = JSON.parse(data) as ResponseEvent
    const { delta = "", item, output_index: index = 0, response, sequence_number, type } = event
    if (sequence_number !== (heard.last === "" ? 0 : Number(heard.last) + 1)) heard.wrongs.push(data)
    heard.last = String(sequence_number)
    if (type === "response.created") heard.id = response?.id ?? ""
    if (type === "response.output_text.delta") heard.content += delta
    if (type === "response.reasoning_text.delta") heard.reasoning += delta
    if (type === "response.output_item.added" && item?.type === "function_call")
      begin(heard, index, item.call_id, item.name)
    if (type === "response.function_call_arguments.delta") callOf(heard, index).arguments += delta
    if (type === "response.completed") {
      heard.ends++
      const ids = response?.output?.flatMap((one) => (one.type === "function_call" ? [one.call_id] : []))
      if (String(ids) !== String(heard.calls.flatMap((call) => [call.id]))) heard.wrongs.push(data)
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
  open: (asked) =>
    post(asked, "/v1/messages", {
      model: asked.model,
      stream: true,
      max_tokens: 1000,
      messages: said(asked),
      tools: asked.tools?.map(({ parameters: input_schema, ...tool }) => ({ ...tool, input_schema })),
      temperature: asked.temperature,
      ...(asked.tools === undefined ? {} : { thinking: { type: "enabled", budget_tokens: 1024 } }),
      ...(asked.schema === undefined
        ? {}
        : { output_config: { format: { type: "json_schema", schema: asked.schema } } })
    }),
  take: (heard, { data }) => {
    const { content_block: block, delta, index = 0, type } = JSON.parse(data) as MessageEvent
    if (type === "content_block_start" && block?.type === "tool_use") begin(heard, index, block.id, block.name)
    heard.content += delta?.text ?? ""
    heard.reasoning += delta?.thinking ?? ""
    if (delta?.partial_json !== undefined) callOf(heard, index).arguments += delta.partial_json
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
  open: (asked) =>
    post(asked, "/api/chat", {
      model: asked.model,
      messages: said(asked),
      tools: asFunctions(asked),
      ...(asked.tools === undefined ? {} : { think: true }),
      format: asked.schema,
      options: { temperature: asked.temperature, seed: asked.seed }
    }),
  take: (heard, { data }) => {
    const { done, error, message } = JSON.parse(data) as OllamaLine
    if (error !== undefined) heard.wrongs.push(data)
    heard.content += message?.content ?? ""
    heard.reasoning += message?.thinking ?? ""
    for (const { function: made } of message?.tool_calls ?? []) {
      const index = heard.calls.length
      begin(heard, index, "", made.name)
      callOf(heard, index).arguments = JSON.stringify(made.arguments)
    }
    if (done === true) heard.ends++
  }
}

interface JobDone {
  readonly message?: {
    readonly content: string
    readonly reasoning?: string
    readonly tool_calls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  }
}

/** Its tokens come as the model wrote them, and what they mean at the end. */
const jobs: Surface = {
  name: "jobs",
  open: async (asked, heard) => {
    const { fetch, model, queenUrl, schema, seed, temperature, tools } = asked
    const wishes = schema === undefined ? { tools } : { response_format: { type: "json_schema", schema } }
    const reply = await post(asked, "/jobs", { model, messages: said(asked), seed, temperature, ...wishes })
    heard.id = ((await reply.json()) as { readonly job_id: string }).job_id
    return taken(await fetch(`${queenUrl}/jobs/${heard.id}/events`))
  },
  after: ({ id, last }) => ({ path: `/jobs/${id}/events`, headers: { "last-event-id": last } }),
  take: (heard, { data, event, id }) => {
    if (id !== undefined && Number(id) <= Number(heard.last)) heard.wrongs.push(`event ${id} after ${heard.last}`)
    heard.last = id ?? heard.last
    if (event === "error" || event === "cancelled") heard.wrongs.push(data)
    if (event === "token") {
      heard.tokens++
      heard.content += (JSON.parse(data) as { readonly t: string }).t
    }
    if (event === "failover") heard.failovers.push((JSON.parse(data) as { readonly tokens: number }).tokens)
    if (event !== "done") return
    heard.ends++
    const { message } = JSON.parse(data) as JobDone
    heard.content = message?.content ?? heard.content
    heard.reasoning = message?.reasoning ?? ""
    for (const [index, call] of (message?.tool_calls ?? []).entries()) {
      begin(heard, index, call.id, call.name)
      callOf(heard, index).arguments = call.arguments
    }
  }
}

export const surfaces = { chat, responses, messages, ollama, jobs } as const

/** Reads to the end, and says whether that was a broken connection. What was heard before goes on in `heard`. */
export const listen = async (surface: Surface, reply: Response, heard: Heard): Promise<"ended" | "broke"> => {
  const take = (event: Pick<SseEvent, "data" | "event" | "id">): void => surface.take(heard, event)
  let rest = ""
  const lines = (text: string): void => {
    const parts = (rest + text).split("\n")
    rest = parts.pop() ?? ""
    for (const data of parts) if (data !== "") take({ data, event: "", id: undefined })
  }
  const read = surface.isLines === true ? lines : makeSseParser(take)
  const text = new TextDecoder()
  try {
    for await (const piece of reply.body ?? []) read(text.decode(piece, { stream: true }))
    return "ended"
  } catch {
    return "broke"
  }
}
