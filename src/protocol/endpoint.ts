/**
 * How the interfaces are declared: once, as data, schema-first. Server, client, in-process transport and the OpenAPI
 * document all come from these declarations.
 *
 * A call has one flat input. Fields named in the path travel in the path, fields named in `query` or `headers` travel
 * there, the rest is the JSON body (or, for GET and DELETE, the query).
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { type ErrorCode, type RbeeError, rbeeError } from "../machines/errors.ts"
import type { Answers, OutputOfAnswers, WireSchema } from "./answers.ts"
import type { Carried } from "./failures.ts"
import type { ApiScope, Caller } from "./rights.ts"
import { rbee } from "./surfaces/rbee.ts"
import type { Surface } from "./surfaces/surface.ts"

export type { ApiScope, Caller }
export type { EventFeed, Sink } from "./answers.ts"

export type Method = "GET" | "POST" | "DELETE"

export interface Endpoint<
  In extends WireSchema = WireSchema,
  A extends Answers = Answers,
  Code extends ErrorCode = ErrorCode
> {
  readonly method: Method
  /** `/jobs/:id/events` */
  readonly path: string
  readonly input: In
  /** what it gives when nothing goes wrong */
  readonly answers: A
  /** what it may fail with, besides what any call may (`carried`) */
  readonly errors: ReadonlyArray<Code>
  /** the statuses of codes that have others here than elsewhere */
  readonly statuses?: Readonly<Partial<Record<ErrorCode, ReadonlyArray<number>>>>
  /** envelope, framing and authorization */
  readonly surface: Surface
  /** what the OpenAPI document says of the input, where the handler decodes it itself */
  readonly documented?: WireSchema
  /** input fields that travel in the query of a POST */
  readonly query?: ReadonlyArray<string>
  /** what is no POST and has a body all the same */
  readonly bodied?: true
  /** header (lower case) → input field */
  readonly headers?: Readonly<Record<string, string>>
  /** headers that an answer may have, for its client to read */
  readonly tells?: ReadonlyArray<string>
  /** headers that every answer has */
  readonly sends?: Readonly<Record<string, string>>
  /** unknown fields of the body are an error instead of being ignored */
  readonly strict?: boolean
  /** bytes a body may have; absent: 1 MiB */
  readonly maxBytes?: number
  /** what a caller needs a right to */
  readonly scope: ApiScope
  /** one line for the OpenAPI document */
  readonly summary: string
}
export type Api = Readonly<Record<string, Endpoint>>

export type InputOf<E extends Endpoint> = Schema.Schema.Type<E["input"]>
export type OutputOf<E extends Endpoint> = OutputOfAnswers<E["answers"]>
/** What a call of it may fail with. */
export type ErrorOf<E extends Endpoint> = RbeeError<E["errors"][number] | Carried>

/**
 * What a daemon provides, and what a client of it looks like: the same shape, on every transport. A handler that may
 * fail with what its endpoint does not declare is no handler of it: the compiler says so.
 */
export type Handlers<A extends Api, R = never> = {
  readonly [K in keyof A]: (input: InputOf<A[K]>) => Effect.Effect<OutputOf<A[K]>, ErrorOf<A[K]>, R>
}

/** Gives handlers what they need of their daemon; what is known of a call stays that call's own. */
export const provided = <A extends Api, R>(context: Context.Context<R>, handlers: Handlers<A, R>): Handlers<A> =>
  // the same names; each call needs nothing any more, which is what the type says
  mapCalls(handlers, (call) =>
    Effect.flatMap(Call, (info) => call.pipe(Effect.provideService(Call, info), Effect.provide(context)))
  ) as Handlers<A>

/** One call of an interface, whatever it takes and answers. */
export type AnyCall = Effect.Effect<unknown, RbeeError>

/** The same interface with every call changed; `change` leaves the kind of the answer as it is. */
export const mapCalls = <H extends object>(
  handlers: H,
  change: (call: AnyCall, name: string, input: unknown) => AnyCall
): H =>
  // The same names; each handler takes what its own endpoint declares, and here that is only passed on.
  Object.fromEntries(
    Object.entries(handlers).map(([name, handler]) => [
      name,
      (input: unknown) => change((handler as (input: unknown) => AnyCall)(input), name, input)
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

type Spec<In, A, Code> = Omit<Endpoint, "method" | "path" | "input" | "answers" | "errors" | "surface"> & {
  readonly input: In
  readonly answers: A
  readonly errors?: ReadonlyArray<Code>
  /** absent: the cluster's own */
  readonly surface?: Surface
}

export const endpoint = <In extends WireSchema, const A extends Answers, const Code extends ErrorCode = never>(
  method: Method,
  path: string,
  spec: Spec<In, A, Code>
): Endpoint<In, A, Code> => ({ method, path, errors: [], surface: rbee, ...spec })
