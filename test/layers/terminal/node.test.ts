import { PassThrough } from "node:stream"
import { describe, expect, it } from "vitest"
import { outputOf, wantsColours } from "../../../src/layers/terminal/node.ts"

describe("colours", () => {
  const on = (env: Readonly<Record<string, string>>, isTTY = true, noColour = false) =>
    wantsColours(env, isTTY, noColour)
  it("are for terminals that want them", () => {
    expect(on({})).toBe(true)
    expect(on({}, false)).toBe(false)
    expect(on({ NO_COLOR: "1" })).toBe(false)
    expect(on({ NO_COLOR: "" })).toBe(true)
    expect(on({ TERM: "dumb" })).toBe(false)
    expect(on({}, true, true)).toBe(false)
  })
  it("can be forced, but not against --no-color", () => {
    expect(on({ FORCE_COLOR: "1", NO_COLOR: "1" }, false)).toBe(true)
    expect(on({ FORCE_COLOR: "0" })).toBe(false)
    expect(on({ FORCE_COLOR: "1" }, true, true)).toBe(false)
  })
})

describe("what steers a terminal", () => {
  const steering = "a\u001b]0;owned\u0007\u001b[2Jb"
  const written = (isTTY: boolean, way: "write" | "writeRaw"): string => {
    const stream = Object.assign(new PassThrough(), { isTTY })
    outputOf(stream, true, () => {})[way](steering)
    return String(stream.read())
  }
  it("does not reach one, unless --raw asks for it", () => {
    expect(written(true, "write")).toBe("ab")
    expect(written(true, "writeRaw")).toBe(steering)
  })
  it("reaches a pipe byte for byte", () => {
    expect(written(false, "write")).toBe(steering)
  })
})
