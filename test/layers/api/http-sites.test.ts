/** Which pages may call OpenAI's routes, and what paths mean. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { endpoint } from "../../../src/protocol/endpoint.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { type ServeOptions, serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { ask, quiet } from "./http-support.ts"

const none = Schema.Struct({})
const api = {
  health: endpoint("GET", "/health", { scope: "open", summary: "", input: none, answers: { json: { 200: none } } }),
  jobs: endpoint("GET", "/hives", { scope: "manage", summary: "", input: none, answers: { json: { 200: none } } }),
  stream: endpoint("GET", "/events/:id", {
    scope: "observe",
    summary: "",
    input: Schema.Struct({ id: Schema.String }),
    answers: { events: {} }
  }),
  page: endpoint("GET", "/inspect", {
    scope: "open",
    summary: "",
    input: none,
    answers: { text: { 200: "text/html" } }
  }),
  models: queenApi.v1Models,
  chat: queenApi.v1Chat
} as const

const sites = { origins: [] as ReadonlyArray<string>, hosts: [] as ReadonlyArray<string> }
const serve = (options: Partial<ServeOptions<readonly [typeof api]>> = {}) =>
  serveHttp({
    apis: [
      {
        api,
        handlers: {
          health: () => Effect.succeed({}),
          jobs: () => Effect.succeed({}),
          stream: () => Effect.succeed(() => Effect.never),
          page: () => Effect.succeed("page"),
          models: () => Effect.succeed({ object: "list", data: [] } as const),
          chat: () => Effect.fail(rbeeError("QUEUE_FULL", "512 jobs wait"))
        }
      }
    ],
    host: "127.0.0.1",
    port: 0,
    role: "queen",
    graceMs: 100,
    sites,
    ...options
  }).pipe(Effect.provide(quiet))

const token = "a-token-of-enough-length"
const cors = (headers: Readonly<Record<string, unknown>>) => headers["access-control-allow-origin"]

describe("a page of another origin", () => {
  const welcome = [
    "http://localhost:3000",
    "https://localhost",
    "http://127.0.0.1:5173",
    "http://[::1]:8080",
    "http://tauri.localhost",
    "app://obsidian.md",
    "tauri://localhost",
    "vscode-webview://1a2b3c"
  ]
  const unwelcome = [
    "http://evil.example",
    "https://localhost.evil.example",
    "null",
    "chrome-extension://abc",
    "http://apps",
    "https://app.evil.example",
    "file://"
  ]

  it.scopedLive("of this machine or of a program may call /v1, and reads the errors too", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      for (const origin of welcome) {
        const list = yield* ask(url, { path: "/v1/models", headers: { origin } })
        expect([origin, list.status, cors(list.headers), list.headers.vary]).toEqual([origin, 200, origin, "Origin"])
        const full = yield* ask(url, { method: "POST", path: "/v1/chat/completions", headers: { origin } })
        expect([full.status, cors(full.headers)]).toEqual([429, origin])
      }
      const lost = yield* ask(url, { path: "/v1/nothing", headers: { origin: "http://localhost:3000" } })
      expect([lost.status, cors(lost.headers)]).toEqual([404, "http://localhost:3000"])
    })
  )

  it.scopedLive("asks first without a token, and may send whatever headers it names", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ token })
      const origin = "http://localhost:3000"
      const preflight = yield* ask(url, {
        method: "OPTIONS",
        path: "/v1/chat/completions",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization, content-type, x-stainless-os"
        }
      })
      expect([preflight.status, preflight.text, cors(preflight.headers)]).toEqual([204, "", origin])
      expect(preflight.headers["access-control-allow-headers"]).toBe("authorization, content-type, x-stainless-os")
      expect(preflight.headers["access-control-allow-methods"]).toContain("POST")
      const call = { path: "/v1/models", headers: { origin } }
      const refused = yield* ask(url, call)
      expect([refused.status, cors(refused.headers)]).toEqual([401, origin])
      const headers = { origin, authorization: `Bearer ${token}` }
      expect((yield* ask(url, { ...call, headers })).status).toBe(200)
    })
  )

  it.scopedLive("is refused elsewhere, whatever its origin, and gets no CORS header", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ sites: { ...sites, origins: ["https://ui.example"] } })
      for (const origin of ["https://ui.example", ...welcome]) {
        const asked = { origin, "access-control-request-method": "GET" }
        for (const path of ["/hives", "/events/job-1", "/health", "/inspect"]) {
          for (const [method, headers] of [
            ["GET", { origin }],
            ["OPTIONS", asked]
          ] as const) {
            const got = yield* ask(url, { method, path, headers })
            expect([path, got.status, cors(got.headers)]).toEqual([path, 403, undefined])
          }
        }
      }
    })
  )

  it.scopedLive("that is not let in learns which setting would do it, and the setting does", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      for (const origin of unwelcome) {
        const got = yield* ask(url, { path: "/v1/models", headers: { origin } })
        expect([origin, got.status, cors(got.headers)]).toEqual([origin, 403, undefined])
        expect(got.text).toContain("queen.origins")
        expect(got.text).toContain("RBEE_QUEEN_ORIGINS")
      }
      expect((yield* ask(url, { path: "/v1/models", headers: { origin: "null" } })).text).toContain("sandboxed")
      const allowing = yield* serve({
        sites: { ...sites, origins: ["null", "chrome-extension://ABC", "https://ui.example/"] }
      })
      for (const origin of ["null", "chrome-extension://abc", "https://ui.example"]) {
        const got = yield* ask(allowing.url, { path: "/v1/models", headers: { origin } })
        expect([origin, got.status, cors(got.headers)]).toEqual([origin, 200, origin])
      }
      const other = yield* ask(allowing.url, { path: "/v1/models", headers: { origin: "https://ui.example.evil" } })
      expect(other.status).toBe(403)
    })
  )

  it.scopedLive("cannot embed anything by GET, and a link leads to a page alone", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const status = (path: string, mode: string, site = "cross-site") =>
        Effect.map(ask(url, { path, headers: { "sec-fetch-site": site, "sec-fetch-mode": mode } }), (got) => got.status)
      for (const site of ["cross-site", "same-site"]) {
        for (const path of ["/hives", "/v1/models", "/health", "/inspect"])
          expect([path, yield* status(path, "no-cors", site)]).toEqual([path, 403])
      }
      expect(yield* status("/inspect", "navigate")).toBe(200)
      expect(yield* status("/hives", "navigate")).toBe(403)
      for (const site of ["none", "same-origin"]) expect(yield* status("/hives", "navigate", site)).toBe(200)
    })
  )
})

describe("the name that a daemon is called by", () => {
  it.scopedLive("is its own, an address, or what queen.hosts says; the refusal names the setting", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ sites: { ...sites, hosts: ["box.lan"] } })
      const named = (host: string) => ask(url, { path: "/v1/models", headers: { host } })
      for (const host of ["box.lan", "BOX.LAN:8500", "10.0.0.7:8500", "[fe80::1]:8500", "a.localhost"])
        expect([host, (yield* named(host)).status]).toEqual([host, 200])
      for (const host of ["evil.example", "box.lan.evil.example", "localhost.evil.example:8500"]) {
        const got = yield* named(host)
        expect([host, got.status]).toEqual([host, 403])
        expect(got.text).toContain("queen.hosts")
      }
    })
  )

  it.scopedLive("is free on a bind for others to whoever shows the token", () =>
    Effect.gen(function* () {
      const { url } = yield* serve({ host: "0.0.0.0", token })
      const named = (headers: Readonly<Record<string, string>>) =>
        Effect.map(ask(url, { path: "/hives", headers: { host: "llm.example", ...headers } }), ({ status }) => status)
      expect(yield* named({ authorization: `Bearer ${token}` })).toBe(200)
      expect(yield* named({ authorization: "Bearer another-token-altogether" })).toBe(403)
      expect(yield* named({})).toBe(403)
    })
  )

  it.scopedLive(
    "is asked before the token on a bind for others: only who calls it by its own is told to show one",
    () =>
      Effect.gen(function* () {
        const { url } = yield* serve({ host: "0.0.0.0", token, sites: { ...sites, hosts: ["box.lan"] } })
        const status = (host: string) =>
          Effect.map(ask(url, { path: "/hives", headers: { host } }), (got) => got.status)
        for (const host of ["box.lan", "10.0.0.7:8500", "[fe80::1]:8500", "localhost:8500", "127.0.0.1"])
          expect([host, yield* status(host)]).toEqual([host, 401])
        for (const host of ["evil.example", "box.lan.evil.example"])
          expect([host, yield* status(host)]).toEqual([host, 403])
      })
  )
})

describe("a path", () => {
  it.scopedLive("is found with or without /v1, with a slash too many, and by HEAD", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const spellings = [
        "/v1/models",
        "//v1/models",
        "/v1//models",
        "/v1/models/",
        "/models",
        "/v1/v1/models",
        "//models//",
        "/models?x=1"
      ]
      for (const path of spellings) {
        for (const method of ["GET", "HEAD"]) {
          const got = yield* ask(url, { method, path })
          expect([path, got.status, got.text === ""]).toEqual([path, 200, method === "HEAD"])
        }
      }
      for (const path of [
        "/chat/completions",
        "/v1/v1/chat/completions",
        "//v1/chat/completions",
        "/v1/chat/completions/"
      ])
        expect([path, (yield* ask(url, { method: "POST", path })).status]).toEqual([path, 429])
      expect((yield* ask(url, { method: "HEAD", path: "/inspect" })).status).toBe(200)
    })
  )

  it.scopedLive("that is not known is named, with what there is", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const openAi = JSON.parse((yield* ask(url, { method: "POST", path: "/v1/completions?key=x" })).text).error
      expect(openAi.message).toContain("POST /v1/completions")
      expect(openAi.message).toContain("/v1/chat/completions")
      expect([openAi.code, openAi.type, openAi.details.code]).toEqual([
        "unknown_url",
        "invalid_request_error",
        "NOT_FOUND"
      ])
      const ours = JSON.parse((yield* ask(url, { path: "/events/1/x" })).text).error
      expect([ours.code, ours.message.includes("/events/:id")]).toEqual(["NOT_FOUND", true])
      const odd = JSON.parse((yield* ask(url, { path: `/%0a${"x".repeat(300)}` })).text).error
      expect(odd.message.length).toBeLessThan(300)
    })
  )
})

describe("a request's id", () => {
  it.scopedLive("is given back, and one is made where there is none", () =>
    Effect.gen(function* () {
      const { url } = yield* serve()
      const ids = (headers: Readonly<Record<string, string>>) =>
        Effect.map(ask(url, { path: "/v1/models", headers }), (got) => [
          got.headers["x-request-id"],
          got.headers["x-correlation-id"]
        ])
      expect(yield* ids({ "x-request-id": "req-7" })).toEqual(["req-7", "req-7"])
      expect(yield* ids({ "x-request-id": "req-7", "x-correlation-id": "corr-1" })).toEqual(["req-7", "corr-1"])
      const [made, correlation] = yield* ids({})
      expect(made).toMatch(/^[0-9a-f-]{36}$/)
      expect(correlation).toBe(made)
    })
  )
})
