/** Who may call a daemon over HTTP. */
import { describe, expect, it } from "@effect/vitest"
import { hostname } from "node:os"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { fingerprint } from "../../../src/layers/transport/http/server/guard.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { workerApi } from "../../../src/protocol/worker.ts"
import { ask, echoApi, handlers, serve } from "./http-support.ts"

const token = "a-token-of-enough-length"

describe("a token", () => {
  it.scopedLive("is needed on every route but /health, unknown ones included", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({}, { token })
      const refused = (path: string, headers: Readonly<Record<string, string>> = {}) =>
        Effect.map(ask(url, { path, headers }), (got) => `${got.status} ${String(got.code)}`)
      expect((yield* ask(url)).status).toBe(200)
      expect(yield* refused("/ready")).toBe("401 MISSING_API_KEY")
      expect(yield* refused("/nothing")).toBe("401 MISSING_API_KEY")
      expect(yield* refused("/ready", { authorization: `Basic ${token}` })).toBe("401 MISSING_API_KEY")
      for (const wrong of ["x", `${token}x`, token.slice(1), token.toUpperCase()]) {
        expect(yield* refused("/ready", { authorization: `Bearer ${wrong}` })).toBe("401 INVALID_API_KEY")
      }
      expect((yield* ask(url, { path: "/ready", headers: { authorization: `bearer ${token}` } })).status).toBe(200)
      expect((yield* ask(url, { path: "/nothing", headers: { authorization: `Bearer ${token}` } })).status).toBe(404)
      const { headers } = yield* ask(url, { path: "/ready" })
      expect(headers["www-authenticate"]).toBe("Bearer")
    })
  )

  it.scopedLive("may be one of several, which come and go while the daemon serves", () =>
    Effect.gen(function* () {
      const right = new Set([token])
      const { url } = yield* serve({}, { token: () => right })
      const status = (own: string) =>
        Effect.map(ask(url, { path: "/ready", headers: { authorization: `Bearer ${own}` } }), (got) => got.status)
      expect(yield* status(token)).toBe(200)
      expect(yield* status("another-token-altogether")).toBe(401)
      right.add("another-token-altogether")
      expect(yield* status("another-token-altogether")).toBe(200)
      expect(yield* status(token)).toBe(200)
      right.clear()
      expect(yield* status(token)).toBe(401)
      expect((yield* ask(url, { path: "/ready" })).status).toBe(401)
    })
  )

  it.scopedLive("is sent by a client that has it", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({}, { token })
      const ready = (own?: string) => makeHttpClient(workerApi, { baseUrl: url, token: own }).ready({})
      expect((yield* ready(token))._tag).toBe("Json")
      expect((yield* Effect.flip(ready("another-token-altogether"))).code).toBe("INVALID_API_KEY")
      expect((yield* Effect.flip(ready())).code).toBe("MISSING_API_KEY")
    })
  )

  it.scopedLive("is in the log by 6 digits of its hash alone, right or wrong", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const log = Logger.replace(
        Logger.defaultLogger,
        Logger.map(Logger.stringLogger, (line) => void lines.push(line))
      )
      const options = { host: "127.0.0.1", port: 0, token, role: "worker" }
      const { url } = yield* serveHttp({ ...options, apis: [{ api: echoApi, handlers }] }).pipe(Effect.provide(log))
      const wrong = "a-wrong-token-of-mine"
      yield* ask(url, { path: "/ready", headers: { authorization: `Bearer ${wrong}` } })
      const text = lines.join("\n")
      expect(text).toContain(fingerprint(token))
      expect(text).toContain(fingerprint(wrong))
      expect(fingerprint(token)).toMatch(/^[0-9a-f]{6}$/)
      for (const secret of [token, wrong]) expect(text).not.toContain(secret)
    })
  )

  it.scopedLive("of 16 characters is the price of a bind that others can reach", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::", "192.168.0.5", "example.org"]) {
        const error = yield* Effect.flip(serve({}, { host }))
        expect([error.code, error.message.includes("token"), error.message.includes("127.0.0.1")]).toEqual([
          "INVALID_REQUEST",
          true,
          true
        ])
      }
      const short = yield* Effect.flip(serve({}, { host: "0.0.0.0", token: "fifteen-charact" }))
      expect([short.code, short.message.includes("fifteen")]).toEqual(["INVALID_REQUEST", false])
      const { url } = yield* serve({}, { host: "0.0.0.0", token })
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
      expect((yield* ask(url)).status).toBe(200)
    })
  )
})

describe("a web page", () => {
  const from = (url: string, headers: Readonly<Record<string, string>>, method = "POST") =>
    Effect.map(ask(url, { method, path: "/shutdown", headers }), (got) => got.status)

  it.scopedLive("of another site cannot call a loopback daemon, nor can one behind a rebound name", () =>
    Effect.gen(function* () {
      let calls = 0
      const { url, port } = yield* serve({ shutdown: () => Effect.sync(() => void calls++) })
      const host = `127.0.0.1:${port}`
      for (const origin of [
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        "http://127.0.0.1:1",
        `https://${host}`
      ]) {
        expect(yield* from(url, { origin })).toBe(403)
      }
      for (const name of ["evil.example", `evil.example:${port}`, "127.0.0.1.evil.example", "localhost.evil"]) {
        expect(yield* from(url, { host: name })).toBe(403)
      }
      for (const site of ["cross-site", "same-site"]) expect(yield* from(url, { "sec-fetch-site": site })).toBe(403)
      expect(calls).toBe(0)
      for (const name of [
        "localhost",
        "localhost.",
        `LOCALHOST:${port}`,
        "192.168.0.5",
        "host.docker.internal",
        hostname(),
        "127.0.0.1",
        "127.8.8.8",
        "[::1]",
        `[::1]:${port}`
      ]) {
        expect(yield* from(url, { host: name })).toBe(202)
      }
      expect(yield* from(url, { origin: `http://${host}`, "sec-fetch-site": "same-origin" })).toBe(202)
      expect(calls).toBe(11)
    })
  )

  it.scopedLive("gets no CORS headers, not even on its preflight", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const preflight = yield* ask(url, {
        method: "OPTIONS",
        path: "/shutdown",
        headers: { origin: "http://evil.example", "access-control-request-method": "POST" }
      })
      expect(preflight.status).toBe(403)
      for (const got of [preflight, yield* ask(url)]) {
        expect(Object.keys(got.headers).filter((name) => name.startsWith("access-control"))).toEqual([])
      }
    })
  )
})
