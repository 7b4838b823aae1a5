/** Names of models as people are used to write them, beside references: the file's, the repository's, in any case. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "./errors.ts"

/** A model that some hive has. */
export interface Named {
  readonly model_ref: string
  readonly file: string
}

/** What is left of a name when nobody can tell it from another: `Foo-Q4_K_M-00001-of-00003.gguf` → `foo-q4_k_m`. */
const key = (name: string): string =>
  name
    .toLowerCase()
    .replace(/:latest$/, "")
    .replace(/\.gguf$/, "")
    .replace(/-\d{5}-of-\d{5}$/, "")

const baseOf = (path: string): string => path.split(/[/\\]/).at(-1) ?? path

const namesOf = ({ file, model_ref }: Named): ReadonlyArray<string> => {
  const [, repo, chosen] = /^HF:[^/]+\/([^:@]+)(?::([^@]+))?/.exec(model_ref) ?? []
  const ofHub = repo === undefined ? [] : [repo, ...(chosen === undefined ? [] : [`${repo}:${chosen}`])]
  return [model_ref, baseOf(file), baseOf(model_ref), ...ofHub].map(key)
}

/** The reference of the one model that the name fits; undefined: none is called so. */
export const modelNamed = (
  name: string,
  known: ReadonlyArray<Named>
): Either.Either<string | undefined, RbeeError<"INVALID_REQUEST">> => {
  const fitting = [...new Set(known.filter((model) => namesOf(model).includes(key(name))).map((one) => one.model_ref))]
  if (fitting.length < 2) return Either.right(fitting[0])
  const shown = fitting.slice(0, 8).join(", ")
  return Either.left(
    rbeeError("INVALID_REQUEST", `several models are called so: ${shown}`, "Write one of these", { field: "model" })
  )
}
