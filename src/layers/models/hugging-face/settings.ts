/** What the environment says about Hugging Face, by the names and precedences that its own tools use. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { workerKinds } from "../../../machines/kinds/index.ts"
import type { WorkerKinds } from "../../../machines/kinds/kind.ts"
import { userHome } from "../../paths/user-home.ts"

export interface HubSettings {
  /** HF_ENDPOINT, as written; judged when it is used */
  readonly endpoint: string
  /** absolute; where `models--author--repo` folders are */
  readonly cache: string
  /** read at each use, so that a login counts without a restart */
  readonly token: () => string | undefined
  readonly offline: boolean
  /** a transfer that gets nothing for this long is stalled; milliseconds */
  readonly stallMs: number
  /** whoever does not begin to answer within this is down; milliseconds */
  readonly answerMs: number
  /** who loads what is fetched: of a repository's files those are models that one of them takes */
  readonly kinds: WorkerKinds
  /** a hub of this cluster, to which no proxy leads; and the Unix socket that does, where there is one */
  readonly ours?: { readonly socketPath: string | undefined }
}

type Env = Readonly<Record<string, string | undefined>>

const given = (env: Env, ...names: ReadonlyArray<string>): string | undefined => {
  for (const name of names) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== "") return value
  }
  return undefined
}

const firstLine = (file: string): string | undefined => {
  try {
    const text = readFileSync(file, "utf8").trim()
    return text === "" ? undefined : text
  } catch {
    return undefined
  }
}

/** `home`: where there is no folder of the user, that of the hive. */
export const hubSettings = (env: Env, home = userHome(env) ?? "/", kinds = workerKinds): HubSettings => {
  const expand = (path: string) => (path === "~" || path.startsWith("~/") ? join(home, path.slice(1)) : path)
  const folder = expand(
    given(env, "HF_HOME") ?? join(given(env, "XDG_CACHE_HOME") ?? join(home, ".cache"), "huggingface")
  )
  return {
    endpoint: given(env, "HF_ENDPOINT") ?? "https://huggingface.co",
    cache: expand(given(env, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(folder, "hub")),
    // a line end within a token would end its header
    token: () =>
      (given(env, "HF_TOKEN") ?? firstLine(expand(given(env, "HF_TOKEN_PATH") ?? join(folder, "token"))))?.replace(
        /\s+/g,
        ""
      ),
    offline: /^(1|true|yes|on)$/i.test(given(env, "HF_HUB_OFFLINE") ?? ""),
    stallMs: 30_000,
    answerMs: 8_000,
    kinds
  }
}
