/** A JSON schema as a grammar, or why it cannot be one. */
import * as Either from "effect/Either"
import type { RbeeError } from "../../errors.ts"
import { refused, Refusal } from "../refusal.ts"
import { grammarText } from "../render.ts"
import { Rules } from "../rules.ts"
import { Values } from "./values.ts"

/** `making` as an error where it refuses. */
export const orRefused = <A>(making: () => A): Either.Either<A, RbeeError<"INVALID_REQUEST">> => {
  try {
    return Either.right(making())
  } catch (cause) {
    if (cause instanceof Refusal) return Either.left(refused(cause))
    throw cause
  }
}

/** `path`: where the schema stands in what was asked. */
export const grammarOfSchema = (schema: unknown, path: string): Either.Either<string, RbeeError<"INVALID_REQUEST">> =>
  orRefused(() => {
    const rules = new Rules()
    const values = new Values(rules, { schema, path })
    return grammarText(rules, rules.of([[values.layout.space, values.of([{ schema, path }])]]))
  })
