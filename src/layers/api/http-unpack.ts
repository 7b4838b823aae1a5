/** The text of a request's body, packed or not. */
import { brotliDecompress, gunzip, inflate, inflateRaw, type ZlibOptions } from "node:zlib"
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../../machines/errors.ts"
import { tooLarge } from "./wire.ts"

type Unpack = (packed: Buffer, options: ZlibOptions, done: (error: Error | null, whole: Buffer) => void) => void

/** Some clients mean zlib's format by `deflate`, as the standard does, and some the bare one. */
const isZlib = ([first = 0, second = 0]: Uint8Array): boolean => (first & 15) === 8 && (first * 256 + second) % 31 === 0

const unpackers: Readonly<Record<string, Unpack>> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  deflate: (packed, options, done) => (isZlib(packed) ? inflate : inflateRaw)(packed, options, done),
  br: brotliDecompress
}

/** Bytes from which a body is worked on step by step, each in a turn of its own: 20 MB take a fifth of a second. */
const large = 1024 * 1024

const decode = (whole: Buffer, done: (text: string) => void): void => {
  if (whole.length < large) return done(whole.toString("utf8"))
  setImmediate(() => {
    const text = whole.toString("utf8")
    setImmediate(() => done(text))
  })
}

/** `encoding` is the header content-encoding. No more than `maxBytes` are unpacked. */
export const unpack = (
  encoding: string | undefined,
  packed: Buffer,
  maxBytes: number,
  done: (text: Either.Either<string, RbeeError>) => void
): void => {
  const name = encoding?.trim().toLowerCase() ?? ""
  const unpacked = (whole: Buffer) => decode(whole, (text) => done(Either.right(text)))
  if (name === "" || name === "identity") return unpacked(packed)
  const unpacker = Object.hasOwn(unpackers, name) ? unpackers[name] : undefined
  if (unpacker === undefined) return done(Either.left(unknownEncoding()))
  unpacker(packed, { maxOutputLength: maxBytes }, (error, whole) => {
    if (error === null) return unpacked(whole)
    const isTooLarge = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
    done(Either.left(isTooLarge ? tooLarge(maxBytes) : broken(name)))
  })
}

const unknownEncoding = () =>
  rbeeError(
    "INVALID_REQUEST",
    "the body has a content-encoding that is not known",
    "Accepted: gzip, deflate, br, none",
    { field: "content-encoding", status: 415 }
  )

const broken = (encoding: string) =>
  rbeeError("INVALID_REQUEST", `the body is not what its content-encoding says (${encoding})`, "", {
    field: "content-encoding"
  })
