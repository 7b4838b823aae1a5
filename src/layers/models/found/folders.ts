/** Where other programs keep their models, by what they say themselves. */
import { readFileSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { isObject } from "../../../machines/formats/json/is-object.ts"
import type { FolderKind } from "../../../machines/vocabulary/model.ts"
import { userHome } from "../../paths/user-home.ts"
import { hubSettings } from "../hugging-face/settings.ts"

export interface Folder {
  readonly path: string
  readonly kind: FolderKind
}

type Env = Readonly<Record<string, string | undefined>>

const absolute = (path: string | undefined, home: string): ReadonlyArray<string> => {
  const expanded = path?.trim().replace(/^~(?=\/|$)/, home) ?? ""
  return isAbsolute(expanded) ? [expanded] : []
}

/** Where Ollama is a service of Linux, its user's home is there. */
const ollamaService = "/usr/share/ollama/.ollama/models"

export const ollamaFolders = (env: Env, home = userHome(env) ?? "/"): ReadonlyArray<string> => [
  ...new Set([...absolute(env["OLLAMA_MODELS"], home), join(home, ".ollama", "models"), ollamaService])
]

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** Its settings name another folder where the user has chosen one. */
const lmStudioFolders = (home: string): ReadonlyArray<string> => {
  const own = absolute(textOf(join(home, ".lmstudio-home-pointer")), home)
  const homes = [...own, join(home, ".lmstudio"), join(home, ".cache", "lm-studio")]
  const chosen = homes.flatMap((folder) => {
    const settings = textOf(join(folder, "settings.json"))
    try {
      const parsed: unknown = JSON.parse(settings ?? "")
      const named = isObject(parsed) ? parsed["downloadsFolder"] : undefined
      return typeof named === "string" ? absolute(named, home) : []
    } catch {
      return []
    }
  })
  return [...chosen, ...homes.map((folder) => join(folder, "models"))]
}

const llamaCppFolders = (env: Env, home: string): ReadonlyArray<string> => [
  ...absolute(env["LLAMA_CACHE"], home),
  ...absolute(env["XDG_CACHE_HOME"], home).map((cache) => join(cache, "llama.cpp")),
  join(home, ".cache", "llama.cpp"),
  join(home, "Library", "Caches", "llama.cpp")
]

/** Those that may be there. `home`: where there is no folder of the user, that of the hive. */
export const knownFolders = (env: Env, home = userHome(env) ?? "/"): ReadonlyArray<Folder> => {
  const of = (kind: FolderKind, paths: ReadonlyArray<string>) => [...new Set(paths)].map((path) => ({ path, kind }))
  return [
    ...of("huggingface", [hubSettings(env, home).cache]),
    ...of("ollama", ollamaFolders(env, home)),
    ...of("lmstudio", lmStudioFolders(home)),
    ...of("llamacpp", llamaCppFolders(env, home))
  ]
}
