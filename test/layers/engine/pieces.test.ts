/** What tokens say: every vocabulary gives back the text that it was given, byte for byte. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "@effect/vitest"
import type { AddonModel } from "../../../src/layers/engine/llama/addon.ts"
import { Pieces, Utf8Stream } from "../../../src/layers/engine/llama/reading/pieces.ts"
import { loadRuntime } from "../../../src/layers/engine/llama/runtime.ts"
import { readGguf } from "../../../src/machines/formats/gguf/gguf.ts"
import { HARD_TEXTS, randomTexts } from "../../support/texts.ts"
import { PRE_TOKENIZERS, SPACED_PRE_TOKENIZERS, vocabulary, vocabularyHeader } from "../../support/vocabularies.ts"

const opened: Array<AddonModel> = []
afterAll(() => Promise.all(opened.map((model) => model.dispose())))

const open = async (path: string): Promise<AddonModel> => {
  const { addon } = await loadRuntime({ gpu: "cpu" })
  const model = new addon.AddonModel(path, { addonExports: addon, gpuLayers: 0, useMmap: true, vocabOnly: true })
  opened.push(model)
  expect(await model.init()).toBe(true)
  return model
}

/** The text that a reader gets, checked for broken characters in each part. */
const streamed = (pieces: Pieces, tokens: Iterable<number>, after?: number): string => {
  const stream = new Utf8Stream(pieces, after)
  let text = ""
  for (const token of tokens) {
    const part = stream.push(token)
    if (Buffer.from(part).toString() !== part) throw new Error(`a broken character in ${JSON.stringify(part)}`)
    text += part
  }
  return text
}

const bytesOf = (piece: string | Uint8Array): Uint8Array => Buffer.from(piece)

/** those texts that do not come back as they were, and what came */
const changed = (model: AddonModel, texts: ReadonlyArray<string>, expected = (text: string): string => text) => {
  const pieces = new Pieces(model)
  return texts
    .map((text) => [expected(text), streamed(pieces, model.tokenize(text, false)), text] as const)
    .filter(([wanted, got]) => wanted !== got)
    .slice(0, 3)
}

/** `▁` is how such a vocabulary spells a space: it cannot say one */
const withoutMark = (text: string): string => text.replaceAll("\u2581", " ")

describe("a generated vocabulary gives back every text that it reads:", () => {
  const texts = [...HARD_TEXTS, ...randomTexts(60, 1)]

  it("byte-level BPE, with each pre-tokenizer that llama.cpp knows", async () => {
    for (const pre of PRE_TOKENIZERS) {
      expect([pre, changed(await open(await vocabulary({ pre })), texts)]).toEqual([pre, []])
    }
  })

  it("BPE that spells a space as SentencePiece does", async () => {
    for (const pre of SPACED_PRE_TOKENIZERS) {
      expect([pre, changed(await open(await vocabulary({ pre })), texts, withoutMark)]).toEqual([pre, []])
    }
  })

  for (const kind of ["spm", "spm with a space before", "rwkv", "plamo2"] as const) {
    it(kind, async () => {
      const model = await open(await vocabulary(kind))
      expect(changed(model, texts, kind.startsWith("spm") ? withoutMark : undefined)).toEqual([])
    })
  }
})

describe("a vocabulary that folds its texts says its words", () => {
  it("word piece", async () => {
    const model = await open(await vocabulary("word piece"))
    expect(streamed(new Pieces(model), model.tokenize("Hello worlds !", false), 4)).toBe(" hello worlds !")
  })

  it("unigram", async () => {
    const model = await open(await vocabulary("unigram"))
    expect(streamed(new Pieces(model), model.tokenize("hello world, bee", false))).toBe("hello world, bee")
  })
})

describe("a token", () => {
  const idOf = (model: AddonModel, text: string): number => {
    for (let id = 0; id < 300; id++) if (model.getTokenString(id) === text) return id
    throw new Error(`no token ${text}`)
  }

  it("that steers the model is not to be seen, and is spelt out", async () => {
    for (const path of [await vocabulary({ pre: "llama-bpe" }), await vocabulary("spm")]) {
      const model = await open(path)
      const pieces = new Pieces(model)
      for (const text of ["<s>", "<|im_start|>", "<unk>", "[PAD4]"]) {
        expect([pieces.visible(idOf(model, text)), pieces.spelt(idOf(model, text))]).toEqual(["", text])
      }
      expect(pieces.visible(idOf(model, "<tool_call>"))).toBe("<tool_call>")
    }
  })

  it("keeps the space before it in the middle of a text, and after a prompt's words", async () => {
    const model = await open(await vocabulary("spm with a space before"))
    const pieces = new Pieces(model)
    const [add] = model.tokenize("add", false)
    const [control] = model.tokenize("</s>", true)
    if (add === undefined || control === undefined) throw new Error("no token")
    expect(streamed(pieces, [add, add])).toBe("add add")
    expect(streamed(pieces, [add], add)).toBe(" add")
    expect(streamed(pieces, [add], control)).toBe("add")
  })

  it("of another maker's spelling is said as it stands", async () => {
    const model = await open(await vocabulary({ pre: "gpt-2" }))
    expect(new Pieces(model).visible(idOf(model, "日本 raw"))).toBe("日本 raw")
  })
})

/** bytes that a token stands for at most: by the header of a model's first part, and by all tokens of the vocabulary */
const bounds = async (name: Parameters<typeof vocabulary>[0]) => {
  const part = vocabularyHeader(name, [
    ["split.no", { u16: 0 }],
    ["split.count", { u16: 2 }]
  ])
  const header = readGguf(part, part.length)
  if (header._tag !== "Model") throw new Error(JSON.stringify(header))
  const { tokenBytes, vocabulary: count } = header.facts
  return { told: tokenBytes, longest: await new Pieces(await open(await vocabulary(name))).longest(count) }
}

describe("the header's bound on the bytes of a token", () => {
  it("holds for all tokens of each vocabulary", async () => {
    const kinds = [...PRE_TOKENIZERS, ...SPACED_PRE_TOKENIZERS].map((pre) => ({ pre }))
    for (const kind of [...kinds, "spm", "spm with a space before", "rwkv", "plamo2"] as const) {
      const { longest, told } = await bounds(kind)
      expect([kind, told !== undefined && told >= (longest ?? Infinity)]).toEqual([kind, true])
    }
  })

  it("is not there where an unknown word is one token, however long", async () => {
    expect(await bounds("unigram")).toEqual({ told: undefined, longest: undefined })
  })
})

/** Public vocabularies with their makers' texts and ids: a folder of theirs that this variable names. */
const families = process.env["RBEE_TEST_FAMILIES"]

describe.runIf(families !== undefined)("a public vocabulary", () => {
  const folder = join(families ?? "", "vocabularies")
  const files = families === undefined ? [] : readdirSync(folder).filter((name) => name.endsWith(".gguf"))
  const cases = (file: string): ReadonlyArray<string> =>
    readFileSync(join(folder, `${file}.inp`), "utf8").split("\n__ggml_vocab_test__\n")

  const sayable = (model: AddonModel, texts: ReadonlyArray<string>): ReadonlyArray<string> => {
    const pieces = new Pieces(model)
    // Three of them have no token for some bytes; what holds such a byte is lost when it is read.
    const lost = new Set<number>()
    for (let byte = 0; byte < 0xf5; byte++) {
      const text = byte < 0x80 ? String.fromCharCode(byte) : leadBy(byte)
      if (text === undefined) continue
      const read = Buffer.concat(Array.from(model.tokenize(text, false), (token) => bytesOf(pieces.spelt(token))))
      if (!read.includes(byte)) lost.add(byte)
    }
    return texts.map((text) => [...text].filter((one) => !Buffer.from(one).some((byte) => lost.has(byte))).join(""))
  }
  /** a character that begins with this byte */
  const leadBy = (byte: number): string | undefined => {
    const text = Buffer.from([byte, 0x90, 0x90, 0x90].slice(0, byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4)).toString()
    return byte < 0xc2 || text.includes("\uFFFD") ? undefined : text
  }

  for (const file of files) {
    const bert = file.includes("bert")
    it.runIf(!bert)(`gives back every text: ${file}`, async () => {
      const model = await open(join(folder, file))
      const marks = /spm|phi-3|gemma/.test(file) ? withoutMark : undefined
      expect(changed(model, [...cases(file), ...HARD_TEXTS], marks)).toEqual([])
      expect(changed(model, sayable(model, randomTexts(10_000, 7)), marks)).toEqual([])
    })

    it(`has the ids of its makers: ${file}`, async () => {
      const model = await open(join(folder, file))
      const ids = readFileSync(join(folder, `${file}.out`), "utf8").split("\n")
      for (const [i, text] of cases(file).entries()) {
        expect(Array.from(model.tokenize(text, false)).join(" ")).toBe(ids[i]?.trim())
      }
    })
  }
})
