/** The GGUF v3 container: named values, a table of tensors, and what comes before the weights. */

/** as ggml names them; `…_k` and `iq4_xs` need rows that 256 divides */
export type TensorType = keyof typeof types

export interface Tensor {
  readonly name: string
  /** the length of a row first, as GGUF has it */
  readonly shape: readonly [columns: number, ...rest: ReadonlyArray<number>]
  readonly type: TensorType
}

const ALIGNMENT = 32
/** ggml's number of a type, that of a file of it, elements of a block, and its bytes */
const types = {
  f32: [0, 0, 1, 4],
  f16: [1, 1, 1, 2],
  bf16: [30, 32, 1, 2],
  q8_0: [8, 7, 32, 34],
  q4_0: [2, 2, 32, 18],
  q2_k: [10, 10, 256, 84],
  q3_k: [11, 12, 256, 110],
  q4_k: [12, 14, 256, 144],
  q5_k: [13, 17, 256, 176],
  q6_k: [14, 18, 256, 210],
  iq4_xs: [23, 30, 256, 136]
} as const

/** elements, and bytes */
export const blockOf = (type: TensorType): readonly [elements: number, bytes: number] => [
  types[type][2],
  types[type][3]
]

export const elementsOf = ({ shape }: Tensor): number => shape.reduce((product, length) => product * length, 1)

export const bytesOf = (tensor: Tensor): number => {
  const [elements, bytes] = blockOf(tensor.type)
  return (elementsOf(tensor) / elements) * bytes
}

export const padded = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const f32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

export type Value =
  | { readonly u16: number }
  | { readonly u32: number }
  | { readonly i32: number }
  | { readonly u64: bigint }
  | { readonly f32: number }
  | { readonly bool: boolean }
  | { readonly text: string }
  | { readonly texts: ReadonlyArray<string> }
  | { readonly f32s: ReadonlyArray<number> }
  | { readonly i32s: ReadonlyArray<number> }
  | { readonly u32s: ReadonlyArray<number> }
  | { readonly bools: ReadonlyArray<boolean> }

const encode = (value: Value): Buffer => {
  if ("u16" in value) return Buffer.concat([u32(2), u32(value.u16).subarray(0, 2)])
  if ("u32" in value) return Buffer.concat([u32(4), u32(value.u32)])
  if ("i32" in value) return Buffer.concat([u32(5), u32(value.i32)])
  if ("u64" in value) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(value.u64)
    return Buffer.concat([u32(10), bytes])
  }
  if ("f32" in value) return Buffer.concat([u32(6), f32(value.f32)])
  if ("bool" in value) return Buffer.concat([u32(7), Buffer.from([value.bool ? 1 : 0])])
  if ("text" in value) return Buffer.concat([u32(8), text(value.text)])
  const array = (type: number, items: ReadonlyArray<Buffer>): Buffer =>
    Buffer.concat([u32(9), u32(type), u64(items.length), ...items])
  if ("texts" in value) return array(8, value.texts.map(text))
  if ("f32s" in value) return array(6, value.f32s.map(f32))
  if ("u32s" in value) return array(4, value.u32s.map(u32))
  if ("bools" in value)
    return array(
      7,
      value.bools.map((each) => Buffer.from([each ? 1 : 0]))
    )
  return array(5, value.i32s.map(u32))
}

export type Entries = ReadonlyArray<readonly [name: string, value: Value]>

/** What every model file says of itself before anything of the model. */
export const general = (architecture: string, type: TensorType): Entries => [
  ["general.architecture", { text: architecture }],
  ["general.name", { text: "random" }],
  ["general.file_type", { u32: types[type][1] }],
  ["general.alignment", { u32: ALIGNMENT }],
  ["general.quantization_version", { u32: 2 }]
]

/** Everything before the weights, padded. */
export const container = (metadata: Entries, tensors: ReadonlyArray<Tensor>): Buffer => {
  let offset = 0
  const infos = tensors.map((tensor) => {
    const info = Buffer.concat([
      text(tensor.name),
      u32(tensor.shape.length),
      ...tensor.shape.map(u64),
      u32(types[tensor.type][0]),
      u64(offset)
    ])
    offset += padded(bytesOf(tensor))
    return info
  })
  const bytes = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(tensors.length),
    u64(metadata.length),
    ...metadata.flatMap(([key, value]) => [text(key), encode(value)]),
    ...infos
  ])
  return Buffer.concat([bytes, Buffer.alloc(padded(bytes.length) - bytes.length)])
}
