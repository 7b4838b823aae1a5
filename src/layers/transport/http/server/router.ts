/** From method and path to an endpoint, by the radix tree that `@effect/platform` uses too. */
import type * as Effect from "effect/Effect"
import { make } from "find-my-way-ts"
import type { RbeeError } from "../../../../machines/errors.ts"
import { surfaceOf } from "../../../../protocol/surfaces/of-path.ts"
import type { Surface } from "../../../../protocol/surfaces/surface.ts"
import type { Api, Handlers } from "../../../../protocol/endpoint.ts"
import type { ApiScope } from "../../../../protocol/rights.ts"
import { type Wire, wiresOf } from "../../../../protocol/wire/wire.ts"
import type { Parts } from "../../../../protocol/wire/input.ts"

/** An interface and who answers it. */
export interface Served<A extends Api> {
  readonly api: A
  readonly handlers: Handlers<A>
}

type Handler = (input: unknown) => Effect.Effect<unknown, RbeeError>

interface Route {
  readonly scope: ApiScope
  readonly surface: Surface
  readonly maxBytes: number
  readonly hasBody: boolean
  readonly join: Wire["join"]
  readonly encodeAnswer: Wire["encodeAnswer"]
  readonly handler: Handler
}

export interface Match extends Route {
  readonly _tag: "Match"
  readonly params: Parts["params"]
  readonly query: Parts["query"]
}
interface NoMatch extends Pick<Route, "scope" | "surface"> {
  readonly _tag: "NotFound"
  readonly path: string
  /** paths of the same beginning, or those that most are after */
  readonly near: ReadonlyArray<string>
}
interface WrongMethod extends Pick<Route, "scope" | "surface"> {
  readonly _tag: "WrongMethod"
  readonly allowed: ReadonlyArray<string>
}
export type Found = Match | NoMatch | WrongMethod

export interface Router {
  readonly find: (method: string, url: string) => Found
}

const methods = ["GET", "POST", "DELETE"] as const

/** A path as base urls make it that end with a slash, have one too many, or a `/v1` that their client adds itself. */
const withoutSpareSlashes = (url: string): string => {
  const [path = ""] = url.split("?", 1)
  if (!path.includes("//") && !path.startsWith("/v1/v1/") && !(path.endsWith("/") && path !== "/")) return url
  const clean = path.replace(/\/{2,}/g, "/").replace(/(.)\/$/, "$1")
  return clean.replace(/^\/v1(?=\/v1\/)/, "") + url.slice(path.length)
}

/** A reference of 512 characters, percent-encoded. */
const longestParam = 2048

export const makeRouter = (apis: ReadonlyArray<Served<Api>>): Router => {
  const tree = make<Route>({ caseSensitive: true, ignoreDuplicateSlashes: false, maxParamLength: longestParam })
  for (const { api, handlers } of apis) {
    for (const wire of wiresOf(api)) {
      const handler = handlers[wire.name]
      if (handler === undefined) throw new TypeError(`nobody answers ${wire.name}`)
      const { method, path } = wire.endpoint
      const route = routeOf(wire, handler)
      tree.on(method, path as `/${string}`, route) // paths start with a slash by convention
      const { prefix } = route.surface
      if (prefix !== "" && !route.surface.isPrefixNeeded)
        tree.on(method, path.slice(prefix.length) as `/${string}`, route) // as above
    }
  }
  const paths = [...new Set(apis.flatMap(({ api }) => Object.values(api).map((endpoint) => endpoint.path)))]
  /** Elsewhere a spare slash is the place of an id that is missing, and what changes something must not guess. */
  const meant = (method: string, url: string): string => {
    const clean = withoutSpareSlashes(url)
    if (clean === url || method === "GET") return clean
    const hasBaseUrl = methods.some((one) => (tree.find(one, clean)?.handler.surface.prefix ?? "") !== "")
    return hasBaseUrl ? clean : url
  }
  return {
    find: (asked, given) => {
      const method = asked === "HEAD" ? "GET" : asked
      const asGiven = tree.find(method, given)
      const url = asGiven === undefined ? meant(method, given) : given
      const found = asGiven ?? tree.find(method, url)
      if (found !== undefined) {
        return { _tag: "Match", ...found.handler, params: found.params, query: found.searchParams }
      }
      const others = methods.flatMap((other) => {
        const route = tree.find(other, url)?.handler
        return route === undefined ? [] : [{ method: other, route }]
      })
      const [first] = others
      if (first !== undefined) {
        const { scope, surface } = first.route
        return { _tag: "WrongMethod", allowed: others.map((other) => other.method), surface, scope }
      }
      const [path = ""] = url.split("?", 1)
      // what there is, and what not, is told to whoever may ask for anything
      return { _tag: "NotFound", path, near: near(paths, path), surface: surfaceOf(path), scope: "infer" }
    }
  }
}

const firstOf = (path: string): string => path.split("/")[1] ?? ""

/** Paths of the same first segment; else those that most are after, the other makers'; else all, where there are few. */
const near = (paths: ReadonlyArray<string>, path: string): ReadonlyArray<string> => {
  const same = paths.filter((known) => firstOf(known) === firstOf(path))
  if (same.length > 0) return same
  const common = paths.filter((known) => surfaceOf(known).prefix !== "")
  return common.length > 0 ? common : paths
}

const routeOf = (wire: Wire, handler: Handler): Route => ({
  scope: wire.endpoint.scope,
  surface: wire.endpoint.surface,
  maxBytes: wire.maxBytes,
  hasBody: wire.hasBody,
  join: wire.join,
  encodeAnswer: wire.encodeAnswer,
  handler
})
