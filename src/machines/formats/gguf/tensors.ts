/** The table of tensors: what is in the file, and where. */
import { type Cursor, Invalid } from "./cursor.ts"
import { blocks } from "./types.ts"

export interface Tensors {
  readonly elements: number
  /** bytes that they take, from the first on */
  readonly extent: number
  /** of each by name: the length of a row, the number of rows, … */
  readonly shapes: ReadonlyMap<string, ReadonlyArray<number>>
  /** ggml's types of all that have rows */
  readonly matrices: ReadonlySet<number>
  /** the file is one of several */
  readonly isPart: boolean
}

/** as ggml has room for, with the zero at the end of a name */
const rankMax = 4
const nameMax = 63

const padded = (bytes: number, alignment: number): number => Math.ceil(bytes / alignment) * alignment

const readTensor = (cursor: Cursor) => {
  const name = cursor.string()
  if (name.length > nameMax) throw new Invalid(`a tensor's name is too long: ${JSON.stringify(name.slice(0, 40))}…`)
  const rank = cursor.u32()
  if (rank > rankMax) throw new Invalid(`its tensor ${JSON.stringify(name)} has too many dimensions`)
  const shape = Array.from({ length: rank }, () => cursor.u64())
  const elements = shape.reduce((product, length) => product * length, 1)
  const type = cursor.u32()
  const block = blocks[type]
  const columns = shape[0] ?? 1
  if (elements === 0 || !Number.isSafeInteger(elements) || columns % (block?.[0] ?? 1) !== 0) {
    throw new Invalid(`its tensor ${JSON.stringify(name)} has impossible dimensions (${shape.join(" × ")})`)
  }
  // of a type that is not known here the size is not either
  const bytes = block === undefined ? undefined : (elements / block[0]) * block[1]
  return { name, shape, type, elements, bytes, offset: cursor.u64() }
}

/** They lie one after the other, as they are told, each at the next aligned place. */
export const readTensors = (cursor: Cursor, count: number, alignment: number, isPart: boolean): Tensors => {
  const shapes = new Map<string, ReadonlyArray<number>>()
  const matrices = new Set<number>()
  let elements = 0
  let extent = 0
  let next: number | undefined = 0
  for (let i = 0; i < count; i++) {
    const tensor = readTensor(cursor)
    const { bytes, name, offset } = tensor
    if (shapes.has(name)) throw new Invalid(`its tensor ${JSON.stringify(name)} is there twice`)
    const isPlaced = next === undefined ? offset % alignment === 0 : offset === next
    if (!isPlaced) throw new Invalid(`its tensor ${JSON.stringify(name)} does not lie where the one before it ends`)
    shapes.set(name, tensor.shape)
    if (tensor.shape.length > 1) matrices.add(tensor.type)
    elements += tensor.elements
    extent = Math.max(extent, offset + (bytes ?? 0))
    next = bytes === undefined ? undefined : offset + padded(bytes, alignment)
  }
  if (!Number.isSafeInteger(elements) || !Number.isSafeInteger(extent)) {
    throw new Invalid("its tensors are out of range")
  }
  return { elements, extent, shapes, matrices, isPart }
}
