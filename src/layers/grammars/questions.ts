/** What the thread that makes grammars is asked, and what it says, as structured clones. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { type Answering, checkWishes, constraintOf, type Wishes } from "../../machines/grammar/answer/constraint.ts"

export type Question =
  /** could a model be held to it? */
  { readonly ask: "check"; readonly wishes: Wishes } | { readonly ask: "grammar"; readonly answering: Answering }

export type Made =
  /** undefined: what is asked is free, or was only to be checked */
  | { readonly t: "made"; readonly grammar: string | undefined }
  | { readonly t: "refused"; readonly what: string; readonly todo: string; readonly details: Record<string, unknown> }

export type Refused = RbeeError<"INVALID_REQUEST">

const madeOf = (question: Question): Either.Either<string | undefined, Refused> =>
  question.ask === "check"
    ? Either.map(checkWishes(question.wishes), () => undefined)
    : constraintOf(question.answering)

export const answerTo = (question: Question): Made =>
  Either.match(madeOf(question), {
    onLeft: ({ details, todo, what }): Made => ({ t: "refused", what, todo, details }),
    onRight: (grammar): Made => ({ t: "made", grammar })
  })

export const refusalOf = ({ details, todo, what }: Extract<Made, { t: "refused" }>): Refused =>
  rbeeError("INVALID_REQUEST", what, todo, details)
