/** What was learned is tried: calls that somebody could make, as the template writes them, and whether they come back. */
import { describe, expect, it } from "vitest"
import type { Dialect } from "../../../src/machines/dialect/dialect.ts"
import { firstCall, type SaidCall } from "../../../src/machines/dialect/learn/renders.ts"
import type { Render } from "../../../src/machines/dialect/template.ts"
import {
  aCall,
  chanceOf,
  easyTexts,
  hardTexts,
  toolsOf,
  twoNames
} from "../../../src/machines/dialect/trial/generate.ts"
import { folded, gathered, roundTrip, Trial } from "../../../src/machines/dialect/trial/trial.ts"
import { verified } from "../../../src/machines/dialect/trial/verify.ts"
import { dialectOf } from "../../support/dialects.ts"

const dialect = dialectOf("an object between marks")

interface Written {
  readonly content: string
  readonly thought: string
  readonly calls: ReadonlyArray<string>
}
interface Style {
  readonly prompt?: string
  /** how a call is written, of which something may be lost */
  readonly call?: (call: SaidCall) => object
  readonly turn?: (written: Written, thinking: boolean | undefined) => string
}

const whole = ({ calls, content, thought }: Written): string =>
  [thought === "" ? "" : `<think>\n${thought}\n</think>\n\n`, content, ...calls].join("")

/** A template that writes the dialect's marks; what it does otherwise is what is tried. */
const renderOf =
  ({
    call = ({ arguments: args, name }) => ({ name, arguments: args }),
    prompt = "",
    turn = whole
  }: Style = {}): Render =>
  ({ messages, prompt: isAsked, thinking }) =>
    [
      ...messages.map(({ content, reasoning_content: thought = "", role, tool_calls = [] }) => {
        if (role !== "assistant") return `<|im_start|>${role}\n${String(content)}<|im_end|>\n`
        const calls = tool_calls.map(({ function: { arguments: args, name }, id }) => {
          const written = call({ name, id, arguments: Object(args) })
          return `\n<tool_call>\n${JSON.stringify(written)}\n</tool_call>`
        })
        return `<|im_start|>assistant\n${turn({ calls, content: String(content), thought: String(thought) }, thinking)}<|im_end|>\n`
      }),
      isAsked ? `<|im_start|>assistant\n${prompt}` : ""
    ].join("")
const second: SaidCall = { ...firstCall, name: "other" }
const lossyOf = (style?: Style, of: Dialect = dialect) => verified(of, renderOf(style)).tools?.lossy

describe("calls that are drawn", () => {
  it("are the same for the same seed, whoever draws them", () => {
    const drawn = [1, 2, 3, 4].map((seed) => {
      const chance = chanceOf(seed)
      const names = twoNames(chance)
      return [names, aCall(chance, seed % 2 === 0 ? hardTexts : easyTexts, "get", 3)]
    })
    expect(drawn).toMatchInlineSnapshot(`
      [
        [
          [
            "search",
            "Bash",
          ],
          {
            "arguments": {
              "opts": {
                "x-y": true,
              },
              "path": "it is 20 °C",
            },
            "id": "efacgeafc",
            "name": "get",
          },
        ],
        [
          [
            "search",
            "Bash",
          ],
          {
            "arguments": {
              "path": {
                "city": "\\n \\ back",
              },
            },
            "id": "bffabdeff",
            "name": "get",
          },
        ],
        [
          [
            "search",
            "a.b",
          ],
          {
            "arguments": {
              "n": 58812,
              "old_string": 26978,
              "path": [],
            },
            "id": "ggdgfdagb",
            "name": "get",
          },
        ],
        [
          [
            "search",
            "a.b",
          ],
          {
            "arguments": {
              "old_string": true,
              "path": [
                36248,
              ],
            },
            "id": "egaeacege",
            "name": "get",
          },
        ],
      ]
    `)
    expect(Array.from({ length: 8 }, (_, at) => chanceOf(at)(1000))).toMatchInlineSnapshot(`
      [
        236,
        236,
        236,
        237,
        237,
        238,
        238,
        238,
      ]
    `)
  })

  it("have no arguments where none are asked for, and tools that say the type of each", () => {
    expect(aCall(chanceOf(1), easyTexts, "get", 0).arguments).toEqual({})
    const call = { name: "get", id: "x", arguments: { a: "x", b: 1, c: true, d: null, e: [], f: {} } }
    const [own, ...others] = toolsOf([call])
    expect(own).toEqual({
      name: "get",
      parameters: {
        type: "object",
        properties: {
          a: { type: "string" },
          b: { type: "number" },
          c: { type: "boolean" },
          d: { type: "null" },
          e: { type: "array" },
          f: { type: "object" }
        }
      }
    })
    expect(others.map(({ name }) => name)).toEqual(["get_weather", "search", "read_file", "Bash", "a.b", "mcp__x__y"])
  })
})

describe("a try", () => {
  it("is exact where all comes back: content, thoughts, names, arguments and ids", () => {
    const trial = new Trial(dialect, renderOf())
    const reasoning = { field: "reasoning_content", text: "Hm." }
    expect(trial.turn("text", { content: "So.", calls: [firstCall] })?.exact).toBe(true)
    expect(trial.turn("reasoning", { calls: [firstCall], reasoning })?.exact).toBe(true)
    expect(trial.turn("two", { calls: [firstCall, second] })?.exact).toBe(true)
    expect(trial.turn("content", { content: "So." })?.got).toEqual({ content: "So.", reasoning: "", calls: [] })
  })

  it("is not where a part of it is lost or is another", () => {
    const exact = (style: Style) =>
      new Trial(dialect, renderOf(style)).turn("text", { content: "So.", calls: [firstCall] })?.exact
    const turns: ReadonlyArray<NonNullable<Style["turn"]>> = [
      ({ calls }) => calls.join(""),
      ({ calls, content }) => `${content} And more.${calls.join("")}`,
      ({ calls, content }) => `${calls.length === 0 ? "" : "<think>\nHm.\n</think>\n\n"}${content}${calls.join("")}`,
      ({ content }) => content,
      ({ calls, content }) => `${content}${calls.join("")}${calls.join("")}`
    ]
    for (const turn of turns) expect(exact({ turn })).toBe(false)
    const calls: ReadonlyArray<NonNullable<Style["call"]>> = [
      ({ arguments: args }) => ({ name: "get", arguments: args }),
      ({ name }) => ({ name, arguments: { a: 1 } }),
      ({ arguments: args, name }) => ({ name, arguments: Object.fromEntries(Object.entries(args).slice(1)) })
    ]
    for (const call of calls) expect(exact({ call })).toBe(false)
    const backwards = ({ arguments: args, name }: SaidCall) => ({
      name,
      arguments: Object.fromEntries(Object.entries(args).toReversed())
    })
    expect(exact({ call: backwards })).toBe(true)
  })

  it("is none where the template refuses, drops the content, or the prompt has thoughts opened that never close", () => {
    const throws = renderOf({
      turn: () => {
        throw new Error("no")
      }
    })
    expect(new Trial(dialect, throws).turn("one", { calls: [firstCall] })).toBeUndefined()
    expect(new Trial(dialect, renderOf({ turn: () => "" })).turn("content", { content: "So." })).toBeUndefined()
    const opened = new Trial(dialect, renderOf({ prompt: "<think>\n", turn: (all) => `<think>\n${whole(all)}` }))
    expect(opened.turn("content", { content: "So." })).toBeUndefined()
    expect(new Trial(dialect, renderOf({ prompt: "<think>\n" })).turn("content", { content: "So." })?.exact).toBe(true)
  })

  it("of a kind that the dialect does not have is none", () => {
    const few: Dialect = {
      ...dialect,
      reasoning: null,
      tools: dialect.tools === null ? null : { ...dialect.tools, parallel: false, textBeside: false }
    }
    const tried = (of: Dialect) => roundTrip(of, renderOf(), 2)
    expect(tried(few).impossible).toEqual(["two", "text", "reasoning"])
    expect(tried({ ...dialect, tools: null }).impossible).toEqual(["one", "two", "text", "reasoning", "none"])
    expect(tried(dialect)).toMatchObject({ tried: 12, exact: 12, impossible: [], failed: [] })
    expect(tried(dialect).kinds.two).toEqual({ tried: 2, exact: 2 })
  })
})

describe("what is learned", () => {
  it("says what does not come back", () => {
    expect(lossyOf()).toEqual([])
    expect(lossyOf({ turn: (all) => whole({ ...all, calls: all.calls.slice(0, 1) }) })).toEqual(["two calls"])
    expect(lossyOf({ turn: (all) => whole({ ...all, content: all.calls.length > 0 ? "" : all.content }) })).toEqual([
      "text beside a call"
    ])
    expect(lossyOf({ turn: (all) => whole({ ...all, thought: "" }) })).toEqual(["reasoning before a call"])
    const calls = ({ arguments: args, name }: SaidCall) =>
      Object.keys(args).length === 0 ? { nothing: name } : { name, arguments: args }
    expect(lossyOf({ call: calls })).toEqual(["calls without arguments"])
  })

  it("is not said to lose thoughts that are written where thinking is on", () => {
    expect(
      lossyOf({ turn: (all, thinking) => whole({ ...all, thought: thinking === true ? all.thought : "" }) })
    ).toEqual([])
  })

  it("says which values are lost", () => {
    const changing = (change: (value: unknown) => unknown): Style => ({
      call: ({ arguments: args, name }) => ({
        name,
        arguments: Object.fromEntries(Object.entries(args).map(([key, value]) => [key, change(value)]))
      })
    })
    const of = (is: (value: unknown) => boolean) => lossyOf(changing((value) => (is(value) ? "lost" : value)))
    expect(of((value) => value === 7)).toEqual(["whole numbers"])
    expect(of((value) => value === -12)).toEqual(["whole numbers"])
    expect(of((value) => value === -0.25)).toEqual(["numbers"])
    expect(of((value) => value === 1.5)).toEqual(["numbers"])
    expect(of((value) => value === true)).toEqual(["booleans"])
    expect(of((value) => value === "'''")).toEqual(["texts with quotes"])
    expect(of((value) => value === "  lead")).toEqual(["texts with spaces around"])
    expect(of((value) => value === "[1]")).toEqual(["texts that look like other values"])
    expect(of((value) => value === false)).toEqual(["booleans"])
    expect(of((value) => value === null)).toEqual(["null"])
    expect(of((value) => value === "")).toEqual(["empty texts"])
    expect(of((value) => Array.isArray(value) && value.length === 3)).toEqual(["lists"])
    expect(of((value) => Array.isArray(value) && value.length === 0)).toEqual(["empty lists"])
    expect(of((value) => JSON.stringify(value) === "[null]")).toEqual(["lists with null alone"])
    expect(of((value) => JSON.stringify(value) === '{"a":{"b":1}}')).toEqual(["objects"])
    expect(of((value) => JSON.stringify(value) === "{}")).toEqual(["empty objects"])
    expect(of((value) => value === "it's")).toEqual(["texts with quotes"])
    expect(of((value) => value === "\\n \\ back")).toEqual(["texts with backslashes"])
    expect(of((value) => value === "\n")).toEqual(["texts with line ends"])
    expect(of((value) => value === "tail  ")).toEqual(["texts with spaces around"])
    expect(of((value) => value === "true")).toEqual(["texts that look like other values"])
    expect(of((value) => value === "a & b")).toEqual(["texts with marks"])
    expect(of((value) => JSON.stringify(value) === JSON.stringify([`it's "so"`]))).toEqual([
      "texts with backslashes, quotes or line ends in objects and lists"
    ])
  })

  it("takes calls one by one, or without text, where two or text are lost, and none where one call is", () => {
    const tools = (style: Style) => verified(dialect, renderOf(style)).tools
    expect(tools({ turn: (all) => whole({ ...all, calls: all.calls.slice(0, 1) }) })).toMatchObject({
      parallel: false,
      textBeside: true
    })
    expect(tools({ turn: (all) => whole({ ...all, content: "" }) })).toMatchObject({
      parallel: true,
      textBeside: false
    })
    const none = verified(dialect, renderOf({ call: () => ({ name: "none" }) }))
    expect([none.tools, none.why !== undefined]).toEqual([null, true])
    expect(verified({ ...dialect, tools: null }, renderOf())).toEqual({ ...dialect, tools: null })
  })
})

describe("deltas", () => {
  it("are put together, each call's by its index", () => {
    expect(
      gathered([
        { _tag: "Reasoning", text: "H" },
        { _tag: "Reasoning", text: "m" },
        { _tag: "Content", text: "So" },
        { _tag: "Call", index: 0, name: "a" },
        { _tag: "Arguments", index: 0, text: "{" },
        { _tag: "Call", index: 1, name: "b" },
        { _tag: "CallId", index: 1, id: "x" },
        { _tag: "Arguments", index: 0, text: "}" },
        { _tag: "Arguments", index: 7, text: "lost" },
        { _tag: "Content", text: "." }
      ])
    ).toEqual({
      reasoning: "Hm",
      content: "So.",
      calls: [
        { name: "a", id: "", arguments: "{}" },
        { name: "b", id: "x", arguments: "" }
      ]
    })
    expect(folded(dialect, [], "", "So.")).toEqual({ reasoning: "", content: "So.", calls: [] })
  })
})
