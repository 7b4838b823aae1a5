/**
 * What is said on the wire is what it was: every schema by its fields, and every call of the OpenAPI documents. Whoever
 * changes it sees in a line or two what clients will see; `npx vitest run test/contract/wire -u` draws it anew.
 */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import { expect, it } from "vitest"
import type { Api } from "../../../src/protocol/endpoint.ts"
import { hiveApi } from "../../../src/protocol/hive.ts"
import { openApi } from "../../../src/protocol/openapi/openapi.ts"
import { queenApi } from "../../../src/protocol/queen/index.ts"
import { workerApi } from "../../../src/protocol/worker.ts"
import { isObject } from "../../../src/machines/formats/json/is-object.ts"
import { dataLines, indented, listed, textOf, unnamed } from "./lines.ts"
import { operationsOf } from "./operations.ts"

const machines = fileURLToPath(new URL("../../../src/machines/", import.meta.url))
const modules = await Promise.all(
  readdirSync(machines, { recursive: true, encoding: "utf8" })
    .filter((path) => /^(vocabulary|dialect)\/.*\.ts$/.test(path))
    .toSorted()
    .map(async (path) => ({ path, module: (await import(`${machines}${path}`)) as Readonly<Record<string, unknown>> }))
)

const documented = {
  definitions: {},
  target: "openApi3.1",
  topLevelReferenceStrategy: "skip",
  additionalPropertiesStrategy: "allow"
} as const

/** By module, in the order of their names. */
const schemas = modules.map(({ module, path }) => ({
  path,
  all: Object.entries(module)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) =>
      Schema.isSchema(value) ? [{ name, json: { ...JSONSchema.fromAST(value.ast, documented) } }] : []
    )
}))

/** What is no longer than a name would be is told as it stands. */
const least = 40

const names = new Map(
  schemas
    .flatMap(({ all }) => all)
    .map(({ json, name }) => [textOf(json), name] as const)
    .filter(([text]) => text.length >= least)
    // of several that are alike, the one of the shortest name
    .toSorted(([, a], [, b]) => b.length - a.length)
)

it("every schema of the wire is what it was", async () => {
  const lines = schemas
    .filter(({ all }) => all.length > 0)
    .flatMap(({ all, path }) => [
      path,
      ...indented(all.flatMap(({ json, name }) => listed(`${name}: `, unnamed(json, names)))),
      ""
    ])
  await expect(lines.join("\n")).toMatchFileSnapshot("schemas.txt")
})

const isData = (value: unknown): boolean =>
  value === null ||
  ["string", "number", "boolean"].includes(typeof value) ||
  (Array.isArray(value) ? value.every(isData) : isObject(value) && Object.values(value).every(isData))

it("every name and number of the wire is what it was: fields that are published, defaults, bounds", async () => {
  const lines = modules.flatMap(({ module, path }) => {
    const data = Object.entries(path.startsWith("vocabulary") ? module : {})
      .filter(([, value]) => isData(value))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
    return data.length === 0 ? [] : [path, ...indented(data.flatMap(([name, value]) => dataLines(name, value))), ""]
  })
  await expect(lines.join("\n")).toMatchFileSnapshot("data.txt")
})

const apis: ReadonlyArray<readonly [string, Api]> = [
  ["queen", queenApi],
  ["hive", hiveApi],
  ["worker", workerApi]
]

it.each(apis)("every call of the %s takes and answers what it did", async (name, api) => {
  const document = openApi(api, { title: "rbee", version: "1", guarded: true })
  await expect(operationsOf(document, names).join("\n")).toMatchFileSnapshot(`${name}.txt`)
})
