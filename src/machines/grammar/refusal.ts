/** Why a grammar cannot be made: thrown inside this folder, and an error of the request outside it. */
import { type RbeeError, rbeeError } from "../errors.ts"

export class Refusal extends Error {
  override readonly name = "Refusal"
  /** where in the schema, as a JSON pointer after the request's field */
  readonly path: string
  readonly keyword: string | undefined

  constructor(path: string, why: string, keyword?: string) {
    super(why)
    this.path = path
    this.keyword = keyword
  }
}

export const refused = ({ keyword, message, path }: Refusal): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", `${path}: ${message}`, "Leave it out of the schema, or say it otherwise", {
    field: path,
    ...(keyword === undefined ? {} : { keyword })
  })
