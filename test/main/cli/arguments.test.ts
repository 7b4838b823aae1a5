import { describe, expect, it } from "vitest"
import { distance } from "../../../src/machines/formats/nearest.ts"
import { adviceTyped, readArguments, typedAgain } from "../../../src/main/cli/arguments.ts"
import { commands } from "../../../src/main/cli/commands.ts"
import { commandHelp, rootHelp, settingsHelp } from "../../../src/main/cli/help.ts"
import { knobs, variableOf } from "../../../src/main/config/knobs.ts"

const specs = commands.map((one) => one.spec)
const read = (...args: ReadonlyArray<string>) => readArguments(args, specs)
const normal = (...args: ReadonlyArray<string>) => {
  const result = read(...args)
  if (result._tag !== "Normal") throw new Error(JSON.stringify(result))
  return result
}
const problem = (...args: ReadonlyArray<string>) => {
  const result = read(...args)
  if (result._tag !== "Usage") throw new Error(JSON.stringify(result))
  return result.problem
}

describe("the arguments", () => {
  it("are repeated in hints as far as they say which cluster is meant", () => {
    const typed = typedAgain(normal("status", "--queen-port", "8510", "--queen-ssh-config=/a b/it's").settings)
    expect(typed("up")).toBe(`rbee up --queen-port 8510 --queen-ssh-config '/a b/it'\\''s'`)
    expect(typedAgain({})("hives install attic")).toBe("rbee hives install attic")
  })

  it("are repeated in the advice of an error, for each command that it names", () => {
    const typed = typedAgain({ "queen.port": "7" })
    expect(adviceTyped("`rbee hives ls` lists them, `rbee ps` too", typed)).toBe(
      "`rbee hives ls --queen-port 7` lists them, `rbee ps --queen-port 7` too"
    )
    expect(adviceTyped("rbee hives install attic", typed)).toBe("rbee hives install attic --queen-port 7")
    expect(adviceTyped("rbee hives stop a, then try again", typed)).toBe(
      "rbee hives stop a --queen-port 7, then try again"
    )
    expect(adviceTyped("Install rbee anew", typed)).toBe("Install rbee anew")
  })

  it("mean the same with flags before or behind the prompt", () => {
    const wanted = ["infer", "--model", "x", "--cold", "--", "hello"]
    for (const args of [
      ["infer", "--model", "x", "--cold", "hello"],
      ["infer", "hello", "--model", "x", "--cold"],
      ["infer", "-m", "x", "hello", "--cold"],
      ["infer", "--model=x", "--cold", "--", "hello"]
    ])
      expect(normal(...args).args).toEqual(wanted)
  })
  it("keep the words of a prompt, a lone dash, what follows --, and values that start with a dash", () => {
    expect(normal("infer", "why", "is", "it", "blue").words).toEqual(["why", "is", "it", "blue"])
    expect(normal("infer", "-", "--cold")).toMatchObject({ words: ["-"], args: ["infer", "--cold", "--", "-"] })
    expect(normal("infer", "--", "--help", "-x").words).toEqual(["--help", "-x"])
    expect(normal("infer", "--stop", "-x", "--temperature", "-1", "hi").args).toEqual([
      "infer",
      "--stop",
      "-x",
      "--temperature",
      "-1",
      "--",
      "hi"
    ])
    expect(normal("infer", "-5 is negative").words).toEqual(["-5 is negative"])
  })
  it("keep an empty prompt and one with emoji, newlines and right-to-left text as they are", () => {
    for (const prompt of ["", "🐝\nשלום", "a\tb"]) expect(normal("infer", prompt).words).toEqual([prompt])
  })
  it("take every setting as a flag, before and behind the command", () => {
    expect(normal("--queen-port", "1", "infer", "hi", "--worker-max-tokens-per-s=5").settings).toEqual({
      "queen.port": "1",
      "worker.max_tokens_per_s": "5"
    })
  })
  it("refuse what is unknown, missing or too much, and say what was meant", () => {
    expect(problem("infer", "hi", "--modle", "x")).toContain("Did you mean '--model'?")
    expect(problem("infre", "hi")).toContain("Did you mean 'infer'?")
    expect(problem("hives", "strat")).toContain("Did you mean 'start'?")
    expect(problem("rm", "llama3.2:3b")).toContain("Did you mean 'models rm'?")
    expect(problem("models", "delete", "a")).toContain("Did you mean 'rm'?")
    expect(problem("stop")).toContain("MODEL is missing")
    expect(problem("infer", "hi", "--model")).toContain("needs a value")
    expect(problem("infer", "hi", "--cold=yes")).toContain("takes no value")
    expect(problem("hives", "stop", "a", "b")).toContain("unexpected argument 'b'")
    expect(problem("--cold")).toContain("a command comes first")
    expect(problem("jobs", "show")).toContain("ID is missing")
    expect(problem("Infer", "hi")).toContain("unknown command 'Infer'")
    expect(problem("infer", "hi", "-M", "x")).toContain("unknown option '-M'")
  })
  it("show the help of the command that it was asked for", () => {
    expect(read("infer", "--help")).toMatchObject({ _tag: "Help", spec: { path: ["infer"] } })
    expect(read("infer", "--wrong", "-h")).toMatchObject({ _tag: "Help", spec: { path: ["infer"] } })
    expect(read("help", "hives", "start")).toMatchObject({ _tag: "Help", spec: { path: ["hives", "start"] } })
    expect(read("hives", "--help")).toMatchObject({ _tag: "Help", spec: undefined, group: "hives" })
    expect(read("help", "settings")).toMatchObject({ _tag: "Help", group: "settings" })
    expect(read()).toMatchObject({ _tag: "Help", spec: undefined, group: undefined })
    expect(read("--version")).toEqual({ _tag: "Version" })
    expect(problem("help", "nothing")).toContain("unknown command")
  })
  it("know how far two words are apart", () => {
    expect([distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")]).toEqual([3, 3, 0])
  })
})

describe("help", () => {
  it("gives every command examples first, and every flag a line", () => {
    for (const spec of specs) {
      const text = commandHelp(spec)
      expect(text.indexOf("EXAMPLES")).toBeLessThan(text.indexOf("USAGE"))
      expect(spec.examples.length).toBeGreaterThan(0)
      for (const flag of spec.flags) expect(text).toContain(`--${flag.name}`)
      // an example that does not parse would teach a mistake
      for (const example of spec.examples) {
        const line = example
          .replace(/\s#.*$/, "")
          .replace(/ >.*$/, "")
          .replace(/^.*\| |^sudo /, "")
          .replace(/^eval "\$\((.*)\)"$/, "$1")
        const words = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""))
        expect(read(...words.slice(1)), example).toMatchObject({ _tag: "Normal" })
      }
    }
  })
  it("lists every command and every setting", () => {
    const root = rootHelp("0.1.0", specs)
    for (const spec of specs) expect(root).toContain(spec.path.join(" "))
    const settings = settingsHelp()
    for (const knob of knobs) expect(settings).toContain(variableOf(knob))
  })
})
