/** Which file of a Hugging Face repository a reference means. Pure: it is given the listing. */
import * as Arrays from "effect/Array"
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../errors.ts"
import { partsOf } from "./gguf/split.ts"
import { besideOf, isSafePath, quantOf, variantsOf } from "./hub-names.ts"
import type { ParsedRef } from "./model-ref.ts"

export interface HubFile {
  /** inside the repository, with `/` */
  readonly path: string
  readonly bytes: number
  /** lower-case hex; undefined: the hub tells none */
  readonly sha256: string | undefined
}

/** A model of a repository: one file, or the parts of a split one, in order. */
export interface HubModel {
  readonly files: readonly [HubFile, ...ReadonlyArray<HubFile>]
  /** of all files */
  readonly bytes: number
  /** how it is called in explanations: its quantisation, or its path */
  readonly name: string
}

export interface Chosen {
  readonly model: HubModel
  /** why this one */
  readonly why: string
}

type HubRef = Extract<ParsedRef, { readonly _tag: "Hub" }>

/**
 * What a reference gets that leaves a choice, best first: Q4_K_M is the usual middle between size and quality; then
 * what is better, then what is smaller. The first that fits is taken.
 */
export const preference = (
  "Q4_K_M Q4_K_S Q4_K_XL Q4_K_L Q4_K_P Q4_K Q5_K_M Q5_K_S Q5_K_XL Q5_K_L Q5_K_P Q5_K Q6_K Q6_K_L Q6_K_XL Q6_K_P Q8_0 " +
  "Q8_K_XL Q8_K_P Q4_0 Q4_1 IQ4_XS IQ4_NL MXFP4_MOE MXFP4 NVFP4 Q5_0 Q5_1 Q4 Q5 Q6 Q8 Q3_K_XL Q3_K_L Q3_K_M Q3_K_S " +
  "Q3_K_P Q3_K Q3 IQ3_M IQ3_S IQ3_XS IQ3_XXS Q2_K_XL Q2_K_L Q2_K_P Q2_K Q2_K_S Q2 IQ2_M IQ2_S IQ2_XS IQ2_XXS TQ2_0 IQ1_M " +
  "IQ1_S TQ1_0 BF16 F16 F32"
).split(" ")

const pathOf = ({ files }: HubModel): string => files[0].path

/** Those of which there is the least of something. */
const fewest = <A>(all: ReadonlyArray<A>, count: (each: A) => number): ReadonlyArray<A> => {
  const counted = all.map((each) => [each, count(each)] as const)
  const least = counted.reduce((min, [, n]) => Math.min(min, n), Infinity)
  return counted.flatMap(([each, n]) => (n === least ? [each] : []))
}

/** Of files that may be something else than a model, those are models whose names say the least of it. */
const onlyModels = (files: ReadonlyArray<HubFile>): ReadonlyArray<HubFile> => {
  const weighed = files.map((file) => [file, besideOf(file.path)?.weight ?? 0] as const)
  const open = weighed.filter(([, weight]) => weight < Infinity)
  return fewest(open, ([, weight]) => weight).map(([file]) => file)
}

/**
 * Of a quantisation the model that is meant. Some repositories have it twice, once made in another way and marked so
 * (`UD-Q4_K_M`): the mark has to be asked for where there is a choice.
 */
const meant = (models: ReadonlyArray<HubModel>): ReadonlyArray<HubModel> =>
  fewest(models, (model) => variantsOf(pathOf(model)).size)

type ByQuant = (quant: string) => ReadonlyArray<HubModel>

/** By what the reference asks for: a quantisation, perhaps with its variant, or any word of the name that we know none by. */
const asked = (models: ReadonlyArray<HubModel>, byQuant: ByQuant, text: string): ReadonlyArray<HubModel> => {
  const quant = quantOf(text)
  if (quant === undefined) {
    const word = new RegExp(`(^|[^A-Z0-9])${text}($|[^A-Z0-9])`)
    return models.filter((model) => word.test(pathOf(model).toUpperCase()))
  }
  const wanted = [...variantsOf(text)]
  return byQuant(quant).filter((model) => {
    const own = variantsOf(pathOf(model))
    return wanted.every((each) => own.has(each))
  })
}

/** The models of a listing; a split one only where all its parts are there. */
const modelsIn = (files: ReadonlyArray<HubFile>): ReadonlyArray<HubModel> => {
  const byPath = new Map(files.map((file) => [file.path, file]))
  return files.flatMap(({ path }) => {
    const [head, ...tail] = partsOf(path)
    const first = byPath.get(head)
    if (first === undefined || head !== path) return []
    const rest = tail.flatMap((part) => byPath.get(part) ?? [])
    if (rest.length !== tail.length) return []
    const bytes = rest.reduce((sum, part) => sum + part.bytes, first.bytes)
    return [{ files: [first, ...rest], bytes, name: path }]
  })
}

type Refusal = RbeeError<"MODEL_NOT_FOUND">
const notFound = (what: string, todo: string): Either.Either<never, Refusal> =>
  Either.left(rbeeError("MODEL_NOT_FOUND", what, todo))

const listed = (files: ReadonlyArray<{ readonly path: string }>): string => {
  if (files.length === 0) return "It has no files of models that are served here; choose another repository"
  const told = files.slice(0, 12).map(({ path }) => {
    const kind = besideOf(path)?.kind
    return kind === undefined ? path : `${path} (by its name ${kind})`
  })
  return `There are: ${told.join(", ")}${files.length > 12 ? ", …" : ""}`
}

type Candidates = readonly [HubModel, ...ReadonlyArray<HubModel>]

/** A file that is named, whatever its name says of it; one and the same in either form of Unicode. */
const named = (
  { author, repo }: HubRef,
  file: string,
  all: ReadonlyArray<HubFile>
): Either.Either<Candidates, Refusal> => {
  const normal = file.normalize()
  const path =
    all.find((each) => each.path === file)?.path ?? all.find((each) => each.path.normalize() === normal)?.path
  if (path === undefined) return notFound(`there is no ${file} in ${author}/${repo}`, listed(all))
  const parts = new Set(partsOf(path))
  const [model] = modelsIn(all.filter((each) => parts.has(each.path)))
  return model === undefined
    ? notFound(
        `${file} in ${author}/${repo} is one of ${parts.size} files, and others of them are missing`,
        listed(all)
      )
    : Either.right([model])
}

/** One of each quantisation that the reference leaves open, best first; "ambiguous" where the best is several. */
const ofOpen = (models: ReadonlyArray<HubModel>, quant: string | undefined): ReadonlyArray<HubModel> | "ambiguous" => {
  const open = preference.filter((each) => quant === undefined || each.startsWith(`${quant}_`))
  const grouped = new Map(Object.entries(Arrays.groupBy(models, (model) => quantOf(pathOf(model)) ?? "")))
  const byQuant: ByQuant = (each) => grouped.get(each) ?? []
  const exact = quant === undefined ? [] : [{ name: quant, models: asked(models, byQuant, quant) }]
  const found: Array<HubModel> = []
  for (const each of [...exact, ...open.map((name) => ({ name, models: byQuant(name) }))]) {
    const [first, second] = meant(each.models)
    if (first === undefined) continue
    if (second === undefined) found.push({ ...first, name: each.name })
    else if (found.length === 0) return "ambiguous"
  }
  return found
}

/**
 * The models that the reference may mean, best first: one that is named, or one of each quantisation that it leaves
 * open (`Q4` leaves open Q4_K_M, Q4_0, …). `listing`: the files that may be models. Paths that are not safe are not there.
 */
export const candidatesOf = (ref: HubRef, listing: ReadonlyArray<HubFile>): Either.Either<Candidates, Refusal> => {
  const all = listing.filter(({ path }) => isSafePath(path))
  if (ref.file !== undefined) return named(ref, ref.file, all)
  const repo = `${ref.author}/${ref.repo}`
  const models = modelsIn(onlyModels(all))
  const ambiguous = () => notFound(`${ref.ref} is ambiguous`, `Name the file: HF:${repo}:FILE. ${listed(all)}`)
  const found = ofOpen(models, ref.quant)
  if (found === "ambiguous") return ambiguous()
  const [best, ...others] = found
  if (best !== undefined) return Either.right([best, ...others])
  if (ref.quant !== undefined) return notFound(`there is no ${ref.quant} in ${repo}`, listed(all))
  // where no name tells a quantisation that we know, there may still be no choice
  const [only, another] = meant(models)
  if (only === undefined) return notFound(`there is no model file in ${repo}`, listed(all))
  return another === undefined ? Either.right([only]) : ambiguous()
}

const rank = (model: HubModel): number => {
  const at = preference.indexOf(quantOf(pathOf(model)) ?? "")
  return at < 0 ? preference.length : at
}

/** Every model of a listing, in the order of preference; those whose names tell no quantisation come last. */
export const offeredIn = (listing: ReadonlyArray<HubFile>): ReadonlyArray<HubModel> =>
  modelsIn(onlyModels(listing.filter(({ path }) => isSafePath(path)))).toSorted(
    (a, b) => rank(a) - rank(b) || variantsOf(pathOf(a)).size - variantsOf(pathOf(b)).size || a.bytes - b.bytes
  )

/** The first that fits; the smallest where none does, so that whoever asks hears the smallest amount. */
export const choose = (candidates: Candidates, fits: (model: HubModel) => boolean): Chosen => {
  const [best, second] = candidates
  if (second === undefined) return { model: best, why: `${best.name}: there is no choice` }
  const passed: Array<string> = []
  for (const model of candidates) {
    if (fits(model)) {
      const others = passed.length === 0 ? "" : `; too large: ${passed.join(", ")}`
      return { model, why: `${model.name}: the first in the order of preference that fits${others}` }
    }
    passed.push(model.name)
  }
  const smallest = candidates.reduce((least, model) => (model.bytes < least.bytes ? model : least), best)
  return { model: smallest, why: `${smallest.name}: the smallest, because none of ${passed.join(", ")} fits` }
}
