/** A stream whose answer is long in coming: its head is not, and what goes wrong later is told in it. */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { describe } from "vitest"
import { rbeeError } from "../../../src/machines/errors.ts"
import { edge, hello, layer, sayAll } from "../../support/queen/openai-edge.ts"

/** One of each surface: what a keep-alive is, how it ends well, and how badly. */
const surfaces = [
  {
    path: "/v1/chat/completions",
    body: { ...hello, stream: true },
    alive: ": keep-alive\n\n",
    whole: "data: [DONE]\n\n",
    failed: '"code":"worker_crashed"'
  },
  {
    path: "/v1/responses",
    body: { model: "minillama", input: "hello", stream: true },
    alive: ": keep-alive\n\n",
    whole: "event: response.completed\n",
    failed: '"type":"response.failed"'
  },
  {
    path: "/v1/messages",
    body: { ...hello, max_tokens: 9, stream: true },
    alive: 'event: ping\ndata: {"type":"ping"}\n\n',
    whole: 'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    failed: '"type":"api_error"'
  }
]

/** A stream of a job that begins only once it is let. */
const late = ({ body, path }: (typeof surfaces)[number], crashes: boolean) =>
  Effect.gen(function* () {
    const go = yield* Deferred.make<void>()
    const { url } = yield* edge((log) =>
      Effect.zipRight(
        Deferred.await(go),
        crashes
          ? Effect.sync(() => log.end({ _tag: "Error", error: rbeeError("WORKER_CRASHED", "it died") }))
          : sayAll(log)
      )
    )
    const response = fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) })
    const there = { is: false }
    void response.then(() => {
      there.is = true
    })
    let seconds = 0
    while (!there.is) {
      yield* TestClock.adjust("1 second")
      seconds++
      yield* Effect.promise(() => new Promise((resume) => setTimeout(resume, 5)))
    }
    expect(seconds).toBeGreaterThanOrEqual(5)
    yield* Deferred.succeed(go, undefined)
    const { status, text } = yield* Effect.promise(async () => {
      const { status: given, text: read } = await response.then((one) => ({ status: one.status, text: one.text() }))
      return { status: given, text: await read }
    })
    return { status, text }
  })

describe("A stream that has nothing to say for 5 s", () => {
  it.scoped.each(surfaces)("has its head, a sign of life, and later the whole answer: $path", (surface) =>
    Effect.gen(function* () {
      const { status, text } = yield* late(surface, false)
      expect([status, text.startsWith(surface.alive), text.includes(surface.whole)]).toEqual([200, true, true])
    }).pipe(Effect.provide(layer))
  )

  it.scoped.each(surfaces)("tells what goes wrong later, and has no whole end: $path", (surface) =>
    Effect.gen(function* () {
      const { status, text } = yield* late(surface, true)
      expect([status, text.includes(surface.failed), text.includes(surface.whole)]).toEqual([200, true, false])
    }).pipe(Effect.provide(layer))
  )
})
