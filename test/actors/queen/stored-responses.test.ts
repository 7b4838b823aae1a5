/** Responses of a real queen, over fake hives and workers: whose they are, and what becomes of them when she dies. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { Call } from "../../../src/protocol/endpoint.ts"
import type { RbeeError } from "../../../src/machines/errors.ts"
import { type Caller, holder, local } from "../../../src/protocol/rights.ts"
import { makeWorld } from "../../support/queen/world.ts"

const hello = { model: "minillama", input: "hello", background: true }
const other: Caller = { name: "somebody else", may: local.may }

const by =
  (caller: Caller) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.provideService(effect, Call, { correlationId: undefined, deadline: undefined, caller })

/** The name of the response that was made. */
const idOf = (reply: unknown): string =>
  typeof reply === "object" && reply !== null && "body" in reply ? JSON.parse(JSON.stringify(reply.body)).id : ""

describe("A response of a queen", () => {
  it.scoped("answers to the right that it was made under, and to who sees everything; to others it is not there", () =>
    Effect.gen(function* () {
      const { api } = yield* makeWorld()
      const id = idOf(yield* by(local)(api.v1CreateResponse(hello)))
      for (const caller of [local, holder]) {
        const reply = yield* by(caller)(api.v1Response({ id }))
        expect(reply).toMatchObject({ body: { id, background: true } })
      }
      const asks: ReadonlyArray<Effect.Effect<unknown, RbeeError>> = [
        api.v1Response({ id }),
        api.v1Response({ id, stream: true }),
        api.v1CancelResponse({ id }),
        api.v1DeleteResponse({ id }),
        api.v1ResponseInput({ id })
      ]
      for (const ask of asks) expect(yield* Effect.flip(by(other)(ask))).toMatchObject({ code: "NOT_FOUND" })
      const goesOn = by(other)(api.v1CreateResponse({ ...hello, previous_response_id: id }))
      expect(yield* Effect.flip(goesOn)).toMatchObject({ details: { field: "previous_response_id" } })
      expect(yield* by(local)(api.v1DeleteResponse({ id }))).toMatchObject({ deleted: true })
    })
  )

  it.scoped(
    "that lost its reader with her has 10 s to get another at the next one; one in the background needs none",
    () =>
      Effect.gen(function* () {
        const first = yield* makeWorld()
        first.hive.script = () => ({ holdAt: 2 })
        const background = idOf(yield* first.api.v1CreateResponse(hello))
        const reading = yield* Effect.fork(first.api.v1CreateResponse({ ...hello, background: false }))
        yield* TestClock.adjust("3 seconds")
        const jobs = yield* first.api.listJobs({})
        const read = jobs.map(({ job_id }) => `resp_${job_id}`).find((id) => id !== background) ?? ""
        yield* first.crash
        yield* Effect.sync(() => reading.unsafeInterruptAsFork(reading.id()))

        const next = yield* makeWorld({ stores: first.stores })
        next.hive.script = () => ({ holdAt: 2 })
        yield* TestClock.adjust("9 seconds")
        const statusOf = (id: string) => next.api.v1Response({ id })
        expect(yield* statusOf(read)).not.toMatchObject({ body: { status: "cancelled" } })
        yield* TestClock.adjust("2 seconds")
        expect(yield* statusOf(read)).toMatchObject({ body: { status: "cancelled" } })
        expect(yield* statusOf(background)).not.toMatchObject({ body: { status: "cancelled" } })
      })
  )
})
