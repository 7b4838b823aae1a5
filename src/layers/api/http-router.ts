/** From method and path to an endpoint, by the radix tree that `@effect/platform` uses too. */
import type * as Effect from "effect/Effect"
import { make } from "find-my-way-ts"
import type { RbeeError } from "../../machines/errors.ts"
import type { Api, Handlers } from "./endpoint.ts"
import type { ApiScope } from "./rights.ts"
import { type Wire, wiresOf } from "./wire.ts"
import type { Parts } from "./wire-input.ts"

/** An interface and who answers it. */
export interface Served<A extends Api> {
  readonly api: A
  readonly handlers: Handlers<A>
}

type Handler = (input: unknown) => Effect.Effect<unknown, RbeeError>

interface Route {
  readonly kind: "json" | "events" | "reply"
  readonly scope: ApiScope
  readonly maxBytes: number
  readonly join: Wire["join"]
  readonly encodeAnswer: Wire["encodeAnswer"]
  readonly handler: Handler
}

export interface Match extends Route {
  readonly _tag: "Match"
  readonly params: Parts["params"]
  readonly query: Parts["query"]
}
export type Found =
  | Match
  | { readonly _tag: "NotFound" }
  | { readonly _tag: "WrongMethod"; readonly allowed: ReadonlyArray<string> }

export interface Router {
  readonly find: (method: string, url: string) => Found
}

const methods = ["GET", "POST", "DELETE"] as const

/** A reference of 512 characters, percent-encoded. */
const longestParam = 2048

export const makeRouter = (apis: ReadonlyArray<Served<Api>>): Router => {
  const tree = make<Route>({ caseSensitive: true, ignoreDuplicateSlashes: false, maxParamLength: longestParam })
  for (const { api, handlers } of apis) {
    for (const wire of wiresOf(api)) {
      const handler = handlers[wire.name]
      if (handler === undefined) throw new TypeError(`nobody answers ${wire.name}`)
      tree.on(wire.endpoint.method, wire.endpoint.path as `/${string}`, routeOf(wire, handler)) // paths start with a slash by convention
    }
  }
  return {
    find: (method, url) => {
      const found = tree.find(method === "HEAD" ? "GET" : method, url)
      if (found !== undefined && !(method === "HEAD" && found.handler.kind !== "json")) {
        return { _tag: "Match", ...found.handler, params: found.params, query: found.searchParams }
      }
      const allowed = methods.filter((other) => tree.find(other, url) !== undefined)
      return allowed.length === 0 ? { _tag: "NotFound" } : { _tag: "WrongMethod", allowed }
    }
  }
}

const routeOf = (wire: Wire, handler: Handler): Route => ({
  kind: wire.endpoint.kind,
  scope: wire.endpoint.scope,
  maxBytes: wire.maxBytes,
  join: wire.join,
  encodeAnswer: wire.encodeAnswer,
  handler
})
