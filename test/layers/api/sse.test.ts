/** The SSE encoder and parser: any events, any line ends, cut anywhere. */
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { frame, makeSseParser, type SseEvent } from "../../../src/protocol/sse.ts"
import { RbeeError } from "../../../src/machines/errors.ts"

const parseAll = (pieces: ReadonlyArray<string>, limit?: number): ReadonlyArray<SseEvent> => {
  const events: Array<SseEvent> = []
  const parse = makeSseParser((event) => events.push(event), limit)
  for (const piece of pieces) parse(piece)
  return events
}

/** Cuts a text at the given places. */
const cutAt = (text: string, places: ReadonlyArray<number>): ReadonlyArray<string> => {
  const at = [...new Set(places.map((place) => place % (text.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...at].map((from, index) => text.slice(from, at[index] ?? text.length))
}

const anyEvent = FastCheck.record({
  id: FastCheck.option(FastCheck.oneof(FastCheck.nat(), FastCheck.stringMatching(/^[0-9]{1,6}-[0-9]{1,6}$/)), {
    nil: undefined
  }),
  event: FastCheck.option(FastCheck.stringMatching(/^[a-z][a-z_]{0,12}$/), { nil: undefined }),
  data: FastCheck.jsonValue()
})

describe("SSE", () => {
  it("what the encoder writes the parser reads, with any line ends and comments between, cut anywhere", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(anyEvent, { maxLength: 8 }),
        FastCheck.constantFrom("\n", "\r\n", "\r"),
        FastCheck.array(FastCheck.nat(), { maxLength: 40 }),
        FastCheck.boolean(),
        (events, lineEnd, cuts, comments) => {
          const noise = comments ? ": keep-alive\n\nretry: 1000\n\n" : ""
          const text = noise + events.map((event) => frame(event) + noise).join("")
          expect(parseAll(cutAt(text.replaceAll("\n", lineEnd), cuts))).toEqual(
            events.map(({ id, event, data }) => ({
              id: id === undefined ? undefined : String(id),
              event: event ?? "message",
              data: JSON.stringify(data)
            }))
          )
        }
      ),
      { numRuns: 1000 }
    )
  })

  it("reads any text the same in one piece and in pieces, and never throws", () => {
    const alphabet = FastCheck.constantFrom("\n", "\r", ":", " ", "data", "id", "event", "retry", "\0", "x", "é", "🐝")
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(alphabet, { maxLength: 80 }).map((parts) => parts.join("")),
        FastCheck.array(FastCheck.nat(), { maxLength: 80 }),
        (text, cuts) => {
          expect(parseAll(cutAt(text, cuts))).toEqual(parseAll([text]))
        }
      ),
      { numRuns: 2000 }
    )
  })

  it("follows the standard in its corners", () => {
    const one = (text: string) => parseAll([text])
    expect(one("data: a\ndata: b\n\n")).toEqual([{ id: undefined, event: "message", data: "a\nb" }])
    expect(one("data:  a\n\n")).toEqual([{ id: undefined, event: "message", data: " a" }])
    expect(one("data\n\n")).toEqual([{ id: undefined, event: "message", data: "" }])
    expect(one("event: x\nid: 1\n\n")).toEqual([])
    expect(one("data: unfinished\n")).toEqual([])
    expect(one("\uFEFFdata: a\n\n")).toEqual([{ id: undefined, event: "message", data: "a" }])
    expect(one("id: a\0b\ndata: a\n\n")).toEqual([{ id: undefined, event: "message", data: "a" }])
    expect(one("nonsense: 1\ndata: a\n\n")).toEqual([{ id: undefined, event: "message", data: "a" }])
    // ids and names are of one event, not of those after it
    expect(one("id: 1\nevent: x\ndata: a\n\ndata: b\n\n")).toEqual([
      { id: "1", event: "x", data: "a" },
      { id: undefined, event: "message", data: "b" }
    ])
  })

  it("refuses names and ids that would forge fields", () => {
    for (const event of ["a\nb", "", "a b", "a\r", "é"]) expect(() => frame({ event, data: 1 })).toThrow(TypeError)
    for (const id of ["1\n", "", "a b", "\0", Number.NaN, 1.5]) expect(() => frame({ id, data: 1 })).toThrow(TypeError)
    expect(frame({ event: "token", data: "a\nb\r\u2028" })).toBe('event: token\ndata: "a\\nb\\r\u2028"\n\n')
    expect(frame({ data: undefined })).toBe("data: null\n\n")
  })

  it("gives up at an event over its limit, in one line or in many, in one piece or in many", () => {
    const long = "x".repeat(60)
    for (const text of [`data: ${long}${long}\n\n`, `data: ${long}\ndata: ${long}\n\n`, `: ${long}\n: ${long}\n`]) {
      for (const pieces of [[text], [...text]]) expect(() => parseAll(pieces, 100)).toThrow(RbeeError)
    }
    expect(parseAll([`data: ${long}\n\n`.repeat(50)], 100)).toHaveLength(50)
    const parse = makeSseParser(() => expect.unreachable(), 100)
    expect(() => parse(long + long)).toThrow(RbeeError)
    parse("\n\ndata: 1\n\n")
  })
})
