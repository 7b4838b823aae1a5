/** How lines and errors are put in words, and taken apart again. */
import { assert, describe, it } from "@effect/vitest"
import { inSentence, sentence } from "../../src/machines/errors.ts"
import { lineOf, megabytes } from "../../src/machines/narration.ts"

describe("An error's text", () => {
  it("is a sentence, and what to do where something can be done", () => {
    assert.strictEqual(sentence({ what: "no room", todo: "" }), "no room.")
    assert.strictEqual(sentence({ what: "no room", todo: "Free some" }), "no room. Free some")
  })

  it.each([
    ["no room", "Free some"],
    ["no room", ""],
    ["no room", "Free some. Or buy more"],
    ["v1.2 is too old", "Update it"]
  ])("is taken apart into what it was made of (%s, %s)", (what, todo) => {
    assert.deepStrictEqual(inSentence(sentence({ what, todo })), { what, todo })
  })

  it("that is no sentence of ours is all of it what happened", () => {
    assert.deepStrictEqual(inSentence("no room"), { what: "no room", todo: "" })
  })
})

describe("A line", () => {
  it("is said by its actor, but for the end, which stands alone", () => {
    assert.strictEqual(lineOf({ actor: "queen", action: "queued", human: "wait" }), "queen: wait")
    assert.strictEqual(lineOf({ actor: "queen", action: "done", human: "[DONE]" }), "[DONE]")
  })

  it("has megabytes to one decimal, and none where it is nought", () => {
    assert.deepStrictEqual([3_300_000, 410_249_000, 12_000_000, 49_999].map(megabytes), ["3.3", "410.2", "12", "0"])
  })
})
