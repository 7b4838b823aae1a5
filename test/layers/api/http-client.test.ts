/** What a client makes of peers that are not there, not ours, slow, or that break. */
import { createServer } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { makeHttpClient } from "../../../src/layers/transport/http/client/client.ts"
import { serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { readEvents, type SseEvent } from "../../../src/protocol/sse.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { streamingApi } from "../../support/streaming-api.ts"
import { echoApi, health, quiet, serve, stranger } from "./http-support.ts"
import { JobId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

const clientOf = (baseUrl: string, more: { readonly timeoutMs?: number; readonly silenceMs?: number } = {}) =>
  makeHttpClient(streamingApi, { baseUrl, ...more })

const answering = (text: string) => stranger((socket) => socket.once("data", () => socket.write(text)))
const page = (body: string, type = "text/html") =>
  `HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`

describe("a stranger on the port", () => {
  it.scopedLive("that answers something else is not taken for a daemon", () =>
    Effect.gen(function* () {
      for (const text of [
        page("<h1>It works!</h1>"),
        page('{"status":"ok"}', "application/json"),
        page("{", "application/json"),
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: http://example.org\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
        'HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"error":"my secret"}',
        "SSH-2.0-OpenSSH_9.2\r\n"
      ]) {
        const { url, port } = yield* answering(text)
        const error = yield* Effect.flip(clientOf(url).health({}))
        expect([error.code, error.details["peer"]]).toEqual(["INTERNAL", `127.0.0.1:${port}`])
        expect(error.message).toContain(`127.0.0.1:${port}`)
      }
    })
  )

  it.scopedLive("that answers nothing is CONNECTION_TIMEOUT, at the head or in the body", () =>
    Effect.gen(function* () {
      for (const text of ["", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{"]) {
        const { url, port } = yield* answering(text)
        const error = yield* Effect.flip(clientOf(url, { timeoutMs: 100 }).health({}))
        expect([error.code, error.details["peer"]]).toEqual(["CONNECTION_TIMEOUT", `127.0.0.1:${port}`])
      }
    })
  )

  it.scopedLive("an error code of a later version is INTERNAL, with its sentence", () =>
    Effect.gen(function* () {
      const body = '{"error":{"code":"NEWER","message":"Something new. Do that","details":{"a":1}}}'
      const { url } = yield* answering(page(body, "application/json").replace("200 OK", "418 Teapot"))
      const error = yield* Effect.flip(clientOf(url).health({}))
      expect([error.code, error.message, error.details]).toEqual([
        "INTERNAL",
        "Something new. Do that",
        { a: 1, remote_code: "NEWER" }
      ])
    })
  )
})

describe("a peer", () => {
  it.scopedLive("that is not there is CONNECTION_TIMEOUT with its address", () =>
    Effect.gen(function* () {
      const { url, close, port } = yield* stranger(() => {})
      close()
      const error = yield* Effect.flip(clientOf(url).health({}))
      expect([error.code, error.details]).toEqual([
        "CONNECTION_TIMEOUT",
        { peer: `127.0.0.1:${port}`, reason: "ECONNREFUSED" }
      ])
    })
  )

  it.scopedLive("whose url is none is an error of every call", () =>
    Effect.gen(function* () {
      for (const url of ["", "localhost", "https://x", "in-process://hive/a"]) {
        expect((yield* Effect.flip(clientOf(url).health({}))).code).toBe("INVALID_REQUEST")
      }
    })
  )

  it.scopedLive(
    "that closes a kept connection at the next request is asked again, unless that could do a thing twice",
    () =>
      Effect.gen(function* () {
        let requests = 0
        const answer = page(JSON.stringify(health), "application/json")
        // answers the first request of a connection and resets it at the second
        const { url } = yield* stranger((socket: Socket) => {
          let served = 0
          socket.on("data", () => {
            requests++
            if (served++ === 0) socket.write(answer)
            else socket.resetAndDestroy()
          })
        })
        const client = clientOf(url)
        yield* client.health({})
        yield* client.health({})
        expect(requests).toBe(3)
        const error = yield* Effect.flip(client.shutdown({}))
        expect([error.code, error.details["reason"]]).toEqual(["CONNECTION_TIMEOUT", "ECONNRESET"])
        expect(requests).toBe(4)
      })
  )

  it.scopedLive("is asked over one connection for one call after the other", () =>
    Effect.gen(function* () {
      const ports = new Set<number | undefined>()
      const server = createServer((request, response) => {
        ports.add(request.socket.remotePort)
        response.setHeader("content-type", "application/json").end(JSON.stringify(health))
      })
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => server.close().closeAllConnections())
      )
      // a TCP server has an address while it listens
      const client = clientOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      for (let n = 0; n < 20; n++) yield* client.health({})
      expect(ports.size).toBe(1)
    })
  )

  it.scopedLive("gets path parameters as they are, whatever is in them", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const notHere = () => Effect.die("not called")
      const model = { model_ref: ModelRef.make("m"), file: "f", bytes: 1, pinned: false, owned: true, in_use: false }
      const { url } = yield* serveHttp({
        apis: [
          {
            api: { getModel: hiveApi.getModel, listModels: hiveApi.listModels },
            handlers: {
              getModel: ({ ref }) =>
                Effect.as(
                  Effect.sync(() => seen.push(ref)),
                  model
                ),
              listModels: notHere
            }
          }
        ],
        host: "127.0.0.1",
        port: 0,
        role: "hive"
      }).pipe(Effect.provide(quiet))
      const client = makeHttpClient(hiveApi, { baseUrl: url })
      const refs = [
        "HF:a/b:Q4_K_M@main",
        "..",
        ".",
        "%2F",
        "%",
        "a?b#c",
        "a+b c",
        "é🐝",
        "/",
        "//",
        "a;b",
        "x".repeat(512)
      ]
      for (const ref of refs) yield* client.getModel({ ref })
      expect(seen).toEqual(refs)
      expect((yield* Effect.flip(client.getModel({ ref: "" }))).details["field"]).toBe("ref")
    })
  )
})

describe("a stream", () => {
  /** Opens a stream on a peer that writes `pieces`, one at a time, and then does `end`. */
  const streamOf = (pieces: ReadonlyArray<string>, end: (socket: Socket) => void, silenceMs?: number) =>
    Effect.gen(function* () {
      const { url } = yield* stranger((socket) =>
        socket.setNoDelay(true).once("data", async () => {
          for (const piece of pieces) {
            await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)))
          }
          end(socket)
        })
      )
      return yield* clientOf(url, silenceMs === undefined ? {} : { silenceMs }).inferEvents({ id: "a" })
    })

  it.scopedLive("whose connection ends before its end is an error, however politely it closes", () =>
    Effect.gen(function* () {
      const events: Array<SseEvent> = []
      for (const end of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
        const read = yield* Deferred.make<void>()
        const feed = yield* streamOf([streamHead, chunk("data: 1\n\n")], (socket) =>
          // a reset throws away what its reader has not yet taken
          Effect.runFork(
            Effect.zipRight(
              Deferred.await(read),
              Effect.sync(() => end(socket))
            )
          )
        )
        const reading = readEvents(feed, (event) => {
          events.push(event)
          Deferred.unsafeDone(read, Effect.void)
        })
        expect((yield* Effect.flip(reading)).code).toBe("CONNECTION_TIMEOUT")
      }
      expect(events.map(({ data }) => data)).toEqual(["1", "1"])
    })
  )

  it.scopedLive("that falls silent is an error, and comments are a sign of life", () =>
    Effect.gen(function* () {
      const feed = yield* streamOf([streamHead, chunk("data: 1\n\n")], () => {}, 150)
      const error = yield* Effect.flip(readEvents(feed, () => {}))
      expect([error.code, error.details["reason"]]).toEqual(["CONNECTION_TIMEOUT", "SILENT"])
      let left = 8
      const lively = yield* streamOf(
        [streamHead],
        (socket) => {
          const timer = setInterval(() => {
            socket.write(left-- > 0 ? chunk(": keep-alive\n\n") : "0\r\n\r\n")
            if (left < 0) clearInterval(timer)
          }, 200)
        },
        1200
      )
      yield* readEvents(lively, () => {})
      expect(left).toBe(-1)
    })
  )

  it.scopedLive("gives its sink whole frames, wherever the network cut them", () =>
    Effect.gen(function* () {
      const text = "retry: 1000\n\nid: 1\ndata: é\n\n: c\n\nid: 2\ndata: 🐝\n\n"
      const bytes = Buffer.from(text)
      for (let cut = 1; cut < bytes.length; cut += 3) {
        const chunks = [bytes.subarray(0, cut), bytes.subarray(cut, cut + 1), bytes.subarray(cut + 1)]
        const body = chunks
          .filter(({ length }) => length > 0)
          .map((part) => Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n")]))
        const { url } = yield* stranger((socket) =>
          socket.setNoDelay(true).once("data", async () => {
            socket.write(streamHead)
            for (const part of body)
              await new Promise<void>((resolve) => socket.write(part, () => setImmediate(resolve)))
            socket.end("0\r\n\r\n")
          })
        )
        const feed = yield* clientOf(url).inferEvents({ id: "a" })
        const pieces: Array<string> = []
        yield* feed({ write: (piece) => pieces.push(piece) > 0, drain: (resume) => resume() })
        expect(pieces.join("")).toBe(text)
        expect(pieces.filter((piece) => !piece.endsWith("\n\n"))).toEqual([])
      }
    })
  )

  it.scopedLive("is read once; a second reader is told so", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ inferEvents: () => Effect.succeed(() => Effect.void) })
      const feed = yield* clientOf(url).inferEvents({ id: "a" })
      yield* readEvents(feed, () => {})
      expect((yield* Effect.flip(readEvents(feed, () => {}))).code).toBe("CONNECTION_TIMEOUT")
    })
  )

  it.scopedLive("that ended well leaves its connection for the next call", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      let connections = 0
      const { url } = yield* stranger((socket) => {
        connections++
        socket.on("data", () => socket.write(`${streamHead}${chunk("data: 1\n\n")}0\r\n\r\n`))
        socket.on("close", () => Deferred.unsafeDone(closed, Effect.void))
      })
      const client = clientOf(url)
      for (let n = 0; n < 5; n++) yield* readEvents(yield* client.inferEvents({ id: "a" }), () => {})
      expect(connections).toBe(1)
    })
  )
})

describe("a long body", () => {
  const prompt = 'größe € 🐝 "\n'.repeat(300_000)

  it.scopedLive("arrives as it was, in pieces of its making", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const echo = makeHttpClient(echoApi, { baseUrl: url })
      expect(yield* echo.infer({ job_id: JobId.make("job-1"), epoch: 1, prompt })).toEqual({ prompt })
    })
  )

  it.scopedLive("is sent without a length, which nobody knows before it is made", () =>
    Effect.gen(function* () {
      const head = yield* Deferred.make<string>()
      const { url } = yield* stranger((socket) => {
        socket.once("data", (bytes) => Deferred.unsafeDone(head, Effect.succeed(String(bytes))))
      })
      yield* Effect.forkScoped(Effect.ignore(clientOf(url).infer({ job_id: JobId.make("job-1"), epoch: 1, prompt })))
      expect(yield* Deferred.await(head)).toContain("Transfer-Encoding: chunked")
    })
  )
})
