/** Reads a GGUF header: enough to refuse a file that is none, and to find the chat template. */
import { open, type FileHandle } from "node:fs/promises"

export interface GgufHeader {
  readonly version: number
  readonly tensors: number
  /** scalars and strings; an array is its length */
  readonly metadata: ReadonlyMap<string, string | number | boolean>
}

/** The file is no GGUF file, or ends within its header. `message` is a clause without a final stop. */
export class NotGguf extends Error {}

const CHUNK = 1 << 20
const ARRAY = 9
const STRING = 8
const BOOL = 7
/** bytes of each scalar type, by the type's number */
const sizes: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 }
/** a string longer than this is no chat template but a broken length */
const LONGEST = 16 << 20

/** A cursor over the file that reads ahead by whole chunks, so that a vocabulary of 10^5 strings costs few reads. */
class Reader {
  private chunk = Buffer.alloc(0)
  private at = 0
  private fileAt = 0
  private readonly file: FileHandle
  private readonly size: number

  constructor(file: FileHandle, size: number) {
    this.file = file
    this.size = size
  }

  async need(bytes: number): Promise<void> {
    if (this.chunk.length - this.at >= bytes) return
    const rest = this.chunk.subarray(this.at)
    const wanted = Math.min(Math.max(bytes - rest.length, CHUNK), this.size - this.fileAt)
    if (wanted < bytes - rest.length) throw new NotGguf("the file ends within its header")
    const next = Buffer.allocUnsafe(wanted)
    const { bytesRead } = await this.file.read(next, 0, wanted, this.fileAt)
    if (bytesRead < bytes - rest.length) throw new NotGguf("the file ends within its header")
    this.fileAt += bytesRead
    this.chunk = Buffer.concat([rest, next.subarray(0, bytesRead)])
    this.at = 0
  }

  /** synchronous where the chunk has it: a header has hundreds of thousands of small fields */
  has(bytes: number): boolean {
    return this.chunk.length - this.at >= bytes
  }

  take(bytes: number): Buffer {
    const taken = this.chunk.subarray(this.at, this.at + bytes)
    this.at += bytes
    return taken
  }

  async skip(bytes: number): Promise<void> {
    const here = Math.min(bytes, this.chunk.length - this.at)
    this.at += here
    const beyond = bytes - here
    if (beyond === 0) return
    if (this.fileAt + beyond > this.size) throw new NotGguf("the file ends within its header")
    this.fileAt += beyond
  }

  async u32(): Promise<number> {
    if (!this.has(4)) await this.need(4)
    return this.take(4).readUInt32LE()
  }

  async length(): Promise<number> {
    if (!this.has(8)) await this.need(8)
    const value = Number(this.take(8).readBigUInt64LE())
    if (value > this.size) throw new NotGguf("a length in its header is larger than the file")
    return value
  }

  async text(): Promise<string> {
    const bytes = await this.length()
    if (bytes > LONGEST) throw new NotGguf("a string in its header is too long")
    if (!this.has(bytes)) await this.need(bytes)
    return this.take(bytes).toString("utf8")
  }

  async skipText(): Promise<void> {
    await this.skip(await this.length())
  }
}

const scalar = (type: number, bytes: Buffer): number | boolean => {
  switch (type) {
    case 0:
      return bytes.readUInt8()
    case 1:
      return bytes.readInt8()
    case 2:
      return bytes.readUInt16LE()
    case 3:
      return bytes.readInt16LE()
    case 4:
      return bytes.readUInt32LE()
    case 5:
      return bytes.readInt32LE()
    case 6:
      return bytes.readFloatLE()
    case BOOL:
      return bytes.readUInt8() !== 0
    case 10:
      return Number(bytes.readBigUInt64LE())
    case 11:
      return Number(bytes.readBigInt64LE())
    default:
      return bytes.readDoubleLE()
  }
}

const skipArray = async (reader: Reader): Promise<number> => {
  const type = await reader.u32()
  const count = await reader.length()
  const size = sizes[type]
  if (size !== undefined) {
    await reader.skip(size * count)
  } else if (type === STRING) {
    for (let i = 0; i < count; i++) await reader.skipText()
  } else if (type === ARRAY) {
    for (let i = 0; i < count; i++) await skipArray(reader)
  } else throw new NotGguf(`its header holds a value of the unknown type ${type}`)
  return count
}

const value = async (reader: Reader): Promise<string | number | boolean> => {
  const type = await reader.u32()
  if (type === STRING) return reader.text()
  if (type === ARRAY) return skipArray(reader)
  const size = sizes[type]
  if (size === undefined) throw new NotGguf(`its header holds a value of the unknown type ${type}`)
  if (!reader.has(size)) await reader.need(size)
  return scalar(type, reader.take(size))
}

/** Rejects with NotGguf, or with the file system's own error (ENOENT, EACCES, EISDIR). */
export const readHeader = async (path: string): Promise<GgufHeader> => {
  const file = await open(path, "r")
  try {
    const { size } = await file.stat()
    const reader = new Reader(file, size)
    if (size < 24) throw new NotGguf("the file is too short to be a GGUF file")
    await reader.need(24)
    if (reader.take(4).toString("latin1") !== "GGUF") throw new NotGguf("the file does not begin with GGUF")
    const version = await reader.u32()
    if (version < 2 || version > 3) throw new NotGguf(`GGUF version ${version} is not known`)
    const tensors = await reader.length()
    const count = await reader.length()
    const metadata = new Map<string, string | number | boolean>()
    for (let i = 0; i < count; i++) {
      const key = await reader.text()
      metadata.set(key, await value(reader))
    }
    return { version, tensors, metadata }
  } finally {
    await file.close()
  }
}
