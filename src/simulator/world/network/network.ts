/**
 * The network between simulated processes. The same interfaces as over HTTP, with its promises and its limits: a call
 * may find nobody, be refused, be cut, or hear nothing; a stream arrives in order until it ends or breaks, and silence
 * breaks it. The handler of a call runs in the process that listens, never in its caller's.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { internalError } from "../../../protocol/wire/error.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { takenReason } from "../../../machines/vocabulary/address.ts"
import type { EventFeed } from "../../../protocol/answers.ts"
import { type Api, Call, type CallInfo, type Handlers } from "../../../protocol/endpoint.ts"
import { clientOf, type Handler, gone, inProcess } from "../../../layers/transport/in-process/client.ts"
import type { Wire } from "../../../protocol/wire/wire.ts"
import { Connection } from "./connection.ts"
import type { Kernel } from "../kernel/kernel.ts"
import type { Links } from "./links.ts"
import type { SimProcess } from "../process.ts"
import { remoteFeed, serveFeed } from "./stream.ts"

/** as the HTTP client */
const connectMs = 5000
const answerMs = 60_000
/** what a daemon that ends leaves to what is under way, as the HTTP server */
const graceMs = 500
/** why a call failed where nothing listens */
export const refused = "ECONNREFUSED"

/** Calls that may be repeated and overtaken: the protocol numbers them, or they mean the same twice. */
const repeatable = new Set(["heartbeat", "cancelJob", "cancelInfer"])
const echoMaxMs = 4000

interface Listener {
  readonly process: SimProcess
  /** what a caller must know it by; absent: nothing */
  readonly secret?: string | undefined
  readonly handlers: Readonly<Record<string, Handler>>
  readonly connections: Set<Connection>
}

export interface ConnectOptions {
  /** until the head of an answer; absent: 60 s */
  readonly timeoutMs?: number
  /** what the process that is meant is known by */
  readonly secret?: string
}

export class Network {
  private readonly kernel: Kernel
  private readonly links: Links
  /** a fault: calls that may come twice do so, the second one late */
  echoes = false
  private readonly listeners = new Map<string, Listener>()
  private readonly open = new Set<Connection>()
  /** whose end is listened for */
  private readonly clients = new Set<SimProcess>()

  constructor(kernel: Kernel, links: Links) {
    this.kernel = kernel
    this.links = links
  }

  /** Binds `url`: the lock of the one who may be there. CONFLICT: it is taken. */
  listen<A extends Api>(
    process: SimProcess,
    url: string,
    api: A,
    handlers: Handlers<A>,
    secret?: string
  ): Effect.Effect<void, RbeeError<"CONFLICT">, Scope.Scope> {
    const acquire = Effect.suspend(() => {
      if (this.listeners.has(url))
        return Effect.fail(rbeeError("CONFLICT", `${url} is already in use`, "", { url, reason: takenReason }))
      const listener: Listener = {
        process,
        // the handlers' inputs differ by endpoint; each gets what its own schema decoded
        handlers: inProcess(api, handlers) as Listener["handlers"],
        secret,
        connections: new Set()
      }
      this.listeners.set(url, listener)
      process.exited(() => this.close(url, listener))
      return Effect.succeed(listener)
    })
    return Effect.asVoid(
      Effect.acquireRelease(acquire, (listener) =>
        Effect.gen(this, function* () {
          if (this.listeners.get(url) === listener) this.listeners.delete(url)
          for (let waited = 0; waited < graceMs && listener.connections.size > 0; waited += 50) yield* Effect.sleep(50)
          this.close(url, listener)
        })
      )
    )
  }

  /** Whether somebody has bound `url`; no packet is sent for it. */
  isBound(url: string): boolean {
    return this.listeners.has(url)
  }

  connect<A extends Api>(process: SimProcess, url: string, api: A, options: ConnectOptions = {}): Handlers<A> {
    return clientOf(
      api,
      (wire) => (input) => Effect.flatMap(Call, (call) => this.call(process, url, wire, input, call, options))
    )
  }

  /** A fault: the next piece of a stream on a connection that `chosen` picks is cut within, and the connection with it. */
  cutMidFrame(chosen: (connection: Connection) => boolean): void {
    for (const connection of this.open) if (connection.isOpen && chosen(connection)) connection.cutsNext = true
  }

  /** A fault: a process of somebody else takes an address; who calls it is cut off. False: it is taken already. */
  steal(process: SimProcess, url: string): boolean {
    if (this.listeners.has(url)) return false
    const listener: Listener = { process, handlers: {}, connections: new Set() }
    this.listeners.set(url, listener)
    process.exited(() => this.close(url, listener))
    return true
  }

  /** Addresses that are bound by others than the machines themselves. */
  get bound(): ReadonlyArray<string> {
    const own = new Set(this.hostProcesses.values())
    return [...this.listeners].flatMap(([url, { process }]) => (own.has(process) || process.isFrozen ? [] : [url]))
  }

  /** A fault: breaks connections between two machines, those that `chosen` picks. */
  resetConnections(chosen: (connection: Connection) => boolean): number {
    let count = 0
    for (const connection of [...this.open]) {
      if (!connection.isOpen || !chosen(connection)) continue
      count++
      connection.reset()
    }
    return count
  }

  private close(url: string, listener: Listener): void {
    if (this.listeners.get(url) === listener) this.listeners.delete(url)
    for (const connection of [...listener.connections]) connection.leave("server")
    listener.connections.clear()
  }

  private machineOf(url: string): string {
    return url.slice("http://".length).split(":", 1)[0] ?? ""
  }

  private call(
    process: SimProcess,
    url: string,
    wire: Wire,
    input: unknown,
    call: CallInfo,
    options: ConnectOptions
  ): Effect.Effect<unknown, RbeeError> {
    return Effect.async((resume) => {
      const { kernel, links } = this
      const listener = this.listeners.get(url)
      const target = listener?.process ?? this.hosts(this.machineOf(url))
      if (target === undefined) {
        resume(Effect.fail(gone("the host cannot be reached", "EHOSTUNREACH", url)))
        return undefined
      }
      const connection = new Connection(links, process, target)
      this.open.add(connection)
      this.leavesAtItsEnd(process)
      let over = false
      const settle = (exit: Effect.Effect<unknown, RbeeError>, keepOpen = false) => {
        if (over) return
        over = true
        stopConnect()
        stopAnswer()
        if (!keepOpen) {
          connection.leave("client")
          this.open.delete(connection)
        }
        resume(exit)
      }
      const fail = (why: string, reason: string) => settle(Effect.fail(gone(why, reason, url)))
      const stopConnect = process.at(connectMs, () => fail(`no connection within ${connectMs} ms`, "TIMEOUT"))
      const timeoutMs = options.timeoutMs ?? answerMs
      const stopAnswer = process.at(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`, "TIMEOUT"))
      connection.onBreak.client = () => {
        this.open.delete(connection)
        fail("it broke the connection", "ECONNRESET")
      }
      // the knock: answered by the system, also for a process that is stopped
      this.knock(connection, process, target, () => {
        const now = this.listeners.get(url)
        if (now === undefined || now.process !== target) {
          this.knock(connection, target, process, () =>
            process.post(connection, () => fail("nothing listens there", refused))
          )
          return
        }
        now.connections.add(connection)
        this.knock(connection, target, process, () => process.post(connection, stopConnect))
        if (now.secret === options.secret || now.secret === undefined)
          target.post(connection, () => this.serve(now, connection, wire, input, call, settle))
        // as `ofOneProcess`: its port is another life's by now
        else this.knock(connection, target, process, () => fail("another process listens there", "ANOTHER"))
      })
      kernel.note(`${process.name} > ${url} ${wire.name}`)
      return Effect.sync(() => settle(Effect.void))
    })
  }

  /** The system closes the connections of a process that has ended, however it ended. */
  private leavesAtItsEnd(process: SimProcess): void {
    if (this.clients.has(process)) return
    this.clients.add(process)
    process.exited(() => {
      this.clients.delete(process)
      for (const connection of [...this.open]) {
        if (connection.client !== process) continue
        connection.leave("client")
        this.open.delete(connection)
      }
    })
  }

  /** A packet between the systems of two machines, whatever their processes do. */
  private knock(connection: Connection, from: SimProcess, to: SimProcess, arrived: () => void): void {
    this.links.whenOpen(from.machine, to.machine, () => {
      this.kernel.at(this.links.delay(from.machine, to.machine), () => {
        if (this.links.isCut(from.machine, to.machine)) this.knock(connection, from, to, arrived)
        else arrived()
      })
    })
  }

  private serve(
    listener: Listener,
    connection: Connection,
    wire: Wire,
    input: unknown,
    call: CallInfo,
    settle: (exit: Effect.Effect<unknown, RbeeError>, keepOpen?: boolean) => void
  ): void {
    const done = () => {
      listener.connections.delete(connection)
      connection.leave("server")
    }
    const handler = listener.handlers[wire.name]
    if (handler === undefined) return done()
    if (this.echoes && repeatable.has(wire.name)) {
      // what comes late has been overtaken, too
      const again = Effect.ignore(Effect.provideService(handler(input), Call, call))
      listener.process.at(this.kernel.random.between(0, echoMaxMs), () => void listener.process.fork(again))
    }
    const answering = Effect.provideService(handler(input), Call, call).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (Exit.isSuccess(exit)) {
            const feed = feedIn(wire, exit.value)
            if (feed === undefined) connection.send("client", () => settle(Effect.succeed(exit.value)))
            // its client left while the request was on its way: nobody reads
            else if (connection.isOpen) {
              const remote = remoteFeed(connection, () => this.open.delete(connection))
              const output = wire.withFeed(exit.value, () => remote.feed)
              connection.send("client", () => settle(Effect.succeed(output), true))
              serveFeed(connection, feed, remote.receive, done)
              return
            }
          } else {
            const failure = Cause.failureOption(exit.cause)
            const error = failure._tag === "Some" ? failure.value : internalError()
            connection.send("client", () => settle(Effect.fail(error)))
          }
          done()
        })
      )
    )
    const fiber = listener.process.fork(answering)
    connection.onBreak.server = () => {
      listener.connections.delete(connection)
      fiber.unsafeInterruptAsFork(fiber.id())
    }
  }

  private readonly hostProcesses = new Map<string, SimProcess>()

  /** A machine that answers with "refused" where nobody listens. */
  addHost(name: string, process: SimProcess): void {
    this.hostProcesses.set(name, process)
  }

  private hosts(name: string): SimProcess | undefined {
    return this.hostProcesses.get(name)
  }
}

const feedIn = (wire: Wire, output: unknown): EventFeed | undefined => {
  let found: EventFeed | undefined
  wire.withFeed(output, (feed) => (found = feed))
  return found
}
