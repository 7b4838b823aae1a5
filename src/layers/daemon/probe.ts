/** Who is at a daemon's address? One small request, judged by its shape, so that no stranger is taken for one of ours. */
import { request } from "node:http"
import * as Effect from "effect/Effect"
import { isErrorCode } from "../../machines/errors.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import type { Probe } from "./index.ts"

/** /health answers in under 500 ms while everything else is busy */
const limitMs = 1000
/** a health is some hundred bytes; a stranger may send anything */
const maxBytes = 16_384

const isHealth = (value: unknown): value is Health => {
  if (typeof value !== "object" || value === null) return false
  const field = value as Readonly<Record<string, unknown>>
  return (
    field["status"] === "healthy" &&
    (field["role"] === "queen" || field["role"] === "hive") &&
    Number.isInteger(field["pid"]) &&
    ["version", "id", "instance"].every((name) => typeof field[name] === "string")
  )
}

/** A daemon that cannot answer even this, because it is ending or has no stores, says so in our words. */
const isOurTrouble = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null || !("error" in value)) return false
  const { error } = value
  return typeof error === "object" && error !== null && "code" in error && isErrorCode(String(error.code))
}

const judge = (status: number | undefined, body: string): Probe => {
  try {
    const health: unknown = JSON.parse(body)
    if (status === 200 && isHealth(health)) return { _tag: "Daemon", health }
    return { _tag: isOurTrouble(health) ? "Silent" : "Stranger" }
  } catch {
    return { _tag: "Stranger" }
  }
}

export const ask = (url: string): Effect.Effect<Probe> =>
  Effect.async((resume) => {
    const settle = (result: Probe) => {
      clearTimeout(limit)
      call.destroy()
      resume(Effect.succeed(result))
    }
    const call = request(new URL("/health", url), { agent: false, headers: { connection: "close" } }, (answer) => {
      let body = ""
      answer.setEncoding("utf8")
      answer.on("data", (text: string) => {
        body += text
        if (body.length > maxBytes) settle({ _tag: "Stranger" })
      })
      answer.on("end", () => settle(judge(answer.statusCode, body)))
      answer.on("error", () => settle({ _tag: "Silent" }))
    })
    const limit = setTimeout(() => settle({ _tag: "Silent" }), limitMs)
    call.on("error", (cause) => {
      const code = "code" in cause ? String(cause.code) : ""
      if (code === "ECONNREFUSED") return settle({ _tag: "Nobody" })
      // "HPE_…": it answered, but not in HTTP
      settle({ _tag: code.startsWith("HPE_") ? "Stranger" : "Silent" })
    })
    call.end()
    return Effect.sync(() => {
      clearTimeout(limit)
      call.destroy()
    })
  })
