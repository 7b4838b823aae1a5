/** Reads as much of a file's beginning as its header needs. */
import { type FileHandle, open } from "node:fs/promises"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { headerBytesMax } from "../../machines/formats/gguf/cursor.ts"
import { joined } from "../../machines/formats/gguf/split.ts"
import type { Header, ModelFacts } from "../../machines/formats/gguf/gguf.ts"
import type { ModelFormat } from "../../machines/formats/model-format.ts"

const firstBytes = 256 * 1024

export const invalid = (name: string, reason: string): RbeeError<"MODEL_INVALID"> =>
  rbeeError("MODEL_INVALID", `${name} is no usable model: ${reason}`, "Get the file again, or choose another one", {
    reason
  })

const prefix = async (handle: FileHandle, bytes: number): Promise<Uint8Array> => {
  const buffer = new Uint8Array(bytes)
  let at = 0
  while (at < bytes) {
    const { bytesRead } = await handle.read(buffer, at, bytes - at, at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return buffer.subarray(0, at)
}

/** Read, or why the file is no model. */
export type Read = Header | { readonly reason: string }

/** The latest headers, by file, and what the file was then: each is asked for several times on a model's way. */
const latest = new Map<string, { readonly stamp: string; readonly read: Read }>()
const latestMax = 8

/** Of a file that has not changed since. Rejects where it cannot be read. */
export const readHeader = async (file: string, format: ModelFormat): Promise<Read> => {
  const handle = await open(file, "r")
  try {
    const { ctimeNs, ino, mtimeNs, size } = await handle.stat({ bigint: true })
    const stamp = [format.ending, ino, size, mtimeNs, ctimeNs].join(" ")
    const known = latest.get(file)
    if (known?.stamp === stamp) return known.read
    const read = await readAnew(handle, Number(size), format)
    latest.delete(file)
    latest.set(file, { stamp, read })
    for (const oldest of [...latest.keys()].slice(0, -latestMax)) latest.delete(oldest)
    return read
  } finally {
    await handle.close()
  }
}

const readAnew = async (handle: FileHandle, size: number, format: ModelFormat): Promise<Read> => {
  let want = Math.min(size, firstBytes)
  for (;;) {
    const result = format.read(await prefix(handle, want), size)
    if (result._tag === "Model") return result
    if (result._tag === "Invalid") return { reason: result.reason }
    if (result.bytes <= want) return { reason: "it changed while it was read" }
    want = Math.min(result.bytes, headerBytesMax)
  }
}

/** Looks at the beginning of a file while it comes in. */
export class HeaderWatch {
  private readonly fileBytes: number
  private readonly format: ModelFormat
  private pieces: Array<Uint8Array> = []
  private here = 0
  private want: number
  private read: Read | undefined

  constructor(fileBytes: number, format: ModelFormat) {
    this.fileBytes = fileBytes
    this.format = format
    this.want = Math.min(fileBytes, firstBytes)
  }

  /** What the header says, once enough of it is here; what comes after it is not kept. */
  add(piece: Uint8Array): Read | undefined {
    if (this.read !== undefined) return this.read
    this.pieces.push(piece)
    this.here += piece.length
    if (this.here < this.want) return undefined
    const start = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces)
    const result = this.format.read(start, this.fileBytes)
    if (result._tag === "NeedMore") {
      this.pieces = [start]
      this.want = result.bytes
      return undefined
    }
    this.pieces = []
    this.read = result._tag === "Model" ? result : { reason: result.reason }
    return this.read
  }
}

/** The same for a file that comes in pieces: takes no more of them than the header needs. */
export const readHeaderOf = async (
  pieces: AsyncIterable<Uint8Array>,
  fileBytes: number,
  format: ModelFormat
): Promise<Read> => {
  const watch = new HeaderWatch(fileBytes, format)
  for await (const piece of pieces) {
    const read = watch.add(piece)
    if (read !== undefined) return read
  }
  return { reason: "it ends within its header" }
}

/** Opens a remote file step by step, each twice as long: a header is short, and what follows it is not wanted. */
export async function* inSteps(
  open: (offset: number, length: number) => AsyncIterable<Uint8Array>,
  fileBytes: number
): AsyncGenerator<Uint8Array> {
  let at = 0
  for (let step = firstBytes; at < fileBytes; step *= 2) {
    let left = step
    for await (const piece of open(at, step)) {
      const wanted = piece.length > left ? piece.subarray(0, left) : piece
      left -= wanted.length
      at += wanted.length
      yield wanted
      if (left === 0) break
    }
    // it ends before its time
    if (left > 0 && at < fileBytes) return
  }
}

/** The facts of the model whose files these are, read one after another. */
export const factsOf = async <File>(
  files: ReadonlyArray<File>,
  read: (file: File) => Promise<Read>
): Promise<ModelFacts | { readonly reason: string }> => {
  const headers: Array<Header> = []
  for (const file of files) {
    const header = await read(file)
    if ("reason" in header) return header
    headers.push(header)
  }
  return joined(headers)
}
