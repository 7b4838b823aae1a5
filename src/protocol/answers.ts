/**
 * What an endpoint answers, as data: values by status, texts by status, events. What a handler gives and a client gets
 * is derived from it: where there is one form alone, that form itself; else an `Answer`, which says what it is.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { RbeeError } from "../machines/errors.ts"

/** Encodes to JSON; needs no services. */
export type WireSchema = Schema.Schema.AnyNoContext

/**
 * Where a stream of events goes. Text, not elements: the token path is a pipe (docs/design.md#the-token-path), and the
 * same text crosses the wire and the in-process transport.
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

/** What an endpoint may answer when nothing goes wrong. */
export interface Answers {
  /** JSON, by status; `Schema.Void`: no body */
  readonly json?: Readonly<Record<number, WireSchema>>
  /** the media type of a text, by status; several where it depends on what is asked for */
  readonly text?: Readonly<Record<number, string | ReadonlyArray<string>>>
  /** what the events carry, by their names; `message` has no name on the wire */
  readonly events?: Readonly<Record<string, WireSchema>>
  /** the one form that it has comes with headers of its own, and so as an `Answer` */
  readonly headed?: true
}

/** Headers that the endpoint says it may tell (`Endpoint.tells`), by name. */
type Told = Readonly<Record<string, string>>

export interface JsonAnswer<Status = number, Body = unknown> {
  readonly _tag: "Json"
  readonly status: Status
  readonly body: Body
  readonly headers?: Told
}
export interface TextAnswer<Status = number, Type = string> {
  readonly _tag: "Text"
  readonly status: Status
  readonly type: Type
  readonly body: string
  readonly headers?: Told
}
export interface EventsAnswer {
  readonly _tag: "Events"
  readonly feed: EventFeed
  readonly headers?: Told
}
/** Any answer of any endpoint. */
export type Answer = JsonAnswer | TextAnswer | EventsAnswer

type IsUnion<T, All = T> = T extends unknown ? ([All] extends [T] ? false : true) : never
type OneOf<T> = T extends ReadonlyArray<infer Item> ? Item : T
/** Statuses, which are keys of a record and so may read as texts. */
type StatusesOf<T> = keyof T & number

type JsonAnswers<J> = {
  [S in StatusesOf<J>]: J[S] extends WireSchema ? JsonAnswer<S, Schema.Schema.Type<J[S]>> : never
}[StatusesOf<J>]
type TextAnswers<T> = { [S in StatusesOf<T>]: TextAnswer<S, OneOf<T[S]>> }[StatusesOf<T>]

/** An answer of this endpoint, whichever it is. */
export type AnswerOf<A extends Answers> =
  | (A extends { readonly json: infer J } ? JsonAnswers<J> : never)
  | (A extends { readonly text: infer T } ? TextAnswers<T> : never)
  | (A extends { readonly events: unknown } ? EventsAnswer : never)

/** What stands for the answer: a value, a text or a feed where there is nothing to choose from. */
export type OutputOfAnswers<A extends Answers> =
  IsUnion<keyof A> extends true
    ? AnswerOf<A>
    : A extends { readonly events: unknown }
      ? EventFeed
      : A extends { readonly json: infer J }
        ? IsUnion<keyof J> extends true
          ? JsonAnswers<J>
          : J[keyof J] extends WireSchema
            ? Schema.Schema.Type<J[keyof J]>
            : never
        : A extends { readonly text: infer T }
          ? IsUnion<keyof T> extends true
            ? TextAnswers<T>
            : T[keyof T] extends string
              ? string
              : TextAnswers<T>
          : never
