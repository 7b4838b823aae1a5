/** Reads the values of a GGUF header one after another, within limits that no crafted file can lift. */
import { Words } from "./words.ts"

/** Bytes of a header; a vocabulary of 256 k long tokens is about 20 MB. */
export const headerBytesMax = 64 * 1024 * 1024
const countMax = 1_000_000
/** a longer list of numbers is none of something for each layer */
const numbersMax = 4096
/** bytes of a value, by its type; of texts and lists each has its own */
const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }
/** the upper half of the largest whole number that is exact */
const safeHigh = 2 ** 21 - 1

export class NeedMore extends Error {
  readonly bytes: number
  constructor(bytes: number) {
    super()
    this.bytes = bytes
  }
}
export class Invalid extends Error {}

export interface List {
  readonly length: number
  readonly numbers: ReadonlyArray<number>
  /** of a vocabulary: bytes of its longest word */
  readonly longest?: number
}
export type Value = number | string | boolean | List

export class Cursor {
  at = 0
  private readonly view: DataView
  private readonly bytes: Uint8Array
  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }
  private take(size: number): number {
    const from = this.at
    if (from + size > this.bytes.length) throw new NeedMore(from + size)
    this.at += size
    return from
  }
  skip = (size: number): void => void this.take(size)
  u8 = () => this.view.getUint8(this.take(1))
  u32 = () => this.view.getUint32(this.take(4), true)
  // of two halves: a vocabulary has a quarter of a million lengths, and a BigInt for each is an object, as is any product
  u64 = (): number => {
    const at = this.take(8)
    const low = this.view.getUint32(at, true)
    const high = this.view.getUint32(at + 4, true)
    if (high === 0) return low
    if (high > safeHigh) throw new Invalid("a length in its header is out of range")
    return high * 2 ** 32 + low
  }
  count = (): number => {
    const value = this.u64()
    if (value > countMax) throw new Invalid("a count in its header is out of range")
    return value
  }
  string = (): string => {
    const size = this.u64()
    if (size > headerBytesMax) throw new Invalid("a text in its header is too long")
    const from = this.take(size)
    return new TextDecoder().decode(this.bytes.subarray(from, from + size))
  }
  value(type: number, depth = 0): Value {
    switch (type) {
      case 0:
        return this.u8()
      case 1:
        return this.view.getInt8(this.take(1))
      case 2:
        return this.view.getUint16(this.take(2), true)
      case 3:
        return this.view.getInt16(this.take(2), true)
      case 4:
        return this.u32()
      case 5:
        return this.view.getInt32(this.take(4), true)
      case 6:
        return this.view.getFloat32(this.take(4), true)
      case 7:
        return this.u8() !== 0
      case 8:
        return this.string()
      case 9:
        return this.array(depth)
      case 10:
        return this.u64()
      case 11:
        return Number(this.view.getBigInt64(this.take(8), true))
      case 12:
        return this.view.getFloat64(this.take(8), true)
      default:
        throw new Invalid(`its header has a value of unknown type ${type}`)
    }
  }
  /** The words of a vocabulary: counted and measured, and none of them twice. */
  words(type: number): Value {
    if (type !== 9 || this.u32() !== 8) throw new Invalid("its vocabulary is no list of words")
    const length = this.count()
    // as many lengths alone must be there, before memory is set aside for them
    if (this.at + 8 * length > this.bytes.length) throw new NeedMore(this.at + 8 * length)
    const words = new Words(this.bytes, length)
    let longest = 0
    for (let i = 0; i < length; i++) {
      const size = this.u64()
      const from = this.take(size)
      longest = Math.max(longest, size)
      if (words.add(from, from + size)) continue
      const word = new TextDecoder().decode(this.bytes.subarray(from, Math.min(from + size, from + 40)))
      throw new Invalid(`its vocabulary has the word ${JSON.stringify(word)} twice`)
    }
    return { length, numbers: [], longest }
  }
  /** Short arrays of numbers are kept (per-layer head counts), the rest is only counted. */
  private array(depth: number): Value {
    if (depth > 2) throw new Invalid("its header nests too deep")
    const type = this.u32()
    const length = this.count()
    const numbers: Array<number> = []
    const size = sizes[type]
    if (size !== undefined && length > numbersMax) {
      this.skip(size * length)
      return { length, numbers }
    }
    for (let i = 0; i < length; i++) {
      const item = type === 8 ? this.skip(this.u64()) : this.value(type, depth + 1)
      if (length > numbersMax) continue
      if (typeof item === "number") numbers.push(item)
      else if (typeof item === "boolean") numbers.push(Number(item))
    }
    return { length, numbers }
  }
}
