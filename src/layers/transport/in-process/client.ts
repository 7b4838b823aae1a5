/**
 * A call within the process, with the meaning of HTTP: inputs and answers are encoded and decoded on the way, errors
 * travel in the envelope, a bug is INTERNAL. So that splitting a process into two cannot surprise.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import { withDeadline } from "../../../protocol/call.ts"
import type { EventFeed } from "../../../protocol/answers.ts"
import { type Api, Call, type Handlers } from "../../../protocol/endpoint.ts"
import { encodeError } from "../../../protocol/surfaces/rbee.ts"
import type { WireBody } from "../../../protocol/wire/answer.ts"
import { tooLarge, type Wire, wiresOf } from "../../../protocol/wire/wire.ts"
import { decodeError, internalError } from "../../../protocol/wire/error.ts"

export type Handler = (input: unknown) => Effect.Effect<unknown, RbeeError>

export interface InProcessOptions {
  /** makes the correlation id of a call that has none; absent: it stays without */
  readonly correlationId?: Effect.Effect<string> | undefined
}

/** A client of handlers in this process. */
export const inProcess = <A extends Api>(
  api: A,
  handlers: Handlers<A>,
  options: InProcessOptions = {}
): Handlers<A> => {
  // the handlers' inputs differ by endpoint; each gets what its own schema decoded
  const byName = handlers as Readonly<Record<string, Handler>>
  return clientOf(api, (wire) => through(wire, byName[wire.name], options))
}

/** One function an endpoint. */
export const clientOf = <A extends Api>(api: A, handlerOf: (wire: Wire) => Handler): Handlers<A> =>
  // built from the same declarations that the type is computed from
  Object.fromEntries(wiresOf(api).map((wire) => [wire.name, handlerOf(wire)])) as Handlers<A>

const through =
  (wire: Wire, handler: Handler | undefined, options: InProcessOptions): Handler =>
  (input) =>
    Effect.gen(function* () {
      const parts = yield* wire.split(input)
      const body = typeof parts.body === "object" ? [...parts.body].join("") : parts.body
      if (body !== undefined && Buffer.byteLength(body) > wire.maxBytes) return yield* tooLarge(wire.maxBytes)
      const decoded = yield* wire.join({ ...parts, body })
      if (handler === undefined) return yield* Effect.dieMessage(`nobody answers ${wire.name}`)
      const call = yield* Call
      const correlationId =
        call.correlationId ?? (options.correlationId === undefined ? undefined : yield* options.correlationId)
      const output = yield* withDeadline(
        Effect.suspend(() => handler(decoded)),
        call.deadline
      ).pipe(Effect.provideService(Call, { ...call, correlationId }))
      return yield* answerOf(wire, output)
    }).pipe(
      hideDefects,
      Effect.mapError((error) => overTheWire(wire, error))
    )

/** A bug of the handler is INTERNAL to its caller, and is logged here, as a daemon would. */
const hideDefects = <A>(effect: Effect.Effect<A, RbeeError>): Effect.Effect<A, RbeeError> =>
  Effect.catchAllDefect(effect, (defect) =>
    Effect.zipRight(Effect.logError("a handler died", Cause.die(defect)), Effect.fail(internalError()))
  )

const overTheWire = ({ endpoint, held }: Wire, error: RbeeError): RbeeError =>
  held(decodeError(JSON.parse(encodeError(error, undefined, endpoint.surface))) ?? internalError())

const answerOf = (wire: Wire, output: unknown): Effect.Effect<unknown, RbeeError> =>
  Effect.suspend(() => {
    const sent = wire.encodeAnswer(output)
    const error = sent._tag === "Body" && sent.status >= 400 ? errorIn(sent) : undefined
    if (error !== undefined) return Effect.fail(error)
    const decoded = wire.decodeAnswer(sent._tag === "Events" ? { ...sent, feed: breakable(sent.feed) } : sent)
    return decoded === undefined
      ? Effect.dieMessage(`the answer of ${wire.name} is not what it declares`)
      : Effect.succeed(decoded.output)
  })

/** An answer that carries the error envelope fails the call. */
const errorIn = ({ body, type }: WireBody): RbeeError | undefined =>
  body !== undefined && type.startsWith("application/json") ? decodeError(JSON.parse(body)) : undefined

/** As `unreachable` of the HTTP client. */
export const gone = (why: string, reason: string, peer: string): RbeeError<"CONNECTION_TIMEOUT"> =>
  rbeeError("CONNECTION_TIMEOUT", `no connection to ${peer}: ${why}`, "Check that the daemon runs there", {
    peer,
    reason
  })

/** A source that fails is a broken connection to its reader, whatever broke. */
const breakable =
  (feed: EventFeed): EventFeed =>
  (sink) =>
    Effect.suspend(() => feed(sink)).pipe(
      Effect.catchAllDefect((defect) =>
        Effect.zipRight(Effect.logError("a feed died", Cause.die(defect)), Effect.fail(internalError()))
      ),
      Effect.mapError(() => gone("it broke the connection", "BROKEN", "this process"))
    )
