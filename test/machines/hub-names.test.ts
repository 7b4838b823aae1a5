/** Names as authors of real repositories write them; no rule says how. */
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import { candidatesOf, choose as chooseOf } from "../../src/machines/formats/hub-files.ts"
import { besideOf, quantOf } from "../../src/machines/formats/hub-names.ts"
import { parseModelRef } from "../../src/machines/formats/model-ref.ts"

const choose = (text: string, paths: ReadonlyArray<string>): string => {
  const ref = Either.getOrThrow(parseModelRef(text))
  if (ref._tag !== "Hub") throw new Error(`${text} is no reference to a hub`)
  const listing = paths.map((path) => ({ path, bytes: 1, sha256: undefined }))
  return Either.match(candidatesOf(ref, listing), {
    onLeft: ({ what }) => what,
    onRight: (candidates) => chooseOf(candidates, () => true).model.files[0].path
  })
}

describe("The quantisation in a name", () => {
  it.each([
    ["Qwen3-8B-Q4_K_M.gguf", "Q4_K_M"],
    ["llama-2-7b-chat.Q4_K_M.gguf", "Q4_K_M"],
    ["tinyllama-1.1b.q8_0.gguf", "Q8_0"],
    ["Qwen3-VL-8B-Thinking-heretic.i1-Q4_K_M.gguf", "Q4_K_M"],
    ["Lumimaid-v0.2-8B-Q5_K_M-imat.gguf", "Q5_K_M"],
    ["TieFighter-Holodeck-20B-IQ2_M-imat.gguf", "IQ2_M"],
    ["medpsy-1.7b-q4_k_m-imat.gguf", "Q4_K_M"],
    ["Kunoichi-7B-Q4_K_M-imatrix.gguf", "Q4_K_M"],
    ["q4_0-sheared-llama-2.7b.gguf", "Q4_0"],
    ["Qwen3-Coder-30B-A3B-Instruct-UD-Q4_K_XL.gguf", "Q4_K_XL"],
    ["UD-Q4_K_XL/Qwen3-235B-UD-Q4_K_XL-00001-of-00003.gguf", "Q4_K_XL"],
    ["Q4_K_M/DeepSeek-V3-00001-of-00009.gguf", "Q4_K_M"],
    ["BF16/Kimi-K2-Instruct-BF16-00001-of-00045.gguf", "BF16"],
    ["Q8_0/model.gguf", "Q8_0"],
    ["llama-translate.f16.Q4_K_M.gguf", "Q4_K_M"],
    ["Mistral-7B.f16.q6_k.gguf", "Q6_K"],
    ["phi-2-fp16.gguf", "F16"],
    ["ggml-model-f32.gguf", "F32"],
    ["ggml-model-q4_k.gguf", "Q4_K"],
    ["model-q4km.gguf", "Q4_K_M"],
    ["model-Q4-K-M.gguf", "Q4_K_M"],
    ["model Q5_K_S (fixed).gguf", "Q5_K_S"],
    ["model[Q6_K].gguf", "Q6_K"],
    ["surgical_copilot_Q_6.gguf", "Q6"],
    ["qwen2.5-coder-q8.gguf", "Q8"],
    ["gpt-oss-20b-mxfp4.gguf", "MXFP4"],
    ["Qwen3-Next-80B-A3B-Instruct-1M-MXFP4_MOE.gguf", "MXFP4_MOE"],
    ["Nemotron-3-Nano-30B-NVFP4.gguf", "NVFP4"],
    ["DeepSeek-R1-UD-IQ1_S-00001-of-00003.gguf", "IQ1_S"],
    ["TriLM_3.9B_Unpacked-TQ1_0.gguf", "TQ1_0"],
    ["bitnet-b1.58-2B-tq2_0.gguf", "TQ2_0"],
    ["gemma-2-9b-it-Q4_0_4_8.gguf", "Q4_0_4_8"],
    ["DeepSeek-V3-IQ4_KSS.gguf", "IQ4_KSS"],
    ["Model-Q8_K_P.gguf", "Q8_K_P"],
    ["Qwen3.8-27B-Uncensored-Q4_K_M-v2.gguf", "Q4_K_M"],
    ["Model-Q4_K_M-MTP.gguf", "Q4_K_M"],
    ["QwQ-32B.gguf", undefined],
    ["gemma-4-26B-A4B-APEX-Compact.gguf", undefined],
    ["Qwen2-0.5B.gguf", undefined]
  ])("%s: %s", (path, quant) => expect(quantOf(path)).toBe(quant))
})

describe("What lies beside a model", () => {
  it.each([
    ["mmproj-F16.gguf", "projector"],
    ["mmproj-model-f16.gguf", "projector"],
    ["Qwen2-VL-7B-Instruct-mmproj-f16.gguf", "projector"],
    ["MiniCPM.mmproj-Q8_0.gguf", "projector"],
    ["projector-F16.gguf", "projector"],
    ["mm-proj-F16.gguf", "projector"],
    ["Qwen2-VL-mm_projector.gguf", "projector"],
    ["imatrix.gguf", "matrix"],
    ["imatrix_unsloth.gguf", "matrix"],
    ["Llama-3.2-3B-imatrix.gguf", "matrix"],
    ["model.imatrix.gguf", "matrix"],
    ["imatrix-Q4_K_M.gguf", "matrix"],
    ["MTP-Q8_0.gguf", "draft"],
    ["mtp-draft-Q4_0.gguf", "draft"],
    ["MTP/gemma-4-26B-A4B-it-MTP-Q8_0.gguf", "draft"],
    ["Qwen3.8-27B-Uncensored-draft-Q4_0.gguf", "draft"],
    ["Qwen3-Coder-Instruct-DRAFT-0.75B-32k-Q4_0.gguf", "draft"],
    ["model-specdraft-q4_0.gguf", "draft"],
    ["Aggressive-FastMTP-32K.gguf", "draft"],
    ["eagle3-gpt-oss-20b-Q8_0.gguf", "draft"],
    ["EAGLE-LLaMA3-Instruct-8B-F16.gguf", "draft"],
    ["dflash-Glim-30B-Q4_K_M.gguf", "draft"],
    ["gemma-4-31B-it-assistant-Q4_0.gguf", "draft"],
    ["TinyLlama-1.1B-Chat-v1.0-lora-f16.gguf", "adapter"],
    ["ggml-adapter-model.gguf", "adapter"],
    ["loras/newton-f16.gguf", "adapter"],
    ["agi-answerer-qlora-f16.gguf", "adapter"],
    ["control_vector.gguf", "control vector"],
    ["mistral-7b-happy-control-vector.gguf", "control vector"],
    ["ggml-vocab-llama-bpe.gguf", "vocabulary"],
    ["tokenizer.gguf", "vocabulary"],
    ["wavtokenizer-large-75-f16.gguf", "sound"]
  ])("%s is by its name %s", (path, kind) => expect(besideOf(path)?.kind).toContain(kind))

  it.each([
    "Kuno-imatrix-Q4_K_M.gguf",
    "Kunoichi-7B-Q4_K_M-imatrix.gguf",
    "imatrix/Llama-8B-Q4_K_M.gguf",
    "Eagle-7B-Q4_K_M.gguf",
    "RWKV-v5-Eagle-7B-HF-Q8_0.gguf",
    "Medusa-1.1-L2-7B.Q4_K_M.gguf",
    "Assistant-Pepe-8B-Q4_K_M.gguf",
    "Llama-3-8B-LoRA-merged-Q4_K_M.gguf",
    "Adaptive-Tokens-8B-Q4_K_M.gguf",
    "Model-no-mmproj-Q4_K_M.gguf",
    "Draftsman-8B-Q4_K_M.gguf",
    "Qwen3.8-27B-noMTP-Q8_0.gguf"
  ])("%s is nothing but a model", (path) => expect(besideOf(path)).toBeUndefined())
})

describe("The model that is meant", () => {
  it.each([
    ["HF:a/b", ["Glim-Dynamic-Q4_K_XL.gguf", "dflash-Glim-Q4_K_M.gguf", "mmproj-Glim-Q4_K_M.gguf"], 0],
    ["HF:a/b:Q4_K_M", ["Glim-17GB-Q4_K_M.gguf", "dflash-Glim-Q4_K_M.gguf"], 0],
    ["HF:a/b:Q4_0", ["Model-Q4_0.gguf", "mtp-Q4_0.gguf"], 0],
    ["HF:a/b", ["Kuno-imatrix-Q4_K_M.gguf"], 0],
    ["HF:a/b:Q4_K_M", ["Kuno-imatrix-Q4_K_M.gguf", "imatrix.gguf"], 0],
    ["HF:a/b", ["Draft-Poet-7B-Q4_K_M.gguf", "Draft-Poet-7B-Q8_0.gguf", "mmproj-F16.gguf"], 0],
    ["HF:a/b:Q4_K_M", ["Draft-Poet-7B-Q4_K_M.gguf", "draft-Draft-Poet-7B-Q4_K_M.gguf"], 0],
    ["HF:a/b", ["Eagle-7B-Q4_K_M.gguf", "Eagle-7B-draft-Q4_K_M.gguf"], 0],
    ["HF:a/b:Q8_0", ["Qwen3.6-27B-MTP-Q8_0.gguf", "mmproj-F16.gguf"], 0],
    ["HF:a/b:Q4_K_M", ["Qwen3.6-27B-MTP-Q4_K_M.gguf", "mtp-Qwen3.6-27B-MTP-Q4_K_M.gguf"], 0],
    ["HF:a/b", ["Home-Assistant-3B-v3.q4_k_m.gguf"], 0],
    ["HF:a/b:Q8_0", ["MTP/g-it-MTP-Q8_0.gguf", "g-it-Q8_0.gguf"], 1],
    ["HF:a/b:Q8_0", ["Q-27B-noMTP-Q8_0.gguf", "Q-27B-Q8_0.gguf"], 1],
    ["HF:a/b:Q4_K_M", ["m.i1-Q4_K_M.gguf", "m.Q4_K_M.gguf"], 1],
    ["HF:a/b:i1-Q4_K_M", ["m.i1-Q4_K_M.gguf", "m.Q4_K_M.gguf"], 0],
    ["HF:a/b:Q4_K_M", ["m-Q4_K_M-imat.gguf", "m-Q4_K_M.gguf"], 1],
    ["HF:a/b:q4_k_m", ["Q4_K_M/m.gguf", "Q8_0/m.gguf"], 0],
    ["HF:a/b", ["Q8_0/m.gguf", "Q4_K_M/m.gguf"], 1],
    ["HF:a/b:FP16", ["m-F16.gguf", "m-BF16.gguf"], 0],
    ["HF:a/b:F16", ["m-fp16.gguf"], 0],
    ["HF:a/b:Q4", ["m-q4.gguf", "m-Q4_K_M.gguf"], 0],
    ["HF:a/b:COMPACT", ["g-APEX-Compact.gguf", "g-APEX-Quality.gguf"], 0],
    ["HF:a/b", ["g-APEX.gguf", "mmproj-F16.gguf", "lora-f16.gguf"], 0],
    ["HF:a/b:mmproj-F16.gguf", ["m-Q8_0.gguf", "mmproj-F16.gguf"], 1]
  ] as const)("%s of %j is number %i", (ref, paths, at) => expect(choose(ref, paths)).toBe(paths[at]))

  it("is none where there are only files that lie beside one, and each is said to be what it is", () => {
    const ref = Either.getOrThrow(parseModelRef("HF:a/b"))
    if (ref._tag !== "Hub") throw new Error("no reference to a hub")
    const files = ["mmproj-F16.gguf", "imatrix.gguf"].map((path) => ({ path, bytes: 1, sha256: undefined }))
    expect(Either.getOrThrow(Either.flip(candidatesOf(ref, files)))).toMatchObject({
      code: "MODEL_NOT_FOUND",
      what: "there is no model file in a/b",
      todo: "There are: mmproj-F16.gguf (by its name a projector of images or sound), imatrix.gguf (by its name an importance matrix)"
    })
  })

  it("is found among 200 000 files within seconds", () => {
    const many = Array.from({ length: 200_000 }, (_, i) => `step-${i}/Some-Model-${i}-7B-Q4_K_M.gguf`)
    const began = performance.now()
    expect(choose("HF:a/b:Q8_0", [...many, "m-Q8_0.gguf"])).toBe("m-Q8_0.gguf")
    expect(performance.now() - began).toBeLessThan(60_000)
  }, 120_000)
})
