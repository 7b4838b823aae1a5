/** Bodies: what all of them together may hold, how long one may take, and that others are served meanwhile. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { BodyBudget } from "../../../src/layers/transport/http/server/body-budget.ts"
import { ask, rawConnection, serve } from "./http-support.ts"

const mebibyte = 1024 * 1024
const head = (bytes: number) => `POST /infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`
const hello = { method: "POST", path: "/infer", body: '{"job_id":"job-1","epoch":1,"prompt":"hi"}' }

/** A connection that sends this much of a body, and what it was answered. */
const upload = (url: string, bytes: number, sent: number) =>
  Effect.gen(function* () {
    let said = ""
    const answered = yield* Deferred.make<string>()
    const socket = yield* rawConnection(url, head(bytes) + "x".repeat(sent), (text) => {
      said += text
      if (said.includes("correlation_id")) Deferred.unsafeDone(answered, Effect.succeed(said))
    })
    return { socket, answer: Deferred.await(answered), isAnswered: () => said !== "" }
  })

const until = <R>(holds: () => Effect.Effect<boolean, Error, R>) =>
  Effect.repeat(Effect.zipRight(Effect.sleep("20 millis"), holds()), { until: (is) => is })

describe("the bodies of a daemon", () => {
  it.scopedLive(
    "hold no more than their budget together; a large one more is 429 with Retry-After, a small one is served",
    () =>
      Effect.gen(function* () {
        const { url } = yield* serve({}, { bodies: { bytes: 8 * mebibyte } })
        const begin = upload(url, 6 * mebibyte, 5 * mebibyte)
        let first = yield* begin
        const large = { ...hello, body: "x".repeat(3 * mebibyte) }
        // whoever comes second has no room: while the first is on its way that may be itself
        yield* until(() =>
          Effect.gen(function* () {
            if (first.isAnswered()) first = yield* begin
            return (yield* ask(url, large)).status === 429
          })
        )
        const refused = yield* ask(url, large)
        expect([refused.status, refused.code, refused.headers["retry-after"]]).toEqual([429, "QUEUE_FULL", "2"])
        expect((yield* ask(url, hello)).status).toBe(201)
        expect((yield* ask(url)).status).toBe(200)
        // an abandoned upload gives its bytes back
        first.socket.destroy()
        yield* until(() => Effect.map(ask(url, large), ({ status }) => status === 400))
      })
  )

  it.scopedLive("are held until their handler is through, and no longer", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const infer = () => Effect.as(Deferred.await(gate), {})
      const { url } = yield* serve({ infer }, { bodies: { bytes: 4 * mebibyte } })
      const large = { ...hello, body: JSON.stringify({ job_id: "job-1", epoch: 1, prompt: "x".repeat(2 * mebibyte) }) }
      const first = yield* Effect.fork(ask(url, large))
      yield* until(() =>
        Effect.map(ask(url, { ...large, body: "x".repeat(2 * mebibyte) }), ({ status }) => status === 429)
      )
      yield* Deferred.succeed(gate, undefined)
      expect((yield* first).status).toBe(201)
      expect((yield* ask(url, large)).status).toBe(201)
    })
  )

  it.scopedLive("that come too slowly are 408 and their connection ends, while others are served", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({}, { bodies: { withinMs: 300 } })
      const slow = yield* upload(url, 1000, 1)
      expect((yield* ask(url, hello)).status).toBe(201)
      const answer = yield* slow.answer
      expect(answer).toMatch(/^HTTP\/1\.1 408 /)
      expect(answer).toContain('"code":"DEADLINE_EXCEEDED"')
      expect(answer).toMatch(/connection: close/i)
    })
  )

  it.scopedLive("in thousands of tiny pieces arrive whole", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const body = JSON.stringify({ job_id: "job-1", epoch: 1, prompt: "🐝é".repeat(20_000) })
      const bytes = Buffer.from(body)
      let said = ""
      const socket = yield* rawConnection(url, head(bytes.length), (text) => (said += text))
      yield* Effect.promise(async () => {
        for (let at = 0; at < bytes.length; at += 777) {
          socket.write(bytes.subarray(at, at + 777))
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
      yield* until(() => Effect.sync(() => said.endsWith("}")))
      expect(said).toContain("🐝é".repeat(20_000))
    })
  )

  it("are given back once, however often", () => {
    const budget = new BodyBudget(8 * mebibyte)
    const [a, b] = [budget.hold(), budget.hold()]
    expect(a.take(6 * mebibyte)).toBe(true)
    expect(b.take(2 * mebibyte)).toBe(false)
    a.release()
    a.release()
    expect(b.take(7 * mebibyte)).toBe(true)
    expect(a.take(2 * mebibyte)).toBe(false)
  })
})
