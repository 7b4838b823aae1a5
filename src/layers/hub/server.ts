/** The hub's routes over node:http: model info, tree, and files by HEAD, GET and Range. */
import { createReadStream } from "node:fs"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { pipeline } from "node:stream/promises"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { commitOf, digestOf, reposIn } from "./folder.ts"
import type { Hub, HubOptions, HubRepo } from "./index.ts"

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
  file: HubRepo["files"][number],
  commit: string
): Promise<void> => {
  const sha256 = await digestOf(file.file)
  const { bytes } = file
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

const answer = async (folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const path = new URL(request.url ?? "/", "http://hub").pathname
  const decode = (text: string | undefined) => decodeURIComponent(text ?? "")
  if (request.method !== "GET" && request.method !== "HEAD") return json(response, 405, { error: "GET or HEAD" })
  const [route, match] = [
    ["tree", tree.exec(path)] as const,
    ["info", info.exec(path)] as const,
    ["file", resolve.exec(path)] as const
  ].find(([, found]) => found !== null) ?? [undefined, null]
  if (route === undefined || match === null) return json(response, 404, { error: "no such route" })
  const [, author, name, revision, inRepo] = match
  const repo = (await reposIn(folder)).find((each) => each.author === decode(author) && each.repo === decode(name))
  if (repo === undefined) return notThere(response, "RepoNotFound")
  const commit = await commitOf(repo)
  if (revision !== undefined && decode(revision) !== "main" && decode(revision) !== commit)
    return notThere(response, "RevisionNotFound")
  if (route === "info") {
    const siblings = repo.files.map(({ path: rfilename }) => ({ rfilename }))
    return json(response, 200, { id: `${repo.author}/${repo.repo}`, sha: commit, gated: false, siblings })
  }
  if (route === "tree") {
    const entries = await Promise.all(
      repo.files.map(async ({ bytes, file, path: inside }) => {
        const sha256 = await digestOf(file)
        const oid = sha256.slice(0, 40)
        return { type: "file", path: inside, size: bytes, oid, lfs: { oid: sha256, size: bytes, pointerSize: 134 } }
      })
    )
    return json(response, 200, entries, { "x-repo-commit": commit })
  }
  const file = repo.files.find(({ path: inside }) => inside === decode(inRepo))
  if (file === undefined) return notThere(response, "EntryNotFound")
  return sendFile(request, response, file, commit)
}

const listen = (options: HubOptions) =>
  Effect.async<
    { readonly port: number; readonly close: Effect.Effect<void> },
    RbeeError<"CONFLICT" | "INVALID_REQUEST">
  >((resume) => {
    const server = createServer((request, response) => {
      if (options.before?.(request, response) === true) return
      answer(options.folder, request, response).catch(() => {
        // a reader that left, or a file that did: nothing can be answered any more, or nothing was yet
        if (response.headersSent) response.destroy()
        else json(response, 500, { error: "the file cannot be read" })
      })
    })
    server.once("error", (error) => {
      const reason = "code" in error ? String(error.code) : "unknown"
      resume(
        Effect.fail(
          reason === "EADDRINUSE"
            ? rbeeError("CONFLICT", `port ${options.port} is taken`, "Choose another one with --port", { reason })
            : rbeeError("INVALID_REQUEST", `${options.host}:${options.port} cannot be used (${reason})`)
        )
      )
    })
    server.listen(options.port, options.host, () => {
      // listening on a port, so the address is one of these
      const { port } = server.address() as AddressInfo
      const close = Effect.async<void>((done) => {
        server.close(() => done(Effect.void))
        server.closeAllConnections()
      })
      resume(Effect.succeed({ port, close }))
    })
  })

/** Serves until its scope closes. */
export const serveHub = (
  options: HubOptions
): Effect.Effect<Hub, RbeeError<"CONFLICT" | "INVALID_REQUEST">, Scope.Scope> =>
  Effect.gen(function* () {
    const repos = yield* Effect.tryPromise({
      try: () => reposIn(options.folder),
      catch: () => rbeeError("INVALID_REQUEST", "the folder cannot be read", "Name a folder of GGUF files")
    })
    const { port } = yield* Effect.acquireRelease(listen(options), ({ close }) => close)
    const host = options.host.includes(":") ? `[${options.host}]` : options.host
    return { url: `http://${host}:${port}`, port, repos }
  })
