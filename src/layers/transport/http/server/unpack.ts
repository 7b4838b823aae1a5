/** The text of a request's body, packed or not. */
import { StringDecoder } from "node:string_decoder"
import type * as Zlib from "node:zlib"
import * as Either from "effect/Either"
import { type RbeeError, rbeeError } from "../../../../machines/errors.ts"
import { tooLarge } from "../../../../protocol/wire/wire.ts"

type Unpack = (packed: Buffer, options: Zlib.ZlibOptions, done: (error: Error | null, whole: Buffer) => void) => void
/** Most programs never need the library: it is loaded by the first packed body. */
type Unpacker = (zlib: typeof Zlib, packed: Buffer) => Unpack

/** Some clients mean zlib's format by `deflate`, as the standard does, and some the bare one. */
const isZlib = ([first = 0, second = 0]: Uint8Array): boolean => (first & 15) === 8 && (first * 256 + second) % 31 === 0

const unpackers: Readonly<Record<string, Unpacker>> = {
  gzip: ({ gunzip }) => gunzip,
  "x-gzip": ({ gunzip }) => gunzip,
  deflate: ({ inflate, inflateRaw }, packed) => (isZlib(packed) ? inflate : inflateRaw),
  br: ({ brotliDecompress }) => brotliDecompress
}

/** Bytes of a body that one turn makes text of: all of 20 MB at once takes a tenth of a second. */
const aTurn = 1024 * 1024

const decode = (whole: Buffer, done: (text: string) => void): void => {
  if (whole.length <= aTurn) return done(whole.toString("utf8"))
  const decoder = new StringDecoder("utf8")
  const texts: Array<string> = []
  const next = (at: number): void => {
    if (at >= whole.length) return done(texts.join("") + decoder.end())
    texts.push(decoder.write(whole.subarray(at, at + aTurn)))
    setImmediate(next, at + aTurn)
  }
  setImmediate(next, 0)
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
  const unpackedBy = (zlib: typeof Zlib): void =>
    unpacker(zlib, packed)(packed, { maxOutputLength: maxBytes }, (error, whole) => {
      if (error === null) return unpacked(whole)
      const isTooLarge = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE"
      done(Either.left(isTooLarge ? tooLarge(maxBytes) : broken(name)))
    })
  void import("node:zlib").then(unpackedBy)
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
