/** How schemas of the programs are built (tools/lazy-schemas.mjs). */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { transformSync } from "esbuild"
import { lazySchemas, library } from "../../tools/lazy-schemas.mjs"

const source = `
  const maybe = (schema) => Schema.optional(schema)
  const Name = Schema.String.pipe(Schema.minLength(1))
  const Person = Schema.Struct({ name: Name, age: maybe(Schema.Int) })
  const parts = { person: Person as Schema.Any, nick: maybe(Name) }
  const isPerson = Schema.is(Person)
  export const decodeName = () => Schema.decodeUnknownSync(Name)("Ann")
  export const judge = () => [{ name: "Ann" }, { name: "" }, { name: "Ann", age: 0.5 }].map(isPerson)
  export const isSchema = () => Schema.isSchema(parts.person)
  export const fields = () => Object.keys(Person.fields)
  export const spread = () => "fields" in { ...Person }
  export const within = () =>
    Schema.is(Schema.Struct({ ...Person.fields, more: Schema.Array(Person) }))({ name: "Ann", more: [{ name: "Bea" }] })
`

/** The functions of a module that was built as the programs are, and what it has asked of the library so far. */
const load = () => {
  const used: Array<string> = []
  const watched = new Proxy(Schema, {
    get: (whole, key) => {
      used.push(String(key))
      return Reflect.get(whole, key)
    }
  })
  const whole = lazySchemas(source).replace(/^import .*?;/, "const $made = made, $called = called;")
  const { code } = transformSync(`${library}${whole}`, { loader: "ts", format: "cjs" })
  const module: { exports: Record<string, () => unknown> } = { exports: {} }
  new Function("module", "Schema", code)(module, watched)
  return { used, call: (name: string) => module.exports[name]?.() }
}

describe("schemas of the programs", () => {
  it("are made when they are first used", () => {
    const { call, used } = load()
    assert.deepStrictEqual(used, [])
    assert.strictEqual(call("decodeName"), "Ann")
    assert.include(used, "minLength")
    assert.notInclude(used, "Struct")
    assert.deepStrictEqual(call("judge"), [true, false, false])
    assert.include(used, "Struct")
  })

  it("are what they would be otherwise: schemas, with their fields, for others to be made of", () => {
    const { call } = load()
    assert.strictEqual(call("isSchema"), true)
    assert.deepStrictEqual(call("fields"), ["name", "age"])
    assert.strictEqual(call("spread"), true)
    assert.strictEqual(call("within"), true)
  })

  it("stay on their lines, and what functions make is left alone", () => {
    const lazy = lazySchemas(source)
    assert.lengthOf(lazy.split("\n"), source.split("\n").length)
    assert.include(lazy, 'export const decodeName = () => Schema.decodeUnknownSync(Name)("Ann")')
    assert.strictEqual(lazySchemas("export const none = 1"), "export const none = 1")
  })
})
