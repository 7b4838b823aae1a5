/** What a header alone is refused for: what llama.cpp would end its process over, and what is not served. */
import { describe, expect, it } from "vitest"
import { readGguf } from "../../src/machines/formats/gguf/gguf.ts"
import { families, type FamilyFile, familyFile, familyHeader } from "../support/families/index.ts"
import { measuringFile } from "../support/families/measuring.ts"
import type { Entries, Tensor } from "../support/gguf-container.ts"

type Change = Partial<Pick<FamilyFile, "tensors">> & {
  readonly set?: Entries
  readonly without?: RegExp
  readonly renamed?: string
}

const read = (architecture: string, { renamed, set = [], tensors, without = /^$/ }: Change = {}) => {
  const file = familyFile(architecture)
  const changed = new Map(set)
  const metadata: Entries = [
    ...file.metadata.filter(([name]) => !changed.has(name) && !without.test(name)),
    ...changed
  ].map(([name, value]) =>
    renamed === undefined
      ? [name, value]
      : name === "general.architecture"
        ? [name, { text: renamed }]
        : [name.replace(`${architecture}.`, `${renamed}.`), value]
  )
  const { bytes, fileBytes } = familyHeader({ metadata, tensors: tensors ?? file.tensors })
  return readGguf(bytes, fileBytes)
}
const plain = (name: string, ...rest: [number, ...Array<number>]): Tensor => ({ name, shape: rest, type: "f32" })
const llama = familyFile("llama")
const words = llama.vocabulary.map(({ text }) => text)

describe("A header", () => {
  it.each([...families.keys()])("of %s is taken as it is", (architecture) => {
    expect(read(architecture)).toMatchObject({ _tag: "Model", facts: { architecture } })
  })

  const architectures: ReadonlyArray<readonly [renamed: string, why: RegExp]> = [
    ["bert", /embedding model \(bert\)/],
    ["nomic-bert", /embedding model/],
    ["nomic-bert-moe", /embedding model/],
    ["jina-bert-v2", /embedding model/],
    ["modern-bert", /embedding model/],
    ["eurobert", /embedding model/],
    ["gemma-embedding", /embedding model/],
    ["llama-embed", /embedding model/],
    ["t5encoder", /T5/],
    ["t5", /T5/],
    ["clip", /projector/],
    ["controlvector", /control vector/],
    ["eagle3", /draft/],
    ["dflash", /draft/],
    ["gemma4-assistant", /draft/],
    ["wavtokenizer-dec", /speech/],
    ["llada", /diffusion/]
  ]
  it.each(architectures)("of %s is refused as what it is", (renamed, why) => {
    expect(read("llama", { renamed })).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(why) })
  })

  const measuring: ReadonlyArray<readonly [what: string, change: Change, measures: object]> = [
    [
      "whose vectors are of the last token",
      { set: [["qwen3.pooling_type", { u32: 3 }]] },
      { purpose: "embeddings", isEncoder: false, isWhole: false }
    ],
    [
      "whose vectors are means",
      { set: [["qwen3.pooling_type", { u32: 1 }]] },
      { purpose: "embeddings", isEncoder: false, isWhole: true }
    ],
    [
      "whose tokens look both ways",
      {
        set: [
          ["qwen3.pooling_type", { u32: 3 }],
          ["qwen3.attention.causal", { bool: false }]
        ]
      },
      { purpose: "embeddings", isEncoder: false, isWhole: true }
    ],
    [
      "that ranks",
      { set: [["qwen3.pooling_type", { u32: 4 }]] },
      { purpose: "reranking", isEncoder: false, isWhole: false }
    ],
    [
      "with labels",
      { set: [["qwen3.classifier.output_labels", { texts: ["yes", "no"] }]] },
      { purpose: "reranking", isEncoder: false, isWhole: false }
    ],
    [
      "with a classifier",
      { tensors: [...familyFile("qwen3").tensors, plain("cls.output.weight", 64, 2)] },
      { purpose: "reranking", isEncoder: false, isWhole: false }
    ]
  ]
  it.each(measuring)("of a model %s is taken as one that writes nothing", (_, change, measures) => {
    expect(read("qwen3", change)).toMatchObject({ _tag: "Model", facts: { measures } })
  })

  it.each(["mean", "cls", "last", "rank"] as const)("of BERT is taken with its pooling: %s", (pooling) => {
    const { bytes, fileBytes } = familyHeader(measuringFile({ pooling }))
    expect(readGguf(bytes, fileBytes)).toMatchObject({
      _tag: "Model",
      facts: { measures: { purpose: pooling === "rank" ? "reranking" : "embeddings", isEncoder: true, isWhole: true } }
    })
  })

  const refused: ReadonlyArray<readonly [what: string, architecture: string, change: Change, why: RegExp]> = [
    ["that is not causal", "llama", { set: [["llama.attention.causal", { bool: false }]] }, /embedding model/],
    ["of a LoRA", "llama", { set: [["general.type", { text: "adapter" }]] }, /LoRA/],
    ["of an old LoRA", "llama", { tensors: [plain("blk.0.attn_q.weight.lora_a", 64, 8)] }, /LoRA/],
    ["of an imatrix", "llama", { set: [["general.type", { text: "imatrix" }]] }, /imatrix/],
    ["of an unnamed imatrix", "llama", { tensors: [plain("blk.0.attn_q.weight.in_sum2", 64)] }, /imatrix/],
    ["of a projector", "llama", { set: [["general.type", { text: "mmproj" }]] }, /projector/],
    ["of an unnamed projector", "llama", { tensors: [plain("v.blk.0.attn_q.weight", 64, 64)] }, /projector/],
    ["of a draft head alone", "glm4moe", { tensors: [plain("blk.2.nextn.eh_proj.weight", 128, 64)] }, /draft/],
    ["without a tokenizer", "llama", { without: /tokenizer\.ggml\.model/ }, /no tokenizer/],
    [
      "with no vocabulary on purpose",
      "llama",
      { set: [["tokenizer.ggml.model", { text: "no_vocab" }]] },
      /no tokenizer/
    ],
    ["without a vocabulary", "llama", { without: /tokenizer\.ggml\.tokens/ }, /no vocabulary/],
    ["with an empty vocabulary", "llama", { set: [["tokenizer.ggml.tokens", { texts: [] }]] }, /no vocabulary/],
    [
      "with a word twice",
      "llama",
      { set: [["tokenizer.ggml.tokens", { texts: words.with(300, words[270] ?? "") }]] },
      /has the word ".+" twice/
    ],
    [
      "with a word that is another's up to its zero byte",
      "llama",
      { set: [["tokenizer.ggml.tokens", { texts: words.with(300, `${words[270]}\0x`) }]] },
      /twice/
    ],
    [
      "with a vocabulary of numbers",
      "llama",
      { set: [["tokenizer.ggml.tokens", { i32s: [1, 2] }]] },
      /no list of words/
    ],
    ["with a context of 0", "llama", { set: [["llama.context_length", { u32: 0 }]] }, /trained on 0 tokens/],
    ["with a negative context", "llama", { set: [["llama.context_length", { f32: -5 }]] }, /out of range/],
    ["with half a token", "llama", { set: [["llama.context_length", { f32: 0.5 }]] }, /out of range/],
    ["without layers", "llama", { set: [["llama.block_count", { u32: 0 }]] }, /no layers/],
    ["with too many layers", "llama", { set: [["llama.block_count", { u32: 513 }]] }, /block_count is 513/],
    ["with more experts used", "qwen3moe", { set: [["qwen3moe.expert_used_count", { u32: 8 }]] }, /8 of 4 experts/],
    ["with no expert used", "qwen3moe", { set: [["qwen3moe.expert_used_count", { u32: 0 }]] }, /none of its 4/],
    ["with experts used of none", "llama", { set: [["llama.expert_used_count", { u32: 2 }]] }, /2 of 0 experts/],
    ["with too many experts", "qwen3moe", { set: [["qwen3moe.expert_count", { u32: 2000 }]] }, /out of range/],
    ["with groups that divide badly", "qwen3moe", { set: [["qwen3moe.expert_group_count", { u32: 3 }]] }, /3 groups/],
    [
      "with heads that divide badly",
      "llama",
      {
        set: [
          ["llama.attention.head_count", { u32: 3 }],
          ["llama.attention.head_count_kv", { u32: 2 }]
        ]
      },
      /3 heads share 2/
    ],
    [
      "that rotates more than a head",
      "llama",
      { set: [["llama.rope.dimension_count", { u32: 4096 }]] },
      /4096 of the 32/
    ],
    ["that rotates half a pair", "llama", { set: [["llama.rope.dimension_count", { u32: 7 }]] }, /7 of the 32/],
    [
      "with shared caches of nobody",
      "gemma4",
      { set: [["gemma4.attention.shared_kv_layers", { u32: 5 }]] },
      /share the caches/
    ],
    [
      "with heads that its tensors do not have",
      "starcoder2",
      { set: [["starcoder2.attention.head_count", { u32: 4 }]] },
      /not made for them/
    ],
    [
      "with heads that its fused tensors do not have",
      "phi3",
      { set: [["phi3.attention.head_count", { u32: 3 }]] },
      /not made for them/
    ],
    ["with a key of another length", "qwen2", { set: [["qwen2.attention.key_length", { u32: 7 }]] }, /must be as many/],
    [
      "with more than one compressed key",
      "kimi-linear",
      { set: [["kimi-linear.attention.head_count_kv", { u32s: [0, 2] }]] },
      /not made for them/
    ],
    ["with a key that its tensors do not have", "deepseek2", { without: /key_length$/ }, /not made for them/],
    [
      "with states of another length",
      "qwen35",
      { set: [["qwen35.ssm.inner_size", { u32: 256 }]] },
      /states are 256 wide/
    ],
    [
      "with a norm that divides by nothing",
      "llama",
      { set: [["llama.attention.layer_norm_rms_epsilon", { f32: -1 }]] },
      /epsilon is -1/
    ],
    [
      "with a norm of no number",
      "llama",
      { set: [["llama.attention.layer_norm_rms_epsilon", { f32: NaN }]] },
      /epsilon is NaN/
    ],
    [
      "with the tokenizer of an embedding model",
      "llama",
      { set: [["tokenizer.ggml.model", { text: "bert" }]] },
      /embedding model/
    ],
    [
      "with keys longer than values",
      "command-r",
      { set: [["command-r.attention.key_length", { u32: 16 }]] },
      /must be as many/
    ],
    ["with experts chosen by nothing", "minimax-m2", { without: /gating/ }, /how its experts are chosen/],
    [
      "with experts chosen by a way that is none",
      "deepseek2",
      { set: [["deepseek2.expert_gating_func", { u32: 9 }]] },
      /is 9/
    ],
    [
      "with a window that rotates too much",
      "gemma4",
      { set: [["gemma4.rope.dimension_count_swa", { u32: 64 }]] },
      /64 of the 32/
    ],
    [
      "with sections that rotate too much",
      "qwen35",
      { set: [["qwen35.rope.dimension_sections", { i32s: [33, 4, 4, 0] }]] },
      /41 of the 32/
    ],
    ["with a width that heads do not divide", "rwkv7", { set: [["rwkv7.wkv.head_size", { u32: 31 }]] }, /heads of 31/],
    [
      "with heads that are computed beyond their end",
      "rwkv7",
      { set: [["rwkv7.wkv.head_size", { u32: 32 }]] },
      /heads of 32/
    ],
    [
      "of a layer without attention",
      "phi3",
      { tensors: familyFile("phi3").tensors.filter(({ name }) => name !== "blk.1.attn_qkv.weight") },
      /layer 1 has no attention/
    ],
    [
      "of a layer with a state and nothing that makes it",
      "qwen35",
      { tensors: familyFile("qwen35").tensors.filter(({ name }) => name !== "blk.2.attn_qkv.weight") },
      /layer 2 is not whole/
    ],
    [
      "of a layer with a state and no gate",
      "qwen35",
      { tensors: familyFile("qwen35").tensors.filter(({ name }) => name !== "blk.2.attn_gate.weight") },
      /layer 2 is not whole/
    ],
    [
      "with short heads that rotate as much as long ones",
      "gemma4",
      { without: /rope\.dimension_count_swa$/ },
      /elements of a head with a window are rotated/
    ],
    ["with an alignment of 0", "llama", { set: [["general.alignment", { u32: 0 }]] }, /aligned to 0/],
    ["with an odd alignment", "llama", { set: [["general.alignment", { u32: 24 }]] }, /no power of two/],
    ["with other embeddings", "llama", { set: [["llama.embedding_length", { u32: 128 }]] }, /128 elements.*64/],
    ["without embeddings", "llama", { tensors: llama.tensors.slice(1) }, /token_embd.weight is missing/],
    ["with a tensor twice", "llama", { tensors: [...llama.tensors, ...llama.tensors.slice(0, 1)] }, /there twice/],
    [
      "with an empty tensor",
      "llama",
      { tensors: [...llama.tensors, plain("x.weight", 64, 0)] },
      /impossible dimensions/
    ],
    ["with half a block", "llama", { tensors: [{ name: "x.weight", shape: [48, 2], type: "q8_0" }] }, /impossible/],
    ["with five dimensions", "llama", { tensors: [plain("x.weight", 2, 2, 2, 2, 2)] }, /too many dimensions/],
    ["with an endless tensor", "llama", { tensors: [plain("x".repeat(64), 2)] }, /name is too long/]
  ]
  it.each(refused)("%s is refused", (_, architecture, change, why) => {
    expect(read(architecture, change)).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(why) })
  })

  it("whose tensors do not lie one after the other is refused", () => {
    const { bytes, fileBytes } = familyHeader(llama)
    const last = Buffer.from(bytes)
    const name = Buffer.from("output_norm.weight")
    // after its name, its rank, its one dimension and its type
    last.writeBigUInt64LE(0n, last.indexOf(name) + name.length + 4 + 8 + 4)
    expect(readGguf(last, fileBytes)).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(/does not lie/) })
  })

  it.each([
    ["gpt2", true],
    ["llama", true],
    ["gemma4", true],
    ["plamo2", true],
    ["rwkv", true],
    ["bert", false],
    ["t5", false]
  ] as const)("says how many bytes a token of %s has at most only where its tokens spell: %s", (model, spells) => {
    const result = read("llama", { set: [["tokenizer.ggml.model", { text: model }]] })
    expect(result._tag === "Model" && result.facts.tokenBytes !== undefined).toBe(spells)
  })

  it("is of a part where there are two or more, and only the first has to say what they have in common", () => {
    const split = (count: number, index: number) =>
      read("llama", {
        set: [
          ["split.count", { u16: count }],
          ["split.no", { u16: index }]
        ]
      })
    expect(split(1, 0)).not.toHaveProperty("split")
    expect(split(2, 0)).toMatchObject({ _tag: "Model", split: { index: 0, count: 2 } })
    expect(split(2, 1)).toMatchObject({ _tag: "Model", split: { index: 1, count: 2 } })
    const nameless = (index: number) =>
      read("llama", {
        set: [
          ["split.count", { u16: 2 }],
          ["split.no", { u16: index }]
        ],
        without: /^general\.architecture$/
      })
    expect(nameless(0)).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(/names no architecture/) })
    expect(nameless(1)).toMatchObject({ _tag: "Model" })
  })

  it.each([64, 1 << 20])("may have its tensors aligned to %i bytes", (alignment) => {
    const said = read("llama", { set: [["general.alignment", { u32: alignment }]] })
    expect(said._tag === "Invalid" ? said.reason : "").not.toMatch(/power of two/)
  })
  it.each([0, 16, 33, 96])("may not have them aligned to %i", (alignment) => {
    expect(read("llama", { set: [["general.alignment", { u32: alignment }]] })).toMatchObject({
      _tag: "Invalid",
      reason: expect.stringMatching(/no power of two/)
    })
  })

  it.each([
    [0, "F32"],
    [1, "F16"],
    [2, "Q4_0"],
    [7, "Q8_0"],
    [10, "Q2_K"],
    [12, "Q3_K_M"],
    [15, "Q4_K_M"],
    [17, "Q5_K_M"],
    [18, "Q6_K"],
    [20, "IQ2_XS"],
    [30, "IQ4_XS"],
    [32, "BF16"],
    [38, "MXFP4"],
    [4, "unknown"]
  ])("of the type %i is of a model of %s", (type, quantization) => {
    expect(read("llama", { set: [["general.file_type", { u32: type }]] })).toMatchObject({ facts: { quantization } })
  })

  it.each(["imatrixed", "controlvectors", "dreamer", "t5x", "clipper"])(
    "of a family whose name only begins like another's, %s, is taken for no other",
    (renamed) => {
      const said = read("llama", { renamed })
      expect(said._tag === "Invalid" ? said.reason : "").not.toMatch(/matrix|vector|diffusion|T5|projector/)
    }
  )

  it("of a model with empty words is taken: the engine names them", () => {
    const change = { set: [["tokenizer.ggml.tokens", { texts: words.with(300, "").with(301, "") }]] } as const
    expect(read("llama", change)._tag).toBe("Model")
  })

  it.each<[string, string, RegExp]>([
    ["a pointer of Git LFS", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", /Git LFS/],
    ["a web page", "<!DOCTYPE html><html>", /web page/],
    ["an archive", "PK\x03\x04 and more of it", /archive/],
    ["safetensors", '\x10\0\0\0\0\0\0\0{"__metadata__":{}}', /safetensors/],
    ["nothing that is known", '0123456789{"a":1}', /^it is not a GGUF file$/],
    ["a file of before", "lmgg and more of it", /before GGUF/],
    ["a web page after a blank line", "\n  <html>", /web page/],
    ["for the other byte order", "GGUF\0\0\0\x03 and more of it", /other byte order/],
    ["for the other byte order, and older", "GGUF\0\0\0\x02 and more of it", /other byte order/],
    ["of a version that is not known", "GGUF\x01\0\0\0 and more of it", /version 1, known are 2 and 3/]
  ])("that is %s is refused as what it is", (_, text, why) => {
    const bytes = Buffer.from(text, "latin1")
    expect(readGguf(bytes, bytes.length)).toMatchObject({ _tag: "Invalid", reason: expect.stringMatching(why) })
  })
})
