import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type Part, Prose } from "../../../src/layers/terminal/index.ts"

const shown = (part: Part) => (typeof part === "string" ? part : `[${[part.colour].flat().join("+")} ${part.text}]`)
const bare = (part: Part) => (typeof part === "string" ? part : part.text)
const rendered = (pieces: Iterable<string>, as = shown): string => {
  const prose = new Prose(() => 20)
  return [...[...pieces].flatMap((piece) => prose.push(piece)), ...prose.end()].map(as).join("")
}
const seen = (text: string): string => rendered([text])

describe("Markdown in a terminal", () => {
  it("has styles in place of marks", () => {
    expect(seen("a **b** *c* `d_e` ~~f~~")).toBe("a [bold b] [italic c] [cyan d_e] [strikethrough f]")
  })

  it("has headings, paragraphs and rules apart, with one empty line before each", () => {
    expect(seen("# One\n\n\nTwo\nthree\n\n---\nfour")).toBe("[bold One]\n\nTwo\nthree\n\n───────────────────\n\nfour")
  })

  it("has bullets and numbers, and what is in a list below its beginning", () => {
    expect(seen("- a\n- b\n  - c\n\n7. d\n8. e")).toBe("• a\n• b\n  • c\n\n7. d\n8. e")
  })

  it("says which of a list's boxes are ticked", () => {
    expect(seen("- [ ] a\n- [x] b")).toBe("• ☐ a\n• ☑ b")
  })

  it("has code as it stands, with its empty lines and its marks", () => {
    expect(rendered(["```js\nlet a\n\n*b* _c_\n```\nd"], bare)).toBe("let a\n\n*b* _c_\n\nd")
  })

  it("has a margin beside every line of a quote", () => {
    expect(seen("> a\n> b\n\nc")).toBe("│ a\n│ b\n\nc")
  })

  it("says where a link leads", () => {
    expect(seen("[here](https://a.b/c_d_e) https://f.g/h")).toBe(
      "[underline here][dim  (https://a.b/c_d_e)] [underline https://f.g/h]"
    )
  })

  it("has the cells of a table beside each other", () => {
    expect(seen("| a | b |\n|---|---|\n| 1 | 2 |")).toBe(" a │ b \n 1 │ 2 ")
  })

  it("leaves alone what is no mark: products, names with underscores", () => {
    const text = "2 * 3 * 4 is a_long_name, and __init__ of my__own_ one"
    expect(rendered([text], bare)).toBe("2 * 3 * 4 is a_long_name, and init of my__own_ one")
  })

  it("shows a plain text as it comes, but for a character that may become a mark", () => {
    const prose = new Prose(() => 80)
    expect(["Hello", " there", ", you"].map((piece) => prose.push(piece).map(bare).join(""))).toEqual([
      "Hell",
      "o ther",
      "e, yo"
    ])
  })

  const marks = fc.constantFrom(
    "*",
    "**",
    "_",
    "`",
    "```\n",
    "# ",
    "- ",
    "1. ",
    "> ",
    "|",
    "[",
    "](",
    ")",
    "\n",
    "\n\n",
    " ",
    "\\",
    "~~",
    "$"
  )
  const words = fc.stringMatching(/^[a-z0-9]{1,6}$/)
  const texts = fc.array(fc.oneof(marks, words), { maxLength: 40 }).map((all) => all.join(""))

  it("is the same in whatever pieces it comes", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(rendered(text, bare)).toBe(rendered([text], bare))
      })
    )
  })

  it("loses no word, whatever the marks", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const letters = (of: string) => of.replaceAll(/[^a-z0-9]/g, "")
        // a number before a list's item is counted anew, a link's place and a language of code are no words
        fc.pre(!/\d\. |\]\(|```/.test(text))
        expect(letters(rendered([text], bare))).toBe(letters(text))
      })
    )
  })
})
