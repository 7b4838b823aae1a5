/** From token ids to text, one token at a time, without ever splitting a character. */
import { type AddonModel, BYTE, VOCABULARY_BPE } from "./addon.ts"

/** byte-level BPE writes each byte as one printable character; the printable bytes stand for themselves */
const bytesOfCharacters = (): ReadonlyMap<string, number> => {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  const map = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 0x100; byte++) {
    map.set(String.fromCharCode(printable(byte) ? byte : next++), byte)
  }
  return map
}

/**
 * What each token adds to a text: a string, or raw bytes where the token is part of a character. Remembered, so that
 * a token costs one look-up.
 */
export class Pieces {
  private readonly known = new Map<number, string | Uint8Array>()
  private readonly model: AddonModel
  private readonly characters: ReadonlyMap<string, number> | undefined
  private readonly anchor: number | undefined
  private readonly anchorLength: number

  constructor(model: AddonModel) {
    this.model = model
    this.characters = model.getVocabularyType() === VOCABULARY_BPE ? bytesOfCharacters() : undefined
    // Detokenizing drops a space at the beginning of a text; after an ordinary token it does not.
    this.anchor = model.tokenize("a", false)[0]
    this.anchorLength = this.anchor === undefined ? 0 : model.detokenize(Uint32Array.of(this.anchor), false).length
  }

  of(token: number): string | Uint8Array {
    const known = this.known.get(token)
    if (known !== undefined) return known
    const piece = this.make(token)
    this.known.set(token, piece)
    return piece
  }

  private make(token: number): string | Uint8Array {
    const text =
      this.anchor === undefined
        ? this.model.detokenize(Uint32Array.of(token), false)
        : this.model.detokenize(Uint32Array.of(this.anchor, token), false).slice(this.anchorLength)
    if (!text.includes("\uFFFD") && (this.model.getTokenAttributes(token) & BYTE) === 0) return text
    return this.bytes(token) ?? text
  }

  private bytes(token: number): Uint8Array | undefined {
    const spelling = this.model.getTokenString(token)
    if (spelling === undefined) return undefined
    const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling)?.[1]
    if (hex !== undefined) return Uint8Array.of(Number.parseInt(hex, 16))
    if (this.characters === undefined) return undefined
    const bytes: Array<number> = []
    for (const character of spelling) {
      const byte = this.characters.get(character)
      if (byte === undefined) return undefined
      bytes.push(byte)
    }
    return Uint8Array.from(bytes)
  }
}

/**
 * The text of one answer as it grows. A character whose last bytes have not come is held back; bytes that can never
 * become a character are U+FFFD; bytes still incomplete when the answer ends are dropped.
 */
export class Utf8Stream {
  private decoder: InstanceType<typeof TextDecoder> | undefined
  /** the last piece was raw bytes, so the decoder may hold some of them */
  private inside = false
  private readonly pieces: Pieces

  constructor(pieces: Pieces) {
    this.pieces = pieces
  }

  push(token: number): string {
    const piece = this.pieces.of(token)
    if (typeof piece === "string") {
      if (!this.inside || piece === "") return piece
      this.inside = false
      return this.decode(Buffer.from(piece))
    }
    this.inside = true
    return this.decode(piece)
  }

  private decode(bytes: Uint8Array): string {
    this.decoder ??= new TextDecoder("utf-8", { ignoreBOM: true })
    return this.decoder.decode(bytes, { stream: true })
  }
}
