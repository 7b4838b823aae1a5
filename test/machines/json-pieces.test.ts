import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { isLongerThan, jsonPieces, pieceLength } from "../../src/machines/formats/json/pieces.ts"

describe("JSON in pieces", () => {
  it("is what JSON.stringify gives", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.jsonValue(), (value) => {
        expect([...jsonPieces(value)].join("")).toBe(JSON.stringify(value))
      })
    )
    const odd = { a: undefined, b: [undefined, null, true], c: {}, d: [], e: -0, f: { g: undefined, h: "x" } }
    expect([...jsonPieces(odd)].join("")).toBe(JSON.stringify(odd))
  })

  it("cuts long texts between their characters", () => {
    for (const text of ["🐝", 'say "hi"\n\\', "\uD800", "\u0001", "größe €"]) {
      for (const shift of ["", "x"]) {
        const value = [{ content: shift + text.repeat(100_000) }]
        expect([...jsonPieces(value)].join("")).toBe(JSON.stringify(value))
      }
    }
  })

  it("has no piece that is much longer than a piece", () => {
    const one = [...jsonPieces({ prompt: "hello ".repeat(1_000_000) })]
    const many = [...jsonPieces({ messages: Array.from({ length: 100_000 }, () => ({ content: "hello" })) })]
    const escaped = [...jsonPieces("\u0001".repeat(1_000_000))]
    for (const pieces of [one, many]) for (const piece of pieces) expect(piece.length).toBeLessThan(pieceLength * 2 + 3)
    for (const piece of escaped) expect(piece.length).toBeLessThan(pieceLength * 7 + 3)
    expect(one.length).toBeGreaterThan(40)
  })

  it("knows how long a value's texts are without looking at all of it", () => {
    expect(isLongerThan({ model: "m", prompt: "x".repeat(99) }, 100)).toBe(false)
    expect(isLongerThan({ model: "mm", prompt: "x".repeat(99) }, 100)).toBe(true)
    expect(isLongerThan({ messages: [{ content: "x".repeat(60) }, { content: "x".repeat(60) }] }, 100)).toBe(true)
    expect(isLongerThan({ messages: Array.from({ length: 200 }, () => ({})) }, 100)).toBe(false)
    expect(isLongerThan({ stop: Array.from({ length: 200 }, () => 1) }, 100)).toBe(true)
  })
})
