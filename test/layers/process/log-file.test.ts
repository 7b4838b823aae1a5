import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { LogLines } from "../../../src/layers/process/log-file.ts"

describe("the lines of a log", () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const listening = () => {
    const written: Array<string> = []
    return { written, lines: new LogLines((text) => void written.push(text)) }
  }

  it("that come soon after another are written together", () => {
    const { lines, written } = listening()
    lines.add("one", false)
    vi.advanceTimersByTime(10)
    lines.add("two", false)
    expect(written).toEqual([])
    vi.advanceTimersByTime(1000)
    expect(written).toEqual(["one\ntwo\n"])
  })

  it("wait no longer where one of them is urgent, and keep their order", () => {
    const { lines, written } = listening()
    lines.add("one", false)
    lines.add("two", true)
    expect(written).toEqual(["one\ntwo\n"])
    vi.advanceTimersByTime(1000)
    expect(written).toHaveLength(1)
  })

  it("wait no longer where they are many", () => {
    const { lines, written } = listening()
    for (let i = 0; i < 1000; i++) lines.add("a line of some length, said again and again", false)
    expect(written.length).toBeGreaterThan(1)
    lines.flush()
    expect(written.join("")).toHaveLength(1000 * "a line of some length, said again and again\n".length)
  })
})
