/** Whatever is written on the pages can be read: WCAG's contrast of 4.5, by day and by night. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"

const css = readFileSync(new URL("../../src/web/kit/theme.css", import.meta.url), "utf8")
const colours = [...css.matchAll(/--(\w+): light-dark\(#(\w{6}), #(\w{6})\)/g)].map(
  ([, name = "", day = "", night = ""]) => ({
    name,
    day,
    night
  })
)
const grounds = new Set(["bg", "panel", "raised", "chosen"])

/** Relative luminance (WCAG 2.2). */
const luminance = (hex: string): number => {
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const contrast = (one: string, other: string): number => {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b)
  return (lighter + 0.05) / (darker + 0.05)
}

describe("the pages' colours", () => {
  it("can be read on every ground, by day and by night", () => {
    const inks = colours.filter(({ name }) => !grounds.has(name) && name !== "line")
    assert.isAtLeast(inks.length, 11)
    for (const time of ["day", "night"] as const)
      for (const ground of colours.filter(({ name }) => grounds.has(name)))
        for (const ink of inks)
          assert.isAtLeast(contrast(ink[time], ground[time]), 4.5, `${ink.name} on ${ground.name} by ${time}`)
  })
})
