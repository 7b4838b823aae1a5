/** The hub of `rbee hub`, with faults: each is done to the real answer on its way out. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import type { IncomingMessage, ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Kinds } from "../../src/layers/kinds/index.ts"
import { workerKinds } from "../../src/machines/kinds/index.ts"
import { serveHub } from "../../src/layers/hub/server.ts"
import { bundledFolder } from "../../src/layers/models/sources.ts"

/** True: it has answered. */
export type Fault = (request: IncomingMessage, response: ServerResponse) => boolean

export interface Seen {
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

export interface TestHub {
  readonly url: string
  /** what it serves; may be changed */
  readonly folder: string
  readonly seen: Array<Seen>
  /** GETs of file bytes */
  readonly fetches: () => ReadonlyArray<Seen>
  /** bytes of files that were written to the wire */
  readonly sent: () => number
  /** done to each of the next answers, one after the other; `undefined`: none */
  readonly faults: Array<Fault | undefined>
  /** done to every answer that `faults` says nothing about */
  always: Fault | undefined
  readonly close: () => Promise<void>
}

const isFile = (request: IncomingMessage) => request.method === "GET" && (request.url ?? "").includes("/resolve/")

/** Only for the bytes of files; listings and HEAD are answered as they are. */
export const onFiles =
  (fault: Fault): Fault =>
  (request, response) =>
    isFile(request) && fault(request, response)

/** Sees the bytes on their way; gives those to send on, or "hold": the reader hears nothing of them. */
const through = (response: ServerResponse, each: (chunk: Buffer, at: number) => Buffer | "hold"): void => {
  const write = response.write.bind(response)
  let at = 0
  // Only this overload is used: by the hub's pipeline, and by the faults below.
  response.write = ((chunk: Buffer, done?: () => void): boolean => {
    const out = each(chunk, at)
    at += chunk.length
    return out === "hold" ? false : done === undefined ? write(out) : write(out, done)
  }) as ServerResponse["write"]
}

/** The connection ends after this many bytes of the body. */
export const cutAt = (bytes: number): Fault =>
  onFiles((_, response) => {
    const write = response.write.bind(response)
    let cut = false
    through(response, (chunk, at) => {
      if (cut) return "hold"
      if (at + chunk.length < bytes) return chunk
      cut = true
      write(chunk.subarray(0, bytes - at), () => response.socket?.end())
      return "hold"
    })
    return false
  })

/** Nothing more comes after this many bytes, and the connection stays. */
export const stallAt = (bytes: number): Fault =>
  onFiles((_, response) => {
    const write = response.write.bind(response)
    let held = false
    through(response, (chunk, at) => {
      if (held || at + chunk.length < bytes) return held ? "hold" : chunk
      held = true
      write(chunk.subarray(0, bytes - at))
      return "hold"
    })
    return false
  })

/** One bit is another one. */
export const flip: Fault = onFiles((_, response) => {
  through(response, (chunk, at) => {
    if (at > 0) return chunk
    const other = Buffer.from(chunk)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    return other
  })
  return false
})

export const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (_, response) => {
    response.writeHead(code, { "content-length": 0, ...headers }).end()
    return true
  }

export const gated = onFiles(status(403, { "x-error-code": "GatedRepo" }))

/** Range is not understood: the whole file, with 200. */
export const rangeIgnored: Fault = onFiles((request) => {
  delete request.headers.range
  return false
})

export const rangeRefused: Fault = onFiles((request, response) =>
  request.headers.range === undefined ? false : status(416, { "content-range": "bytes */*" })(request, response)
)

/** The body is framed by chunks, its length is not told. */
export const noLength: Fault = onFiles((_, response) => {
  const head = response.writeHead.bind(response)
  response.writeHead = ((code: number, headers: Record<string, string>) => {
    const { "content-length": _length, ...rest } = headers
    return head(code, rest)
  }) as ServerResponse["writeHead"]
  return false
})

/** As the real hub does it: the file's identity from the hub, its bytes from elsewhere. */
export const redirectTo =
  (origin: string): Fault =>
  (request, response) => {
    if (!(request.url ?? "").includes("/resolve/")) return false
    const head = response.writeHead.bind(response)
    response.writeHead = ((_code: number, headers: Record<string, string>) => {
      const { "content-length": _length, "content-range": _range, ...rest } = headers
      const to = { ...rest, "content-length": 0, location: `${origin}${request.url ?? ""}` }
      response.write = (() => true) as ServerResponse["write"]
      const reply = head(302, to)
      response.end()
      return reply
    }) as ServerResponse["writeHead"]
    return false
  }

const isListing = (request: IncomingMessage) => (request.url ?? "").includes("/tree/")
const sendListing = (
  response: ServerResponse,
  entries: ReadonlyArray<unknown>,
  headers: Record<string, string> = {}
) => {
  response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(entries))
  return true
}
const entry = (path: string) => ({ type: "file", path, size: 5, oid: "d".repeat(40) })

/** A listing whose first page has no models; `Link` names the next one, `page`, on this origin. */
export const pages =
  (origin: string, page = 2): Fault =>
  (request, response) => {
    const url = request.url ?? ""
    if (!isListing(request) || url.includes("cursor=2")) return false
    const next = `${origin}${url.replace(/&cursor=.*/, "")}&cursor=${page}`
    return sendListing(response, [entry("README.md")], {
      link: `<${origin}/first>; rel="first", <${next}>; rel="next"`
    })
  }

/** A listing of the tiny model among so many other files, in one page. */
export const among =
  (count: number): Fault =>
  (request, response) => {
    if (!isListing(request)) return false
    const end = response.end.bind(response)
    // the real entries, as they are sent; only this overload is used by the hub
    response.end = ((text: string) => {
      const others = Array.from({ length: count }, (_, i) => entry(`step-${i}/tiny-${i}-Q4_0.gguf`))
      return end(JSON.stringify([...others, ...JSON.parse(text)]))
    }) as ServerResponse["end"]
    const head = response.writeHead.bind(response)
    response.writeHead = ((code: number) => head(code)) as ServerResponse["writeHead"]
    return false
  }

/** A repository acme/tiny with the bundled model as tiny-Q8_0.gguf; `files` adds more, by their path in the folder. */
export const testHub = async (
  files: Readonly<Record<string, Uint8Array>> = {},
  kinds = workerKinds
): Promise<TestHub> => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-hub-"))
  const put = (path: string, write: (file: string) => void) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    write(join(folder, path))
  }
  put("acme/tiny/tiny-Q8_0.gguf", (file) => copyFileSync(join(bundledFolder() ?? "", "minillama-q8_0.gguf"), file))
  for (const [path, bytes] of Object.entries(files)) put(path, (file) => writeFileSync(file, bytes))
  const scope = await Effect.runPromise(Scope.make())
  let sent = 0
  const state = {
    folder,
    seen: [] as Array<Seen>,
    faults: [] as Array<Fault | undefined>,
    always: undefined as Fault | undefined
  }
  const { url } = await Effect.runPromise(
    Scope.extend(
      serveHub({
        folder,
        host: "127.0.0.1",
        port: 0,
        before: (request, response) => {
          const { authorization, range } = request.headers
          state.seen.push({ method: request.method ?? "", path: request.url ?? "", range, authorization })
          if (isFile(request)) {
            through(response, (chunk) => {
              sent += chunk.length
              return chunk
            })
          }
          const next = isFile(request) ? (state.faults.shift() ?? state.always) : state.always
          return next?.(request, response) === true
        }
      }).pipe(Effect.provideService(Kinds, kinds)),
      scope
    )
  )
  return Object.assign(state, {
    url,
    sent: () => sent,
    fetches: () => state.seen.filter(({ method, path }) => method === "GET" && path.includes("/resolve/")),
    close: async () => {
      await Effect.runPromise(Scope.close(scope, Exit.void))
      rmSync(folder, { recursive: true, force: true })
    }
  })
}
