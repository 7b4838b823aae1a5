/** What the hub offers: repositories by words, and of one the models that it has, with the facts that speak for all. */
import * as Either from "effect/Either"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { ModelFacts } from "../../../machines/formats/gguf/gguf.ts"
import { candidatesOf, type HubFile, type HubModel, offeredIn } from "../../../machines/formats/hub-files.ts"
import { quantOf } from "../../../machines/formats/hub-names.ts"
import { parseModelRef } from "../../../machines/formats/model-ref.ts"
import { formatOf } from "../../../machines/kinds/kind.ts"
import { inSteps, invalid, readHeaderOf } from "../header.ts"
import { type HubRef, makeApi } from "./api.ts"
import type { HubSettings } from "./settings.ts"

export interface OfferedModel {
  /** as it is asked for */
  readonly ref: string
  /** undefined: no name tells it */
  readonly quantization: string | undefined
  /** in the repository; of a split model the first */
  readonly file: string
  readonly files: number
  /** of all files */
  readonly bytes: number
}

export interface OfferedRepo {
  readonly repo: string
  readonly downloads?: number
  readonly likes?: number
  /** it is given to those whom its author has let in */
  readonly gated?: boolean
  /** best first */
  readonly models: ReadonlyArray<OfferedModel>
  /** why its models could not be listed */
  readonly problem?: string
}

/** repositories whose files are listed at the same time */
const sideBySide = 4

const forbidden = () =>
  rbeeError(
    "DOWNLOAD_FAILED",
    "the hub is not asked: HF_HUB_OFFLINE forbids it",
    "Unset HF_HUB_OFFLINE; `rbee models scan` finds what is on this machine"
  )

/** A quantisation stands for a file where it is the only one; else the file is named. */
const offered = (ref: HubRef, listing: ReadonlyArray<HubFile>, models: ReadonlyArray<HubModel>) => {
  const at = ref.revision === undefined ? "" : `@${ref.revision}`
  const repo = `HF:${ref.author}/${ref.repo}`
  return models.map(({ bytes, files }): OfferedModel => {
    const [{ path }] = files
    const quantization = quantOf(path)
    const short = quantization === undefined ? undefined : parseModelRef(`${repo}:${quantization}`)
    const meant =
      short !== undefined && Either.isRight(short) && short.right._tag === "Hub"
        ? candidatesOf(short.right, listing)
        : undefined
    const isMeant = meant !== undefined && Either.isRight(meant) && meant.right[0].files[0].path === path
    return {
      ref: `${repo}:${isMeant ? quantization : path}${at}`,
      quantization,
      file: path,
      files: files.length,
      bytes
    }
  })
}

const modelsOf = (ref: HubRef, listing: ReadonlyArray<HubFile>): ReadonlyArray<HubModel> => {
  if (ref.file === undefined && ref.quant === undefined) return offeredIn(listing)
  const candidates = candidatesOf(ref, listing)
  if (Either.isLeft(candidates)) throw candidates.left
  return candidates.right
}

/** The most wanted first. Rejects with RbeeError where the hub cannot be asked. */
export const searchHub = async (
  settings: HubSettings,
  words: string,
  limit: number,
  signal: AbortSignal
): Promise<ReadonlyArray<OfferedRepo>> => {
  if (settings.offline) throw forbidden()
  const api = makeApi(settings)
  const found = await api.search(words, limit, signal)
  const list = async ({ id, ...known }: (typeof found)[number]): Promise<OfferedRepo> => {
    const parsed = Either.getOrUndefined(parseModelRef(`HF:${id}`))
    if (parsed?._tag !== "Hub") return { repo: id, ...known, models: [], problem: "its name is no reference" }
    try {
      const listing = await api.list(parsed, signal)
      return { repo: id, ...known, models: offered(parsed, listing, offeredIn(listing)) }
    } catch (error) {
      signal.throwIfAborted()
      return { repo: id, ...known, models: [], problem: error instanceof RbeeError ? error.what : String(error) }
    }
  }
  const repos: Array<OfferedRepo> = []
  for (let at = 0; at < found.length; at += sideBySide)
    repos.push(...(await Promise.all(found.slice(at, at + sideBySide).map(list))))
  return repos
}

/** The models that a reference leaves open, and the facts of one of them, whose sizes alone are another's. */
export const offerOf = async (
  settings: HubSettings,
  ref: HubRef,
  signal: AbortSignal
): Promise<{ readonly models: ReadonlyArray<OfferedModel>; readonly facts: ModelFacts }> => {
  if (settings.offline) throw forbidden()
  const api = makeApi(settings)
  const listing = await api.list(ref, signal)
  const all = modelsOf(ref, listing)
  const [first] = all
  if (first === undefined)
    throw rbeeError(
      "MODEL_NOT_FOUND",
      `there is no model file in ${ref.author}/${ref.repo}`,
      "Choose another repository"
    )
  const [file] = first.files
  const pinned = await api.pin(ref, file, signal)
  const read = await readHeaderOf(
    inSteps((offset, length) => api.read(ref, file.path, pinned, { offset, length }, signal), file.bytes),
    file.bytes,
    formatOf(settings.kinds, file.path)
  )
  if ("reason" in read) throw invalid(`${ref.ref}: ${file.path}`, read.reason)
  return { models: offered(ref, listing, all), facts: read.facts }
}
