/**
 * A parked file: `state`, as llama.cpp writes it; its tokens, 4 bytes each; what else is known of it, as JSON, and the
 * length of that in 4 bytes; a MAC of all before it. llama.cpp reads the state and not what follows; it ends the process
 * over a state that is torn, so that nothing is handed to it that has not been checked.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import { type FileHandle, open } from "node:fs/promises"
import { endianness } from "node:os"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { optionDecoder } from "../../../../machines/formats/json/decode.ts"
import { Count } from "../../../../machines/vocabulary/common.ts"

export interface Sealed {
  /** whose it is */
  readonly scope: string
  readonly tokens: Uint32Array
  /** how many of them, from the first on, were read wide */
  readonly wide: number
}

const Facts = Schema.Struct({
  /** what computes: it is of no use to another */
  identity: Schema.String,
  scope: Schema.String,
  tokens: Count,
  wide: Count
})
const decodeFacts = optionDecoder(Schema.parseJson(Facts))

const lengthBytes = 4
const macBytes = 32
const tokenBytes = 4
/** of the facts: more is nonsense */
const factsMax = 4096
/** read and hashed at once: about a millisecond of the event loop */
const partBytes = 256 * 1024

const bytesOf = (tokens: Uint32Array): Buffer => {
  const bytes = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength)
  return endianness() === "LE" ? bytes : Buffer.from(bytes).swap32()
}

/** Those of the file from `at`; undefined where it ends before that. */
const read = async (file: FileHandle, at: number, length: number): Promise<Buffer | undefined> => {
  if (at < 0) return undefined
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, at)
  return bytesRead === length ? buffer : undefined
}

const macOf = async (file: FileHandle, end: number, key: string): Promise<Buffer> => {
  const mac = createHmac("sha256", key)
  const part = Buffer.allocUnsafe(partBytes)
  for (let at = 0; at < end;) {
    const { bytesRead } = await file.read(part, 0, Math.min(partBytes, end - at), at)
    // shorter than it was: its MAC is another's
    if (bytesRead === 0) break
    mac.update(part.subarray(0, bytesRead))
    at += bytesRead
  }
  return mac.digest()
}

const using = async <A>(path: string, flags: string, work: (file: FileHandle, size: number) => Promise<A>) => {
  const file = await open(path, flags)
  try {
    return await work(file, (await file.stat()).size)
  } finally {
    await file.close()
  }
}

/** Appends to a state what makes it a parked file. */
export const seal = (path: string, identity: string, { scope, tokens, wide }: Sealed, key: string): Promise<void> =>
  using(path, "r+", async (file, size) => {
    const facts = Buffer.from(JSON.stringify({ identity, scope, tokens: tokens.length, wide }))
    const length = Buffer.alloc(lengthBytes)
    length.writeUInt32LE(facts.length)
    const tail = Buffer.concat([bytesOf(tokens), facts, length])
    await file.write(tail, 0, tail.length, size)
    const end = size + tail.length
    await file.write(await macOf(file, end, key), 0, macBytes, end)
  })

/** What a file says of itself, which is not checked; undefined: nothing that can be read, or it is another's. */
const sealedIn = async (file: FileHandle, size: number, identity: string): Promise<Sealed | undefined> => {
  const end = size - macBytes - lengthBytes
  const length = (await read(file, end, lengthBytes))?.readUInt32LE() ?? Infinity
  if (length > factsMax) return undefined
  const facts = Option.getOrUndefined(decodeFacts((await read(file, end - length, length))?.toString()))
  if (facts === undefined || facts.identity !== identity || facts.tokens * tokenBytes > end) return undefined
  const bytes = await read(file, end - length - facts.tokens * tokenBytes, facts.tokens * tokenBytes)
  if (bytes === undefined) return undefined
  const tokens = Uint32Array.from({ length: facts.tokens }, (_, i) => bytes.readUInt32LE(i * tokenBytes))
  return { scope: facts.scope, tokens, wide: facts.wide }
}

export const readSealed = (path: string, identity: string): Promise<Sealed | undefined> =>
  using(path, "r", (file, size) => sealedIn(file, size, identity))

const isSame = (one: Sealed, other: Sealed): boolean =>
  one.scope === other.scope && one.wide === other.wide && bytesOf(one.tokens).equals(bytesOf(other.tokens))

/** Is it what is expected, and to the last byte what a worker of this hive has written? */
export const isGenuine = (path: string, identity: string, expected: Sealed, key: string): Promise<boolean> =>
  using(path, "r", async (file, size) => {
    const mac = await read(file, size - macBytes, macBytes)
    if (mac === undefined || !timingSafeEqual(mac, await macOf(file, size - macBytes, key))) return false
    const sealed = await sealedIn(file, size, identity)
    return sealed !== undefined && isSame(sealed, expected)
  })
