/** The keys of people (docs/sharing.md#a-key-for-each-person): kept in the catalog, and told to the door at each change. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Struct from "effect/Struct"
import { freshKey, keyDigest, PersonKeys } from "../../../layers/keys/index.ts"
import { type CatalogError, type KeyRow, QueenCatalog } from "../../../layers/queen-catalog/index.ts"
import { type RbeeError, rbeeError } from "../../../machines/errors.ts"
import {
  type KeyMade,
  type KeyName,
  type KeyRequest,
  type KeyView,
  usualWeight
} from "../../../machines/vocabulary/people/key.ts"
import { type Caller, holder, ownAccounts } from "../../../protocol/rights.ts"

interface KeyBook {
  /** CONFLICT: there is a key of that name. Gives no right that the caller has not. */
  readonly add: (
    request: KeyRequest,
    caller: Caller | undefined
  ) => Effect.Effect<KeyMade, RbeeError<"CONFLICT" | "FORBIDDEN" | "INVALID_REQUEST"> | CatalogError>
  readonly revoke: (name: KeyName) => Effect.Effect<void, RbeeError<"NOT_FOUND"> | CatalogError>
  /** In the order in which they were made; those that were revoked too. */
  readonly all: () => ReadonlyArray<KeyView>
  /** of an account; those that are no keys weigh as a usual one */
  readonly weightOf: (account: string) => number
}

export class Keys extends Context.Tag("rbee/queen/Keys")<Keys, KeyBook>() {
  static readonly layer = Layer.suspend(() => Layer.effect(Keys, makeKeys))
}

const viewOf = (row: KeyRow): KeyView => Struct.omit(row, "digest")

const noKey = (name: string) =>
  rbeeError("NOT_FOUND", `there is no key ${name} that could be revoked`, "`rbee keys ls` lists them", { name })

/** Who may not do it can have nobody else do it. */
const beyond = ({ scopes }: KeyRequest, { may, name }: Caller) => {
  const more = scopes?.find((scope) => !may.has(scope))
  return more === undefined
    ? undefined
    : rbeeError("FORBIDDEN", `${name} may not ${more}, and can give that to nobody`, "The cluster's token has it", {
        scope: more
      })
}

const makeKeys: Effect.Effect<KeyBook, CatalogError, QueenCatalog | PersonKeys> = Effect.gen(function* () {
  const catalog = yield* QueenCatalog
  const ring = yield* PersonKeys
  const rows = new Map((yield* catalog.keys.all).map((row) => [row.name, row]))
  const told = (): void =>
    ring.set([...rows.values()].flatMap((row) => (row.revoked_at === undefined ? [[row.digest, viewOf(row)]] : [])))
  const put = (row: KeyRow): Effect.Effect<void, CatalogError> =>
    Effect.map(catalog.keys.put(row), () => {
      rows.set(row.name, row)
      told()
    })
  told()
  return {
    add: (request, caller = holder) =>
      Effect.gen(function* () {
        const { name, scopes = ["infer"], weight = usualWeight } = request
        if (ownAccounts.includes(name.toLowerCase()))
          return yield* rbeeError("INVALID_REQUEST", `no key can be called ${name}`, "Take another name", {
            field: "name"
          })
        const refused = beyond(request, caller)
        if (refused !== undefined) return yield* refused
        if (rows.get(name) !== undefined && rows.get(name)?.revoked_at === undefined)
          return yield* rbeeError(
            "CONFLICT",
            `there is a key ${name} already`,
            `\`rbee keys revoke ${name}\` ends it`,
            {
              name
            }
          )
        const key = freshKey()
        const view: KeyView = {
          ...request,
          scopes,
          weight,
          created_at: yield* Clock.currentTimeMillis,
          created_by: caller.name
        }
        yield* put({ ...view, digest: keyDigest(key) })
        return { key, ...view }
      }),
    revoke: (name) =>
      Effect.gen(function* () {
        const row = rows.get(name)
        if (row === undefined || row.revoked_at !== undefined) return yield* noKey(name)
        yield* put({ ...row, revoked_at: yield* Clock.currentTimeMillis })
      }),
    all: () => [...rows.values()].map(viewOf),
    weightOf: (account) => {
      for (const { name, weight } of rows.values()) if (name === account) return weight
      return usualWeight
    }
  } satisfies KeyBook
})
