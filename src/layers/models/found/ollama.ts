/**
 * What Ollama has fetched: `manifests/HOST/NAMESPACE/MODEL/TAG` names layers by their hash, and `blobs/sha256-HASH` has
 * them. The layer that is the model is a GGUF file, which is opened where it lies.
 */
import { createReadStream } from "node:fs"
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { RbeeError, rbeeError } from "../../../machines/errors.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import { quantOf } from "../../../machines/formats/hub-names.ts"
import { ollamaRef, parseModelRef } from "../../../machines/formats/model-ref.ts"
import { manifestPath, type OllamaName, ollamaName } from "../../../machines/formats/ollama-name.ts"
import type { ModelRef } from "../../../machines/vocabulary/ids.ts"
import type { ResolveError } from "../index.ts"
import type { Located, ModelSource } from "../source.ts"
import { entriesOf, type Findings, problemOf } from "./finding.ts"

/** A model as its manifest has it, or why it is none that can be used. */
type Read =
  | { readonly file: string; readonly sha256: string; readonly bytes: number; readonly remark: string | undefined }
  | { readonly reason: string }

/** no manifest is larger */
const manifestBytesMax = 1024 * 1024

interface LayerOf {
  readonly type: string
  readonly sha256: string
}

const layersOf = (text: string): ReadonlyArray<LayerOf> | undefined => {
  let manifest: unknown
  try {
    manifest = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(manifest) || !Array.isArray(manifest["layers"])) return undefined
  return manifest["layers"].flatMap((layer: unknown) => {
    if (!isObject(layer)) return []
    const [, type] = /^application\/vnd\.ollama\.image\.(\w+)$/.exec(String(layer["mediaType"])) ?? []
    const [, sha256] = /^sha256[:-]([0-9a-f]{64})$/.exec(String(layer["digest"])) ?? []
    return type === undefined || sha256 === undefined ? [] : [{ type, sha256 }]
  })
}

const sizeOf = (file: string) =>
  stat(file).then(
    (found) => (found.isFile() ? found.size : undefined),
    () => undefined
  )

/** Older versions wrote a colon, where the system takes one. */
const blobOf = async (
  folder: string,
  sha256: string
): Promise<{ readonly file: string; readonly bytes: number } | { readonly reason: string }> => {
  const names = [`sha256-${sha256}`, `sha256:${sha256}`].map((name) => join(folder, "blobs", name))
  for (const file of names) {
    const bytes = await sizeOf(file)
    if (bytes !== undefined) return { file, bytes }
  }
  const [first = ""] = names
  const isPartial = (await sizeOf(`${first}-partial`)) !== undefined
  return { reason: isPartial ? "it is half downloaded: `ollama pull` goes on with it" : "its blob is missing" }
}

const remarkOf = (types: ReadonlySet<string>): string | undefined => {
  const left = [
    ...(types.has("projector") ? ["its projector for pictures"] : []),
    ...(types.has("system") ? ["its system prompt"] : []),
    ...(types.has("messages") ? ["its messages"] : [])
  ]
  return left.length === 0 ? undefined : `${left.join(" and ")} in Ollama ${left.length === 1 ? "is" : "are"} not used`
}

const read = async (folder: string, name: OllamaName): Promise<Read> => {
  const manifest = join(folder, "manifests", ...manifestPath(name))
  const bytes = await sizeOf(manifest)
  if (bytes !== undefined && bytes > manifestBytesMax) return { reason: "its manifest is too large" }
  const layers = layersOf(await readFile(manifest, "utf8"))
  if (layers === undefined) return { reason: "its manifest is damaged" }
  const types = new Set(layers.map(({ type }) => type))
  const model = layers.find(({ type }) => type === "model")
  if (types.has("adapter")) return { reason: "it is a model with a LoRA adapter, which is not served" }
  if (model === undefined) return { reason: "it has no GGUF file: it runs elsewhere, or is in another format" }
  const blob = await blobOf(folder, model.sha256)
  return "reason" in blob ? blob : { ...blob, sha256: model.sha256, remark: remarkOf(types) }
}

/** The names in a folder of manifests, each a path of four. */
const namesIn = async (folder: string, found: Findings): Promise<ReadonlyArray<OllamaName>> => {
  const names: Array<OllamaName> = []
  const look = async (path: string, above: ReadonlyArray<string>): Promise<void> => {
    const entries = await entriesOf(path).catch((error: unknown) => {
      found.skip(path, problemOf(error))
      return []
    })
    for (const entry of entries) {
      const segments = [...above, entry.name]
      if (entry.kind === "folder" && segments.length < 4) await look(entry.path, segments)
      else if (segments.length === 4 && !entry.name.startsWith(".")) {
        const name = ollamaName(`${segments.slice(0, 3).join("/")}:${entry.name}`)
        if (entry.kind === "file" && name !== undefined) names.push(name)
        else found.skip(entry.path, entry.kind === "broken link" ? "its link leads nowhere" : "it is no manifest")
      }
    }
  }
  await look(join(folder, "manifests"), [])
  return names
}

/** What Ollama has of the hub is a file of it, unchanged. */
const ofHub = ({ host, model, namespace, tag }: OllamaName): ReadonlyArray<ModelRef> => {
  if (!/^(hf\.co|huggingface\.co)$/i.test(host) || quantOf(`${tag}.gguf`) === undefined) return []
  const parsed = parseModelRef(`HF:${namespace}/${model}:${tag}`)
  return Either.isRight(parsed) ? [parsed.right.ref] : []
}

/** Looks through a folder that has `manifests` and `blobs`. */
export const findInOllama = async (folder: string, found: Findings): Promise<void> => {
  for (const name of await namesIn(folder, found)) {
    const ref = ollamaRef(name)
    const model = await read(folder, name).catch((error: unknown) => ({ reason: problemOf(error) }))
    if ("reason" in model) found.skip(ref, model.reason)
    else found.candidates.push({ ref, names: ofHub(name), ...model })
  }
}

const locate = async (folders: ReadonlyArray<string>, name: OllamaName): Promise<Located> => {
  const ref = ollamaRef(name)
  for (const folder of folders) {
    const manifest = join(folder, "manifests", ...manifestPath(name))
    if ((await sizeOf(manifest)) === undefined) continue
    const model = await read(folder, name).catch((error: unknown) => ({ reason: problemOf(error) }))
    if ("reason" in model)
      throw rbeeError("MODEL_NOT_FOUND", `${ref} cannot be used: ${model.reason}`, "See `rbee models scan`")
    const { bytes, file } = model
    const open = (offset: number) => createReadStream(file, { start: offset }) as AsyncIterable<Uint8Array>
    return { ref, files: [{ name: ref, bytes, sha256: undefined, inPlace: file, open }] }
  }
  throw rbeeError(
    "MODEL_NOT_FOUND",
    `Ollama has no ${ref.slice("ollama:".length)} on the hive's machine`,
    "See `ollama list`, or `rbee models scan` with its folder",
    { folders: [...folders] }
  )
}

/** Ollama's folders: the first that has the name. */
export const ollama = (folders: () => ReadonlyArray<string>): ModelSource => ({
  locate: (ref) =>
    ref._tag === "Ollama"
      ? Effect.tryPromise({
          try: () => locate(folders(), ref.name),
          catch: (error): ResolveError =>
            // it throws nothing else
            error instanceof RbeeError ? (error as ResolveError) : rbeeError("INTERNAL", String(error))
        })
      : undefined
})
