/**
 * The way to one remote machine: an SSH connection that is made again, with backoff, for as long as it is held. When the
 * other side falls silent a second connection is tried beside the first: TCP alone comes back so late after a cut of some
 * seconds that the hive would be taken for lost. Streams of the first go on if it comes back, and end with it if not.
 */
import type { Duplex } from "node:stream"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { none as noFiber } from "effect/FiberId"
import type * as Scope from "effect/Scope"
import type { SshPlace } from "../../machines/vocabulary/place.ts"
import type { Ssh, SshConnection, SshError } from "../ssh/index.ts"

/** milliseconds between tries: 0.5 s, 1 s, 2 s, … 15 s */
const backoff = (tries: number): number => Math.min(15_000, 500 * 2 ** tries)
/** silent so long, milliseconds, a second connection is tried */
const silentMs = 2500
/** heard so lately, milliseconds, the first one is well */
const heardMs = 1000
const watchMs = 500
/** a try beside a silent connection: short, so that one starts soon after the link is back */
const renewMs = 2000

/** a connection that nobody holds stays this long, milliseconds: what was looked for is often started next */
const lingerMs = 5000

interface Line {
  /** fails with why there is no connection */
  readonly made: Deferred.Deferred<SshConnection, SshError>
  /** ends it */
  readonly retired: Deferred.Deferred<void>
  streams: number
}

export interface TunnelOptions {
  readonly place: SshPlace
  readonly ssh: Ssh["Type"]
  /** takes what the hive's machine sends to the queen */
  readonly toQueen: (stream: Duplex) => void
  readonly scope: Scope.Scope
}

export class Tunnel {
  readonly place: SshPlace
  /** counts connections: what was opened over an earlier one is not used for something new */
  generation = 0
  /** the remote Unix socket that leads to the queen */
  socket: string | undefined
  /** where a hive that the network reaches finds the queen, if that is another way than the socket */
  queenUrl: string | undefined
  private current: Line | undefined
  private keeper: Fiber.RuntimeFiber<void> | undefined
  private readonly options: TunnelOptions

  constructor(options: TunnelOptions) {
    this.options = options
    this.place = options.place
  }

  /** The connection, made if there is none. */
  readonly connection: Effect.Effect<SshConnection, SshError> = Effect.suspend(() => {
    if (this.current !== undefined) return Deferred.await(this.current.made)
    return Effect.flatMap(this.dial, (line) => {
      this.current ??= line
      return Deferred.await(line.made)
    })
  })

  /** From now on it is kept up. */
  readonly hold: Effect.Effect<void> = Effect.suspend(() => {
    if (this.keeper !== undefined) return Effect.void
    return Effect.map(Effect.forkIn(this.keep(0), this.options.scope), (fiber) => void (this.keeper = fiber))
  })

  /** Nothing runs there that needs it: it is closed, unless it is held again soon. */
  readonly release: Effect.Effect<void> = Effect.suspend(() => {
    const { keeper } = this
    this.keeper = undefined
    const close = Effect.sync(() => {
      if (this.keeper !== undefined || this.current === undefined) return
      Deferred.unsafeDone(this.current.retired, Effect.void)
      this.current = undefined
      this.socket = undefined
    })
    return Effect.zipRight(
      keeper === undefined ? Effect.void : Fiber.interruptFork(keeper),
      Effect.asVoid(Effect.forkIn(Effect.delay(close, lingerMs), this.options.scope))
    )
  })

  /** Has the remote socket lead to the queen, over this connection and each that follows it. */
  readonly lead = (socket: string): Effect.Effect<void, SshError> =>
    Effect.suspend(() => {
      if (this.socket === socket) return Effect.void
      this.socket = socket
      return Effect.flatMap(this.connection, (connection) => connection.listen(socket, this.options.toQueen))
    }).pipe(Effect.tapError(() => Effect.sync(() => void (this.socket = undefined))))

  /** A stream to a port of that machine's loopback. */
  readonly open = (port: number): Effect.Effect<Duplex, SshError> =>
    Effect.flatMap(this.connection, (connection) =>
      Effect.map(connection.open(port), (stream) => {
        const line = this.current
        if (line !== undefined) {
          line.streams++
          stream.once("close", () => void line.streams--)
        }
        return stream
      })
    )

  /** Starts a connection of its own; it lasts until it breaks or is retired. */
  private readonly dial: Effect.Effect<Line> = Effect.suspend(() => {
    const line: Line = { made: Deferred.unsafeMake(noFiber), retired: Deferred.unsafeMake(noFiber), streams: 0 }
    const life = Effect.scoped(
      Effect.gen(this, function* () {
        const connection = yield* this.options.ssh.connect(this.place)
        if (this.socket !== undefined) yield* connection.listen(this.socket, this.options.toQueen)
        this.generation++
        yield* Deferred.succeed(line.made, connection)
        yield* connection.closed
      }).pipe(Effect.raceFirst(Deferred.await(line.retired)))
    ).pipe(
      Effect.catchAll((error) => Deferred.fail(line.made, error)),
      Effect.ensuring(
        Effect.suspend(() => {
          if (this.current === line) this.current = undefined
          return Deferred.interrupt(line.made)
        })
      )
    )
    return Effect.as(Effect.forkIn(life, this.options.scope), line)
  })

  private readonly keep = (tries: number): Effect.Effect<void> =>
    Effect.flatMap(Effect.either(this.connection), (answer) =>
      answer._tag === "Left"
        ? Effect.zipRight(
            Effect.logDebug(`no tunnel to ${this.place.host}: ${answer.left.what}`),
            Effect.zipRight(
              Effect.sleep(backoff(tries)),
              Effect.suspend(() => this.keep(tries + 1))
            )
          )
        : Effect.zipRight(
            Effect.raceFirst(answer.right.closed, this.renewWhenSilent(answer.right)),
            Effect.suspend(() => this.keep(0))
          )
    )

  /** Comes true when another connection has taken the place of this one. */
  private renewWhenSilent(connection: SshConnection): Effect.Effect<void> {
    return Effect.gen(this, function* () {
      for (;;) {
        while (connection.silentMs() < silentMs) yield* Effect.sleep(watchMs)
        const before = this.current
        const line = yield* this.dial
        const made = yield* Effect.either(Effect.timeout(Deferred.await(line.made), renewMs))
        const isBack = connection.silentMs() < heardMs
        if (made._tag === "Right" && !isBack) {
          this.current = line
          if (before !== undefined) yield* Effect.forkIn(this.outlive(before), this.options.scope)
          yield* Effect.logInfo(`the tunnel to ${this.place.host} was silent and has been made anew`)
          return
        }
        yield* Deferred.succeed(line.retired, undefined)
        // the new one took over the socket that leads to the queen
        if (made._tag === "Right" && this.socket !== undefined)
          yield* Effect.ignore(connection.listen(this.socket, this.options.toQueen))
      }
    })
  }

  /** An earlier connection lasts while something is read from it. */
  private outlive(line: Line): Effect.Effect<void> {
    return Effect.suspend(() =>
      line.streams > 0
        ? Effect.zipRight(
            Effect.sleep("5 seconds"),
            Effect.suspend(() => this.outlive(line))
          )
        : Effect.asVoid(Deferred.succeed(line.retired, undefined))
    )
  }
}
