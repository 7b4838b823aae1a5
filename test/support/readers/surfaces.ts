/**
 * Answers over every surface of a real queen, read by hand: the clients of the simulator, and one of `/jobs`. What was
 * heard goes on in the same place where a surface lets its reader go on after the connection broke.
 */
import { argue, begin, type Heard, nothing, say } from "../../../src/simulator/clients/heard.ts"
import {
  type Asked,
  type Surface,
  type SurfaceEvent,
  makeLinesParser,
  surfaces as streamed
} from "../../../src/simulator/clients/surfaces.ts"
import { makeSseParser } from "../../../src/protocol/sse.ts"

/** Of a job, which is told its tokens one by one: how many, and after how many of them it went on elsewhere. */
export interface HeardJob extends Heard {
  tokens: number
  readonly failovers: Array<number>
}

export const silence = (): HeardJob => ({ ...nothing(), tokens: 0, failovers: [] })

/** How to call a queen. */
export interface Calls {
  readonly fetch: typeof fetch
  readonly queenUrl: string
}

export interface Reader {
  readonly name: string
  readonly open: (calls: Calls, asked: Asked, heard: HeardJob) => Promise<Response>
  /** where the stream goes on that was broken; absent: it does not */
  readonly after?: (heard: Heard) => { readonly path: string; readonly headers?: Readonly<Record<string, string>> }
  readonly take: (heard: HeardJob, event: SurfaceEvent) => void
  readonly isLines?: boolean
}

/** Has the callee taken this? Else what it said instead. */
const taken = async (reply: Response): Promise<Response> => {
  if (!reply.ok) throw new Error(`${reply.status}: ${await reply.text()}`)
  return reply
}

const post = async ({ fetch, queenUrl }: Calls, path: string, body: object): Promise<Response> =>
  taken(
    await fetch(`${queenUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body)
    })
  )

const reader = (surface: Surface): Reader => ({
  ...surface,
  open: (calls, asked) => post(calls, surface.path, surface.body(asked))
})

interface JobDone {
  readonly message?: {
    readonly content: string
    readonly reasoning?: string
    readonly tool_calls?: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  }
}

/** Its tokens come as the model wrote them, and what they mean at the end. */
const jobs: Reader = {
  name: "jobs",
  open: async (calls, { model, schema, seed, temperature, text, tools }, heard) => {
    const wishes = schema === undefined ? { tools } : { response_format: { type: "json_schema", schema } }
    const messages = [{ role: "user", content: text }]
    const reply = await post(calls, "/jobs", { model, messages, seed, temperature, ...wishes })
    heard.id = ((await reply.json()) as { readonly job_id: string }).job_id
    return taken(await calls.fetch(`${calls.queenUrl}/jobs/${heard.id}/events`))
  },
  after: ({ id, last }) => ({ path: `/jobs/${id}/events`, headers: { "last-event-id": last } }),
  take: (heard, { data, event, id }) => {
    if (id !== undefined && Number(id) <= Number(heard.last)) heard.wrongs.push(`event ${id} after ${heard.last}`)
    heard.last = id ?? heard.last
    if (event === "error" || event === "cancelled") heard.wrongs.push(data)
    if (event === "failover") heard.failovers.push((JSON.parse(data) as { readonly tokens: number }).tokens)
    if (event === "token") {
      heard.tokens++
      say(heard, "content", (JSON.parse(data) as { readonly t: string }).t)
    }
    if (event !== "done") return
    heard.ends++
    const { message } = JSON.parse(data) as JobDone
    // it is nothing but text
    if (message === undefined) return
    heard.parts.length = 0
    say(heard, "reasoning", message.reasoning)
    say(heard, "content", message.content)
    for (const [at, call] of (message.tool_calls ?? []).entries()) {
      begin(heard, at, call.id, call.name)
      argue(heard, at, call.arguments)
    }
  }
}

const { chat, messages, ollama, responses } = streamed

export const surfaces = {
  chat: reader(chat),
  responses: {
    ...reader(responses),
    after: ({ id, last }: Heard) => ({ path: `/v1/responses/${id}?stream=true&starting_after=${last}` })
  },
  messages: reader(messages),
  ollama: reader(ollama),
  jobs
} as const

/** Reads to the end, and says whether that was a broken connection. */
export const listen = async (
  { isLines, take }: Reader,
  reply: Response,
  heard: HeardJob
): Promise<"ended" | "broke"> => {
  const told = (event: SurfaceEvent): void => take(heard, event)
  const read = isLines === true ? makeLinesParser(told) : makeSseParser(told)
  const text = new TextDecoder()
  try {
    for await (const piece of reply.body ?? []) read(text.decode(piece, { stream: true }))
    return "ended"
  } catch {
    return "broke"
  }
}
