/** Inputs that are nearly right: values of a JSON schema, and what a few blows make of values, texts and bytes. */
import type { SeededRandom } from "../../src/simulator/world/kernel/random.ts"

/** Texts that have broken something somewhere. */
const texts = [
  "",
  " ",
  "\0",
  "\n",
  "\r\n",
  "../../../etc/passwd",
  "..%2f..%2f",
  "%",
  "%00",
  "%ff%fe",
  "//",
  "/",
  ".",
  "~",
  "\u202e",
  "\ud800",
  "\ufeff",
  "é",
  "日本語",
  "🐝",
  "__proto__",
  "constructor",
  "toString",
  "null",
  "undefined",
  "NaN",
  "-1",
  "0",
  "1e999",
  "9007199254740993",
  "2026-13-45T99:99:99Z",
  "'; DROP TABLE models; --",
  "$(id)",
  "`id`",
  "{{7*7}}",
  "<script>",
  "\u001b[2J\u001b]0;x\u0007",
  "HF:a/b:Q4_K_M",
  "HF:a/b@c:d.gguf",
  "file:/",
  "file:/etc/passwd",
  "minillama",
  "gpu0",
  "localhost",
  "job-0",
  "a".repeat(5000),
  "%2e%2e/".repeat(50),
  "[".repeat(500),
  "\u0300".repeat(300)
]
const numbers = [
  0,
  -0,
  1,
  -1,
  0.5,
  2,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  1e21,
  1e308,
  -1e308,
  1e-320
]

export const text = (random: SeededRandom): string =>
  random.chance(0.8)
    ? random.pick(texts)
    : String.fromCharCode(...Array.from({ length: random.int(0, 40) }, () => random.int(0, 0xffff)))

/** Anything that JSON can say. */
export const anything = (random: SeededRandom, depth = 0): unknown => {
  switch (random.int(0, depth > 3 ? 3 : 6)) {
    case 0:
      return random.pick([null, true, false])
    case 1:
      return random.pick(numbers)
    case 2:
    case 3:
      return text(random)
    case 4:
      return Array.from({ length: random.int(0, 5) }, () => anything(random, depth + 1))
    case 5:
      return Object.fromEntries(
        Array.from({ length: random.int(0, 5) }, () => [text(random), anything(random, depth + 1)])
      )
    default:
      return random.chance(0.1) ? Array.from({ length: 2000 }, (_, i) => i) : text(random)
  }
}

type Json = Readonly<Record<string, unknown>>
export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A value that the schema takes, as far as the fuzzer understands it. */
export const fromSchema = (schema: unknown, root: Json, random: SeededRandom, depth = 0): unknown => {
  if (!isJson(schema) || depth > 6) return text(random)
  const reference = schema["$ref"]
  if (typeof reference === "string") {
    const target = reference
      .slice(2)
      .split("/")
      .reduce<unknown>((at, key) => (isJson(at) ? at[key] : undefined), root)
    return fromSchema(target, root, random, depth + 1)
  }
  for (const key of ["anyOf", "oneOf"]) {
    const choices = schema[key]
    if (Array.isArray(choices) && choices.length > 0) return fromSchema(random.pick(choices), root, random, depth + 1)
  }
  if (Array.isArray(schema["enum"]) && schema["enum"].length > 0) return random.pick(schema["enum"])
  if ("const" in schema) return schema["const"]
  switch (schema["type"]) {
    case "object": {
      const properties = isJson(schema["properties"]) ? schema["properties"] : {}
      const required = Array.isArray(schema["required"]) ? schema["required"] : []
      return Object.fromEntries(
        Object.entries(properties)
          .filter(([name]) => required.includes(name) || random.chance(0.5))
          .map(([name, each]) => [name, fromSchema(each, root, random, depth + 1)])
      )
    }
    case "array":
      return Array.from({ length: random.int(0, 3) }, () => fromSchema(schema["items"], root, random, depth + 1))
    case "integer":
      return random.chance(0.7) ? random.int(0, 5) : random.pick(numbers)
    case "number":
      return random.chance(0.7) ? random.next() : random.pick(numbers)
    case "boolean":
      return random.chance(0.5)
    default:
      return text(random)
  }
}

/** One to three blows, anywhere within. */
export const mutated = (value: unknown, random: SeededRandom): unknown => {
  let out = value
  for (let blows = random.int(1, 3); blows > 0; blows--) out = blow(out, random)
  return out
}

const blow = (value: unknown, random: SeededRandom): unknown => {
  if (random.chance(0.15)) return anything(random)
  if (Array.isArray(value) && value.length > 0) {
    const at = random.int(0, value.length - 1)
    if (random.chance(0.2)) return value.filter((_, i) => i !== at)
    if (random.chance(0.1)) return [...value, ...value]
    return value.map((each: unknown, i) => (i === at ? blow(each, random) : each))
  }
  if (isJson(value) && Object.keys(value).length > 0) {
    const key = random.pick(Object.keys(value))
    const rest = Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))
    if (random.chance(0.2)) return rest
    if (random.chance(0.15)) return { ...value, [text(random)]: anything(random) }
    return { ...rest, [key]: blow(value[key], random) }
  }
  return anything(random)
}

/** Bits turned, ranges cut, doubled, overwritten. */
export const mutatedBytes = (bytes: Uint8Array, random: SeededRandom, within = bytes.length): Buffer => {
  let out = Buffer.from(bytes)
  for (let blows = random.int(1, 4); blows > 0 && out.length > 0; blows--) {
    const at = random.int(0, Math.max(0, Math.min(within, out.length) - 1))
    switch (random.int(0, 5)) {
      case 0:
        out[at] = (out[at] ?? 0) ^ (1 << random.int(0, 7))
        break
      case 1:
        out[at] = random.pick([0, 1, 0x7f, 0x80, 0xff])
        break
      case 2:
        out = out.subarray(0, at)
        break
      case 3: {
        const length = Math.min(random.pick([1, 4, 8, 64]), out.length - at)
        out.fill(random.pick([0, 0xff]), at, at + length)
        break
      }
      case 4:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at, at + random.int(1, 64)), out.subarray(at)])
        break
      default:
        if (at + 8 <= out.length)
          out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(random.pick([0, 1, 2 ** 31, 2 ** 52]))), at)
    }
  }
  return out
}

/** A text with blows of the same kind. */
export const mutatedText = (source: string, random: SeededRandom): string =>
  random.chance(0.5)
    ? mutatedBytes(Buffer.from(source), random).toString()
    : (() => {
        const at = random.int(0, source.length)
        const cut = random.chance(0.5) ? random.int(0, 20) : 0
        return source.slice(0, at) + text(random) + source.slice(at + cut)
      })()
