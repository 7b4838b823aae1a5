/** Marks in a text that may not be whole yet: found, not there, or "partial", where more may make it one. */
import { describe, expect, it } from "vitest"
import { contentOnly, type Mark, marksOf, type Tools } from "../../../src/machines/dialect/dialect.ts"
import { followers } from "../../../src/machines/dialect/fold/elements.ts"
import { Matcher, startOf } from "../../../src/machines/dialect/fold/match.ts"
import { dialectOf } from "../../support/dialects.ts"

const matcher = new Matcher(["get", "get_weather", "stop"])
const at = (mark: Mark, text: string, from = 0) => matcher.at(mark, text, from)

describe("a mark", () => {
  it("is where its characters are, with as much or as little white space as the model likes", () => {
    expect(at(["<tool_call>\n"], "<tool_call>{")).toEqual({ end: 11 })
    expect(at(["<tool_call>\n"], "<tool_call> \n\t {")).toEqual({ end: 15 })
    expect(at(["\n<tool_call>"], "<tool_call>")).toEqual({ end: 11 })
    expect(at(["a b"], "ab")).toEqual({ end: 2 })
    expect(at(["ab"], "a b")).toBeUndefined()
    expect(at(["call"], "a call", 2)).toEqual({ end: 6 })
    expect(at(["call"], "a call")).toBeUndefined()
    expect(at([], "x")).toEqual({ end: 0 })
  })

  it("may still come as long as nothing else has", () => {
    for (const text of ["", "<", "<tool", "<tool_call"])
      expect([text, at(["<tool_call>"], text)]).toEqual([text, "partial"])
    expect(at(["<tool_call>"], "<toolbox")).toBeUndefined()
    expect(at(["a", { hole: "key" }, ">"], "a")).toBe("partial")
  })
})

describe("a name in a mark", () => {
  const call: Mark = ["<", { hole: "name" }, ">"]

  it("is one that is declared, the longest that fits", () => {
    expect(at(call, "<get>")).toEqual({ end: 5, name: "get" })
    expect(at(call, "<get_weather>")).toEqual({ end: 13, name: "get_weather" })
    expect(at([{ hole: "name" }], "get_weather")).toEqual({ end: 11, name: "get_weather" })
    expect(at(call, "<got>")).toBeUndefined()
    expect(at(call, "<get!")).toBeUndefined()
  })

  it("may still come, or be the beginning of a longer one", () => {
    for (const text of ["<", "<ge", "<get", "<get_wea", "<stop"])
      expect([text, at(call, text)]).toEqual([text, "partial"])
    expect(at([{ hole: "name" }], "get_we")).toBe("partial")
  })
})

describe("what a model makes up in a mark", () => {
  it("is a key: letters of any script, digits and few signs, at least one", () => {
    const key: Mark = ["<k=", { hole: "key" }, ">"]
    expect(at(key, "<k=Straße_1.b-c d:e@f$>")).toEqual({ end: 23, key: "Straße_1.b-c d:e@f$" })
    expect(at(key, "<k=>")).toBeUndefined()
    expect(at(key, "<k=a/b>")).toBeUndefined()
    expect(at(key, "<k=ab")).toBe("partial")
  })

  it("is an id, which may be left out", () => {
    const id: Mark = ["[ID]", { hole: "id" }, "[ARGS]"]
    expect(at(id, "[ID]call_1.a:b-c[ARGS]")).toEqual({ end: 22, id: "call_1.a:b-c" })
    expect(at(id, "[ID][ARGS]")).toEqual({ end: 10, id: "" })
    expect(at(id, "[ID]a b[ARGS]")).toBeUndefined()
  })

  it("is a number that counts, which nobody is told", () => {
    const counted: Mark = [{ hole: "name" }, ":", { hole: "index" }, "<"]
    expect(at(counted, "get:12<")).toEqual({ end: 7, name: "get" })
    expect(at(counted, "get:<")).toBeUndefined()
    expect(at(counted, "get:a<")).toBeUndefined()
  })

  it("is as long as it can be where nothing follows, and known only once something else has come", () => {
    const last: Mark = ["id=", { hole: "id" }]
    expect(at(last, "id=abc")).toBe("partial")
    expect(at(last, "id=abc ")).toEqual({ end: 6, id: "abc" })
    expect(at(["n=", { hole: "index" }], "n=12;")).toEqual({ end: 4 })
    expect(at(["k=", { hole: "key" }], "k=;")).toBeUndefined()
  })
})

describe("the beginning of a mark", () => {
  it("is followed mark by mark: a section is often left without its whole end", () => {
    const end: Mark = ["</function>\n</tool_call>"]
    expect(matcher.begun(end, "</function> tail", 0)).toBe(11)
    expect(matcher.begun(end, "</function>\n</tool_call> tail", 0)).toBe(24)
    expect(matcher.begun(end, "tail", 0)).toBe(0)
    expect(matcher.begun(end, "x</function>", 1)).toBe(12)
    expect(matcher.begun(end, "</function></tool", 0)).toBe(11)
    expect(matcher.begun(["[/A] done <x>"], "[/A] done?", 0)).toBe(9)
    expect(matcher.begun(["</a>", { hole: "key" }, "</b>"], "</a></b>", 0)).toBe(4)
    expect(matcher.begun(["</a>", "</b>"], "</a> </b>", 0)).toBe(4)
  })

  it("is what a text is looked through for", () => {
    expect([startOf(["\n <call>\n", { hole: "name" }]), startOf([{ hole: "name" }]), startOf([])]).toEqual([
      "<call>\n",
      "",
      ""
    ])
  })
})

describe("what may follow an argument", () => {
  const tools = (form: Parameters<typeof dialectOf>[0], more: Partial<Tools> = {}) => {
    const known = dialectOf(form).tools
    if (known === null) throw new Error(`no tools: ${form}`)
    return followers({ ...known, ...more })
  }

  it("is another one, the end of the call, or the next call", () => {
    expect(tools("an element an argument")).toEqual(["<parameter=", "</function>", "</function>"])
    expect(tools("keys and values")).toEqual(["<arg_key>", "</tool_call>", "</tool_call>"])
    expect(tools("calls as in Python")).toEqual([")]<|end_calls|>", "),"])
  })

  it("is no mark where a form has none", () => {
    expect(tools("a name and its object")).toEqual(["[CALL]"])
    expect(tools("keys and values", { between: ["\n"], close: [[{ hole: "name" }]] })).toEqual(["<arg_key>"])
  })
})

describe("the marks of a dialect", () => {
  it("are all that stands for something else than itself", () => {
    expect(marksOf(dialectOf("messages in an answer"))).toEqual([
      "<|start|>assistant",
      "<|channel|>final<|message|>",
      "<|end|>",
      "<|channel|>thought<|message|>",
      "<|end|>",
      "<|channel|>tool to=",
      "<|end|><|start|>assistant<|channel|>tool to=",
      "<|message|>"
    ])
    expect(marksOf(dialectOf("quotes of its own"))).toEqual([
      "<|call>call:",
      "}<call|><|call>call:",
      "}<call|>",
      "{",
      ":",
      '<|"|>',
      '<|"|>',
      "<|im_end|>"
    ])
    expect(marksOf(dialectOf("a list with ids"))).toEqual(["[CALLS]", "<|im_end|>"])
    expect(marksOf(dialectOf("an element named by its key"))).toEqual([
      '<invoke name="',
      '</invoke><invoke name="',
      "</invoke>",
      '">',
      "<",
      ">",
      "</",
      ">",
      "<|im_end|>"
    ])
    expect(marksOf(contentOnly(""))).toEqual([])
  })

  it("are those too that a model is known to write beside what its template shows", () => {
    const { tools, ...others } = dialectOf("a name and its object")
    const also = [{ open: ["<also>", { hole: "id" as const }], mid: ["<mid>"] }]
    const known = { ...others, content: { also: ["<say>"] }, tools: tools === null ? null : { ...tools, also } }
    expect(marksOf(known)).toEqual(["<say>", "[CALL]", "<also>", "<mid>", "[CALL]", "[ID]", "[ARGS]", "<|im_end|>"])
  })
})
