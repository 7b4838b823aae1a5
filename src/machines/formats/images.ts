/** Images in what is said to a model: where they stand in its text, and what of them is taken. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { type RbeeError, rbeeError } from "../errors.ts"
import { Count } from "../vocabulary/common.ts"

/** What one request may have. */
export const imageLimits = {
  count: 16,
  /** of each, as a file */
  bytes: 10_000_000,
  /** of each: columns times rows */
  pixels: 40_000_000
} as const

const base64Max = Math.ceil(imageLimits.bytes / 3) * 4

/** One of a message's. */
export const Image = Schema.Struct({
  /** before which UTF-16 code unit of the message's text it stands */
  at: Count,
  /** a file of PNG, JPEG, GIF or BMP, in base64 */
  data: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(base64Max))
})
export type Image = typeof Image.Type

/** A message's text and images out of its parts, in their order; `between`: what stands between two texts. */
export const joinedParts = (
  parts: ReadonlyArray<string | { readonly data: string }>,
  between = ""
): { readonly content: string; readonly images?: ReadonlyArray<Image> } => {
  let content = ""
  let hasText = false
  const images: Array<Image> = []
  for (const part of parts) {
    if (typeof part === "string") {
      content += hasText ? between + part : part
      hasText = true
    } else images.push({ at: content.length, data: part.data })
  }
  return { content, ...(images.length === 0 ? {} : { images }) }
}

/** The text with something in the place of each image. */
export const withMarks = (content: string, images: ReadonlyArray<Image>, mark: string): string => {
  let text = ""
  let from = 0
  for (const { at } of images) {
    text += content.slice(from, at) + mark
    from = Math.max(from, at)
  }
  return text + content.slice(from)
}

/** What `data:image/png;base64,…` carries; undefined: it is no such url. */
export const dataIn = (url: string): string | undefined => {
  const comma = url.startsWith("data:") ? url.indexOf(",") : -1
  return comma > 0 && /;base64$/i.test(url.slice(0, comma)) ? url.slice(comma + 1) : undefined
}

type Refused = RbeeError<"INVALID_REQUEST">

const invalid = (field: string, problem: string, todo = ""): Refused =>
  rbeeError("INVALID_REQUEST", `${field} ${problem}`, todo, { field })

/** An address that is to be fetched. */
export const fetched = (field: string): Refused =>
  invalid(field, "is an address, and rbee fetches none", "Send the image itself, as data:image/png;base64,…")

/** Bytes from so many characters of base64; undefined: it is none. */
const bytesOf = (base64: string, characters = base64.length): Uint8Array | undefined => {
  try {
    return Uint8Array.from(atob(base64.slice(0, characters)), (letter) => letter.charCodeAt(0))
  } catch {
    return undefined
  }
}

interface Size {
  readonly columns: number
  readonly rows: number
}

const startsWith = (bytes: Uint8Array, start: ReadonlyArray<number>): boolean =>
  start.every((byte, at) => bytes[at] === byte)

/** Of a JPEG: in the segment that begins its frame. */
const jpegSize = (view: DataView): Size | undefined => {
  for (let at = 2; at + 9 < view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { rows: view.getUint16(at + 5), columns: view.getUint16(at + 7) }
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2)
  }
  return undefined
}

/** By its first bytes; undefined: it is of no format that is taken, or does not say. */
const sizeOf = (bytes: Uint8Array): Size | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 26) return undefined
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47])) return { columns: view.getUint32(16), rows: view.getUint32(20) }
  if (startsWith(bytes, [0x47, 0x49, 0x46, 0x38]))
    return { columns: view.getUint16(6, true), rows: view.getUint16(8, true) }
  if (startsWith(bytes, [0x42, 0x4d]))
    return { columns: Math.abs(view.getInt32(18, true)), rows: Math.abs(view.getInt32(22, true)) }
  return startsWith(bytes, [0xff, 0xd8, 0xff]) ? jpegSize(view) : undefined
}

/** a JPEG may have much before its frame */
const headCharacters = 4 * 64 * 1024

const checked = ({ data }: Image, field: string): Refused | undefined => {
  if (data.length > base64Max) return invalid(field, `has more than ${imageLimits.bytes / 1e6} MB`)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(data) || data.length % 4 !== 0) return invalid(field, "is no base64")
  const head = bytesOf(data, headCharacters)
  const whole = head === undefined ? undefined : (sizeOf(head) ?? sizeOf(bytesOf(data) ?? head))
  if (whole === undefined) return invalid(field, "is no image that can be read", "PNG, JPEG, GIF and BMP can")
  const { columns, rows } = whole
  if (columns === 0 || rows === 0) return invalid(field, "is empty")
  return columns * rows > imageLimits.pixels
    ? invalid(
        field,
        `has ${columns} × ${rows} pixels, and ${imageLimits.pixels / 1e6} million are taken`,
        "Make it smaller"
      )
    : undefined
}

interface Said {
  readonly images?: ReadonlyArray<Image> | undefined
  readonly content: string
}

/** What is wrong with the images of a conversation, by where they stand. */
export const checkImages = (messages: ReadonlyArray<Said>): Either.Either<void, Refused> => {
  const all = messages.flatMap(({ content, images = [] }, message) =>
    images.map((image, index) => ({ image, content, field: `messages[${message}].images[${index}]` }))
  )
  if (all.length > imageLimits.count)
    return Either.left(invalid("messages", `have ${all.length} images, and ${imageLimits.count} are taken`))
  for (const { content, field, image } of all) {
    if (image.at > content.length) return Either.left(invalid(`${field}.at`, "is behind the end of the text"))
    const wrong = checked(image, field)
    if (wrong !== undefined) return Either.left(wrong)
  }
  return Either.right(undefined)
}

export const hasImages = (messages: ReadonlyArray<Said> = []): boolean =>
  messages.some(({ images = [] }) => images.length > 0)
