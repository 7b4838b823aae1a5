/** A candidate that waits for its turn. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { lead } from "../../../src/layers/leadership/index.ts"
import { layerMemory, LeadersSeat } from "../../../src/layers/leadership/memory.ts"
import { layerStandby } from "../../../src/layers/leadership/standby.ts"

it.scoped("leads when the queen is gone who led before", () =>
  Effect.gen(function* () {
    const seat = new LeadersSeat()
    let leads: boolean | undefined = true
    const first = yield* Scope.make()
    yield* lead.pipe(Effect.provide(layerMemory(seat, "http://first")), Scope.extend(first))
    const standby = layerStandby(
      layerMemory(seat, "http://second"),
      Effect.sync(() => leads)
    )
    const waiting = yield* Effect.fork(Effect.provide(lead, standby))
    yield* TestClock.adjust("10 minutes")
    expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
    yield* Scope.close(first, Exit.void)
    leads = undefined
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(waiting)).toMatchObject({ url: "http://second" })
  })
)

it.scoped("fails where somebody else has the address, who is no queen", () =>
  Effect.gen(function* () {
    const seat = new LeadersSeat()
    yield* Effect.provide(lead, layerMemory(seat, "http://stranger"))
    const standby = layerStandby(layerMemory(seat, "http://second"), Effect.succeed(false))
    expect(yield* Effect.flip(Effect.provide(lead, standby))).toMatchObject({ code: "CONFLICT" })
  })
)
