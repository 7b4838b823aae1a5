/** Are two files the same? Of large ones as much is compared as tells models apart, which takes no minutes. */
import { type FileHandle, open, stat } from "node:fs/promises"

/** No two headers differ behind it. */
const headBytes = 32 * 1024 * 1024
const pieceBytes = 64 * 1024
/** Of what follows: who trains a model changes all of it. */
const pieces = 256

const isSamePiece = async (files: readonly [FileHandle, FileHandle], at: number, length: number): Promise<boolean> => {
  const [one, other] = await Promise.all(
    files.map(async (file) => {
      const buffer = Buffer.alloc(length)
      const { bytesRead } = await file.read(buffer, 0, length, at)
      return buffer.subarray(0, bytesRead)
    })
  )
  return one !== undefined && other !== undefined && one.equals(other)
}

const offsets = (bytes: number): ReadonlyArray<number> => {
  const head = Math.min(bytes, headBytes)
  const ofHead = Array.from({ length: Math.ceil(head / pieceBytes) }, (_, i) => i * pieceBytes)
  const rest = bytes - head
  const count = Math.min(pieces, Math.ceil(rest / pieceBytes))
  const step = count < 2 ? 0 : (rest - pieceBytes) / (count - 1)
  return [...ofHead, ...Array.from({ length: count }, (_, i) => Math.max(head, Math.floor(head + i * step)))]
}

export const isSame = async (file: string, other: string, signal: AbortSignal): Promise<boolean> => {
  const one = await open(file, "r")
  try {
    const two = await open(other, "r")
    try {
      const [{ size }, { size: otherSize }] = [await one.stat(), await two.stat()]
      if (size !== otherSize) return false
      for (const at of offsets(size)) {
        signal.throwIfAborted()
        if (!(await isSamePiece([one, two], at, Math.min(pieceBytes, size - at)))) return false
      }
      return true
    } finally {
      await two.close()
    }
  } finally {
    await one.close()
  }
}

/** By which a file is one, whatever paths lead to it; undefined where it cannot be looked at. */
export const identityOf = async (file: string): Promise<{ readonly id: string; readonly bytes: number } | undefined> =>
  stat(file, { bigint: true }).then(
    ({ dev, ino, size }) => ({ id: `${dev}:${ino}`, bytes: Number(size) }),
    () => undefined
  )
