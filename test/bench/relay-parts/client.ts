/** The client of relay benchmarks: counts what arrives, and when. */
import { Agent, request as ask } from "node:http"

/** How a contender is asked. */
export interface Route {
  readonly port: number
  /** `jobs`: POST /jobs, then its events; else one POST to this path */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface StreamTimes {
  /** milliseconds from the request to its first token */
  readonly firstMs: number
  /** milliseconds between arrivals of tokens */
  readonly gaps: ReadonlyArray<number>
}

export const makeClient = () => {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })

  const send = (
    { port, headers }: Route,
    method: string,
    path: string,
    body: string,
    onChunk: (chunk: Buffer) => void
  ): Promise<void> =>
    new Promise((resolve, reject) => {
      const request = ask(
        {
          agent,
          host: "127.0.0.1",
          port,
          method,
          path,
          headers: {
            ...headers,
            ...(body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
          }
        },
        (response) => {
          const status = response.statusCode ?? 0
          let refusal = ""
          response.on("data", status < 300 ? onChunk : (chunk: Buffer) => void (refusal += chunk.toString()))
          response.on("error", reject)
          response.on("end", () =>
            status < 300 ? resolve() : reject(new Error(`${path} answered ${status}: ${refusal.slice(0, 300)}`))
          )
        }
      )
      request.on("error", reject)
      request.end(body)
    })

  const body = (jobs: boolean, tokens: number, pace: number, stream: boolean) =>
    JSON.stringify({
      model: "minillama",
      ...(jobs ? { prompt: "hello" } : { messages: [{ role: "user", content: "hello" }] }),
      max_tokens: tokens,
      seed: pace,
      stream
    })

  /** One stream to its end; fails unless every token came. */
  const stream = async (route: Route, tokens: number, pace: number): Promise<StreamTimes> => {
    const jobs = route.path === "jobs"
    const pieces: Array<Buffer> = []
    const gaps: Array<number> = []
    const began = performance.now()
    let first = 0
    let last = 0
    const onChunk = (chunk: Buffer) => {
      pieces.push(chunk)
      if (!chunk.includes(" wrd")) return
      const now = performance.now()
      if (first === 0) first = now
      else gaps.push(now - last)
      last = now
    }
    const ask = body(jobs, tokens, pace, true)
    if (jobs) {
      let answer = ""
      await send(route, "POST", "/jobs", ask, (chunk) => void (answer += chunk.toString()))
      await send(route, "GET", (JSON.parse(answer) as { events: string }).events, "", onChunk)
    } else await send(route, "POST", route.path, ask, onChunk)
    const got = Buffer.concat(pieces).toString().split(" wrd").length - 1
    if (got !== tokens) throw new Error(`${route.path} gave ${got} of ${tokens} tokens`)
    return { firstMs: first - began, gaps }
  }

  /** One answer that is not streamed; milliseconds. */
  const answer = async (route: Route, tokens: number): Promise<number> => {
    const began = performance.now()
    let text = ""
    await send(route, "POST", route.path, body(false, tokens, 0, false), (chunk) => void (text += chunk.toString()))
    const ms = performance.now() - began
    const got = text.split(" wrd").length - 1
    if (got !== tokens) throw new Error(`${route.path} gave ${got} of ${tokens} tokens: ${text.slice(0, 200)}`)
    return ms
  }

  return { stream, answer, close: () => agent.destroy() }
}
export type Client = ReturnType<typeof makeClient>
