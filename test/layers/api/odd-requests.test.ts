/** Whatever comes over a connection gets a typed answer: no bare status lines, no 500. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { hubRoutes } from "../../../src/layers/hub/routes.ts"
import { rawConnection, serve } from "./http-support.ts"

/** Status and code of what a raw text is answered; undefined: the connection ended without a word. */
const answerTo = (url: string, text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      let said = ""
      const socket = yield* rawConnection(url, text, (more) => (said += more))
      yield* Effect.async<void>((resume) => void socket.once("close", () => resume(Effect.void)))
      const [, status, body] = /^HTTP\/1\.1 (\d+) [\s\S]*?\r\n\r\n([\s\S]*)$/.exec(said) ?? []
      const error: unknown = /^\{"error":\{"code":"(\w+)"/.exec(body ?? "")?.[1]
      return { status: Number(status), error }
    })
  )
const get = (path: string, method = "GET") =>
  `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`

const beside = { prefix: "/hub", scope: "open", answer: hubRoutes(() => Promise.resolve([])) } as const

describe("an odd request", () => {
  it.scopedLive("that is no HTTP, too long, or meant for a proxy has an error of ours", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const cases = [
        ["hello\r\n\r\n", 400, "INVALID_REQUEST"],
        ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "INVALID_REQUEST"],
        ["GET /health HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", 400, "INVALID_REQUEST"],
        [
          "POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          400,
          "INVALID_REQUEST"
        ],
        [`GET /${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 431, "INVALID_REQUEST"],
        ["CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n", 405, "METHOD_NOT_ALLOWED"],
        ["GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n", 404, "NOT_FOUND"],
        ["GET /nothing HTTP/1.1\r\nHost: localhost\r\nExpect: tea\r\nConnection: close\r\n\r\n", 404, "NOT_FOUND"]
      ] as const
      for (const [text, status, error] of cases) expect(yield* answerTo(url, text), text).toEqual({ status, error })
    })
  )

  it.scopedLive("for a path that is none has an error of ours, at the hub too", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({}, { beside })
      const odd = [
        "/",
        "//",
        "///",
        "/%",
        "/%zz",
        "/%00",
        "/%c0%af",
        "/..",
        "/../..",
        "/[",
        "/http://x",
        "/?",
        "/#",
        "/:",
        "/a:b@c"
      ]
      const api = [
        "/api/models/%ff/x",
        "/api/models/a/b/revision/%",
        "/a/b/resolve/%zz/c",
        "/api/models/a/b/tree/%E0%A4%A"
      ]
      for (const path of [...odd, ...[...odd, ...api].map((one) => `/hub${one}`)]) {
        for (const method of ["GET", "POST", "DELETE", "PUT", "PROPFIND", "OPTIONS", "TRACE"]) {
          const { error, status } = yield* answerTo(url, get(path, method))
          expect(status, `${method} ${path}`).toBeGreaterThanOrEqual(400)
          expect(status, `${method} ${path}`).toBeLessThan(500)
          expect(error, `${method} ${path}`).toBeTypeOf("string")
        }
      }
    })
  )
})
