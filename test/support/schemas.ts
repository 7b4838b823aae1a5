/** JSON schemas drawn at random, each with a way to draw values that satisfy it, their keys in its order. */
import type { SeededRandom } from "../../src/simulator/world/kernel/random.ts"

export interface Drawn {
  readonly schema: unknown
  readonly value: () => unknown
}
type Maker = (random: SeededRandom, depth: number) => Drawn

const characters = [..."abcXYZ019 _-.\"\\/\b\n\t\u0001{}[]:,'äß€→漢字\u{1f600}\u2028\u007f"]
export const anyText = (random: SeededRandom, min: number, max: number): string =>
  Array.from({ length: random.int(min, max) }, () => random.pick(characters)).join("")

const strings: Maker = (random) => {
  const min = random.pick([0, 0, 1, 3])
  const max = min + random.pick([0, 2, 20, 600])
  const schema = { type: "string", ...(min > 0 ? { minLength: min } : {}), maxLength: max }
  return { schema, value: () => anyText(random, min, Math.min(max, min + 8)) }
}

const digit = (random: SeededRandom): string => String(random.int(0, 9))
const word = (random: SeededRandom): string =>
  Array.from({ length: random.int(1, 6) }, () => random.pick([..."abcxyz"])).join("")
const patterns: ReadonlyArray<readonly [string, (random: SeededRandom) => string]> = [
  ["^[a-z]{1,6}$", word],
  ["^(red|green|blue)$", (random) => random.pick(["red", "green", "blue"])],
  ["^\\d{3}-\\d{4}$", (random) => `${digit(random)}${digit(random)}${digit(random)}-1234`],
  ['^[^"\\\\]{0,4}$', () => "a/é"],
  ["^\\+?[1-9]\\d{1,14}$", (random) => `+4${digit(random)}`],
  ["^(?:[a-z]+\\.)?[a-z]+@x$", (random) => `${word(random)}@x`],
  ['^"\\w*"\\\\$', (random) => `"${word(random)}"\\`],
  ["^[\\u0000-\\u001f]$", (random) => String.fromCodePoint(random.int(0, 31))],
  ["^\\S+\\s\\S+$", (random) => `${word(random)} ${word(random)}`],
  ["ab", (random) => `${word(random)}ab\n${word(random)}`]
]
const patterned: Maker = (random) => {
  const [pattern, value] = random.pick(patterns)
  return { schema: { type: "string", pattern }, value: () => value(random) }
}

const two = (value: number): string => String(value).padStart(2, "0")
const date = (random: SeededRandom): string =>
  `${random.int(1000, 2999)}-${two(random.int(1, 12))}-${two(random.int(1, 28))}`
const time = (random: SeededRandom): string =>
  `${two(random.int(0, 23))}:${two(random.int(0, 59))}:${two(random.int(0, 59))}Z`
const formats: Readonly<Record<string, (random: SeededRandom) => string>> = {
  date,
  time,
  "date-time": (random) => `${date(random)}T${time(random)}`,
  uuid: (random) => [8, 4, 4, 4, 12].map((length) => random.hex(length)).join("-"),
  ipv4: (random) => Array.from({ length: 4 }, () => random.int(0, 255)).join("."),
  ipv6: (random) =>
    random.pick([`${random.hex(4)}::1`, "::", Array.from({ length: 8 }, () => random.hex(2)).join(":")]),
  email: (random) => `${word(random)}.x@${word(random)}.org`
}
const formatted: Maker = (random) => {
  const format = random.pick(Object.keys(formats))
  return { schema: { type: "string", format }, value: () => formats[format]?.(random) }
}

const integers: Maker = (random) => {
  const low = random.int(-1200, 1200)
  const high = low + random.pick([0, 1, 7, 99, 5000])
  const schema = random.pick([
    { minimum: low, maximum: high },
    { exclusiveMinimum: low - 1, exclusiveMaximum: high + 1 },
    { minimum: low },
    { maximum: high }
  ])
  return { schema: { type: "integer", ...schema }, value: () => random.int(low, high) }
}

const numbers: Maker = (random) => {
  const low = random.pick([0, random.int(-50, 50), random.between(-5, 5), -0.001])
  const high = low + random.pick([0, 1, 0.25, random.between(0, 300)])
  const schema = random.pick([{ minimum: low, maximum: high }, { minimum: low }, { maximum: high }, {}])
  return { schema: { type: "number", ...schema }, value: () => random.pick([low, high, random.between(low, high)]) }
}

const open: Maker = (random) => {
  const low = random.int(-9, 9)
  return {
    schema: { type: "number", exclusiveMinimum: low, exclusiveMaximum: low + 1 },
    value: () => random.between(low + 0.01, low + 0.99)
  }
}

const simple: ReadonlyArray<Drawn["schema"]> = [
  { type: "null" },
  { type: "boolean" },
  { const: { 'a"': [1, "\n"], b: null } }
]
const fixed: Maker = (random) => {
  const schema = random.pick(simple)
  const value = schema === simple[0] ? null : schema === simple[1] ? random.chance(0.5) : { 'a"': [1, "\n"], b: null }
  return { schema, value: () => value }
}
const enums: Maker = (random) => {
  const values = Array.from({ length: random.int(1, 4) }, () =>
    random.pick<unknown>([anyText(random, 0, 6), random.int(-5, 5), 1.5, true, null, ["x"], 1e21])
  )
  const schema = random.chance(0.5) ? { enum: [...new Set(values)] } : { enum: [...new Set(values)], description: "x" }
  return { schema, value: () => random.pick(values) }
}

const arrays: Maker = (random, depth) => {
  const item = draw(random, depth + 1)
  const min = random.int(0, 3)
  const max = min + random.pick([0, 1, 3, 300])
  return {
    schema: { type: "array", items: item.schema, minItems: min, maxItems: max },
    value: () => Array.from({ length: random.int(min, Math.min(max, min + 3)) }, item.value)
  }
}

const tuples: Maker = (random, depth) => {
  const parts = Array.from({ length: random.int(1, 3) }, () => draw(random, depth + 1))
  return {
    schema: { type: "array", prefixItems: parts.map(({ schema }) => schema), items: false, minItems: parts.length },
    value: () => parts.map(({ value }) => value())
  }
}

const keys = ["name", "größe", 'quo"te', "back\\slash", "line\nend", "", "x y", "n1", "n2", "n3"]
const objects: Maker = (random, depth) => {
  const names = keys.filter(() => random.chance(0.35))
  const parts = names.map((name) => ({ name, part: draw(random, depth + 1), required: random.chance(0.6) }))
  const others = random.chance(0.3) ? draw(random, depth + 2) : undefined
  const schema = {
    type: "object",
    properties: Object.fromEntries(parts.map(({ name, part }) => [name, part.schema])),
    required: parts.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: others?.schema ?? random.chance(0.2)
  }
  return {
    schema,
    value: () => ({
      ...Object.fromEntries(
        parts.filter(({ required }) => required || random.chance(0.5)).map(({ name, part }) => [name, part.value()])
      ),
      ...(others !== undefined && random.chance(0.5) ? { [`more${random.int(0, 9)}"`]: others.value() } : {})
    })
  }
}

const unions: Maker = (random, depth) => {
  const options = Array.from({ length: random.int(1, 3) }, () => draw(random, depth + 1))
  return { schema: { anyOf: options.map(({ schema }) => schema) }, value: () => random.pick(options).value() }
}

const tagged: Maker = (random, depth) => {
  const options = ["one", "two"].map((tag) => ({ tag, part: draw(random, depth + 1) }))
  const schema = {
    oneOf: options.map(({ part, tag }) => ({
      type: "object",
      properties: { kind: { const: tag }, of: part.schema },
      required: ["kind", "of"],
      additionalProperties: false
    }))
  }
  const value = () => {
    const { part, tag } = random.pick(options)
    return { kind: tag, of: part.value() }
  }
  return { schema, value }
}

const merged: Maker = (random, depth) => {
  const [one, other] = [draw(random, depth + 1), draw(random, depth + 1)]
  const schema = {
    allOf: [
      { type: "object", properties: { a: one.schema }, required: ["a"] },
      { type: "object", properties: { b: other.schema } }
    ]
  }
  return { schema, value: () => ({ a: one.value(), ...(random.chance(0.5) ? { b: other.value() } : {}) }) }
}

const nullables: Maker = (random) => {
  const types = random.pick([
    ["string", "null"],
    ["integer", "boolean"],
    ["null", "number", "array"]
  ])
  const value: Readonly<Record<string, () => unknown>> = {
    string: () => anyText(random, 0, 5),
    null: () => null,
    integer: () => random.int(-9, 9),
    number: () => random.between(-9, 9),
    boolean: () => random.chance(0.5),
    array: () => []
  }
  return {
    schema: { type: types, maxItems: 2, items: { type: "null" }, maxLength: 9 },
    value: () => value[random.pick(types)]?.()
  }
}

const untyped: Maker = (random) => ({
  schema: random.pick<unknown>([{}, true, { description: "anything" }]),
  value: () => random.pick<unknown>([1, "x", null, [{ a: [] }], {}, -0.5])
})

const leaves: ReadonlyArray<Maker> = [
  strings,
  strings,
  patterned,
  formatted,
  integers,
  integers,
  numbers,
  open,
  fixed,
  enums,
  nullables
]
const nests: ReadonlyArray<Maker> = [objects, objects, objects, arrays, tuples, unions, tagged, merged, untyped]

const draw: Maker = (random, depth) => random.pick(depth >= 3 || random.chance(0.35) ? leaves : nests)(random, depth)

/** A schema may be in the definitions, and a list may contain itself. */
export const drawSchema = (random: SeededRandom): Drawn => {
  const inner = draw(random, 0)
  if (random.chance(0.8)) return inner
  const value = (depth: number): unknown => ({
    of: inner.value(),
    ...(depth < 2 && random.chance(0.5) ? { next: value(depth + 1) } : {})
  })
  return {
    schema: {
      $ref: "#/$defs/the%20list~1",
      $defs: {
        "the list/": {
          type: "object",
          properties: { of: { $ref: "#/$defs/of" }, next: { $ref: "#/$defs/the%20list~1" } },
          required: ["of"],
          additionalProperties: false
        },
        of: inner.schema
      }
    },
    value: () => value(0)
  }
}
