import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { candidatesOf, choose as chooseOf } from "../../src/machines/formats/hub-files.ts"
import { isSafePath } from "../../src/machines/formats/hub-names.ts"
import { workerKinds } from "../../src/machines/kinds/index.ts"
import { isModelFile } from "../../src/machines/kinds/kind.ts"
import { parseModelRef } from "../../src/machines/formats/model-ref.ts"

const listing = (...paths: ReadonlyArray<string>) =>
  paths.filter((path) => isModelFile(workerKinds, path)).map((path) => ({ path, bytes: 1, sha256: undefined }))
const hub = (text: string) => {
  const ref = Either.getOrThrow(parseModelRef(text))
  if (ref._tag !== "Hub") throw new Error(`${text} is no reference to a hub`)
  return ref
}
const choose = (text: string, ...paths: ReadonlyArray<string>) => {
  const ref = hub(text)
  return Either.match(candidatesOf(ref, listing(...paths)), {
    onLeft: (error) => error,
    onRight: (candidates) => chooseOf(candidates, () => true).model.files[0].path
  })
}

describe("Of a repository's files", () => {
  it.each([
    ["HF:a/b:Q8_0", ["m-Q4_K_M.gguf", "m-Q8_0.gguf"], "m-Q8_0.gguf"],
    ["HF:a/b:q8_0", ["m.q8_0.gguf", "m.q4_0.gguf"], "m.q8_0.gguf"],
    ["HF:a/b:Q4_K", ["m-Q4_K_M.gguf", "m-Q4_K.gguf"], "m-Q4_K.gguf"],
    ["HF:a/b:F16", ["m-BF16.gguf", "m-F16.gguf"], "m-F16.gguf"],
    ["HF:a/b:F16", ["mmproj-F16.gguf", "m-F16.gguf"], "m-F16.gguf"],
    ["HF:a/b:Q4_K_M", ["m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"], "m-Q4_K_M.gguf"],
    ["HF:a/b:UD-Q4_K_M", ["m-UD-Q4_K_M.gguf", "m-Q4_K_M.gguf"], "m-UD-Q4_K_M.gguf"],
    ["HF:a/b", ["m-UD-Q4_K_XL.gguf", "m-UD-Q2_K.gguf"], "m-UD-Q4_K_XL.gguf"],
    ["HF:a/b:sub/x.gguf", ["x.gguf", "sub/x.gguf"], "sub/x.gguf"],
    ["HF:a/b", ["README.md", "odd-name.gguf"], "odd-name.gguf"],
    ["HF:a/b", ["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-F16.gguf"], "m-Q4_K_M.gguf"],
    ["HF:a/b", ["m-F16.gguf", "m-Q8_0.gguf"], "m-Q8_0.gguf"],
    [
      "HF:a/b",
      ["m-Q2_K.gguf", "m-Q4_K_M-00002-of-00002.gguf", "m-Q4_K_M-00001-of-00002.gguf"],
      "m-Q4_K_M-00001-of-00002.gguf"
    ],
    [
      "HF:a/b:m-Q8_0-00002-of-00002.gguf",
      ["m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf"],
      "m-Q8_0-00001-of-00002.gguf"
    ],
    ["HF:a/b", ["m-Q4_K_M-00001-of-00002.gguf", "m-Q2_K.gguf"], "m-Q2_K.gguf"],
    ["HF:a/b:Q4", ["m-Q5_K_M.gguf", "m-Q4_0.gguf", "m-Q4_K_S.gguf"], "m-Q4_K_S.gguf"]
  ])("%s of %j is %s", (ref, paths, expected) => {
    expect(choose(ref, ...paths)).toBe(expected)
  })

  it("says what there is where nothing fits", () => {
    expect(choose("HF:a/b:Q5_0", "m-Q8_0.gguf")).toMatchObject({
      code: "MODEL_NOT_FOUND",
      todo: "There are: m-Q8_0.gguf"
    })
    expect(choose("HF:a/b", "README.md")).toMatchObject({ code: "MODEL_NOT_FOUND" })
    expect(choose("HF:a/b:Q8_0", "x-Q8_0.gguf", "y-Q8_0.gguf")).toMatchObject({
      code: "MODEL_NOT_FOUND",
      what: "HF:a/b:Q8_0 is ambiguous"
    })
  })

  it("the parts of a split one count as one model, in order, and only when all are there", () => {
    const parts = ["m-Q8_0-00003-of-00003.gguf", "m-Q8_0-00001-of-00003.gguf", "m-Q8_0-00002-of-00003.gguf"]
    const candidates = Either.getOrThrow(candidatesOf(hub("HF:a/b:Q8_0"), listing(...parts)))
    expect(candidates).toMatchObject([{ bytes: 3, name: "Q8_0" }])
    expect(candidates[0].files.map(({ path }) => path)).toEqual(parts.toSorted())
    expect(choose(`HF:a/b:${parts[0]}`, ...parts.slice(0, 2))).toMatchObject({
      code: "MODEL_NOT_FOUND",
      what: expect.stringContaining("is one of 3 files")
    })
  })

  it("the first in the order of preference that fits is taken, and the reason says what was passed over", () => {
    const sized = [
      ["m-F16.gguf", 16],
      ["m-Q4_K_M.gguf", 5],
      ["m-Q8_0.gguf", 9],
      ["m-Q2_K.gguf", 3]
    ] as const
    const files = sized.map(([path, bytes]) => ({ path, bytes, sha256: undefined }))
    const candidates = Either.getOrThrow(candidatesOf(hub("HF:a/b"), files))
    const within = (room: number) => {
      const { model, why } = chooseOf(candidates, ({ bytes }) => bytes <= room)
      return [model.files[0].path, why]
    }
    expect(within(100)).toEqual(["m-Q4_K_M.gguf", "Q4_K_M: the first in the order of preference that fits"])
    expect(within(4)).toEqual([
      "m-Q2_K.gguf",
      "Q2_K: the first in the order of preference that fits; too large: Q4_K_M, Q8_0"
    ])
    expect(within(2)).toEqual(["m-Q2_K.gguf", "Q2_K: the smallest, because none of Q4_K_M, Q8_0, Q2_K, F16 fits"])
  })

  it("takes no path that leads out of the cache", () => {
    for (const path of [
      "../x-Q8_0.gguf",
      "/x-Q8_0.gguf",
      "a//x-Q8_0.gguf",
      "a\\x-Q8_0.gguf",
      "C:x-Q8_0.gguf",
      "a/./b"
    ]) {
      expect(isSafePath(path)).toBe(false)
      expect(choose("HF:a/b:Q8_0", path)).toMatchObject({ code: "MODEL_NOT_FOUND" })
    }
    expect(isSafePath("a/b.c/x-Q8_0.gguf")).toBe(true)
  })
})
