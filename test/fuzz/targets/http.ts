/** Queen and hive over HTTP: every call of their OpenAPI documents, nearly right. */
import { Agent, request as ask } from "node:http"
import type { SeededRandom } from "../../../src/simulator/world/kernel/random.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { openApi } from "../../../src/protocol/openapi/openapi.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { openCluster, token } from "../cluster.ts"
import { anything, fromSchema, isJson, mutated, mutatedText, text } from "../mutate.ts"
import { Finding, type Target } from "../target.ts"

interface Call {
  readonly port: number
  readonly method: string
  readonly path: string
  readonly operation: Readonly<Record<string, unknown>>
  readonly root: Readonly<Record<string, unknown>>
}

/** They do what they say: to the daemons under test, or to machines of others. */
const withEffects = new Set([
  "shutdown",
  "suspend",
  "handover",
  "stopHive",
  "startHive",
  "installHive",
  "checkHive",
  "uninstallHive",
  "discoverHives",
  "searchModels",
  "fitModels",
  "endDownload",
  "clearParked",
  "setEntry",
  "removeEntry"
])

const callsOf = (port: number, document: Readonly<Record<string, unknown>>): ReadonlyArray<Call> =>
  Object.entries(isJson(document["paths"]) ? document["paths"] : {}).flatMap(([path, methods]) =>
    Object.entries(isJson(methods) ? methods : {}).flatMap(([method, operation]) =>
      isJson(operation) && !withEffects.has(String(operation["operationId"]))
        ? [{ port, method: method.toUpperCase(), path, operation, root: document }]
        : []
    )
  )

/** Nothing that is asked here leads to another machine. */
const harmless = (body: unknown): unknown => {
  if (!isJson(body)) return body
  const { ssh: _, ...rest } = body
  return "url" in rest ? { ...rest, url: "http://127.0.0.1:1" } : rest
}

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** what no client can put into a request line or a header */
const sendable = (value: string) => safe(value).replace(/[^\x21-\x7e]/gu, encodeURIComponent)

const askedBy = (call: Call, random: SeededRandom): Asked => {
  const parameters = Array.isArray(call.operation["parameters"]) ? call.operation["parameters"].filter(isJson) : []
  const ids = ["localhost", "minillama", "job-00000000", text(random)]
  const path = call.path.replace(/\{\w+\}/g, () => encodeURIComponent(safe(random.pick(ids))))
  const query = parameters
    .filter((each) => each["in"] === "query" && random.chance(0.5))
    .map(
      (each) =>
        `${encodeURIComponent(String(each["name"]))}=${encodeURIComponent(safe(String(fromSchema(each["schema"], call.root, random))))}`
    )
  const content = isJson(call.operation["requestBody"]) ? call.operation["requestBody"]["content"] : undefined
  const media = isJson(content) ? content["application/json"] : undefined
  const schema = isJson(media) ? media["schema"] : undefined
  let body = ""
  if (schema !== undefined || random.chance(0.1)) {
    const right = fromSchema(schema, call.root, random)
    const value = harmless(random.chance(0.2) ? right : random.chance(0.9) ? mutated(right, random) : anything(random))
    body = JSON.stringify(value) ?? ""
    if (random.chance(0.1)) body = mutatedText(body, random)
  }
  const whole = `${path}${query.length > 0 ? `?${query.join("&")}` : ""}`
  const headers: Record<string, string> = { "content-type": "application/json" }
  if (random.chance(0.95)) headers["authorization"] = `Bearer ${token}`
  if (random.chance(0.1)) headers["content-type"] = sendable(text(random))
  if (random.chance(0.05)) headers["content-encoding"] = random.pick(["gzip", "br", "deflate", "identity", "zstd", "x"])
  if (random.chance(0.1)) headers["last-event-id"] = sendable(text(random))
  if (random.chance(0.05)) headers["origin"] = sendable(text(random))
  return {
    method: random.chance(0.95)
      ? call.method
      : random.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"]),
    path: random.chance(0.9) ? whole : `/${sendable(mutatedText(whole, random))}`,
    headers,
    body
  }
}
/** half a surrogate pair becomes U+FFFD */
const safe = (value: string) => Buffer.from(value).toString()

/** milliseconds; an event stream that is open is an answer */
const limitMs = 15_000

const answerOf = (
  port: number,
  agent: Agent,
  asked: Asked
): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const { body, headers, method, path } = asked
    const request = ask({
      agent,
      host: "127.0.0.1",
      port,
      method,
      path,
      headers: { ...headers, "content-length": Buffer.byteLength(body) }
    })
    const late = setTimeout(() => {
      reject(new Finding("hang", `${method} ${path} ${body.slice(0, 500)}: no answer in ${limitMs} ms`))
      request.destroy()
    }, limitMs)
    request.on("response", (response) => {
      const status = response.statusCode ?? 0
      clearTimeout(late)
      if (String(response.headers["content-type"]).startsWith("text/event-stream")) {
        response.on("error", () => undefined)
        request.destroy()
        return resolve({ status, body: "" })
      }
      let text = ""
      response.on("data", (chunk: Buffer) => void (text += chunk.toString()))
      response.on("end", () => resolve({ status, body: text }))
      response.on("error", reject)
    })
    request.on("error", (error) => {
      clearTimeout(late)
      reject(error)
    })
    request.end(body)
  })

/** The inspector is a page: who may not see it reads why, and what to do. */
const pageRefused = /^<!doctype html>[\s\S]*This needs the cluster's token/

/** A refusal names a code; 500 is never one. */
const judge = (asked: Asked, { body, status }: { readonly status: number; readonly body: string }): void => {
  if (status < 400 || asked.method === "HEAD" || (status === 401 && pageRefused.test(body))) return
  const code = /"code":\s*"([A-Za-z_]+)"/.exec(body)?.[1]
  const shown = () =>
    `${asked.method} ${asked.path} ${JSON.stringify(asked.headers)} ${asked.body.slice(0, 800)} → ${status} ${body.slice(0, 300)}`
  if (status === 500 || code === undefined || code === "INTERNAL") throw new Finding("untyped", shown())
}

export const http: Target = {
  name: "http",
  parallel: 8,
  open: async () => {
    const { check, machine, peakMb } = await openCluster()
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    const info = { version: "0", guarded: true }
    const calls = [
      ...callsOf(machine.ports.queen, openApi(queenApi, { title: "queen", ...info })),
      ...callsOf(machine.ports.hive, openApi(hiveApi, { title: "hive", ...info }))
    ]
    return {
      one: async (random) => {
        const call = random.pick(calls)
        const asked = askedBy(call, random)
        judge(asked, await answerOf(call.port, agent, asked))
        return 1
      },
      check,
      peakMb,
      close: async () => {
        agent.destroy()
        await machine.dispose()
      }
    }
  }
}
