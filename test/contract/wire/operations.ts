/** The calls of an OpenAPI document as lines: what each takes and answers, and how it fails. */
import { isObject } from "../../../src/machines/formats/json/is-object.ts"
import { drawn, indented, listed, type Names } from "./lines.ts"

type Json = Readonly<Record<string, unknown>>

const entries = (value: unknown): ReadonlyArray<readonly [string, Json]> =>
  Object.entries(isObject(value) ? value : {}).flatMap(([key, one]) => (isObject(one) ? [[key, one] as const] : []))

export const operationsOf = (document: Json, names: Names): ReadonlyArray<string> =>
  entries(document["paths"]).flatMap(([path, methods]) =>
    entries(methods).flatMap(([method, operation]) => [
      `${method.toUpperCase()} ${path} (${String(operation["operationId"])}), scope ${String(operation["x-rbee-scope"])}`,
      ...indented([
        ...parametersOf(operation["parameters"], names),
        ...bodyOf(operation["requestBody"], names),
        ...entries(operation["responses"]).flatMap(([status, answer]) => answerOf(status, answer, names))
      ]),
      ""
    ])
  )

const parametersOf = (parameters: unknown, names: Names): ReadonlyArray<string> =>
  (Array.isArray(parameters) ? parameters : [])
    .filter(isObject)
    .flatMap(({ in: place, name, required, schema }) =>
      listed(`${String(place)} ${String(name)}${required === true ? "" : "?"}: `, drawn(schema, names))
    )

const bodyOf = (body: unknown, names: Names): ReadonlyArray<string> =>
  isObject(body)
    ? entries(body["content"]).flatMap(([, { schema }]) =>
        listed(`body${body["required"] === true ? "" : "?"}, ${String(body["description"])}: `, drawn(schema, names))
      )
    : []

/** An error's own form is the same everywhere: its codes are what differs. */
const answerOf = (status: string, answer: Json, names: Names): ReadonlyArray<string> => {
  const { content, description, headers } = answer
  if (Number(status) >= 400 && content !== undefined) return [`${status} ${codesOf(content)}`]
  const told = entries(headers).map(([name]) => `header ${name}`)
  const bodies = entries(content).flatMap(([type, { schema, "x-rbee-events": events }]) =>
    events === undefined
      ? listed(`${type}: `, drawn(schema, names))
      : [type, ...indented(entries(events).flatMap(([name, event]) => listed(`${name}: `, drawn(event, names))))]
  )
  return [`${status}${content === undefined ? ` ${String(description)}` : ""}`, ...indented([...told, ...bodies])]
}

const codesOf = (content: unknown): string =>
  entries(content)
    .flatMap(([, { examples }]) => Object.keys(isObject(examples) ? examples : {}))
    .join(", ")
