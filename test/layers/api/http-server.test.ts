/** What only HTTP has: heads, methods, bodies, ports and ends of connections. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Sink } from "../../../src/protocol/endpoint.ts"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { frame, readEvents } from "../../../src/protocol/sse.ts"
import { streamingApi } from "../../support/streaming-api.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { ask, quiet, rawConnection, serve } from "./http-support.ts"
import { patience } from "../../support/patience.ts"

const infer = (body: string, path = "/infer") => ({ method: "POST", path, body })

describe("requests", () => {
  it.scopedLive("unknown paths, methods, bodies and ids get their own errors in the one envelope", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const refused = (request: Parameters<typeof ask>[1]) =>
        Effect.map(ask(url, request), ({ status, code }) => `${status} ${String(code)}`)
      expect(yield* refused({ path: "/nothing/here" })).toBe("404 NOT_FOUND")
      expect(yield* refused({ path: "/infer" })).toBe("405 METHOD_NOT_ALLOWED")
      expect(yield* refused({ method: "PATCH", path: "/health" })).toBe("405 METHOD_NOT_ALLOWED")
      expect(yield* refused(infer("{"))).toBe("400 INVALID_REQUEST")
      expect(yield* refused(infer("[1]"))).toBe("400 INVALID_REQUEST")
      expect(yield* refused(infer('{"job_id":"job-1","epoch":NaN}'))).toBe("400 INVALID_REQUEST")
      expect(yield* refused(infer('{"job_id":"job-1","epoch":1,"temperature":1e999}'))).toBe("400 INVALID_REQUEST")
      for (const id of ["..%2F..%2Fetc%2Fpasswd", "%2e%2e", "a%00b", "a%0d%0ab", "x".repeat(65), ""]) {
        expect(yield* refused({ path: `/infer/${id}/events` })).toBe("400 INVALID_REQUEST")
      }
      for (const path of ["/infer/../../etc/passwd", "/infer/%zz/events", "//", "*"]) {
        expect(yield* refused({ path })).toBe("404 NOT_FOUND")
      }
      const { headers } = yield* ask(url, { path: "/infer" })
      expect(headers.allow).toBe("POST, DELETE")
    })
  )

  it.scopedLive("unknown fields are ignored where the endpoint is not strict", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const got = yield* ask(url, infer('{"job_id":"job-1","epoch":1,"prompt":"hi","later":true}'))
      expect([got.status, got.text]).toEqual([201, '{"prompt":"hi"}'])
    })
  )

  it.scopedLive("a body over the limit is 413, announced or not, and its connection is still good for the answer", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const body = JSON.stringify({ deadline_ms: 1, filler: "x".repeat(2 * 1024 * 1024) })
      for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
        const got = yield* ask(url, { ...infer(body, "/shutdown"), headers })
        expect([got.status, got.code]).toEqual([413, "PAYLOAD_TOO_LARGE"])
        expect(got.text).not.toContain("xxx")
      }
      const endless = yield* ask(url, infer("x".repeat(20 * 1024 * 1024), "/shutdown")).pipe(Effect.either)
      // far beyond the limit the server stops to read: the client sees the answer or a closed connection
      if (endless._tag === "Right") expect(endless.right.status).toBe(413)
      expect((yield* ask(url)).status).toBe(200)
    })
  )

  it.scopedLive("a long body is read as a short one is", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const infer = (body: string) => ask(url, { method: "POST", path: "/infer", body })
      const prompt = 'größe € 🐝 "\n'.repeat(200_000)
      const body = JSON.stringify({ job_id: "job-1", epoch: 1, prompt })
      for (const text of [body, `\uFEFF${body}`]) expect(JSON.parse((yield* infer(text)).text)).toEqual({ prompt })
      for (const [text, what] of [
        [`[${body}]`, "the body must be a JSON object"],
        [`${body}}`, "the body is not valid JSON"],
        [body.replace("{", '{"__proto__":1,'), "unknown field __proto__"],
        [body.replace("job_id", "id"), "field job_id is missing"],
        [`{"messages":[${"{},".repeat(300_000)}{}]}`, "the body has more than 8192 objects and lists"]
      ] as const) {
        const refused = yield* infer(text)
        expect([refused.status, refused.code]).toEqual([400, "INVALID_REQUEST"])
        expect(refused.text).toContain(what)
      }
    })
  )

  it.scopedLive("a body may begin with a byte order mark, and be packed", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const json = '{"job_id":"job-1","epoch":1,"prompt":"hi é"}'
      const sent = (body: string | Uint8Array, encoding?: string) =>
        Effect.map(
          ask(url, {
            method: "POST",
            path: "/infer",
            body,
            headers: encoding === undefined ? {} : { "content-encoding": encoding }
          }),
          ({ status, text }) => `${status} ${text}`
        )
      const right = '201 {"prompt":"hi é"}'
      expect(yield* sent(`\uFEFF${json}`)).toBe(right)
      expect(yield* sent(gzipSync(json), "gzip")).toBe(right)
      expect(yield* sent(gzipSync(`\uFEFF${json}`), "X-GZIP")).toBe(right)
      expect(yield* sent(deflateSync(json), "deflate")).toBe(right)
      expect(yield* sent(deflateRawSync(json), "deflate")).toBe(right)
      expect(yield* sent(brotliCompressSync(json), "br")).toBe(right)
      expect(yield* sent(json, "identity")).toBe(right)
      for (const encoding of ["zstd", "gzip, br", "__proto__"])
        expect(yield* sent(json, encoding)).toMatch(/^415 .*gzip, deflate, br/)
      for (const encoding of ["gzip", "deflate", "br"])
        expect(yield* sent(json, encoding)).toMatch(/^400 .*is not what its content-encoding says/)
      expect(yield* sent(gzipSync(json).subarray(0, 30), "gzip")).toMatch(/^400 /)
      expect(yield* sent(Buffer.from(`\uFEFF${json}`, "utf16le"))).toMatch(/^400 .*not UTF-8/)
    })
  )

  it.scopedLive("a small body that unpacks to a large one is 413", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const filler = Buffer.from(`{"deadline_ms":1,"filler":"${"x".repeat(64 * 1024 * 1024)}"}`)
      for (const [encoding, body] of [
        ["gzip", gzipSync(filler)],
        ["deflate", deflateSync(filler)]
      ] as const) {
        const got = yield* ask(url, {
          method: "POST",
          path: "/shutdown",
          body,
          headers: { "content-encoding": encoding }
        })
        expect([encoding, got.status, got.code]).toEqual([encoding, 413, "PAYLOAD_TOO_LARGE"])
      }
    })
  )

  it.scopedLive("a fine correlation id is taken over, any other is replaced", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const withId = (id: string) =>
        Effect.map(ask(url, { path: "/nothing", headers: { "x-correlation-id": id } }), ({ headers, text }) => {
          expect(JSON.parse(text).error.correlation_id).toBe(headers["x-correlation-id"])
          return headers["x-correlation-id"]
        })
      expect(yield* withId("corr-1.a:b_c")).toBe("corr-1.a:b_c")
      for (const bad of ["a b", "x".repeat(129), "é", "<script>"]) expect(yield* withId(bad)).toMatch(/^[0-9a-f-]{36}$/)
    })
  )

  it.scopedLive("a full queue says when to come back", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ infer: () => Effect.fail(rbeeError("QUEUE_FULL", "512 jobs wait")) })
      const got = yield* ask(url, infer('{"job_id":"job-1","epoch":1}'))
      expect([got.status, got.headers["retry-after"], JSON.parse(got.text).error.type]).toEqual([
        429,
        "1",
        "rate_limit_error"
      ])
    })
  )

  it.scopedLive("an error cannot choose a status that is none", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ infer: () => Effect.fail(rbeeError("INTERNAL", "odd", "", { status: 200 })) })
      expect((yield* ask(url, infer('{"job_id":"job-1","epoch":1}'))).status).toBe(500)
    })
  )

  it.scopedLive("HEAD answers like GET, without a body", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const got = yield* ask(url, { method: "HEAD" })
      expect([got.status, got.text]).toEqual([200, ""])
      const stream = yield* ask(url, { method: "HEAD", path: "/infer/a/events" })
      expect([stream.status, stream.headers["content-type"], stream.text]).toEqual([
        200,
        "text/event-stream; charset=utf-8",
        ""
      ])
    })
  )

  it.scopedLive("two requests in one packet are answered in order", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const done = yield* Deferred.make<string>()
      let text = ""
      yield* rawConnection(
        url,
        "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /none HTTP/1.1\r\nHost: localhost\r\n\r\n",
        (more) => {
          text += more
          if (text.includes("NOT_FOUND")) Deferred.unsafeDone(done, Effect.succeed(text))
        }
      )
      expect((yield* Deferred.await(done)).indexOf("200 OK")).toBeLessThan(text.indexOf("404 Not Found"))
    })
  )
})

describe("streams", () => {
  it.scopedLive("have the heads of SSE, one retry line, and a comment while they are quiet", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({}, { keepAliveMs: 30 })
      const enough = yield* Deferred.make<string>()
      let text = ""
      yield* rawConnection(url, "GET /infer/a/events HTTP/1.1\r\nHost: localhost\r\n\r\n", (more) => {
        text += more
        if (text.split(": keep-alive\n\n").length > 3) Deferred.unsafeDone(enough, Effect.succeed(text))
      })
      yield* Deferred.await(enough)
      expect(text).toMatch(/^HTTP\/1.1 200 OK\r\n/)
      expect(text).toContain("Content-Type: text/event-stream; charset=utf-8\r\n")
      expect(text).toContain("Cache-Control: no-cache, no-transform\r\n")
      expect(text).toContain("X-Accel-Buffering: no\r\n")
      expect(text.match(/retry: \d+\n\n/g)).toHaveLength(1)
    })
  )

  it.scopedLive("a reader that stops reading does not slow another", () =>
    Effect.gen(function* () {
      const piece = frame({ event: "token", data: "x".repeat(10_000) })
      const stuck = yield* Deferred.make<void>()
      const source = (sink: Sink) =>
        Effect.async<void>((resume) => {
          let left = 2000
          const go = (): void => {
            while (left-- > 0) {
              if (sink.write(piece)) continue
              Deferred.unsafeDone(stuck, Effect.void)
              return sink.drain(go)
            }
            resume(Effect.void)
          }
          go()
        })
      const { url } = yield* serve({ inferEvents: () => Effect.succeed(source) })
      const lazy = yield* rawConnection(url, "GET /infer/a/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
      lazy.pause()
      yield* Deferred.await(stuck)
      let events = 0
      const feed = yield* makeHttpClient(streamingApi, { baseUrl: url }).inferEvents({ id: "b" })
      yield* readEvents(feed, () => events++)
      expect(events).toBe(2000)
    })
  )
})

describe("ports", () => {
  it.scopedLive("a taken port is CONFLICT with the port, and the next one is tried where that is allowed", () =>
    Effect.gen(function* () {
      const { port } = yield* serve()
      const error = yield* Effect.flip(serve({}, { port }))
      expect([error.code, error.details["port"]]).toEqual(["CONFLICT", port])
      expect(error.message).toContain(String(port))
      const next = yield* serve({}, { port, portTries: 20 })
      expect(next.port).toBeGreaterThan(port)
      expect((yield* ask(next.url)).status).toBe(200)
    })
  )

  it.scopedLive("a name that is not this machine's cannot be listened on", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(serve({}, { host: "192.0.2.1", token: "0123456789abcdef" }))
      expect(error.code).toBe("CONFLICT")
      expect(error.message).toContain("192.0.2.1")
    })
  )
})

describe("the end of a server", () => {
  it.live("is bounded with streams open, whether their readers read or not, and idle connections", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const outer = yield* Scope.make()
      let interrupted = 0
      const endless = (sink: Sink) =>
        Effect.async<void>(() => {
          const go = (): void => {
            while (sink.write(frame({ data: "x".repeat(10_000) })));
            sink.drain(go)
          }
          go()
          return Effect.sync(() => interrupted++)
        })
      const { url, port } = yield* serve({ inferEvents: () => Effect.succeed(endless) }).pipe(Scope.extend(scope))
      for (let n = 0; n < 5; n++) {
        const head = "GET /infer/a/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        const first = yield* Deferred.make<void>()
        const socket = yield* rawConnection(url, head, () => Deferred.unsafeDone(first, Effect.void)).pipe(
          Scope.extend(outer)
        )
        yield* Deferred.await(first)
        if (n % 2 === 0) socket.pause()
      }
      // one that has sent half a request, and one that has sent nothing
      yield* rawConnection(url, "POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{").pipe(
        Scope.extend(outer)
      )
      yield* rawConnection(url, "").pipe(Scope.extend(outer))
      const began = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - began).toBeLessThan(patience(1500))
      expect(interrupted).toBe(5)
      // the port is free again
      yield* Effect.scoped(serve({}, { port }))
      yield* Scope.close(outer, Exit.void)
    })
  )

  it.scopedLive("takes almost no time when nothing is under way, also with kept and silent connections", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* serve({}, { graceMs: 5000 }).pipe(Scope.extend(scope))
      yield* makeHttpClient(streamingApi, { baseUrl: url }).health({})
      yield* rawConnection(url, "")
      yield* rawConnection(url, "GET /health HT")
      const began = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - began).toBeLessThan(patience(2500))
    })
  )

  it.live("lets an answer that is under way come to its end", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const began = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const { url } = yield* serve(
        { cancelInfer: () => Effect.zipRight(Deferred.succeed(began, undefined), Deferred.await(gate)) },
        { graceMs: 5000 }
      ).pipe(Scope.extend(scope))
      const call = yield* Effect.fork(ask(url, { method: "DELETE", path: "/infer/a" }))
      yield* Deferred.await(began)
      const end = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      expect((yield* Fiber.join(call)).status).toBe(204)
      yield* Fiber.join(end)
    })
  )

  it.live("does not wait for a handler that cannot be interrupted", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const began = yield* Deferred.make<void>()
      const { url } = yield* serve({
        cancelInfer: () =>
          Effect.uninterruptible(Effect.zipRight(Deferred.succeed(began, undefined), Effect.sleep(2000)))
      }).pipe(Scope.extend(scope))
      const call = yield* Effect.fork(Effect.either(ask(url, { method: "DELETE", path: "/infer/a" })))
      yield* Deferred.await(began)
      const start = performance.now()
      yield* Scope.close(scope, Exit.void)
      expect(performance.now() - start).toBeLessThan(patience(1500))
      expect((yield* Fiber.join(call))._tag).toBe("Left")
    }).pipe(Effect.provide(quiet))
  )
})
