import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { type Entry, entriesOf, entryNamed } from "../../../src/machines/entries/entries.ts"
import { ModelEntry } from "../../../src/machines/entries/entry.ts"
import { filled } from "../../../src/machines/entries/fill.ts"
import type { JobRequest } from "../../../src/machines/vocabulary/job.ts"
import { nearest } from "../../../src/machines/formats/nearest.ts"

const decode = Schema.decodeUnknownSync(ModelEntry)
const made = (written: Readonly<Record<string, object>>) =>
  entriesOf(new Map(Object.entries(written).map(([name, entry]) => [name, decode(entry)])))
const entry = (fields: object) => {
  const entries = Either.getOrThrow(made({ coder: { ref: "minillama", ...fields } }))
  return entryNamed(entries, "coder")
}
const fault = (written: Readonly<Record<string, object>>) => Either.getOrThrow(Either.flip(made(written)))
const fill = (own: Entry | undefined, asked: Omit<JobRequest, "model">) => filled(own, asked)
const user = { role: "user" as const, content: "hi" }
const system = (content: string) => ({ role: "system" as const, content })

describe("entries", () => {
  it("are known by name and alias, in any case, with the tag that Ollama's users write", () => {
    const entries = Either.getOrThrow(
      made({ Coder: { ref: "minillama", aliases: ["gpt-4o", "openai/gpt-4o", "q:7b"] } })
    )
    for (const name of ["coder", "Coder:latest", "GPT-4o", "openai/gpt-4o", "q:7B"])
      assert.strictEqual(entryNamed(entries, name)?.name, "Coder", name)
    for (const name of ["code", "gpt-4", "minillama", "", "q"]) assert.isUndefined(entryNamed(entries, name), name)
  })

  it("stand on one another: the outer one's words win, its place is one whole, and the model is the last one's", () => {
    const entries = Either.getOrThrow(
      made({
        a: { ref: "B:latest", temperature: 0, hive: "attic" },
        b: { ref: "c", temperature: 1, system: "Be brief.", device: "gpu1", aliases: ["bee"] },
        c: { ref: "HF:author/repo:Q8_0", top_k: 3, hive: "cellar" }
      })
    )
    const { aliases, ...rest } = entryNamed(entries, "a") ?? {}
    assert.isUndefined(aliases)
    assert.deepEqual(rest, {
      name: "a",
      ref: "HF:author/repo:Q8_0",
      temperature: 0,
      system: "Be brief.",
      top_k: 3,
      hive: "attic"
    } as never)
    assert.strictEqual(entryNamed(entries, "bee")?.device, "gpu1")
    assert.isUndefined(entryNamed(entries, "bee")?.hive)
  })

  it("that go round are refused, with the way round", () => {
    assert.include(fault({ a: { ref: "b" }, b: { ref: "c" }, c: { ref: "A" } }).problem, "a → b → c → a")
    assert.include(fault({ x: { ref: "a" }, a: { ref: "a" } }).problem, "a → a")
    assert.include(fault({ a: { ref: "z" }, b: { ref: "a", aliases: ["z"] } }).problem, "a → b → a")
  })

  it("that would hide something are refused", () => {
    assert.include(fault({ minillama: { ref: "HF:a/b" } }).problem, "ships with rbee")
    assert.include(fault({ "MiniLlama:latest": { ref: "HF:a/b" } }).problem, "ships with rbee")
    assert.deepInclude(fault({ a: { ref: "HF:a/b", aliases: ["minillama"] } }), { field: "aliases" })
    for (const name of ["HF:a/b", "hf.co/a/b", "file:/a", "/a", "./a", "~/a", "-m", "", " a", "a\nb", "x".repeat(200)])
      assert.strictEqual(fault({ [name]: { ref: "HF:a/b" } }).field, "", name)
    const twice = { a: { ref: "HF:a/b", aliases: ["c"] }, b: { ref: "HF:a/c", aliases: ["C"] } }
    assert.include(fault(twice).problem, '"c" is a name of [models.a] already')
    assert.include(fault({ a: { ref: "HF:a/b" }, A: { ref: "HF:a/c" } }).problem, "already")
  })

  it("that must run there say where", () => {
    assert.deepInclude(fault({ a: { ref: "HF:a/b", only_there: true } }), { field: "only_there" })
    const must = { ref: "HF:a/b", hive: "attic", only_there: true }
    const both = Either.getOrThrow(made({ a: must, b: { ref: "a", device: "gpu1" }, c: { ref: "a" } }))
    assert.strictEqual(entryNamed(both, "b")?.only_there, undefined)
    assert.deepInclude(entryNamed(both, "c"), { hive: "attic", only_there: true } as never)
  })

  it("name a model", () => {
    assert.deepInclude(fault({ a: { ref: "HF:x" } }), { field: "ref", problem: "names no model" })
    assert.isTrue(Either.isRight(made({ a: { ref: "what a file here is called.gguf" } })))
  })
})

describe("a request under an entry's name", () => {
  it("has the entry's defaults, and its own words win", () => {
    const worker = { context: 4096, slots: 2, kv_type: "q8_0" as const }
    const coder = entry({ temperature: 0.2, top_k: 5, stop: ["x"], ...worker, keep_loaded: true, reasoning: "off" })
    assert.deepEqual(fill(coder, { messages: [user], temperature: 1, top_k: undefined, slots: 8 }), {
      messages: [user],
      slots: 8,
      kv_type: "q8_0",
      temperature: 1,
      top_k: 5,
      stop: ["x"],
      context: 4096,
      keep_warm: true,
      reasoning: "off"
    })
    assert.deepEqual(fill(entry({ reasoning: 64 }), { messages: [user] }).reasoning, { budget: 64 })
    assert.deepEqual(fill(entry({ reasoning: "low" }), { messages: [user], reasoning: "off" }).reasoning, "off")
    assert.deepEqual(fill(undefined, { messages: [user] }), { messages: [user] })
  })

  it("has the entry's system prompt where it has none, also as a prompt alone, and not where nothing is said", () => {
    const coder = entry({ system: "You write code." })
    assert.deepEqual(fill(coder, { messages: [user] }).messages, [system("You write code."), user])
    assert.deepEqual(fill(coder, { messages: [system("Mine."), user] }).messages, [system("Mine."), user])
    const prompt = fill(coder, { prompt: "hi" })
    assert.deepEqual([prompt.messages, prompt.prompt], [[system("You write code."), user], undefined])
    assert.deepEqual(fill(coder, { messages: [] }).messages, [])
    assert.deepEqual(fill(entry({ system: "" }), { messages: [user] }).messages, [user])
  })

  it("is read as it stands where it is raw, and measured by its words alone", () => {
    const coder = entry({ system: "You write code.", reasoning: "off", temperature: 0, hive: "attic", context: 512 })
    assert.deepEqual(fill(coder, { prompt: "a", raw: true }), {
      prompt: "a",
      raw: true,
      temperature: 0,
      context: 512,
      prefer: { hive: "attic" }
    } as never)
    assert.deepEqual(fill(coder, { embed: ["a"] }), { embed: ["a"], context: 512, prefer: { hive: "attic" } } as never)
  })

  it("prefers the entry's place, or has it for a must, and is sent nowhere else where it says itself where", () => {
    const place = { hive: "attic", device: "gpu1" }
    const where = (own: object, asked: object) => {
      const { device, hive, prefer } = fill(entry(own), { messages: [user], ...asked })
      return JSON.parse(JSON.stringify({ hive, device, prefer })) as unknown
    }
    assert.deepEqual(where(place, {}), { prefer: place })
    assert.deepEqual(where({ ...place, only_there: true }, {}), place)
    for (const own of [place, { ...place, only_there: true }])
      assert.deepEqual(where(own, { device: "cpu" }), { device: "cpu" })
    assert.deepEqual(where(place, { prefer: { device: "cpu" } }), { prefer: { device: "cpu" } })
  })
})

describe("a word that nobody knows", () => {
  it("is told the nearest known one, if one is near", () => {
    const known = ["temperature", "top_p", "system", "ref", "context"]
    assert.strictEqual(nearest("temprature", known), "temperature")
    assert.strictEqual(nearest("Temp", known), undefined)
    assert.strictEqual(nearest("topp", known), "top_p")
    assert.strictEqual(nearest("sytem", known), "system")
    assert.strictEqual(nearest("zzz", known), undefined)
  })
})
