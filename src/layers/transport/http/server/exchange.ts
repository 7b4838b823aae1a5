/** One request and its answer: guard, decode, run the handler in one fiber, encode. */
import { randomUUID } from "node:crypto"
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { RbeeError, rbeeError } from "../../../../machines/errors.ts"
import type { BodyBudget, Hold } from "./body-budget.ts"
import { callFrom, isCorrelationId, withDeadline } from "../../../../protocol/call.ts"
import { encodeError, rbee } from "../../../../protocol/surfaces/rbee.ts"
import { surfaceFor } from "../../../../protocol/surfaces/of-path.ts"
import { keyIn, type Surface } from "../../../../protocol/surfaces/surface.ts"
import type { EventsAnswer } from "../../../../protocol/answers.ts"
import type { CallInfo } from "../../../../protocol/endpoint.ts"
import { readBody } from "./body.ts"
import { openEvents } from "./events.ts"
import { fingerprint, type Guard } from "./guard.ts"
import type { Match, Router } from "./router.ts"
import { corsHeaders, preflightHeaders, type Sites } from "./sites.ts"
import type { ApiScope, Caller } from "../../../../protocol/rights.ts"
import { unpack } from "./unpack.ts"
import { readBodyText } from "./json.ts"
import { tooLarge } from "../../../../protocol/wire/wire.ts"
import type { Body } from "../../../../protocol/wire/input.ts"
import { errorStatus, internalError, retryAfter } from "../../../../protocol/wire/error.ts"

/** What answers requests by itself. */
export interface Beside {
  /** `/hub` */
  readonly prefix: string
  readonly scope: ApiScope
  readonly answer: (url: string, request: IncomingMessage, response: ServerResponse) => void
}

export interface ExchangeContext {
  readonly router: Router
  readonly beside: Beside | undefined
  readonly guard: Guard
  readonly sites: Sites
  readonly bodies: BodyBudget
  readonly bodyMs: number
  readonly fork: <A, E>(effect: Effect.Effect<A, E>, call: CallInfo) => Fiber.RuntimeFiber<A, E>
  /** requests that come while the server ends are refused */
  readonly closing: () => boolean
  /** exchanges whose answer is not finished */
  readonly open: Set<Exchange>
}

export class Exchange {
  readonly correlationId: string
  readonly #requestId: string
  readonly #context: ExchangeContext
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #call: CallInfo
  #caller: Caller | undefined
  /** how its errors and streams are written */
  #surface: Surface = rbee
  #fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  /** of its body, until its handler is through with it */
  #held: Hold | undefined
  /** its key was none when that was last looked at */
  #isDoubtful = false
  /** set while events are sent */
  keepAlive: (() => void) | undefined

  constructor(context: ExchangeContext, request: IncomingMessage, response: ServerResponse) {
    this.#context = context
    this.#request = request
    this.#response = response
    const given = idIn(request, "x-correlation-id")
    const requestId = idIn(request, "x-request-id")
    this.correlationId = given ?? requestId ?? randomUUID()
    this.#requestId = requestId ?? this.correlationId
    this.#call = { correlationId: this.correlationId, deadline: undefined }
    context.open.add(this)
    response.on("error", () => {})
    request.on("error", () => {})
    response.on("close", () => {
      context.open.delete(this)
      this.#held?.release()
      if (!response.writableFinished) this.#left()
    })
  }

  /** Is this answer's head out, on this connection? */
  isOn(socket: Duplex): boolean {
    return this.#request.socket === socket && this.#response.headersSent
  }

  /** Ends the handler; its answer, if the head is not out, is 503 SHUTTING_DOWN. */
  interrupt(): void {
    this.#fiber?.unsafeInterruptAsFork(this.#fiber.id())
  }

  /**
   * Is its key still one? An answer that is no more is cut at the second look: its daemon has ended it with the reason where
   * it could, and that has gone out in between.
   */
  recheck(): void {
    if (this.#caller?.key === undefined) return
    const known = this.#context.guard.caller(this.#request.headers, "open", this.#surface.authorization)
    if (!(known instanceof RbeeError)) return
    if (this.#isDoubtful) this.#response.destroy()
    this.#isDoubtful = true
  }

  start(): void {
    const { beside, router, closing } = this.#context
    const { method = "GET", url = "/", headers } = this.#request
    if (closing()) return this.#fail(shuttingDown())
    const preflight = method === "OPTIONS" && headers.origin !== undefined
    const match = router.find(preflight ? (headers["access-control-request-method"] ?? method) : method, url)
    this.#surface = surfaceFor(match.surface, match._tag === "Match", headers)
    const isBeside = beside !== undefined && url.startsWith(`${beside.prefix}/`)
    const scope = isBeside ? beside.scope : match.scope
    if (!this.#admitsSite(scope, preflight) || !this.#admitsCaller(scope)) return
    if (isBeside) return beside.answer(url.slice(beside.prefix.length), this.#request, this.#response)
    switch (match._tag) {
      case "NotFound":
        return this.#fail(nothingAt(method, match.path, match.near))
      case "WrongMethod":
        this.#response.setHeader("Allow", match.allowed.join(", "))
        return this.#fail(rbeeError("METHOD_NOT_ALLOWED", `this path takes ${match.allowed.join(", ")}`))
      case "Match":
        return match.hasBody ? this.#withBody(match) : this.#run(match, undefined)
    }
  }

  /** Is the call for this daemon, and may its page make it? Answers itself where not, and a preflight, which asks that. */
  #admitsSite(scope: ApiScope, preflight: boolean): boolean {
    const { guard, sites } = this.#context
    const { method = "GET", headers } = this.#request
    const stranger = sites.host(headers, () => isKnown(guard.caller(headers, "open")))
    const page = stranger ?? sites.origin({ method, headers, scope })
    if (page instanceof RbeeError) this.#fail(page)
    else if (page.shared !== undefined) {
      const cors = (preflight ? preflightHeaders : corsHeaders)(page.shared, headers)
      if (preflight) this.#send(204, "", undefined, cors)
      else for (const [name, value] of Object.entries(cors)) this.#response.setHeader(name, value)
      return !preflight
    }
    return !(page instanceof RbeeError)
  }

  /** Has the caller the right to this? Answers itself where not. */
  #admitsCaller(scope: ApiScope): boolean {
    const caller = this.#context.guard.caller(this.#request.headers, scope, this.#surface.authorization)
    if (caller instanceof RbeeError) this.#refuseStranger(caller)
    else this.#caller = caller
    return !(caller instanceof RbeeError)
  }

  #withBody(match: Match): void {
    const announced = Number(this.#request.headers["content-length"] ?? 0)
    if (announced === 0 && this.#request.headers["transfer-encoding"] === undefined) return this.#run(match, undefined)
    const { bodies, bodyMs } = this.#context
    const { maxBytes } = match
    this.#held = bodies.hold()
    readBody(this.#request, { maxBytes, hold: this.#held, withinMs: bodyMs }, (body) => {
      if (body === "too large") return this.#fail(tooLarge(maxBytes))
      if (body === "too many") return this.#fail(bodies.refusal())
      if (body === "too slow") return this.#tooSlow()
      this.#unpacked(match, body.bytes)
    })
  }

  #unpacked(match: Match, packed: Buffer): void {
    const { bodies } = this.#context
    unpack(this.#request.headers["content-encoding"], packed, match.maxBytes, (text) => {
      // unpacking takes a moment, and its client may have left meanwhile
      if (this.#response.destroyed) return this.#held?.release()
      const room = Either.isLeft(text) || this.#held?.take(Math.max(0, text.right.length - packed.length)) === true
      if (Either.isRight(text) && room) return this.#read(match, text.right)
      this.#held?.release()
      this.#fail(Either.isLeft(text) ? text.left : bodies.refusal())
    })
  }

  #read(match: Match, text: string): void {
    readBodyText(text, (body) => {
      if (this.#response.destroyed) return this.#held?.release()
      if (Either.isRight(body)) return this.#run(match, body.right)
      this.#held?.release()
      this.#fail(body.left)
    })
  }

  #tooSlow(): void {
    const { bodyMs } = this.#context
    // the rest of it is not waited for
    this.#response.setHeader("Connection", "close")
    this.#response.on("finish", () => this.#request.destroy())
    this.#fail(
      rbeeError("DEADLINE_EXCEEDED", `the body did not come within ${bodyMs / 1000} s`, "Send it faster", {
        status: 408
      })
    )
  }

  #run(match: Match, body: Body | undefined): void {
    const { headers } = this.#request
    const input = match.join({ params: match.params, query: match.query, headers, body })
    if (Either.isLeft(input)) {
      this.#held?.release()
      return this.#fail(input.left)
    }
    this.#call = { ...callFrom(headers, this.correlationId), caller: this.#caller }
    const answer = Effect.suspend(() => match.handler(input.right))
    this.#follow(withDeadline(answer, this.#call.deadline), (output) => this.#answer(match, output))
  }

  /** Runs an effect in a fiber of this exchange; a handler that needs no waiting is answered in the same turn. */
  #follow<A>(effect: Effect.Effect<A, RbeeError>, onSuccess: (value: A) => void): void {
    const fiber = this.#context.fork(effect, this.#call)
    this.#fiber = fiber
    fiber.addObserver((exit) => {
      this.#fiber = undefined
      this.#held?.release()
      if (Exit.isSuccess(exit)) onSuccess(exit.value)
      else this.#failWith(exit.cause)
    })
  }

  #answer(match: Match, output: unknown): void {
    try {
      const answer = match.encodeAnswer(output)
      if (answer._tag === "Events") return this.#stream(answer)
      return this.#send(answer.status, answer.type, answer.body, answer.headers)
    } catch (error) {
      this.#failWith(Cause.die(error))
    }
  }

  #stream({ feed, headers }: EventsAnswer): void {
    if (this.#response.destroyed) return
    const events = openEvents(this.#response, { ...headers, ...this.#ids() }, this.#surface.framing)
    if (this.#request.method === "HEAD") return void this.#response.end()
    this.keepAlive = events.keepAlive
    this.#follow(
      Effect.suspend(() => feed(events.sink)),
      () => this.#response.end()
    )
  }

  #send(status: number, type: string, body: string | undefined, headers?: Readonly<Record<string, string>>): void {
    const response = this.#response
    if (response.destroyed || response.headersSent) return
    const head: Record<string, string | number> = { ...headers, ...this.#ids() }
    if (this.#context.closing()) head["Connection"] = "close"
    if (body !== undefined) {
      head["Content-Type"] = type
      head["Content-Length"] = Buffer.byteLength(body)
      if (type !== "application/json") head["X-Content-Type-Options"] = "nosniff"
    } else if (status !== 204) head["Content-Length"] = 0
    response.writeHead(status, head)
    response.end(body)
  }

  #ids(): Readonly<Record<string, string>> {
    return { "X-Correlation-Id": this.correlationId, "X-Request-Id": this.#requestId }
  }

  #fail(error: RbeeError): void {
    const response = this.#response
    if (response.destroyed) return
    // an answer in the middle of a stream: a broken connection is the only way to say that this is no end
    if (response.headersSent) return void response.destroy()
    const wait = retryAfter(error)
    if (wait !== undefined) response.setHeader("Retry-After", wait)
    const status = errorStatus(error)
    if (status === 401) response.setHeader("WWW-Authenticate", this.#surface.authorization.scheme)
    // a body that nobody will read: the connection cannot be used again
    if (!this.#request.complete && !this.#request.readableFlowing) response.setHeader("Connection", "close")
    this.#send(status, "application/json", encodeError(error, this.correlationId, this.#surface))
  }

  #failWith(cause: Cause.Cause<RbeeError>): void {
    const failure = Cause.failureOrCause(cause)
    if (Either.isLeft(failure)) return this.#fail(failure.left)
    if (Cause.isInterruptedOnly(cause)) {
      // the server ends (or the client has left, who gets nothing any more)
      return this.#fail(shuttingDown())
    }
    this.#log(Effect.logError("a handler died", cause))
    this.#fail(internalError())
  }

  #refuseStranger(error: RbeeError): void {
    const given = keyIn(this.#request.headers, this.#surface.authorization)
    if (given !== undefined) this.#log(Effect.logWarning(`refused a token with fingerprint ${fingerprint(given)}`))
    this.#fail(error)
  }

  /** The client is gone before its answer was whole: 499 in the log. */
  #left(): void {
    if (this.keepAlive === undefined) this.#log(Effect.logDebug("client left before its answer (499)"))
    this.interrupt()
  }

  #log(effect: Effect.Effect<void>): void {
    const { method = "", url = "" } = this.#request
    // the path only: a query may carry what is nobody's business
    const path = url.split("?")[0] ?? ""
    this.#context.fork(Effect.annotateLogs(effect, { method, path: path.slice(0, 200) }), this.#call)
  }
}

/** Somebody with a secret, not anybody of this machine. */
const isKnown = (caller: Caller | RbeeError): boolean =>
  !(caller instanceof RbeeError) && (caller.may.has("peer") || caller.key !== undefined)

/** What may be taken over from outside, of the ids that a caller gives its request. */
const idIn = ({ headers }: IncomingMessage, name: string): string | undefined => {
  const given = headers[name]
  return typeof given === "string" && isCorrelationId(given) ? given : undefined
}

const nothingAt = (method: string, path: string, near: ReadonlyArray<string>) => {
  const asked = path.replace(/[^\x21-\x7e]/g, "?").slice(0, 100)
  return rbeeError(
    "NOT_FOUND",
    `there is nothing at ${method} ${asked}`,
    `There is ${near.join(", ")}; see /openapi.json`,
    {
      path: asked,
      near
    }
  )
}

const shuttingDown = () => rbeeError("SHUTTING_DOWN", "this daemon is ending", "Try again in a moment")
