/** What a call may fail with: told by its endpoint, held by the compiler in handlers, and at run time where it comes as data. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expect, expectTypeOf, it } from "vitest"
import { endpoint, type Handlers } from "../../src/protocol/endpoint.ts"
import { type Failing, heldTo, ofStarting } from "../../src/protocol/failures.ts"
import type { HiveApi } from "../../src/protocol/hive.ts"
import type { QueenApi } from "../../src/protocol/queen/index.ts"
import type { WorkerApi } from "../../src/protocol/worker.ts"
import { type ErrorCode, type RbeeError, rbeeError } from "../../src/machines/errors.ts"

const api = {
  find: endpoint("GET", "/find", {
    scope: "open",
    summary: "Finds it",
    input: Schema.Struct({}),
    answers: { json: { 200: Schema.String } },
    errors: ["NOT_FOUND"]
  })
} as const

type Call<Code extends ErrorCode> = () => Effect.Effect<string, RbeeError<Code>>
const failing =
  <Code extends ErrorCode>(code: Code): Call<Code> =>
  () =>
    rbeeError(code, "not today")

// `npm run check:types` runs these: a line that says @ts-expect-error and is no error is one
describe("A handler", () => {
  it("may fail with what its endpoint declares, and with what any call may", () => {
    const declared: Handlers<typeof api> = { find: failing("NOT_FOUND") }
    const carried: Handlers<typeof api> = { find: failing("SHUTTING_DOWN") }
    expect(Effect.runSync(Effect.flip(declared.find({}))).code).toBe("NOT_FOUND")
    expect(Effect.runSync(Effect.flip(carried.find({}))).code).toBe("SHUTTING_DOWN")
  })

  it("does not compile where it may fail with anything else", () => {
    // @ts-expect-error -- CONFLICT is not declared
    const undeclared: Handlers<typeof api> = { find: failing("CONFLICT") }
    // @ts-expect-error -- nor is whatever an error may be
    const whatever: Handlers<typeof api> = { find: failing<ErrorCode>("NOT_FOUND") }
    expect([undeclared, whatever]).toHaveLength(2)
  })

  it("is held so in every daemon", () => {
    expectTypeOf<RbeeError<"JOB_NOT_FOUND">>().toExtend<ErrorIn<QueenApi["getJob"]>>()
    expectTypeOf<RbeeError<"MODEL_NOT_FOUND">>().not.toExtend<ErrorIn<QueenApi["getJob"]>>()
    expectTypeOf<RbeeError<"VRAM_EXHAUSTED">>().toExtend<ErrorIn<HiveApi["startWorker"]>>()
    expectTypeOf<RbeeError<"JOB_NOT_FOUND">>().not.toExtend<ErrorIn<HiveApi["startWorker"]>>()
    expectTypeOf<RbeeError<"ALL_SLOTS_BUSY">>().toExtend<ErrorIn<WorkerApi["infer"]>>()
    expectTypeOf<RbeeError<"HIVE_OWNED">>().not.toExtend<ErrorIn<WorkerApi["infer"]>>()
  })
})

type ErrorIn<Handler extends (input: never) => Effect.Effect<unknown, unknown>> = Effect.Effect.Error<
  ReturnType<Handler>
>

describe("An error that came as data", () => {
  it("is what it was where it is declared, and INTERNAL with its code and sentence where not", () => {
    const told: (error: RbeeError) => Failing<typeof ofStarting> = heldTo(ofStarting)
    const known = rbeeError("LOADING_STALLED", "it stands still")
    expect(told(known)).toBe(known)
    expect(told(rbeeError("SSH_FAILED", "no way", "Mend it", { host: "a" }))).toMatchObject({
      code: "INTERNAL",
      what: "no way",
      todo: "Mend it",
      details: { host: "a", remote_code: "SSH_FAILED" }
    })
  })
})
