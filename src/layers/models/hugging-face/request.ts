/** Requests to a hub: redirects by hand, so that the token stays with the origin that it is meant for. */
import { type Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http"
import { request as requestHttps } from "node:https"
import { getProxyForUrl } from "proxy-from-env"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"

export interface Ask {
  readonly method: "GET" | "HEAD"
  readonly headers?: Readonly<Record<string, string>>
  readonly token: string | undefined
  /** the token goes to this origin and no other */
  readonly origin: string
  readonly stallMs: number
  /** whoever says nothing at all for this long is down */
  readonly answerMs: number
  readonly signal?: AbortSignal | undefined
  /** no proxy is asked: the hub is one of this cluster */
  readonly isOurs?: boolean
  /** a Unix socket that leads there */
  readonly socketPath?: string | undefined
}

export interface Answer {
  /** of the last hop */
  readonly url: URL
  readonly response: IncomingMessage
  readonly status: number
  /** headers of all hops: what an earlier one said wins, for only the hub itself knows the file's identity */
  readonly header: (name: string) => string | undefined
}

const hopsMax = 8

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unknown"

const stalled = (url: URL, ms: number) =>
  rbeeError("DOWNLOAD_STALLED", `nothing came from ${url.host} for ${ms / 1000} s`, "Check the network, then try again")

const silent = (who: string, todo: string, ms: number) =>
  rbeeError("DOWNLOAD_STALLED", `${who} does not answer: not a word in ${ms / 1000} s`, todo, {
    unreachable: true,
    silent: true
  })

const unreachable = /^(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EHOSTDOWN|ENETDOWN)$/
/** What OpenSSL says of a certificate that it does not trust; most often somebody on the way reads along. */
const untrusted = /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF|UNABLE_TO_|CERT_|ERR_TLS_CERT)/

const checkHub =
  "Check the network and HF_ENDPOINT (a hive has that of its start: `rbee down` before another one), or use file:/absolute/path.gguf"

export const broken = (url: URL, error: unknown): RbeeError => {
  if (error instanceof RbeeError) return error
  const reason = codeOf(error)
  if (unreachable.test(reason))
    return rbeeError("DOWNLOAD_FAILED", `${url.host} cannot be reached (${reason})`, checkHub, {
      reason,
      unreachable: true
    })
  if (untrusted.test(reason))
    return rbeeError(
      "DOWNLOAD_FAILED",
      `the certificate of ${url.host} is not trusted (${reason})`,
      "Where a proxy or a company's own authority stands between, start the hive with NODE_EXTRA_CA_CERTS=/its/authority.pem",
      { reason, unreachable: true, permanent: true }
    )
  return rbeeError("DOWNLOAD_FAILED", `the connection to ${url.host} broke (${reason})`, "Try again", { reason })
}

const checkProxy = "Check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the hive"

/** Without its user and password. */
const proxyName = (proxy: string): string => `the proxy ${URL.canParse(proxy) ? new URL(proxy).host : "that is set"}`

const proxyFailed = (proxy: string, what: string, details: Readonly<Record<string, unknown>> = {}) =>
  rbeeError("DOWNLOAD_FAILED", `${proxyName(proxy)} ${what}`, checkProxy, { unreachable: true, ...details })

/** Who is to blame where a proxy stands between: until it has answered, nothing else was reached. */
const brokenBehind = (proxy: string, url: URL, isThrough: boolean, error: unknown): RbeeError => {
  if (error instanceof RbeeError || isThrough) return broken(url, error)
  const reason = codeOf(error)
  return proxyFailed(proxy, `${unreachable.test(reason) ? "cannot be reached" : "broke the connection"} (${reason})`, {
    reason
  })
}

/**
 * HTTPS_PROXY, HTTP_PROXY and NO_PROXY as everywhere, asked for a tunnel whatever goes through it. Loaded where there is
 * one. `false`: a connection of its own too, for one that is cut in mid-file is worth nothing to the next request.
 */
const agentFor = async (proxy: string): Promise<Agent | false> => {
  if (proxy === "") return false
  if (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol))
    throw proxyFailed(proxy, "is no http or https proxy, the only kinds that rbee can use", { permanent: true })
  const { HttpsProxyAgent } = await import("https-proxy-agent")
  return new HttpsProxyAgent(proxy)
}

/** Whether the proxy has let us through, as its agent tells. */
const watchProxy = (sent: ClientRequest, proxy: string) => {
  const seen = { isThrough: proxy === "" }
  sent.on("proxyConnect", ({ statusCode }: { readonly statusCode: number }) => {
    seen.isThrough = statusCode === 200
    if (seen.isThrough) return
    const what = statusCode === 407 ? "wants a user and a password (407)" : `does not let us through (${statusCode})`
    sent.destroy(proxyFailed(proxy, what, { http_status: statusCode, permanent: statusCode < 500 }))
  })
  return seen
}

/** What is left of an answer is not wanted. */
export const drop = (response: IncomingMessage): void => void response.destroy()

const once = async (url: URL, ask: Ask): Promise<IncomingMessage> => {
  const { answerMs, isOurs, method, origin, signal, socketPath, token } = ask
  const proxy = isOurs === true ? "" : getProxyForUrl(url.href)
  const agent = await agentFor(proxy)
  return new Promise<IncomingMessage>((resolve, reject) => {
    const request = url.protocol === "https:" ? requestHttps : requestHttp
    const sent = request(url, {
      method,
      agent,
      ...(socketPath === undefined ? {} : { socketPath }),
      ...(signal === undefined ? {} : { signal }),
      headers: {
        "user-agent": "rbee",
        "accept-encoding": "identity",
        // behind a socket is a daemon of this very machine, as far as it can tell
        ...(socketPath === undefined ? {} : { host: "localhost" }),
        ...ask.headers,
        ...(token !== undefined && url.origin === origin ? { authorization: `Bearer ${token}` } : {})
      }
    })
    const seen = watchProxy(sent, proxy)
    // a request that has no socket yet, because its proxy says nothing, does not tell that it was destroyed
    const giveUp = (error: unknown) => {
      sent.destroy()
      reject(brokenBehind(proxy, url, seen.isThrough, error))
    }
    const timer = setTimeout(() => {
      const [who, todo] = seen.isThrough ? [url.host, checkHub] : [proxyName(proxy), checkProxy]
      giveUp(silent(who, todo, answerMs))
    }, answerMs)
    const stop = () => giveUp(signal?.reason)
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener("abort", stop)
    }
    signal?.addEventListener("abort", stop, { once: true })
    // a hub that is at work says so
    sent.on("information", () => timer.refresh())
    sent.on("error", (error) => {
      settle()
      reject(brokenBehind(proxy, url, seen.isThrough, error))
    })
    sent.on("response", (response) => {
      settle()
      // also of a body that nobody reads
      response.on("error", () => {})
      resolve(response)
    })
    sent.end()
  })
}

const refuse = (url: URL, what: string) =>
  rbeeError("DOWNLOAD_FAILED", `${url.host} ${what}`, "Check HF_ENDPOINT", { permanent: true })

/** The hub, or the origin that it sends us to. `until`: an answer that need not be followed any further. */
export const follow = async (
  start: URL,
  ask: Ask,
  until: (response: IncomingMessage) => boolean = () => false
): Promise<Answer> => {
  const seen: Record<string, string> = {}
  let url = start
  for (let hop = 0; hop < hopsMax; hop++) {
    const response = await once(url, ask)
    const status = response.statusCode ?? 0
    for (const [name, value] of Object.entries(response.headers)) if (typeof value === "string") seen[name] ??= value
    const location = response.headers.location
    if (status < 300 || status >= 400 || location === undefined || until(response)) {
      return { url, response, status, header: (name) => seen[name] }
    }
    drop(response)
    if (!URL.canParse(location, url.href)) throw refuse(url, "sent us to something that is no address")
    const next = new URL(location, url)
    if (next.protocol !== "http:" && next.protocol !== "https:") throw refuse(url, "sent us to something but the web")
    if (url.protocol === "https:" && next.protocol === "http:") throw refuse(url, "sent us away from https")
    url = next
  }
  throw refuse(start, `sent us on more than ${hopsMax} times`)
}

/** The bytes of an answer. Only the wait for the next ones counts as a stall, not the time that the reader takes. */
export async function* bodyOf({ response, url }: Answer, stallMs: number): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = response[Symbol.asyncIterator]()
  try {
    for (;;) {
      const timer = setTimeout(() => response.destroy(stalled(url, stallMs)), stallMs)
      const next = await chunks.next().finally(() => clearTimeout(timer))
      if (next.done === true) return
      yield next.value
    }
  } catch (error) {
    throw broken(url, error)
  } finally {
    drop(response)
  }
}

/** Of a listing; a bound, because it is held in memory. */
export const textOf = async (answer: Answer, stallMs: number, bytesMax = 128 * 1024 * 1024): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let bytes = 0
  for await (const chunk of bodyOf(answer, stallMs)) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > bytesMax) throw refuse(answer.url, "answered more than a listing can be")
  }
  return Buffer.concat(chunks).toString("utf8")
}

/** `Retry-After`, in seconds or as a date, as milliseconds from now; at most five minutes. */
const retryAfter = (answer: Answer): { readonly retry_after_ms?: number } => {
  const text = answer.response.headers["retry-after"]
  if (text === undefined) return {}
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) && ms > 0 ? { retry_after_ms: Math.min(ms, 300_000) } : {}
}

/** What a refusing status means. `what` names the thing that was asked for; `hub`: the hub itself said it. */
export const refusal = (answer: Answer, what: string, hub: boolean): RbeeError => {
  const { response, status, url } = answer
  drop(response)
  const says = String(response.headers["x-error-code"] ?? "")
  const details = { http_status: status }
  if (status === 429) {
    const todo = "Wait a little; with HF_TOKEN set the limits are higher"
    return rbeeError("DOWNLOAD_FAILED", `${url.host} says that we ask too often (429)`, todo, {
      ...details,
      ...retryAfter(answer)
    })
  }
  if (status >= 500 || status === 408) {
    return rbeeError("DOWNLOAD_FAILED", `${url.host} is in trouble (${status})`, "Try again later", {
      ...details,
      ...retryAfter(answer)
    })
  }
  // A link that the hub gave us has expired: the next try gets a new one.
  if (!hub) return rbeeError("DOWNLOAD_FAILED", `${url.host} refused the file (${status})`, "Try again", details)
  if (says.endsWith("NotFound") || status === 404 || status === 410) {
    return rbeeError(
      "MODEL_NOT_FOUND",
      `there is no ${what} on ${url.host}`,
      "Check it: `rbee models search` finds repositories; if it is private, set HF_TOKEN"
    )
  }
  if (status === 401 || status === 403) {
    const gated = says === "GatedRepo" || status === 403
    return rbeeError(
      "MODEL_ACCESS_DENIED",
      gated ? `${what} is gated: ${url.host} wants to know who asks` : `${url.host} does not give ${what} to everybody`,
      gated ? "Accept its terms on its page, then set HF_TOKEN" : "Set HF_TOKEN to a token that may read it"
    )
  }
  return rbeeError("DOWNLOAD_FAILED", `${url.host} answered ${status} for ${what}`, "Check HF_ENDPOINT", {
    ...details,
    permanent: true
  })
}
