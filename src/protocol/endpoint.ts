/**
 * How the three interfaces are declared: once, as data, schema-first. Server, client, in-process transport and the
 * OpenAPI document all come from these declarations.
 *
 * A call has one flat input. Fields named in the path travel in the path, fields named in `query` or `headers` travel
 * there, the rest is the JSON body (or, for GET and DELETE, the query).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { type RbeeError, rbeeError } from "../machines/errors.ts"
import type { ApiScope, Caller } from "./rights.ts"

export type { ApiScope, Caller }

/**
 * Where a stream of Server-Sent Events goes. Text, not elements: the token path is a pipe
 * (docs/design.md#the-token-path), and the same text crosses the wire and the in-process transport.
 */
export interface Sink {
  /** Takes whole SSE frames (see `sse.ts`). `false`: the reader is slow, wait for `drain` before the next write. */
  readonly write: (frames: string) => boolean
  /** Calls `resume` once the reader has caught up; at once if it has. */
  readonly drain: (resume: () => void) => void
}

/**
 * A stream of SSE text. Running it pumps until the source has ended for good, and fails when the connection to the
 * source broke. Interrupting it is how a reader leaves. A clean end says nothing about success: only a terminal event
 * does.
 */
export type EventFeed = (sink: Sink) => Effect.Effect<void, RbeeError>

/** An answer whose form the handler chooses: JSON with a status, text (metrics, pages), or events. */
export type Reply =
  | {
      readonly _tag: "Json"
      readonly status: number
      readonly body: unknown
      readonly headers?: Readonly<Record<string, string>>
    }
  | {
      readonly _tag: "Text"
      readonly status: number
      readonly type: string
      readonly body: string
      readonly headers?: Readonly<Record<string, string>>
    }
  | { readonly _tag: "Events"; readonly feed: EventFeed; readonly headers?: Readonly<Record<string, string>> }

export type Method = "GET" | "POST" | "DELETE"

/** Encodes to a JSON object; needs no services. */
export type WireSchema = Schema.Schema.AnyNoContext

interface Base {
  readonly method: Method
  /** `/jobs/:id/events` */
  readonly path: string
  readonly input: WireSchema
  /** what the OpenAPI document says of the input, where the handler decodes it itself */
  readonly documented?: WireSchema
  /** input fields that travel in the query of a POST */
  readonly query?: ReadonlyArray<string>
  /** header (lower case) → input field */
  readonly headers?: Readonly<Record<string, string>>
  /** unknown fields of the body are an error instead of being ignored */
  readonly strict?: boolean
  /** bytes a body may have; absent: 1 MiB */
  readonly maxBytes?: number
  /** what a caller needs a right to */
  readonly scope: ApiScope
  /** one line for the OpenAPI document */
  readonly summary: string
}
export interface JsonEndpoint<In extends WireSchema = WireSchema, Out extends WireSchema = WireSchema> extends Base {
  readonly kind: "json"
  readonly input: In
  readonly output: Out
  /** a function where the answer decides (200 or 202) */
  readonly status: number | ((output: Schema.Schema.Type<Out>) => number)
}
export interface EventsEndpoint<In extends WireSchema = WireSchema> extends Base {
  readonly kind: "events"
  readonly input: In
}
export interface ReplyEndpoint<In extends WireSchema = WireSchema> extends Base {
  readonly kind: "reply"
  readonly input: In
}
export type Endpoint = JsonEndpoint | EventsEndpoint | ReplyEndpoint
export type Api = Readonly<Record<string, Endpoint>>

export type InputOf<E extends Endpoint> = Schema.Schema.Type<E["input"]>
export type OutputOf<E extends Endpoint> =
  E extends JsonEndpoint<WireSchema, infer Out>
    ? Schema.Schema.Type<Out>
    : E extends { readonly kind: "events" }
      ? EventFeed
      : Reply

/** What a daemon provides, and what a client of it looks like: the same shape, on every transport. */
export type Handlers<A extends Api> = {
  readonly [K in keyof A]: (input: InputOf<A[K]>) => Effect.Effect<OutputOf<A[K]>, RbeeError>
}

/** One call of an interface, whatever it takes and answers. */
export type AnyCall = Effect.Effect<unknown, RbeeError>

/** The same interface with every call changed; `change` leaves the kind of the answer as it is. */
export const mapCalls = <H extends object>(handlers: H, change: (call: AnyCall, name: string) => AnyCall): H =>
  // The same names; each handler takes what its own endpoint declares, and here that is only passed on.
  Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      (input: unknown) => change((handler as (input: unknown) => AnyCall)(input), name)
    ])
  ) as H

const isRefused = ({ code }: RbeeError): boolean => code === "INVALID_API_KEY" || code === "MISSING_API_KEY"

/**
 * Calls of one process that is known by a secret of its own. Ports are given out again: who listens at its address and
 * does not know that secret is its next life, or somebody else. The process that is meant is gone, which is
 * CONNECTION_TIMEOUT and no matter of anybody's token.
 */
export const ofOneProcess = <H extends object>(handlers: H, peer: string): H =>
  mapCalls(handlers, (call) =>
    Effect.mapError(call, (error) =>
      isRefused(error)
        ? rbeeError("CONNECTION_TIMEOUT", `no connection to ${peer}: another process listens there`, "", {
            peer,
            reason: "ANOTHER"
          })
        : error
    )
  )

/**
 * What is known of the call that is being answered or made. The server provides it to the handler; a client that is
 * called within forwards it, so a job's correlation id and deadline reach every hop.
 */
export interface CallInfo {
  readonly correlationId: string | undefined
  /** ISO 8601, absolute; passed on unchanged */
  readonly deadline: string | undefined
  /** which start of which queen asks; calls of anybody else name none */
  readonly queen?: QueenStart | undefined
  /** by what right it is made; absent in one process, where there is only one */
  readonly caller?: Caller | undefined
}

/** A queen's id, and her epoch, which counts her starts. */
export interface QueenStart {
  readonly id: string
  readonly epoch: number
}
export class Call extends Context.Reference<Call>()("rbee/Call", {
  defaultValue: (): CallInfo => ({ correlationId: undefined, deadline: undefined })
}) {}

type Options = Omit<Base, "method" | "path" | "input" | "summary">

export const json = <In extends WireSchema, Out extends WireSchema>(
  method: Method,
  path: string,
  spec: {
    readonly summary: string
    readonly input: In
    readonly output: Out
    readonly status?: JsonEndpoint<In, Out>["status"]
  } & Options
): JsonEndpoint<In, Out> => ({ kind: "json", method, path, status: 200, ...spec })

export const events = <In extends WireSchema>(
  path: string,
  spec: { readonly summary: string; readonly input: In } & Options
): EventsEndpoint<In> => ({ kind: "events", method: "GET", path, ...spec })

export const reply = <In extends WireSchema>(
  method: Method,
  path: string,
  spec: { readonly summary: string; readonly input: In } & Options
): ReplyEndpoint<In> => ({ kind: "reply", method, path, ...spec })
