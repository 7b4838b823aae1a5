/** A projector of random weights, as LLaVA's: what makes tokens of images for a model of some width. And images. */
import { writeFile } from "node:fs/promises"
import { deflateSync } from "node:zlib"
import { container, general, type Tensor } from "./gguf-container.ts"
import { cached } from "./gguf.ts"
import { fillTensor } from "./gguf-weights.ts"

const [side, patch, width, hidden, layers] = [28, 14, 32, 64, 2]
const GENERATOR = 1

const tensorsFor = (modelWidth: number): ReadonlyArray<Tensor> => {
  const matrix = (name: string, ...shape: readonly [number, ...ReadonlyArray<number>]): Tensor => ({
    name,
    shape,
    type: "f32"
  })
  const block = (at: number): ReadonlyArray<Tensor> => [
    ...["attn_q", "attn_k", "attn_v", "attn_out"].map((name) => matrix(`v.blk.${at}.${name}.weight`, width, width)),
    ...["ln1", "ln2"].map((name) => matrix(`v.blk.${at}.${name}.weight`, width)),
    ...["ln1", "ln2"].map((name) => matrix(`v.blk.${at}.${name}.bias`, width)),
    matrix(`v.blk.${at}.ffn_up.weight`, width, hidden),
    matrix(`v.blk.${at}.ffn_down.weight`, hidden, width)
  ]
  return [
    { name: "v.patch_embd.weight", shape: [patch, patch, 3, width], type: "f16" },
    matrix("v.position_embd.weight", width, (side / patch) ** 2),
    ...Array.from({ length: layers }, (_, at) => block(at)).flat(),
    matrix("mm.0.weight", width, modelWidth),
    matrix("mm.0.bias", modelWidth),
    matrix("mm.2.weight", modelWidth, modelWidth),
    matrix("mm.2.bias", modelWidth)
  ]
}

/** The path of one that goes with models of this width; another seed, other weights. */
export const projector = (modelWidth: number, seed = 1): Promise<string> =>
  cached(`mmproj-random-${modelWidth}-${seed}-${GENERATOR}.gguf`, async (path) => {
    const tensors = tensorsFor(modelWidth)
    const start = container(
      [
        ...general("clip", "f32"),
        ["general.type", { text: "mmproj" }],
        ["clip.has_vision_encoder", { bool: true }],
        ["clip.projector_type", { text: "mlp" }],
        ["clip.use_gelu", { bool: true }],
        ["clip.vision.image_size", { u32: side }],
        ["clip.vision.patch_size", { u32: patch }],
        ["clip.vision.embedding_length", { u32: width }],
        ["clip.vision.feed_forward_length", { u32: hidden }],
        ["clip.vision.block_count", { u32: layers }],
        ["clip.vision.projection_dim", { u32: modelWidth }],
        ["clip.vision.attention.head_count", { u32: 2 }],
        ["clip.vision.attention.layer_norm_epsilon", { f32: 1e-5 }],
        ["clip.vision.image_mean", { f32s: [0.5, 0.5, 0.5] }],
        ["clip.vision.image_std", { f32s: [0.25, 0.25, 0.25] }]
      ],
      tensors
    )
    await writeFile(path, Buffer.concat([start, ...tensors.map((tensor, at) => fillTensor({ seed }, [], tensor, at))]))
  })

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1
  return crc >>> 0
})
const crcOf = (bytes: Buffer): number =>
  (bytes.reduce((crc, byte) => (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0

const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(crcOf(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

/** A PNG whose pixels are this colour, in base64; by default as large as the projector sees. */
export const png = (colour: readonly [number, number, number], [columns, rows] = [side, side]): string => {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(columns, 0)
  head.writeUInt32BE(rows, 4)
  head.set([8, 2, 0, 0, 0], 8)
  const row = Buffer.concat([Buffer.from([0]), ...Array.from({ length: columns }, () => Buffer.from(colour))])
  const pixels = deflateSync(Buffer.concat(Array.from({ length: rows }, () => row)))
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0))
  ]).toString("base64")
}
