/**
 * A worker without an engine, for relay benchmarks: the worker's interface, and beside it OpenAI's, as what stands
 * behind the peers. `max_tokens` tokens; `seed` is the pace in tokens a second. 0 is flat out, as an engine without
 * arithmetic would decode: step by step, each step one token of every answer whose reader keeps up.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

interface Ask {
  readonly job_id?: string
  readonly epoch?: number
  readonly max_tokens: number
  /** tokens a second */
  readonly seed: number
  readonly stream?: boolean
}

/** An answer that a queen reads, as a beat tells of it. */
export interface Running {
  readonly jobId: string
  readonly epoch: number
  /** index of the next token */
  next: number
}

const text = (i: number) => ` wrd${i % 10}`
const usage = (tokens: number) => ({ prompt_tokens: 5, completion_tokens: tokens, cached_tokens: 0 })

const native = {
  head: "",
  token: (i: number) => `event: token\ndata: {"i":${i},"t":"${text(i)}","k":${1000 + (i % 1000)}}\n\n`,
  end: (tokens: number) =>
    `event: done\ndata: ${JSON.stringify({ tokens, finish_reason: "length", usage: usage(tokens) })}\n\n`
}
const chunk = (delta: string, reason: string) =>
  `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"minillama","choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${reason}}]}\n\n`
const openAi = {
  head: chunk('{"role":"assistant","content":""}', "null"),
  token: (i: number) => chunk(`{"content":"${text(i)}"}`, "null"),
  end: () => `${chunk("{}", '"length"')}data: [DONE]\n\n`
}

const whole = (tokens: number) =>
  JSON.stringify({
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1_700_000_000,
    model: "minillama",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: Array.from({ length: tokens }, (_, i) => text(i)).join("") },
        logprobs: null,
        finish_reason: "length"
      }
    ],
    usage: { prompt_tokens: 5, completion_tokens: tokens, total_tokens: tokens + 5 }
  })

type Format = typeof native | typeof openAi

const emit = (
  response: ServerResponse,
  format: Format,
  { max_tokens: total, seed: pace }: Ask,
  onToken: (next: number) => void = () => undefined
) => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" })
  let i = 0
  const frames = (count: number) => {
    let out = i === 0 ? format.head : ""
    for (const end = Math.min(total, i + count); i < end; i++) out += format.token(i)
    onToken(i)
    return out
  }
  const end = () => response.end(format.end(total))
  if (pace > 0) {
    const began = performance.now()
    const next = () => {
      if (response.destroyed) return
      response.write(frames(1))
      if (i === total) end()
      else setTimeout(next, Math.max(0, began + (i * 1000) / pace - performance.now()))
    }
    return next()
  }
  // one step: false once the answer is over
  const step = () => {
    if (response.destroyed) return false
    if (response.writableNeedDrain) return true
    response.write(frames(1))
    if (i === total) end()
    return i < total
  }
  return decode(step)
}

const decoding = new Set<() => boolean>()
const decode = (step: () => boolean) => {
  if (decoding.size === 0) setImmediate(nextStep)
  decoding.add(step)
}
const nextStep = () => {
  for (const step of decoding) if (!step()) decoding.delete(step)
  if (decoding.size > 0) setImmediate(nextStep)
}

const bodyOf = async (request: IncomingMessage): Promise<Ask> => {
  let body = ""
  for await (const piece of request) body += String(piece)
  return JSON.parse(body) as Ask
}

const json = (response: ServerResponse, status: number, body: string) =>
  response
    .writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
    .end(body)

/** `running`: the answers that queens read at the moment, by their infer's id. */
export const serveScripted = (running: Map<string, Running> = new Map()): Server => {
  const asks = new Map<string, Ask>()
  let count = 0
  const follow = (response: ServerResponse, id: string, ask: Ask) => {
    const answer = { jobId: ask.job_id ?? "", epoch: ask.epoch ?? 0, next: 0 }
    running.set(id, answer)
    response.on("close", () => running.delete(id))
    response.setHeader("x-infer-id", id)
    return emit(response, native, ask, (next) => void (answer.next = next))
  }
  return createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const { method, url = "" } = request
    if (method === "POST" && url === "/infer") {
      const id = `infer-${++count}`
      const ask = await bodyOf(request)
      // older queens ask for its tokens by a call of its own
      if (request.headers.accept?.includes("text/event-stream") === true) return follow(response, id, ask)
      asks.set(id, ask)
      return json(response, 201, JSON.stringify({ infer_id: id, events: `/infer/${id}/events` }))
    }
    if (method === "GET" && url.startsWith("/infer/")) {
      const id = url.split("/")[2] ?? ""
      const ask = asks.get(id)
      asks.delete(id)
      return ask === undefined ? json(response, 404, "{}") : follow(response, id, ask)
    }
    if (method === "POST" && url === "/v1/chat/completions") {
      const ask = await bodyOf(request)
      return ask.stream === true ? emit(response, openAi, ask) : json(response, 200, whole(ask.max_tokens))
    }
    // the stream that a bare pipe of the worker's own format stands for
    if (method === "POST" && url === "/native") return emit(response, native, await bodyOf(request))
    return json(response, method === "DELETE" ? 204 : 404, "")
  })
}

export const startScriptedWorker = (host = "127.0.0.1"): Promise<number> => {
  const server = serveScripted()
  return new Promise((resolve) => server.listen(0, host, () => resolve((server.address() as AddressInfo).port)))
}
