/** What a terminal is not told. */
import { describe, expect, it } from "vitest"
import { makePlain, plain, printable } from "../../../src/layers/terminal/plain.ts"

const ESC = "\u001b"
const hostile: ReadonlyArray<readonly [what: string, text: string]> = [
  ["colours", `${ESC}[31m`],
  ["the clearing of the screen", `${ESC}[2J${ESC}[H`],
  ["a window's title", `${ESC}]0;owned\u0007`],
  ["the clipboard", `${ESC}]52;c;cm0gLXJmIH4=${ESC}\\`],
  ["a link", `${ESC}]8;;http://evil.example${ESC}\\`],
  ["a device's string", `${ESC}P+q544e${ESC}\\`],
  ["a privacy message", `${ESC}^secret${ESC}\\`],
  ["an application's command", `${ESC}_Gf=100;AAAA${ESC}\\`],
  ["8-bit introducers", "\u009b31m\u009d0;owned\u009c\u0090q\u009c"],
  ["a question that the terminal answers", `${ESC}[6n${ESC}[c${ESC}Z`],
  ["another character set", `${ESC}(0${ESC}%G`],
  ["a full reset", `${ESC}c`],
  ["carriage returns, backspaces and bells", "\r\b\u0007\u0000\u007f\u000b\u000c"],
  ["what reorders text", "\u202e\u202d\u202a\u202b\u202c\u2066\u2067\u2068\u2069"]
]

describe("text for a terminal", () => {
  it.each(hostile)("is without %s", (_, sequence) => {
    expect(plain(`before${sequence}after`)).toBe("beforeafter")
  })

  it.each(hostile)("is without %s, wherever its pieces are cut", (_, sequence) => {
    const text = `before${sequence}after`
    for (let cut = 1; cut < text.length; cut++) {
      const clean = makePlain()
      expect(clean(text.slice(0, cut)) + clean(text.slice(cut))).toBe("beforeafter")
    }
    const clean = makePlain()
    expect(Array.from(text, clean).join("")).toBe("beforeafter")
  })

  it("keeps everything else, in every language", () => {
    const text = "a\tb\nc é ß 日本語 🐝👩‍👩‍👧 שלום‏ مرحبا \u200f\u200e\u200d [31m ]0; \\e[31m"
    expect(plain(text)).toBe(text)
  })

  it("is not swallowed by what begins and never ends", () => {
    expect(plain(`${ESC}]0;no end\nnext line`)).toBe("\nnext line")
    expect(plain(`${ESC}[31\nnext`)).toBe("\nnext")
    expect(plain(`${ESC}é`)).toBe("é")
    expect(plain(`${ESC}]${"x".repeat(10_000)}end`)).toMatch(/end$/)
    expect(plain(`${ESC}]0;a${ESC}[31mb`)).toBe("b")
    expect(plain(`${ESC}${ESC}[31mb`)).toBe("b")
  })

  it("never has a control character, whatever it was made of", () => {
    const parts = [
      ESC,
      "[",
      "]",
      "P",
      "\\",
      "\u0007",
      "m",
      "0",
      ";",
      "\u009b",
      "\u009c",
      "x",
      "\n",
      "\r",
      "é",
      "\u202e"
    ]
    let seed = 1
    const next = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    for (let round = 0; round < 2000; round++) {
      const clean = makePlain()
      const text = Array.from({ length: 12 }, () => parts[Math.floor(next() * parts.length)] ?? "").map(clean)
      // oxlint-disable-next-line no-control-regex -- that there are none is the point
      expect(text.join("")).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/)
    }
  })

  it("in a cell shows where something was", () => {
    expect(printable(`a${ESC}[31m\u202eb\n`)).toBe("a\ufffd[31m\ufffdb\ufffd")
  })
})
