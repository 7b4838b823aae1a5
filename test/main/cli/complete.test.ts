/** What can stand at the cursor, by the declarations alone. */
import { describe, expect, it } from "vitest"
import { complete } from "../../../src/main/cli/completions/complete.ts"
import { commands } from "../../../src/main/cli/commands.ts"

const specs = commands.map(({ spec }) => spec)
const settings = [
  { name: "queen-port", doc: "" },
  { name: "hive-port", doc: "" }
]
const at = (...typed: ReadonlyArray<string>) => complete(typed, specs, settings)
const values = (...typed: ReadonlyArray<string>) => at(...typed).fixed.map(({ value }) => value)

describe("the word at the cursor", () => {
  it("is a command, each once, whatever stands behind it", () => {
    const first = values("")
    expect(first).toEqual([...new Set(specs.map(({ path }) => path[0]))])
    expect(values("mod")).toEqual(["models"])
    expect(values("--queen-port", "1", "que")).toEqual(["queen"])
    expect(values("nothing", "")).toEqual([])
  })

  it("is the second word of a group", () => {
    const known = specs.filter(({ path }) => path[0] === "jobs").map(({ path }) => path[1])
    expect(values("jobs", "")).toEqual(known)
    expect(values("jobs", "sh")).toEqual(["show"])
  })

  it("is a flag that was not given yet, a setting only for who begins one", () => {
    expect(values("infer", "--mo")).toEqual(["--model"])
    expect(values("infer", "-m", "x", "--mo")).toEqual([])
    expect(values("infer", "--")).not.toContain("--queen-port")
    expect(values("infer", "--q")).toEqual(["--quiet", "--queen-port"])
    expect(values("infer", "--he")).toEqual(["--help"])
  })

  it("is the value of the flag before it, or of its own flag behind =", () => {
    for (const flag of ["-m", "--model"]) expect(at("infer", flag, "")).toMatchObject({ kind: "models", fixed: [] })
    expect(at("infer", "--model=HF")).toMatchObject({ kind: "models", before: "--model=" })
    expect(at("infer", "--device", "g")).toMatchObject({ kind: "devices" })
    // which nobody knows
    expect(at("infer", "--seed", "")).toMatchObject({ kind: undefined, fixed: [] })
    expect(at("hives", "add", "x", "--identity", "")).toMatchObject({ kind: "files" })
  })

  it("is what the command is about, the first of several words", () => {
    expect(at("run", "").kind).toBe("models")
    expect(at("run", "minillama", "").kind).toBeUndefined()
    expect(at("infer", "hello", "wor")).toMatchObject({ kind: undefined, fixed: [] })
    expect(at("hives", "add", "").kind).toBe("ssh-hosts")
    expect(at("jobs", "cancel", "").kind).toBe("running-jobs")
    expect(values("completions", "")).toEqual(["bash", "zsh", "fish"])
    expect(values("logs", "wo")).toEqual(["worker"])
  })

  it("is a flag where nothing else can stand, and no flag behind --", () => {
    expect(values("status", "")).toContain("--json")
    expect(values("jobs", "show", "x", "")).toContain("--json")
    expect(values("infer", "--", "--mo")).toEqual([])
  })

  it("knows which cluster and which hive were meant", () => {
    const { given } = at("--queen-port=7", "infer", "--hive", "attic", "--device", "")
    expect([...given]).toEqual([
      ["queen-port", "7"],
      ["hive", "attic"]
    ])
  })
})
