/** docs/api.md has the calls and errors that the code has; `npx vitest run test/docs -u` writes the calls anew. */
import { expect, it } from "vitest"
import { statusOf } from "../../src/machines/errors.ts"
import type { Api } from "../../src/protocol/endpoint.ts"
import { hiveApi } from "../../src/protocol/hive.ts"
import { openApi } from "../../src/protocol/openapi/openapi.ts"
import { queenApi } from "../../src/protocol/queen/index.ts"
import { workerApi } from "../../src/protocol/worker.ts"
import { rowsOf, textOf, withBlock } from "./pages.ts"

const file = "docs/api.md"

interface Operation {
  readonly summary: string
  readonly "x-rbee-scope": string
  readonly responses: Readonly<Record<string, { readonly content?: object }>>
}

const answersOf = ({ responses }: Operation): string =>
  Object.entries(responses)
    .filter(([status]) => status.startsWith("2"))
    .map(([status, { content = {} }]) =>
      "text/event-stream" in content || "application/x-ndjson" in content ? `${status}, events` : status
    )
    .join(", ")

/** From the OpenAPI document, in the order of the paths. */
const routesOf = (api: Api): string => {
  const { paths } = openApi(api, { title: "rbee", version: "1", guarded: true }) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  }
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        `| \`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}\` | ${operation["x-rbee-scope"]} | ${answersOf(operation)} | ${operation.summary} |`
    )
  )
  return ["| call | scope | answer | what it does |", "|---|---|---|---|", ...rows].join("\n")
}

it("lists every call as the OpenAPI documents have it", async () => {
  let page = textOf(file)
  for (const [name, api] of [
    ["queen", queenApi],
    ["hive", hiveApi],
    ["worker", workerApi]
  ] as const)
    page = withBlock(page, `routes:${name}`, routesOf(api))
  await expect(page).toMatchFileSnapshot(`../../${file}`)
})

it("says of every code of an error what its status is", () => {
  const told = rowsOf(textOf(file)).flatMap(([code = "", status = ""]) =>
    /^`[A-Z_]+`$/.test(code) ? [[code.replaceAll("`", ""), Number(status)] as const] : []
  )
  expect(Object.fromEntries(told)).toEqual(statusOf)
})
