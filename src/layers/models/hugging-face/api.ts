/** The hub's routes, as much of them as a download needs. */
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import type { HubFile } from "../../../machines/formats/hub-files.ts"
import { isModelFile, type WorkerKinds } from "../../../machines/kinds/kind.ts"
import type { ParsedRef } from "../../../machines/formats/model-ref.ts"
import { type Answer, type Ask, bodyOf, drop, follow, refusal, textOf } from "./request.ts"
import type { HubSettings } from "./settings.ts"
import { isObject } from "../../../machines/formats/json/is-object.ts"

export type HubRef = Extract<ParsedRef, { readonly _tag: "Hub" }>

/** A file at one commit. */
export interface Pinned {
  /** 40 hex digits */
  readonly commit: string
  readonly bytes: number
  /** lower-case hex */
  readonly sha256: string
}

/** A repository that a search has found. */
export interface HubHit {
  /** `author/repo` */
  readonly id: string
  readonly downloads?: number
  readonly likes?: number
  readonly gated?: boolean
}

export interface HubApi {
  /** those that have GGUF files, the most downloaded first */
  readonly search: (words: string, limit: number, signal?: AbortSignal) => Promise<ReadonlyArray<HubHit>>
  readonly list: (ref: HubRef, signal?: AbortSignal) => Promise<ReadonlyArray<HubFile>>
  /** what the hub says about a file itself; a file that needs permission is refused here */
  readonly pin: (ref: HubRef, file: HubFile, signal?: AbortSignal) => Promise<Pinned>
  /** the bytes from `offset` on, whatever the server makes of Range; no more than `length` where it can do that */
  readonly read: (
    ref: HubRef,
    path: string,
    pinned: Pinned,
    part: { readonly offset: number; readonly length: number | undefined },
    signal?: AbortSignal
  ) => AsyncGenerator<Uint8Array>
}

/** of a thousand entries each, as the hub makes them */
const pagesMax = 1000

const wrong = (url: URL, what: string): RbeeError =>
  rbeeError("DOWNLOAD_FAILED", `${url.host} ${what}`, "Check HF_ENDPOINT", { permanent: true })

const sha256Of = (text: unknown): string | undefined => {
  const bare = typeof text === "string" ? text.replace(/^(W\/)?"?(sha256:)?/, "").replace(/"$/, "") : ""
  return /^[0-9a-f]{64}$/.test(bare) ? bare : undefined
}

const listingOf = (url: URL, text: string): ReadonlyArray<unknown> => {
  let listing: unknown
  try {
    listing = JSON.parse(text)
  } catch {
    throw wrong(url, "did not answer with a listing")
  }
  if (!Array.isArray(listing)) throw wrong(url, "did not answer with a listing")
  return listing
}

const filesOf = (url: URL, text: string, kinds: WorkerKinds): ReadonlyArray<HubFile> => {
  return listingOf(url, text).flatMap((entry: unknown) => {
    if (!isObject(entry) || entry["type"] !== "file" || typeof entry["path"] !== "string") return []
    // a repository may have a hundred thousand files that are no models
    if (!isModelFile(kinds, entry["path"])) return []
    const lfs = isObject(entry["lfs"]) ? entry["lfs"] : undefined
    const bytes = lfs?.["size"] ?? entry["size"]
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) return []
    return [{ path: entry["path"], bytes, sha256: sha256Of(lfs?.["oid"]) }]
  })
}

const hitsOf = (url: URL, text: string): ReadonlyArray<HubHit> => {
  const count = (value: unknown) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined
  return listingOf(url, text).flatMap((entry: unknown): ReadonlyArray<HubHit> => {
    const id = isObject(entry) ? (entry["id"] ?? entry["modelId"]) : undefined
    if (!isObject(entry) || typeof id !== "string") return []
    const [downloads, likes] = [count(entry["downloads"]), count(entry["likes"])]
    const gated = entry["gated"]
    return [
      {
        id,
        ...(downloads === undefined ? {} : { downloads }),
        ...(likes === undefined ? {} : { likes }),
        ...(gated === undefined ? {} : { gated: gated !== false })
      }
    ]
  })
}

/** What `Link` calls the next page; it is of the same hub, though a mirror may name another. */
const linkedNext = (header: string): string | undefined => {
  for (const [, link, parameters = ""] of header.matchAll(/<([^>]*)>([^<]*)/g))
    if (/;\s*rel\s*=\s*"?next"?\s*(;|,|$)/i.test(parameters)) return link
  return undefined
}

/** Asked of the hub that the user named, whichever the link names. */
const nextPage = (answer: Answer, base: string): URL | undefined => {
  const link = linkedNext(String(answer.response.headers["link"] ?? ""))
  if (link === undefined) return undefined
  const path = URL.canParse(link, answer.url.href) ? new URL(link, answer.url).pathname : ""
  const route = path.indexOf("/api/models/")
  if (route < 0) throw wrong(answer.url, "names a next page of its listing that is none")
  return new URL(`${base}${path.slice(route)}${new URL(link, answer.url).search}`)
}

const encoded = (path: string) => path.split("/").map(encodeURIComponent).join("/")

// long: the calls of one service over one way to ask it, each of them short
export const makeApi = (settings: HubSettings): HubApi => {
  const { answerMs, ours, stallMs } = settings
  if (!/^https?:\/\//i.test(settings.endpoint) || !URL.canParse(settings.endpoint)) {
    throw rbeeError("DOWNLOAD_FAILED", "HF_ENDPOINT is no http address", "Write it as https://host", {
      permanent: true
    })
  }
  const base = settings.endpoint.replace(/\/+$/, "")
  const { origin } = new URL(base)
  const ask = (method: Ask["method"], signal: AbortSignal | undefined, headers: Record<string, string> = {}): Ask => ({
    method,
    headers,
    origin,
    token: settings.token(),
    stallMs,
    answerMs,
    signal,
    ...(ours === undefined ? {} : { isOurs: true, socketPath: ours.socketPath })
  })
  const revisionOf = (ref: HubRef) => ref.revision ?? "main"
  const named = (ref: HubRef, path?: string) =>
    `${ref.author}/${ref.repo}${ref.revision === undefined ? "" : `@${ref.revision}`}${path === undefined ? "" : `:${path}`}`
  const fileUrl = (ref: HubRef, path: string, revision: string) =>
    new URL(`${base}/${ref.author}/${ref.repo}/resolve/${encodeURIComponent(revision)}/${encoded(path)}`)

  const list = async (ref: HubRef, signal?: AbortSignal) => {
    const pages: Array<ReadonlyArray<HubFile>> = []
    const asked = new Set<string>()
    let url: URL | undefined = new URL(
      `${base}/api/models/${ref.author}/${ref.repo}/tree/${encodeURIComponent(revisionOf(ref))}?recursive=true`
    )
    while (url !== undefined) {
      if (asked.size === pagesMax || asked.has(url.href)) throw wrong(url, "has no end to its listing")
      asked.add(url.href)
      const answer: Answer = await follow(url, ask("GET", signal))
      if (answer.status !== 200) throw refusal(answer, named(ref), answer.url.origin === origin)
      pages.push(filesOf(answer.url, await textOf(answer, stallMs), settings.kinds))
      url = nextPage(answer, base)
    }
    return pages.flat()
  }

  const search: HubApi["search"] = async (words, limit, signal) => {
    const url = new URL(`${base}/api/models`)
    const query = {
      search: words,
      filter: "gguf",
      sort: "downloads",
      direction: "-1",
      limit: String(limit),
      full: "true"
    }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    const answer = await follow(url, ask("GET", signal))
    if (answer.status === 404) {
      drop(answer.response)
      throw wrong(url, "has no search")
    }
    if (answer.status !== 200) throw refusal(answer, "the search", answer.url.origin === origin)
    return hitsOf(answer.url, await textOf(answer, stallMs)).slice(0, limit)
  }

  const pin = async (ref: HubRef, file: HubFile, signal?: AbortSignal): Promise<Pinned> => {
    // The answer that tells the file's identity is the hub's own, before it sends us to where the bytes are.
    const answer = await follow(
      fileUrl(ref, file.path, revisionOf(ref)),
      ask("HEAD", signal),
      (response) => response.headers["x-linked-etag"] !== undefined && response.headers["x-repo-commit"] !== undefined
    )
    const { header, status, url } = answer
    if (status >= 400) throw refusal(answer, named(ref, file.path), url.origin === origin)
    drop(answer.response)
    const commit = header("x-repo-commit") ?? ""
    if (!/^[0-9a-f]{40}$/.test(commit)) throw wrong(url, "does not say which commit the file is of")
    const sha256 = sha256Of(header("x-linked-etag")) ?? file.sha256
    if (sha256 === undefined) throw wrong(url, `tells no SHA-256 of ${file.path}, so it could not be verified`)
    const size = Number(header("x-linked-size") ?? file.bytes)
    if ((file.sha256 !== undefined && sha256 !== file.sha256) || size !== file.bytes) {
      // somebody pushed between the two questions
      throw rbeeError("DOWNLOAD_FAILED", `${named(ref, file.path)} changed while it was looked up`, "Try again")
    }
    return { commit, bytes: file.bytes, sha256 }
  }

  const read: HubApi["read"] = async function* (ref, path, pinned, { length, offset }, signal) {
    const url = fileUrl(ref, path, pinned.commit)
    const end = length === undefined ? "" : Math.min(offset + length, pinned.bytes) - 1
    const range: Record<string, string> = offset > 0 || end !== "" ? { range: `bytes=${offset}-${end}` } : {}
    let answer = await follow(url, ask("GET", signal, range))
    // A server that cannot serve this range may still serve the whole; its beginning is here and passed over.
    if (answer.status === 416) {
      drop(answer.response)
      answer = await follow(url, ask("GET", signal))
    }
    const { header, response, status } = answer
    if (status !== 200 && status !== 206) throw refusal(answer, named(ref, path), answer.url.origin === origin)
    const linked = header("x-linked-etag")
    if (linked !== undefined && sha256Of(linked) !== pinned.sha256) {
      drop(response)
      throw wrong(answer.url, `gives another file for ${named(ref, path)} than it told of`)
    }
    let skip = 0
    if (status === 200) skip = offset
    else {
      const start = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(String(response.headers["content-range"] ?? ""))?.[1]
      if (Number(start) !== offset) {
        drop(response)
        throw wrong(answer.url, "answers with another part of the file than the one asked for")
      }
    }
    for await (const chunk of bodyOf(answer, stallMs)) {
      if (skip >= chunk.length) skip -= chunk.length
      else {
        yield skip === 0 ? chunk : chunk.subarray(skip)
        skip = 0
      }
    }
  }

  return { search, list, pin, read }
}
