import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { fullTokenFrame, readFrames, tokenFrame } from "../../src/protocol/token-frame.ts"

interface Seen {
  readonly tokens: Array<readonly [number, string, number]>
  readonly others: Array<string>
}
const read = (text: string): Seen => {
  const seen: Seen = { tokens: [], others: [] }
  readFrames(text, {
    token: (index, json, id) => void seen.tokens.push([index, JSON.parse(json) as string, id]),
    other: (frame) => void seen.others.push(frame)
  })
  return seen
}

describe("the tokens in whole frames", () => {
  it("are written as JSON writes them and found again, with and without ids, whatever their text is", () => {
    const token = FastCheck.record({
      text: FastCheck.oneof(
        FastCheck.string({ unit: "binary" }),
        FastCheck.constantFrom('","k":7}', '"t":"', '\n\nevent: token\ndata: {"i":0', "\\", '{"i":1,"t":"x"}\n\n', "12")
      ),
      eventId: FastCheck.option(FastCheck.nat()),
      tokenId: FastCheck.option(FastCheck.nat())
    })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(token), (tokens) => {
        const text = tokens.map(({ text, eventId, tokenId }, i) => {
          const data = JSON.stringify({ i, t: text, ...(tokenId === null ? {} : { k: tokenId }) })
          expect(tokenFrame(i, JSON.stringify(text), tokenId ?? undefined)).toBe(`event: token\ndata: ${data}\n\n`)
          return `${eventId === null ? "" : `id: ${eventId}\n`}event: token\ndata: ${data}\n\n`
        })
        const { tokens: found, others } = read(text.join(""))
        expect(others).toEqual([])
        expect(found).toEqual(tokens.map(({ text, tokenId }, i) => [i, text, tokenId ?? Number.NaN]))
      }),
      { numRuns: 500 }
    )
  })

  it("leave everything else, in its place, to who reads it properly", () => {
    const odd = [
      "retry: 1000\n\n",
      ": keep-alive\n\n",
      'event: done\ndata: {"i":0,"t":"x"}\n\n',
      'event: token\ndata: {"t":"x","i":0,"k":1}\n\n',
      'event: token\ndata: {"i":0,"t":"x","k":1,"more":2}\n\n',
      'event: token\ndata: {"i":0,"t":"bad " quote","k":1}\n\n',
      'event: token\ndata: {"i":0,"t":"bad \\q escape","k":1}\n\n',
      'event: token\ndata: {"i":0.5,"t":"x","k":1}\n\n',
      'event: token\ndata: {"i":0,"t":"x","k":1.5}\n\n',
      'event: token\ndata: {"i":0,"t":"x","k":1\n\n',
      'event: token\ndata: {"i":0,"t":7}\n\n',
      fullTokenFrame(0, '"x"', 1, '{"logprob":-1,"k":7}'),
      "event: token\n\n",
      "\n\n",
      "id: 3\n\n"
    ]
    const good = 'id: 5\nevent: token\ndata: {"i":9,"t":"ok"}\n\n'
    expect(read(odd.join(good))).toEqual({ tokens: odd.slice(1).map(() => [9, "ok", Number.NaN]), others: odd })
    expect(read(`${good}event: tok`).others).toEqual(["event: tok"])
  })

  it("cost the same each, however many there are in one piece", () => {
    const frames = (count: number) =>
      Array.from({ length: count }, (_, i) => `id: ${i}\nevent: token\ndata: {"i":${i},"t":" word"}\n\n`).join("")
    // a search that looks back over the whole piece would take minutes
    expect(read(frames(200_000)).tokens).toHaveLength(200_000)
  })
})
