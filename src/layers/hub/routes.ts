/** The hub's routes over node:http: search, model info, tree, and files by HEAD, GET and Range. */
import { createReadStream } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { pipeline } from "node:stream/promises"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { encodeError } from "../../protocol/surfaces/rbee.ts"
import { errorStatus } from "../../protocol/wire/error.ts"
import { filesAt, sha256Of } from "./folder.ts"
import type { HubEntry, HubRepo } from "./index.ts"

const info = /^\/api\/models\/([^/]+)\/([^/]+)(?:\/revision\/([^/]+))?$/
const tree = /^\/api\/models\/([^/]+)\/([^/]+)\/tree\/([^/]+)$/
const resolve = /^\/([^/]+)\/([^/]+)\/resolve\/([^/]+)\/(.+)$/

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  const text = JSON.stringify(body)
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...headers
  })
  response.end(text)
}

const notThere = (response: ServerResponse, code: "RepoNotFound" | "RevisionNotFound" | "EntryNotFound"): void =>
  json(response, 404, { error: code }, { "x-error-code": code })

/** What is none of the hub's own words is said as everywhere here. */
const refuse = (response: ServerResponse, error: RbeeError): void => {
  const text = encodeError(error, undefined)
  const head = { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
  response.writeHead(errorStatus(error), head).end(text)
}

const isTorn = (path: string): boolean => {
  try {
    return decodeURIComponent(path).includes("\0")
  } catch {
    return true
  }
}

/** One range, as curl and the hub's own tools ask for it. */
const rangeOf = (header: string | undefined, bytes: number): { start: number; end: number } | "bad" | undefined => {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? []
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined
  const start = from === "" ? Math.max(0, bytes - Number(to)) : Number(from)
  const end = from === "" || to === "" ? bytes - 1 : Math.min(Number(to), bytes - 1)
  return start > end ? "bad" : { start, end }
}

const sendFile = async (
  request: IncomingMessage,
  response: ServerResponse,
  file: HubEntry & { readonly commit: string }
): Promise<void> => {
  const sha256 = await sha256Of(file)
  const { bytes, commit } = file
  const headers = {
    "accept-ranges": "bytes",
    "content-type": "application/octet-stream",
    etag: `"${sha256}"`,
    "x-linked-etag": `"${sha256}"`,
    "x-linked-size": String(bytes),
    "x-repo-commit": commit
  }
  const range = rangeOf(request.headers.range, bytes)
  if (range === "bad") {
    response.writeHead(416, { ...headers, "content-range": `bytes */${bytes}`, "content-length": 0 }).end()
    return
  }
  const { start, end } = range ?? { start: 0, end: bytes - 1 }
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    "content-length": end - start + 1,
    ...(range === undefined ? {} : { "content-range": `bytes ${start}-${end}/${bytes}` })
  })
  if (request.method === "HEAD" || bytes === 0) {
    response.end()
    return
  }
  await pipeline(createReadStream(file.file, { start, end, highWaterMark: 512 * 1024 }), response)
}

/** at most as many as a client asks for */
const foundMax = 100

/** Repositories that have all the words in their name; how often they were fetched nobody has counted. */
const search = (repos: ReadonlyArray<HubRepo>, query: URLSearchParams) => {
  const words = (query.get("search") ?? "").toLowerCase().split(/\s+/)
  const limit = Math.min(foundMax, Number(query.get("limit") ?? foundMax) || foundMax)
  const ids = repos.map(({ author, repo }) => `${author}/${repo}`)
  return ids
    .filter((id) => words.every((word) => id.toLowerCase().includes(word)))
    .slice(0, limit)
    .map((id) => ({ id }))
}

type Repos = () => Promise<ReadonlyArray<HubRepo>>

const answer = async (repos: Repos, url: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const [path = "", query = ""] = url.split(/[?#]/, 2)
  const decode = (text: string | undefined) => decodeURIComponent(text ?? "")
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD")
    return refuse(response, rbeeError("METHOD_NOT_ALLOWED", "this path takes GET, HEAD"))
  }
  if (isTorn(path)) return refuse(response, rbeeError("INVALID_REQUEST", "the path is not percent-encoded text"))
  if (path === "/api/models") return json(response, 200, search(await repos(), new URLSearchParams(query)))
  const [route, match] = [
    ["tree", tree.exec(path)] as const,
    ["info", info.exec(path)] as const,
    ["file", resolve.exec(path)] as const
  ].find(([, found]) => found !== null) ?? [undefined, null]
  if (route === undefined || match === null)
    return refuse(response, rbeeError("NOT_FOUND", "the hub has no such route"))
  const [, author, name, revision, inRepo] = match
  const repo = (await repos()).find((each) => each.author === decode(author) && each.repo === decode(name))
  if (repo === undefined) return notThere(response, "RepoNotFound")
  const files = await filesAt(repo, revision === undefined ? undefined : decode(revision))
  const [first] = files
  if (first === undefined) return notThere(response, "RevisionNotFound")
  if (route === "info") {
    const siblings = files.map(({ path: rfilename }) => ({ rfilename }))
    return json(response, 200, { id: `${repo.author}/${repo.repo}`, sha: first.commit, gated: false, siblings })
  }
  if (route === "tree") {
    const entries = await Promise.all(
      files.map(async (entry) => {
        const sha256 = await sha256Of(entry)
        const { bytes: size, path: inside } = entry
        return {
          type: "file",
          path: inside,
          size,
          oid: sha256.slice(0, 40),
          lfs: { oid: sha256, size, pointerSize: 134 }
        }
      })
    )
    return json(response, 200, entries, { "x-repo-commit": first.commit })
  }
  const file = files.find(({ path: inside }) => inside === decode(inRepo))
  if (file === undefined) return notThere(response, "EntryNotFound")
  return sendFile(request, response, file)
}

/** Hashing a large file takes minutes: whoever waits hears that somebody is at work. */
const aliveEveryMs = 2000

/** Answers what is asked for at `url`, a path and perhaps a query. */
export const hubRoutes =
  (repos: Repos) =>
  (url: string, request: IncomingMessage, response: ServerResponse): void => {
    const alive = setInterval(() => {
      if (!response.headersSent && !response.destroyed) response.writeContinue()
    }, aliveEveryMs)
    void answer(repos, url, request, response)
      .catch(() => {
        // a reader that left, or a file that did: nothing can be answered any more, or nothing was yet
        if (response.headersSent) response.destroy()
        else refuse(response, rbeeError("INTERNAL", "the file cannot be read"))
      })
      .finally(() => clearInterval(alive))
  }
