/** Which file of a Hugging Face repository a reference means. Pure: it is given the listing. */
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "./errors.ts"
import type { ModelRef } from "./model-ref.ts"

export interface HubFile {
  /** inside the repository, with `/` */
  readonly path: string
  readonly bytes: number
  /** lower-case hex; undefined: the hub tells none */
  readonly sha256: string | undefined
}

export interface Chosen {
  readonly file: HubFile
  /** for the log: why this one */
  readonly why: string
}

type HubRef = Extract<ModelRef, { readonly _tag: "Hub" }>

/**
 * What a reference without a quantisation gets, best first: Q4_K_M is the usual middle between size and quality; then
 * what is better, then what is smaller.
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

const splitMark = /-\d{5}-of-\d{5}$/
const baseOf = (path: string): string => (path.split("/").at(-1) ?? "").replace(/\.gguf$/i, "")

/** One of several files that only together are a model. */
export const isSplit = (path: string): boolean => splitMark.test(baseOf(path))

/** Does the name end with this quantisation: `model-Q8_0.gguf`, `model.q8_0.gguf`, `Q8_0.gguf`? */
export const hasQuant = (path: string, quant: string): boolean => {
  const base = baseOf(path).replace(splitMark, "").toUpperCase()
  return base === quant || (base.endsWith(quant) && /[-._]/.test(base[base.length - quant.length - 1] ?? ""))
}

/**
 * Those of a quantisation. Some repositories have it twice, once quantised dynamically and marked so (`UD-Q4_K_M`): the
 * mark has to be asked for where there is a choice.
 */
const ofQuant = (files: ReadonlyArray<HubFile>, quant: string): ReadonlyArray<HubFile> => {
  const fitting = files.filter(({ path }) => hasQuant(path, quant))
  const plain = fitting.filter(({ path }) => !hasQuant(path, `UD-${quant}`))
  return plain.length > 0 ? plain : fitting
}

/** No model of its own: a projector, or the statistics that quantisers use. */
const isCompanion = (path: string): boolean => /(^|[-._/])(mmproj|imatrix)/i.test(path)

const notFound = (what: string, todo: string) => Either.left(rbeeError("MODEL_NOT_FOUND", what, todo))

const listed = (files: ReadonlyArray<HubFile>): string =>
  files.length === 0
    ? "It has no GGUF files; choose another repository"
    : `There are: ${files
        .slice(0, 12)
        .map(({ path }) => path)
        .join(", ")}${files.length > 12 ? ", …" : ""}`

const only = (
  ref: HubRef,
  files: ReadonlyArray<HubFile>,
  why: string
): Either.Either<Chosen, RbeeError<"MODEL_NOT_FOUND" | "DOWNLOAD_FAILED">> => {
  const [file, second] = files
  if (file === undefined) return notFound(`${ref.ref} is not there`, "Check the reference")
  if (isSplit(file.path)) {
    return Either.left(
      rbeeError(
        "DOWNLOAD_FAILED",
        `${ref.ref} is split into several files, which this version does not fetch`,
        "Choose a quantisation that is one file, or join the parts and use file:/absolute/path.gguf",
        { permanent: true }
      )
    )
  }
  if (second === undefined) return Either.right({ file, why })
  return notFound(`${ref.ref} is ambiguous`, `Name the file: HF:${ref.author}/${ref.repo}:FILE. ${listed(files)}`)
}

/**
 * The file that the reference names; without a file and a quantisation the first of `preference` that is there.
 * Paths that are not safe are not there.
 */
export const chooseFile = (
  ref: HubRef,
  listing: ReadonlyArray<HubFile>
): Either.Either<Chosen, RbeeError<"MODEL_NOT_FOUND" | "DOWNLOAD_FAILED">> => {
  const all = listing.filter(({ path }) => isSafePath(path) && /\.gguf$/i.test(path))
  const { file, quant } = ref
  if (file !== undefined) {
    const named = all.filter(({ path }) => path === file)
    return named.length === 0
      ? notFound(`there is no ${file} in ${ref.author}/${ref.repo}`, listed(all))
      : only(ref, named, "named")
  }
  const models = all.filter(({ path }) => !isCompanion(path))
  if (quant !== undefined) {
    const fitting = ofQuant(models, quant)
    return fitting.length === 0
      ? notFound(`there is no ${quant} in ${ref.author}/${ref.repo}`, listed(models))
      : only(ref, fitting, `the ${quant}`)
  }
  const whole = models.filter(({ path }) => !isSplit(path))
  const [first, second] = whole
  if (first !== undefined && second === undefined) return Either.right({ file: first, why: "the only model file" })
  for (const candidate of preference) {
    const fitting = ofQuant(whole, candidate)
    if (fitting.length > 0) return only(ref, fitting, `${candidate}, the first of the preferred ones that is there`)
  }
  return models.length === 0
    ? notFound(`there is no model file in ${ref.author}/${ref.repo}`, listed(all))
    : only(ref, whole.length === 0 ? models : whole, "the only model file")
}
