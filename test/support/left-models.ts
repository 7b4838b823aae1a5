/** Folders of models as other programs leave them, made of files of ours. */
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

export const minillamaFile = join(import.meta.dirname, "..", "..", "models", "minillama", "minillama-q8_0.gguf")

export const hashOf = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex")

const put = (file: string, content: string | Uint8Array): string => {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const copy = (from: string, to: string): string => {
  mkdirSync(dirname(to), { recursive: true })
  if (!existsSync(to)) copyFileSync(from, to)
  return to
}

/** A folder of Ollama's: `pull("llama3.2:3b", file)` is what `ollama pull llama3.2:3b` leaves. */
export const ollamaTree = (folder: string) => {
  const manifest = (name: string) => {
    const [model = "", tag = "latest"] = name.split(":")
    const place =
      model.split("/").length === 3 ? model : `registry.ollama.ai/${model.includes("/") ? "" : "library/"}${model}`
    return join(folder, "manifests", ...place.split("/"), tag)
  }
  const blob = (file: string) => copy(file, join(folder, "blobs", `sha256-${hashOf(file)}`))
  mkdirSync(join(folder, "blobs"), { recursive: true })
  mkdirSync(join(folder, "manifests"), { recursive: true })
  const name = (as: string, layers: ReadonlyArray<readonly [type: string, sha256: string]>) =>
    put(
      manifest(as),
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.docker.distribution.manifest.v2+json",
        config: {
          mediaType: "application/vnd.docker.container.image.v1+json",
          digest: `sha256:${"c".repeat(64)}`,
          size: 1
        },
        layers: layers.map(([type, sha256]) => ({
          mediaType: `application/vnd.ollama.image.${type}`,
          digest: `sha256:${sha256}`,
          size: 1
        }))
      })
    )
  return {
    folder,
    manifest,
    name,
    /** gives the blob */
    pull: (as: string, file: string, others: ReadonlyArray<string> = []): string => {
      name(as, [["model", hashOf(file)], ...others.map((type) => [type, "d".repeat(64)] as const)])
      return blob(file)
    }
  }
}

/** A file in the cache of Hugging Face, as its tools leave it; gives the snapshot's link. */
export const inHubCache = (
  cache: string,
  repo: string,
  path: string,
  file: string,
  commit = "a".repeat(40)
): string => {
  const folder = join(cache, `models--${repo.replace("/", "--")}`)
  const blob = copy(file, join(folder, "blobs", hashOf(file)))
  const link = join(folder, "snapshots", commit, path)
  mkdirSync(dirname(link), { recursive: true })
  if (!existsSync(link)) symlinkSync(relative(dirname(link), blob), link)
  if (!existsSync(join(folder, "refs", "main"))) put(join(folder, "refs", "main"), commit)
  return link
}
