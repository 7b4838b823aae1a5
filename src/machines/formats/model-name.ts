/**
 * Names of models as people are used to write them, beside references: the file's, the repository's, in any case, with
 * or without their quantisation. And references of the hub, which are the same in any case.
 */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../errors.ts"
import { wholeName } from "./gguf/split.ts"
import { quantOf } from "./hub-names.ts"
import { acceptedForms, parseModelRef } from "./model-ref.ts"
import type { ModelRef } from "../vocabulary/ids.ts"

/** A model that some hive has. */
export interface Named {
  readonly model_ref: ModelRef
  readonly file: string
  readonly sha256?: string | undefined
  /** other references of the same file */
  readonly names?: ReadonlyArray<string> | undefined
}

/** Cannot be a reference, but may be what a file or a repository here is called. */
export const isName = (text: string): boolean =>
  // eslint-disable-next-line no-control-regex -- finding them is the point
  /^[^/\\\u0000-\u001f\u007f]{1,256}$/.test(text) && !/^(hf|file|ollama):/i.test(text)

/** What is left of a name when nobody can tell it from another: `Foo-Q4_K_M-00001-of-00003.gguf` → `foo-q4_k_m`. */
const key = (name: string): string =>
  wholeName(name.replace(/:latest$/i, ""))
    .toLowerCase()
    .replace(/\.gguf$/, "")

const baseOf = (path: string): string => path.split(/[/\\]/).at(-1) ?? path

const namesOfRef = (ref: string, file: string): ReadonlyArray<string> => {
  const [, repo, chosen = quantOf(file)] = /^HF:[^/]+\/([^:@]+)(?::([^@]+))?/.exec(ref) ?? []
  const ofHub = repo === undefined ? [] : [repo, ...(chosen === undefined ? [] : [`${repo}:${chosen}`])]
  const ofOllama = ref.startsWith("ollama:") ? [ref.slice("ollama:".length)] : []
  return [ref, ...[ref, ...ofOllama].map(baseOf), ...ofHub]
}

const namesOf = ({ file, model_ref, names = [] }: Named): ReadonlyArray<string> =>
  [baseOf(file), ...[model_ref, ...names].flatMap((ref) => namesOfRef(ref, file))].map(key)

/** Without what says nothing of which model it is: how its words are set apart, and that it is GGUF. */
const loose = (name: string): string =>
  key(name)
    .replace(/[-_. ]gguf(?=:|$)/, "")
    .replace(/[^\p{L}\p{N}]+/gu, "-")

/** And without the quantisation. */
const bare = (name: string): string => {
  const ending = `-${loose(quantOf(`${name}.gguf`) ?? "")}`
  return name.endsWith(ending) ? name.slice(0, -ending.length) : name
}

/** Strictest first: what fits in one of these ways is meant, whatever would fit in the next. */
const ways: ReadonlyArray<(name: string, model: Named) => boolean> = [
  (name, model) => namesOf(model).includes(key(name)),
  (name, model) => namesOf(model).some((own) => loose(own) === loose(name)),
  (name, model) => namesOf(model).some((own) => bare(loose(own)) === loose(name))
]

/** The same file under two references is one model. */
const contentOf = ({ file, sha256 }: Named): string => sha256 ?? file

/** The reference of the one model that the name fits; undefined: none is called so. */
export const modelNamed = (
  name: string,
  known: ReadonlyArray<Named>
): Either.Either<ModelRef | undefined, RbeeError<"INVALID_REQUEST">> => {
  const fitting = ways.map((fits) => known.filter((model) => fits(name, model))).find(({ length }) => length > 0) ?? []
  const [first] = fitting
  if (first === undefined) return Either.right(undefined)
  const isOne = (one: Named) => one.model_ref === first.model_ref || contentOf(one) === contentOf(first)
  if (fitting.every(isOne)) return Either.right(first.model_ref)
  const shown = [...new Set(fitting.map(({ model_ref }) => model_ref))].slice(0, 8).join(", ")
  return Either.left(
    rbeeError("INVALID_REQUEST", `several models are called so: ${shown}`, "Write one of these", { field: "model" })
  )
}

const revisionOf = (ref: string): string => {
  const parsed = Either.getOrUndefined(parseModelRef(ref))
  return parsed?._tag === "Hub" ? (parsed.revision ?? "") : ""
}

/**
 * The reference by which a model of the hub is known here already: to the hub `HF:Author/Repo` and `HF:author/repo` are
 * one, and who was told the other would fetch it again. A revision is as it is written.
 */
export const knownAs = <Name extends string>(ref: Name, known: Iterable<Name>): Name => {
  const folded = ref.toLowerCase()
  let found: Name | undefined
  for (const each of known) {
    if (each === ref) return ref
    // most are told by their length
    const isSame = each.length === ref.length && each.toLowerCase() === folded && revisionOf(each) === revisionOf(ref)
    if (isSame) found ??= each
  }
  return found ?? ref
}

const howToFind =
  "`rbee list` has those that are here, `rbee models scan` finds what Ollama and others have left, `rbee models search` what the hub has"

const nobody = (): RbeeError<"INVALID_REQUEST"> =>
  rbeeError("INVALID_REQUEST", "no model here is called so", `${howToFind}. Accepted: ${acceptedForms}`, {
    accepted: acceptedForms
  })

/** The reference of what is called so: as a reference, or by the name of a model that is known. */
export const resolveName = (
  name: string,
  known: ReadonlyArray<Named>
): Either.Either<ModelRef, RbeeError<"INVALID_REQUEST">> => {
  const parsed = parseModelRef(name)
  if (Either.isRight(parsed)) {
    const { _tag, ref } = parsed.right
    if (_tag === "Bundled") return Either.right(ref)
    const owner = (name: string) =>
      known.find(({ model_ref }) => model_ref === name) ?? known.find(({ names }) => names?.includes(name))
    // the hub's names differ by more than their case, and Ollama's; files' need not
    const refs = known.flatMap(({ model_ref, names = [] }): ReadonlyArray<string> => [model_ref, ...names])
    const called = _tag === "File" ? ref : knownAs(ref, refs)
    // Ollama's names of its users' models look like the hub's
    const asOllama = _tag === "Hub" ? Either.getOrUndefined(parseModelRef(`ollama:${name}`))?.ref : undefined
    const found = owner(called) ?? (asOllama === undefined ? undefined : owner(knownAs(asOllama, refs)))
    return Either.right(found?.model_ref ?? ref)
  }
  return Either.flatMap(modelNamed(name, known), (found) => {
    if (found !== undefined) return Either.right(found)
    return Either.left(isName(name) ? nobody() : parsed.left)
  })
}
