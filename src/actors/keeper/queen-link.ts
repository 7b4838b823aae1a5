/**
 * A keeper's tie to its queen (steps 1 and 2): found or woken, and `/events` open, of which only the lines of the
 * cascade and of lost hives are printed. When the queen is lost the tie is made again.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { readEvents } from "../../protocol/sse.ts"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import { type OwnApi } from "../../protocol/queen/own.ts"
import { QueenLauncher } from "../../layers/queen-launcher/index.ts"
import type { RbeeError } from "../../machines/errors.ts"
import {
  cascadeHives,
  cascadeWorkers,
  goodbye,
  hiveLeft,
  hiveLost,
  queenAsleep,
  queenAwake,
  queenLaunch,
  queenLost,
  sseConnected
} from "../../machines/narration.ts"
import type { Health } from "../../machines/vocabulary/common.ts"
import { fact } from "../../machines/facts.ts"
import { heardIn, lineIn } from "./job-stream.ts"
import type { Renderer } from "./renderer.ts"

export interface QueenLink {
  readonly api: OwnApi
  /** Finds her or wakes her, and opens `/events`: lines 1 and 2. */
  readonly tie: Effect.Effect<void, RbeeError>
  /** Opens `/events` of a queen that is there, and says nothing. */
  readonly watch: Effect.Effect<void, RbeeError>
  /**
   * After a stream broke. The same queen: only the connection was cut, nothing is said. Another or none: she was
   * lost, the next one is found or woken. Returns whether it was the same.
   */
  readonly retie: Effect.Effect<boolean, RbeeError>
  /** Waits until she who refuses new work is gone, and ties to the next. */
  readonly outlive: Effect.Effect<void, RbeeError>
  /** true when this keeper's own spawn became the queen */
  readonly woke: () => boolean
  /** While held, lines of `/events` wait; released they are printed in order. */
  readonly hold: () => void
  readonly release: () => void
  /** Completes once her goodbye was printed, or her stream is over. */
  readonly leave: Effect.Effect<void>
  readonly saidGoodbye: () => boolean
  /** Waits until her process is gone and her port is free. */
  readonly gone: Effect.Effect<boolean>
}

const heardOnEvents = new Set([
  ...[cascadeWorkers(), cascadeHives(), goodbye()].map((line) => line.action),
  hiveLeft("").action,
  hiveLost("", 0).action
])

/** She handed over to one of another version, who has this keeper's job. */
const ofAnyVersion = <A>(found: Effect.Effect<A | Health, RbeeError>): Effect.Effect<A | Health, RbeeError> =>
  Effect.catchAll(found, (error) => {
    const other = error.code === "VERSION_MISMATCH" ? fact(error, "health") : undefined
    return other === undefined ? Effect.fail(error) : Effect.succeed(other)
  })

// long: one connection and what is known of it; each call over it is short
export const makeQueenLink = (
  renderer: Renderer
): Effect.Effect<QueenLink, never, QueenLauncher | QueenConnector | Scope.Scope> =>
  Effect.gen(function* () {
    const launcher = yield* QueenLauncher
    const scope = yield* Effect.scope
    const api = (yield* QueenConnector).connect(launcher.url)
    let health: Health | undefined
    let woke = false
    let ended = false
    let held: Array<() => void> | undefined
    let watch: Fiber.RuntimeFiber<unknown> | undefined
    let farewell = yield* Deferred.make<void>()

    const open = Effect.gen(function* () {
      if (watch !== undefined) yield* Fiber.interrupt(watch)
      const said = yield* Deferred.make<void>()
      farewell = said
      ended = false
      // answered: the stream is open
      const feed = yield* api.events({}).pipe(
        // who may ask models and no more has the job's own stream
        Effect.catchIf(
          (error) => error.code === "FORBIDDEN",
          () => Effect.succeed(undefined)
        ),
        Effect.tapError(() => Deferred.succeed(said, undefined))
      )
      if (feed === undefined) return yield* Effect.asVoid(Deferred.succeed(said, undefined))
      const reading = readEvents(feed, (event) => {
        if (event.event !== "narration") return
        const heard = heardIn(event)
        const line = lineIn(heard.data)
        if (!heardOnEvents.has(line.action)) return
        const print = () => {
          renderer.say(line, heard)
          if (line.action !== goodbye().action) return
          ended = true
          Deferred.unsafeDone(said, Exit.void)
        }
        if (held === undefined) print()
        else held.push(print)
      }).pipe(
        // a queen that is lost is found out by the job's stream
        Effect.ignore,
        Effect.ensuring(Effect.sync(() => Deferred.unsafeDone(said, Exit.void)))
      )
      watch = yield* Effect.forkIn(reading, scope)
    })

    const wake = Effect.gen(function* () {
      const woken = yield* launcher.wake
      woke = woken.woken
      return woken.health
    })
    const findOrWake = Effect.gen(function* () {
      const found = yield* launcher.find
      if (found !== undefined) return found
      renderer.say(queenAsleep())
      renderer.say(queenLaunch(launcher.port))
      return yield* wake
    })
    const tie = Effect.gen(function* () {
      health = yield* findOrWake
      renderer.say(queenAwake())
      yield* open
      renderer.say(sseConnected())
    })
    const gone = Effect.suspend(() => (health === undefined ? Effect.succeed(true) : launcher.gone(health)))

    return {
      api,
      tie,
      watch: open,
      retie: Effect.gen(function* () {
        const found = yield* ofAnyVersion(launcher.find)
        if (found !== undefined && found.instance === health?.instance) return true
        renderer.say(queenLost())
        health = found ?? (yield* ofAnyVersion(wake))
        renderer.say(queenAwake())
        // should she be lost again, the job's stream finds it out
        yield* Effect.ignore(open)
        return false
      }),
      outlive: Effect.zipRight(
        gone,
        Effect.suspend(() => tie)
      ),
      woke: () => woke,
      hold: () => {
        held ??= []
      },
      release: () => {
        const waiting = held ?? []
        held = undefined
        for (const print of waiting) print()
      },
      leave: Effect.suspend(() => Deferred.await(farewell)),
      saidGoodbye: () => ended,
      gone
    }
  })
