/** Bodies whose fields are sorted before they are read: what nobody has published is named, and not read. */
import * as Either from "effect/Either"
import type * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Sorted } from "../../machines/vocabulary/openai/fields.ts"
import { explain } from "../../protocol/explain.ts"

type Refused = RbeeError<"INVALID_REQUEST" | "UNSUPPORTED_PARAMETER">
type Fields = Readonly<Record<string, unknown>>

/** What is asked, of a body whose fields were sorted. */
export const sorted =
  <A, I>(sort: (body: Fields) => Either.Either<Sorted, Refused>, schema: Schema.Schema<A, I>) =>
  (body: Fields): Either.Either<{ readonly request: A; readonly ignored: ReadonlyArray<string> }, Refused> =>
    Either.gen(function* () {
      const { asked, ignored } = yield* sort(body)
      return { request: yield* Either.mapLeft(decoder(schema)(asked), explain), ignored }
    })

export const json = <Body>(body: Body) => ({ _tag: "Json" as const, status: 200 as const, body })
