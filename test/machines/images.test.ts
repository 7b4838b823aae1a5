/** Images in what is said: where they stand, and what of them is taken. */
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { checkImages, dataIn, imageLimits, joinedParts, withMarks } from "../../src/machines/formats/images.ts"
import { workerKinds } from "../../src/machines/kinds/index.ts"
import { blindTo } from "../../src/machines/kinds/kind.ts"
import { KindId } from "../../src/machines/vocabulary/kind.ts"
import { png } from "../support/projector.ts"

const refusal = (...data: ReadonlyArray<string>): string | undefined =>
  Either.match(checkImages([{ content: "", images: data.map((one) => ({ at: 0, data: one })) }]), {
    onLeft: ({ what }) => what,
    onRight: () => undefined
  })

const base64 = (bytes: ReadonlyArray<number>): string => Buffer.from(bytes).toString("base64")
const rest = Array.from({ length: 33 }, () => 0)

describe("Images among texts", () => {
  it("stand where they stood among the parts", () => {
    const parts = ["ab", { data: "x" }, "c", { data: "y" }]
    expect(joinedParts(parts)).toEqual({
      content: "abc",
      images: [
        { at: 2, data: "x" },
        { at: 3, data: "y" }
      ]
    })
    expect(joinedParts(["ab"])).toEqual({ content: "ab" })
    expect(withMarks("abc", joinedParts(parts).images ?? [], "|")).toBe("ab|c|")
    expect(
      withMarks(
        "abc",
        [0, 0, 2].map((at) => ({ at, data: "x" })),
        "|"
      )
    ).toBe("||ab|c")
  })

  it("come in a url that carries them, and are fetched from none", () => {
    expect(dataIn("data:image/png;base64,aGk=")).toBe("aGk=")
    for (const url of ["https://a.b/c.png", "data:image/png,hi", "data:;base64", "file:///etc/passwd"])
      expect(dataIn(url)).toBeUndefined()
  })
})

describe("An image", () => {
  it("is taken by its own first bytes: PNG, JPEG, GIF, BMP", () => {
    const jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc0, 0, 17, 8, 0, 30, 0, 40, ...rest]
    const gif = [...Buffer.from("GIF89a"), 40, 0, 30, 0, ...rest]
    const bmp = [0x42, 0x4d, ...rest.slice(0, 16), 40, 0, 0, 0, 0xe2, 0xff, 0xff, 0xff, ...rest]
    for (const one of [png([1, 2, 3]), base64(jpeg), base64(gif), base64(bmp)]) expect(refusal(one)).toBeUndefined()
  })

  it("that is none, or does not say how large it is, is refused by its place", () => {
    const webp = base64([...Buffer.from("RIFF"), 0, 0, 0, 0, ...Buffer.from("WEBPVP8 "), ...rest])
    for (const data of [base64(rest), webp, base64([0xff, 0xd8, 0xff, ...rest])])
      expect(refusal(png([1, 2, 3]), data)).toBe("messages[0].images[1] is no image that can be read")
    for (const data of ["no base64!", "abc"]) expect(refusal(data)).toBe("messages[0].images[0] is no base64")
  })

  it("has so many pixels and bytes at most, and so many come with a request", () => {
    // its header alone: nobody unpacks it here
    const large = Buffer.from(png([1, 2, 3]), "base64")
    large.writeUInt32BE(100_000, 16)
    large.writeUInt32BE(100_000, 20)
    expect(refusal(large.toString("base64"))).toContain("has 100000 × 100000 pixels, and 40 million are taken")
    expect(refusal("A".repeat(4 * Math.ceil(imageLimits.bytes / 3) + 4))).toContain("has more than 10 MB")
    const many = Array.from({ length: imageLimits.count + 1 }, () => png([1, 2, 3], [1, 1]))
    expect(refusal(...many)).toBe("messages have 17 images, and 16 are taken")
  })

  it("does not stand behind its text", () => {
    const images = [{ at: 3, data: png([1, 2, 3]) }]
    expect(Either.isRight(checkImages([{ content: "abc", images }]))).toBe(true)
    expect(Either.flip(checkImages([{ content: "ab", images }]))).toMatchObject({
      right: { what: "messages[0].images[0].at is behind the end of the text" }
    })
  })

  it("is shown to engines that see, and refused by the name of the others", () => {
    const asked = { model: "minillama" }
    expect(blindTo(workerKinds, { ...asked, engine: KindId.make("llama-server") })).toBeUndefined()
    expect(blindTo(workerKinds, asked)?.message).toBe(
      'the model is shown no images: its engine is llama. Ask an entry that has engine = "llama-server" (docs/engines.md), or leave them out'
    )
  })
})
