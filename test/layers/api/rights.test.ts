/** Who may call what: every endpoint of every daemon, by every right that there is. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { BrowserSessions } from "../../../src/layers/transport/http/server/browser-sessions.ts"
import type { Api, Handlers } from "../../../src/protocol/endpoint.ts"
import { type ServeOptions, serveHttp } from "../../../src/layers/transport/http/server/server.ts"
import { type ApiScope, hiveCaller, local } from "../../../src/protocol/rights.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { HiveKeyring, keyDigest, PersonKeyring } from "../../../src/layers/keys/index.ts"
import { KeyName, type KeyScope, type KeyView } from "../../../src/machines/vocabulary/people/key.ts"
import { pagesApi } from "../../../src/layers/pages/index.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { workerApi } from "../../../src/protocol/worker.ts"
import { rbeeError } from "../../../src/machines/errors.ts"
import { ask, quiet } from "./http-support.ts"
import { HiveId } from "../../../src/machines/vocabulary/ids.ts"

const token = "the-token-of-the-cluster"

/** What each call of the queen's is about, once more and by hand: a new one stands here too, or this fails. */
const queens: Readonly<Record<ApiScope, ReadonlyArray<string>>> = {
  open: ["asset", "health", "home", "homeAsset", "joinHive", "page"],
  infer: [
    ...["cancelJob", "getJob", "jobEvents", "listJobs", "openapi", "removeJob", "submitJob", "usage"],
    ...["v1Chat", "v1Completions", "v1Model", "v1Models", "v1Messages", "v1CountTokens"],
    ...["v1Detokenize", "v1Props", "v1Tokenize"],
    ...["v1Embeddings", "v1Rerank", "v1Reranking", "v1Score"],
    ...[
      "ollamaChat",
      "ollamaGenerate",
      "ollamaPs",
      "ollamaShow",
      "ollamaTags",
      "ollamaVersion",
      "ollamaEmbed",
      "ollamaEmbeddings"
    ],
    ...["v1CreateResponse", "v1Response", "v1CancelResponse", "v1DeleteResponse", "v1ResponseInput"]
  ],
  manage: [
    ...[
      "addHive",
      "checkHive",
      "installHive",
      "inviteHive",
      "keptLoaded",
      "parked",
      "clearParked",
      "listHives",
      "removeHive",
      "startHive",
      "stopHive",
      "uninstallHive"
    ],
    ...[
      "collectModels",
      "listModels",
      "pinModel",
      "pullEvents",
      "pullModel",
      "removeModel",
      "retryModel",
      "scanModels",
      "showModel"
    ],
    ...[
      "discoverHives",
      "searchModels",
      "fitModels",
      "listDownloads",
      "endDownload",
      "listEntries",
      "setEntry",
      "removeEntry"
    ],
    ...["handover", "listWorkers", "plan", "shutdown", "stay", "stopWorker", "ticket", "unlockKey"],
    ...["addKey", "listKeys", "revokeKey"],
    ...["ollamaCopy", "ollamaDelete", "ollamaPull"]
  ],
  observe: ["audit", "events", "hiveLogs", "inspectEvents", "machines", "metrics"],
  peer: ["heartbeat"]
}

const all = { ...queenApi, ...pagesApi }

/** Whoever gets here was let in. */
const letIn = <A extends Api>(api: A): Handlers<A> => {
  const handlers: Record<string, unknown> = {}
  for (const name of Object.keys(api)) handlers[name] = () => Effect.fail(rbeeError("CANCELLED", "let in"))
  // each fails alike, whatever it takes and answers
  return handlers as Handlers<A>
}

type Options = Partial<Omit<ServeOptions<readonly [Api]>, "apis">>

const serve = (api: Api, options: Options) =>
  serveHttp({
    host: "127.0.0.1",
    port: 0,
    role: "test",
    token,
    ...options,
    apis: [{ api, handlers: letIn(api) }]
  }).pipe(Effect.provide(quiet))

/** The scopes of which every call is let in, and none of the others. */
const scopesFor = (url: string, api: Api, headers: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const open = new Map<ApiScope, Set<boolean>>()
    for (const { method, path, scope } of Object.values(api)) {
      const { status } = yield* ask(url, { method, path: path.replaceAll(/:\w+/g, "x"), headers })
      const answers = open.get(scope) ?? new Set()
      open.set(scope, answers.add(![401, 403].includes(status)))
    }
    for (const [scope, answers] of open) expect([scope, answers.size]).toEqual([scope, 1])
    return [...open].flatMap(([scope, answers]) => (answers.has(true) ? [scope] : [])).toSorted()
  })

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` })
const everything = ["infer", "manage", "observe", "open", "peer"]

describe("The queen's interface", () => {
  it.scopedLive("takes the key of Anthropic's clients as they show it, and of nobody else's that way", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(all, {})
      const status = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
        Effect.map(ask(url, { method, path, headers }), (got) => got.status)
      const key = { "x-api-key": token }
      const version = { "anthropic-version": "2023-06-01" }
      const letIn = 499
      expect(yield* status("POST", "/v1/messages", key)).toBe(letIn)
      expect(yield* status("POST", "/v1/messages", bearer(token))).toBe(letIn)
      expect(yield* status("POST", "/v1/messages", { "x-api-key": "sk-other" })).toBe(401)
      expect(yield* status("GET", "/v1/models", { ...key, ...version })).toBe(letIn)
      expect(yield* status("GET", "/v1/models", key)).toBe(401)
      expect(yield* status("GET", "/jobs", { ...key, ...version })).toBe(401)
      const refused = yield* ask(url, { method: "POST", path: "/v1/messages" })
      expect(JSON.parse(refused.text)).toMatchObject({ type: "error", error: { type: "authentication_error" } })
    })
  )

  it("has a scope on every call, as it stands in the table", () => {
    for (const [scope, names] of Object.entries(queens))
      expect(
        Object.entries(all)
          .flatMap(([name, endpoint]) => (endpoint.scope === scope ? [name] : []))
          .toSorted()
      ).toEqual(names.toSorted())
  })

  it.scopedLive(
    "lets in by right: nothing shown, a key of somebody else's, the token, a hive's secret, a browser's session",
    () =>
      Effect.gen(function* () {
        const keys = new HiveKeyring()
        const ofHive = keys.fromHive(HiveId.make("gpu-box"))
        const sessions = new BrowserSessions()
        const callerOf = (secret: string) => {
          const hive = keys.hiveOf(secret)
          return hive === undefined ? undefined : hiveCaller(hive)
        }
        const cookie = (sessions.redeem(sessions.ticket()) ?? "").split(";")[0] ?? ""
        const rows: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, ReadonlyArray<string>]> = [
          ["nothing", {}, ["infer", "open"]],
          ["a key that is nobody's", bearer("sk-anything"), ["infer", "open"]],
          ["nothing, through a proxy", { "x-forwarded-for": "203.0.113.7" }, ["open"]],
          ["nothing, through another proxy", { forwarded: "for=203.0.113.7" }, ["open"]],
          ["the token, through a proxy", { ...bearer(token), "x-forwarded-for": "203.0.113.7" }, everything],
          ["a session that is nobody's", { cookie: "rbee_inspector=x" }, ["infer", "open"]],
          ["the token", bearer(token), everything],
          ["a hive's own secret", bearer(ofHive), ["open", "peer"]],
          // no form of another page sends that header, and no link
          ["a browser's session, by the page's script", { cookie, "x-rbee-page": "1" }, everything],
          ["a browser's session", { cookie }, everything.filter((scope) => scope !== "manage")]
        ]
        const { url } = yield* serve(all, { anonymous: local, callerOf, sessions })
        for (const [who, headers, scopes] of rows)
          expect([who, yield* scopesFor(url, all, headers)]).toEqual([who, scopes])
        // where a token is wanted for everything, and on an address that others reach
        const closed = yield* serve(all, { callerOf, sessions })
        for (const [who, headers, scopes] of rows) {
          const left = scopes.includes("observe") || scopes.includes("peer") ? scopes : ["open"]
          expect([who, yield* scopesFor(closed.url, all, headers)]).toEqual([who, left])
        }
        // a hive that is forgotten is nobody
        keys.forget(HiveId.make("gpu-box"))
        expect(yield* scopesFor(url, all, bearer(ofHive))).toEqual(["infer", "open"])
      })
  )

  it.scopedLive(
    "lets a person's key in by its scopes; one that is revoked, expired or unknown nowhere, on loopback neither",
    () =>
      Effect.gen(function* () {
        const people = new PersonKeyring()
        const callerOf = (secret: string) => people.callerOf(secret)
        const { url } = yield* serve(all, { anonymous: local, callerOf })
        const keyed = (name: string, scopes: ReadonlyArray<KeyScope>, more: Partial<KeyView> = {}) =>
          [
            keyDigest(`rbk_${name}`),
            { name: KeyName.make(name), scopes, weight: 1, created_at: 0, created_by: "token", ...more }
          ] as const
        const asked = (headers: Readonly<Record<string, string>>, path = "/v1/models") => ask(url, { path, headers })
        expect((yield* asked(bearer("rbk_ada"))).status).toBe(503)
        const ada = keyed("ada", ["infer"])
        const others = [
          keyed("ben", ["manage", "observe"]),
          keyed("eve", ["infer"], { expires_at: 1 }),
          keyed("mia", ["infer"], { expires_at: Number.MAX_SAFE_INTEGER })
        ]
        people.set([ada, ...others])
        expect(yield* scopesFor(url, all, bearer("rbk_ada"))).toEqual(["infer", "open"])
        expect(yield* scopesFor(url, all, bearer("rbk_mia"))).toEqual(["infer", "open"])
        expect(yield* scopesFor(url, all, bearer("rbk_ben"))).toEqual(["manage", "observe", "open"])
        expect((yield* asked({ "x-api-key": "rbk_ada" }, "/v1/messages")).status).not.toBe(401)
        people.set(others)
        for (const name of ["ada", "eve", "nobody"])
          expect(yield* scopesFor(url, all, bearer(`rbk_${name}`))).toEqual([])
        // each client in its own words
        const own = ["/v1/models", "/api/tags", "/jobs"].map((path) => asked(bearer("rbk_ben"), path))
        expect((yield* Effect.all(own)).map(({ status, text }) => [status, JSON.parse(text)])).toMatchObject([
          [403, { error: { type: "permission_error", code: "forbidden", details: { scope: "infer" } } }],
          [403, { error: expect.stringContaining("it may manage, observe"), code: "FORBIDDEN" }],
          [403, { error: { code: "FORBIDDEN" } }]
        ])
        const message = yield* ask(url, {
          method: "POST",
          path: "/v1/messages",
          headers: { "x-api-key": "rbk_nobody" }
        })
        expect([message.status, JSON.parse(message.text)]).toMatchObject([
          401,
          { type: "error", error: { type: "authentication_error", details: { code: "INVALID_API_KEY" } } }
        ])
      })
  )

  it.scopedLive("lets pages of other sites in nowhere, whatever their browser shows", () =>
    Effect.gen(function* () {
      const sessions = new BrowserSessions()
      const cookie = (sessions.redeem(sessions.ticket()) ?? "").split(";")[0] ?? ""
      const { url } = yield* serve(all, { anonymous: local, sessions })
      for (const shown of [{}, { cookie }, bearer(token)])
        for (const from of [{ origin: "http://evil.example" }, { "sec-fetch-site": "cross-site" }])
          expect(yield* scopesFor(url, all, { ...shown, ...from })).toEqual([])
      // but a link may lead to a page
      const link = { cookie, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }
      const { joinHive: _, ...links } = all
      expect(yield* scopesFor(url, links, link)).toEqual(
        expect.not.arrayContaining(["infer", "manage", "observe", "peer"])
      )
      expect((yield* ask(url, { path: "/", headers: link })).status).toBe(499)
      const join = { method: "POST", path: "/hives/x/join" }
      expect((yield* ask(url, { ...join, headers: link })).status).toBe(403)
    })
  )
})

describe("A hive's and a worker's interface", () => {
  it.scopedLive("answer nothing but /health without their own secret", () =>
    Effect.gen(function* () {
      for (const api of [hiveApi, workerApi]) {
        const { url } = yield* serve(api, {})
        expect(yield* scopesFor(url, api, {})).toEqual(["open"])
        expect(yield* scopesFor(url, api, bearer("of another hive"))).toEqual(["open"])
        expect(yield* scopesFor(url, api, bearer(token))).toEqual(["open", "peer"])
        expect(Object.values<Api[string]>(api).filter(({ scope }) => scope === "open")).toHaveLength(1)
      }
    })
  )
})
