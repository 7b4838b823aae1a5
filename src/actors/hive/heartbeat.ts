/**
 * The hive's heartbeat: one timer for the hive and all its workers. A beat that fails or hangs costs its own time and
 * nothing else: the next one comes all the same.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { QueenConnector } from "../../layers/queen-connector/index.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Heartbeat as Beat } from "../../machines/vocabulary/hive.ts"
import { Parts } from "./common/parts.ts"
import { CurrentHive, HiveWorld, type Ports } from "./common/ports.ts"
import { CurrentDevices } from "./devices/devices.ts"
import { CurrentOwnership, type Ownership } from "./ownership.ts"
import { Rest } from "./rest.ts"
import { CurrentWorkers } from "./workers/workers.ts"

/** A queen that does not answer within a beat's time, and at most this one (milliseconds), gets the next beat instead. */
const answerMs = 2000
/** Out of reach for all but so many of the beats that make a hive lost, she reads no answer any more. */
const beatsBeforeLost = 2

interface HeartbeatOptions {
  readonly ports: Ports
  readonly hive: CurrentHive["Type"]
  readonly parts: Parts["Type"]
  readonly ownership: Ownership
  readonly rest: Rest["Type"]
  readonly queens: QueenConnector["Type"]
}

export class Heartbeat {
  private seq = 0
  /** milliseconds since 1970: when a queen last claimed this hive or took a beat; undefined: none ever did */
  contactAt: number | undefined
  private lastRefusal: string | undefined
  private readonly soon: Queue.Queue<void>
  private readonly options: HeartbeatOptions

  private constructor(options: HeartbeatOptions, soon: Queue.Queue<void>) {
    this.options = options
    this.soon = soon
  }

  static readonly make = Effect.gen(function* () {
    const options: HeartbeatOptions = {
      ports: yield* HiveWorld,
      hive: yield* CurrentHive,
      parts: yield* Parts,
      ownership: yield* CurrentOwnership,
      rest: yield* Rest,
      queens: yield* QueenConnector
    }
    return new Heartbeat(options, yield* Queue.dropping<void>(1))
  })

  /** Beats at once instead of at the next tick: after a claim the queen waits for it. */
  readonly claimed: Effect.Effect<void> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    this.contactAt = now
    return Effect.asVoid(Queue.offer(this.soon, undefined))
  })

  /** Never ends. */
  readonly run: Effect.Effect<never> = Effect.suspend(() =>
    Effect.zipRight(Effect.all([this.pulse, this.afterClaims], { concurrency: 2, discard: true }), Effect.never)
  )

  /** A beat and the wait for the next one run side by side: a slow answer does not slow the pulse. */
  private readonly pulse: Effect.Effect<never> = Effect.suspend(() => {
    const { heartbeatMs } = this.options.ports.settings.hive
    const restMs = heartbeatMs - this.patienceMs
    return Effect.forever(
      Effect.gen(this, function* () {
        const beating = yield* Effect.fork(this.beat)
        yield* Effect.sleep(this.patienceMs)
        yield* ended(beating)
        yield* this.release
        if (restMs > 0) yield* Effect.sleep(restMs)
      })
    )
  })

  private readonly afterClaims: Effect.Effect<never> = Effect.suspend(() =>
    Effect.forever(Effect.zipRight(Queue.take(this.soon), Effect.timeoutOption(this.beat, this.patienceMs)))
  )

  private get patienceMs(): number {
    return Math.min(answerMs, this.options.ports.settings.hive.heartbeatMs)
  }

  private readonly beat: Effect.Effect<void> = Effect.gen(this, function* () {
    const { owner, secret } = this.options.ownership
    if (owner === undefined) return
    const queen = this.options.queens.connect(owner.url, secret)
    const beat = yield* this.next
    yield* queen.heartbeat(beat).pipe(
      Effect.zipRight(Clock.currentTimeMillis),
      Effect.map((now) => void (this.contactAt = now)),
      Effect.catchAll((error) =>
        error.code === "HIVE_NOT_FOUND"
          ? Effect.catchAll(queen.addHive({ id: beat.hive_id, url: beat.url }), (refusal) => this.refused(refusal))
          : Effect.logDebug(`heartbeat not taken: ${error.code}`)
      )
    )
  })

  /** Said once: every beat would hear the same. */
  private refused({ message }: RbeeError): Effect.Effect<void> {
    if (this.lastRefusal === message) return Effect.void
    this.lastRefusal = message
    return Effect.logWarning(`the queen does not take this hive: ${message}`)
  }

  /**
   * What nobody reads any more is not decoded: behind a cut network a worker cannot see that its reader is gone. She
   * takes this hive for lost soon, and no queen ever re-attaches to an old answer.
   */
  private readonly release: Effect.Effect<void> = Effect.gen(this, function* () {
    const { parts, ports } = this.options
    const { heartbeatMs, lostMs } = ports.settings.hive
    const now = yield* Clock.currentTimeMillis
    if (this.contactAt === undefined || now - this.contactAt < lostMs - beatsBeforeLost * heartbeatMs) return
    yield* parts.find(CurrentWorkers)?.cancelInfers ?? Effect.void
  })

  private readonly next: Effect.Effect<Beat> = Effect.gen(this, function* () {
    const { hive, ownership, parts, ports, rest } = this.options
    const now = yield* Clock.currentTimeMillis
    return {
      hive_id: hive.id,
      instance: hive.instance,
      seq: ++this.seq,
      version: ports.settings.version,
      url: yield* Deferred.await(hive.url),
      devices: parts.find(CurrentDevices)?.beats(now) ?? [],
      workers: yield* parts.find(CurrentWorkers)?.beats ?? Effect.succeed([]),
      // one that cannot be read is found out by whoever needs it
      ...(yield* Effect.match(ports.catalog.models.count, {
        onSuccess: (models) => ({ models }),
        onFailure: () => ({})
      })),
      ...(ownership.sleepAfterS > 0 ? { idle_ms: yield* rest.idleMs } : {})
    }
  })
}

export class CurrentHeartbeat extends Context.Tag("rbee/hive/Heartbeat")<CurrentHeartbeat, Heartbeat>() {
  static readonly layer = Layer.effect(CurrentHeartbeat, Heartbeat.make)
}

/** It has had its time. A bug of it is one of the pulse, too. */
const ended = (beating: Fiber.RuntimeFiber<void>): Effect.Effect<void> =>
  Effect.flatMap(Fiber.interrupt(beating), (exit) =>
    Exit.isFailure(exit) && Cause.isDie(exit.cause) ? Effect.failCause(exit.cause) : Effect.void
  )
