import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { edited } from "../../src/layers/model-entries/edit.ts"
import { fileWriter } from "../../src/layers/model-entries/writer.ts"
import { parse } from "smol-toml"

const source = `# my machines
default_model = "coder"   # the one

[queen]
port = 8500 # as always

# for code
[models.coder]   # c
ref = "minillama"  # r
aliases = [
  "a", # first
  "b"
]
temperature = 0.2
system = """
Two = 1
[lines] # no remark"""

# other
[models."q 2"]
ref='x # y'
`
const coder = ["models", "coder"]
const linesOf = (text: string) => text.split("\n")

describe("a configuration that is edited", () => {
  it("keeps every other line, and its remarks", () => {
    const text = edited(source, [
      [[...coder, "temperature"], 0.5],
      [[...coder, "top_p"], 0.9],
      [[...coder, "ref"], "HF:a/b"],
      [["models", "q 2", "ref"], "z"]
    ])
    assert.deepEqual(
      linesOf(text).filter((line) => !linesOf(source).includes(line)),
      ['ref = "HF:a/b"  # r', "temperature = 0.5", "top_p = 0.9", 'ref = "z"']
    )
    assert.deepInclude(parse(text)["models"], { "q 2": { ref: "z" } })
  })

  it("keeps what was said of the items of a list", () => {
    const text = edited(source, [[[...coder, "aliases"], ["c"]]])
    assert.include(text, '# first\naliases = [ "c" ]\ntemperature')
  })

  it("loses an entry or a field, and what stands around stays", () => {
    const text = edited(source, [
      [coder, undefined],
      [["default_model"], undefined]
    ])
    assert.strictEqual(
      text,
      "# my machines\n\n[queen]\nport = 8500 # as always\n\n# for code\n\n# other\n[models.\"q 2\"]\nref='x # y'\n"
    )
    const less = edited(source, [[[...coder, "system"], undefined]])
    assert.include(less, "temperature = 0.2\n\n# other")
    assert.strictEqual(edited(source, [[["models", "none"], undefined]]), source)
  })

  it("gets an entry below, and a default above, also where there was nothing", () => {
    const text = edited("", [
      [coder, { ref: "x", stop: ["#"] }],
      [["default_model"], "coder"]
    ])
    assert.strictEqual(text, 'default_model = "coder"\n\n[models.coder]\nref = "x"\nstop = [ "#" ]\n')
    const other = edited("# head\n[queen]\nport = 1", [[["models", "a b"], { ref: 'say "x"' }]])
    assert.strictEqual(other, '# head\n[queen]\nport = 1\n\n[models."a b"]\nref = "say \\"x\\""\n')
  })

  it("that is laid out otherwise is refused, and not changed", () => {
    const inline = "[queen]\nport = 1\n[models]\ncoder = { ref = 'x' } # one line\n"
    assert.throws(() => edited(inline, [[[...coder, "ref"], "y"]]), /models\.coder\.ref stands .*line 4.*by hand/)
    assert.throws(() => edited("models.coder.ref = 'x'\n", [[[...coder, "ref"], "y"]]), /by hand/)
  })
})

describe("an entry that the queen writes", () => {
  const folder = mkdtempSync(join(tmpdir(), "rbee-entries-"))
  afterAll(() => rmSync(folder, { recursive: true }))
  const config = join(folder, "config.toml")
  const { remove, set } = fileWriter(config)
  const wanted = { name: "coder", fields: {}, unset: [], isDefault: false }

  it.effect("is made, changed field by field, the default, and gone, and the rest of the file stays", () =>
    Effect.gen(function* () {
      writeFileSync(config, "# mine\n[queen]\nport = 8500\n")
      yield* set({ ...wanted, fields: { ref: "minillama", temperature: 0.2, stop: ["#"] } })
      yield* set({ ...wanted, fields: { system: "Be brief" }, unset: ["temperature", "top_p"], isDefault: true })
      assert.deepEqual(parse(readFileSync(config, "utf8")), {
        default_model: "coder",
        queen: { port: 8500 },
        models: { coder: { ref: "minillama", stop: ["#"], system: "Be brief" } }
      })
      yield* remove("coder")
      assert.deepInclude(parse(readFileSync(config, "utf8")), { queen: { port: 8500 } })
      assert.notInclude(readFileSync(config, "utf8"), "coder")
    })
  )

  it.effect("is refused where it is wrong, and nothing is written; one that is not there is said", () =>
    Effect.gen(function* () {
      writeFileSync(config, "")
      const refusals = yield* Effect.all(
        [
          Effect.flip(set({ ...wanted, fields: { temperature: 0.2 } })),
          Effect.flip(set({ ...wanted, name: "HF:a/b", fields: { ref: "minillama" } })),
          Effect.flip(remove("none"))
        ],
        { concurrency: 1 }
      )
      assert.deepEqual(
        refusals.map(({ code }) => code),
        ["INVALID_REQUEST", "INVALID_REQUEST", "MODEL_NOT_FOUND"]
      )
      assert.strictEqual(readFileSync(config, "utf8"), "")
    })
  )
})
