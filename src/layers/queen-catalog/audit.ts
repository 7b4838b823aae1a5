/** What operators did, in the catalog's database: rows of plain columns, which are only ever added. */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { ParseError } from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { decoder } from "../../machines/formats/json/decode.ts"
import { AuditEntry } from "../../machines/vocabulary/people/usage.ts"
import type { CatalogError, QueenCatalog } from "./index.ts"

const decode = decoder(Schema.Array(AuditEntry))

export const auditTable = (
  sql: SqlClient.SqlClient,
  failed: (error: SqlError | ParseError) => CatalogError
): QueenCatalog["Type"]["audit"] => ({
  add: ({ about, at, outcome, what, who }) =>
    sql`INSERT INTO audit ${sql.insert({ at, who, what, about: about ?? null, outcome })}`.pipe(
      Effect.mapError(failed),
      Effect.asVoid
    ),
  newest: (limit) =>
    sql<Record<string, unknown>>`SELECT * FROM audit ORDER BY id DESC LIMIT ${limit}`.pipe(
      Effect.flatMap((rows) => decode(rows.map(({ about, ...row }) => (about === null ? row : { ...row, about })))),
      Effect.mapError(failed)
    )
})
