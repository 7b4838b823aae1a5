/** Which file of a Hugging Face repository a reference means. Pure: it is given the listing. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "./errors.ts"
import { partsOf, wholeName } from "./gguf-split.ts"
import type { ModelRef } from "./model-ref.ts"

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

type HubRef = Extract<ModelRef, { readonly _tag: "Hub" }>

/**
 * What a reference gets that leaves a choice, best first: Q4_K_M is the usual middle between size and quality; then
 * what is better, then what is smaller. The first that fits is taken.
 */
export const preference = (
  "Q4_K_M Q4_K_S Q4_K_XL Q4_K_L Q5_K_M Q5_K_S Q6_K Q8_0 Q4_0 Q4_1 IQ4_XS IQ4_NL MXFP4 Q5_0 Q5_1 Q3_K_L Q3_K_M Q3_K_S " +
  "IQ3_M IQ3_S IQ3_XS IQ3_XXS Q2_K_L Q2_K IQ2_M IQ2_S IQ2_XS IQ2_XXS BF16 F16 FP16 F32"
).split(" ")

/** A path that cannot lead out of the folder that it is put into, on any system. */
export const isSafePath = (path: string): boolean =>
  path.length > 0 &&
  path.length <= 512 &&
  // eslint-disable-next-line no-control-regex -- finding them is the point
  !/[\u0000-\u001f\u007f\\:]/.test(path) &&
  path.split("/").every((segment) => segment !== "" && segment !== "." && segment !== "..")

const baseOf = (path: string): string => (wholeName(path).split("/").at(-1) ?? "").replace(/\.gguf$/i, "")

/** Does the name end with this quantisation: `model-Q8_0.gguf`, `model.q8_0.gguf`, `Q8_0-00001-of-00002.gguf`? */
export const hasQuant = (path: string, quant: string): boolean => {
  const base = baseOf(path).toUpperCase()
  return base === quant || (base.endsWith(quant) && /[-._]/.test(base[base.length - quant.length - 1] ?? ""))
}

const pathOf = ({ files }: HubModel): string => files[0].path

/**
 * Those of a quantisation. Some repositories have it twice, once quantised dynamically and marked so (`UD-Q4_K_M`): the
 * mark has to be asked for where there is a choice.
 */
const ofQuant = (models: ReadonlyArray<HubModel>, quant: string): ReadonlyArray<HubModel> => {
  const fitting = models.filter((model) => hasQuant(pathOf(model), quant))
  const plain = fitting.filter((model) => !hasQuant(pathOf(model), `UD-${quant}`))
  return plain.length > 0 ? plain : fitting
}

/** No model of its own: a projector, or the statistics that quantisers use. */
const isCompanion = (path: string): boolean => /(^|[-._/])(mmproj|imatrix)/i.test(path)

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

const listed = (files: ReadonlyArray<{ readonly path: string }>): string =>
  files.length === 0
    ? "It has no GGUF files; choose another repository"
    : `There are: ${files
        .slice(0, 12)
        .map(({ path }) => path)
        .join(", ")}${files.length > 12 ? ", …" : ""}`

type Candidates = readonly [HubModel, ...ReadonlyArray<HubModel>]

/**
 * The models that the reference may mean, best first: one that is named, or one of each quantisation that it leaves
 * open (`Q4` leaves open Q4_K_M, Q4_0, …). Paths that are not safe are not there.
 */
export const candidatesOf = (ref: HubRef, listing: ReadonlyArray<HubFile>): Either.Either<Candidates, Refusal> => {
  const all = listing.filter(({ path }) => isSafePath(path) && /\.gguf$/i.test(path))
  const { file, quant } = ref
  const repo = `${ref.author}/${ref.repo}`
  if (file !== undefined) {
    const named = modelsIn(all).find(({ files }) => files.some(({ path }) => path === file))
    if (named !== undefined) return Either.right([named])
    return all.some(({ path }) => path === file)
      ? notFound(
          `${file} in ${repo} is one of ${partsOf(file).length} files, and others of them are missing`,
          listed(all)
        )
      : notFound(`there is no ${file} in ${repo}`, listed(all))
  }
  const files = all.filter(({ path }) => !isCompanion(path))
  const models = modelsIn(files)
  const open = preference.filter((each) => quant === undefined || each === quant || each.startsWith(`${quant}_`))
  const found: Array<HubModel> = []
  for (const name of new Set(quant === undefined ? open : [quant, ...open])) {
    const [first, second] = ofQuant(models, name)
    if (first === undefined) continue
    if (second === undefined) found.push({ ...first, name })
    else if (found.length === 0)
      return notFound(`${ref.ref} is ambiguous`, `Name the file: HF:${repo}:FILE. ${listed(files)}`)
  }
  const [best, ...others] = found
  if (best !== undefined) return Either.right([best, ...others])
  const [only, another] = models
  if (quant !== undefined) return notFound(`there is no ${quant} in ${repo}`, listed(files))
  if (only === undefined) return notFound(`there is no model file in ${repo}`, listed(all))
  return another === undefined
    ? Either.right([only])
    : notFound(`${ref.ref} is ambiguous`, `Name the file: HF:${repo}:FILE. ${listed(files)}`)
}

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
