/**
 * From token ids to text, one token at a time, without ever splitting a character.
 *
 * The pieces are made from the vocabulary's own strings. llama.cpp's `detokenize` is for whole texts: with many
 * pre-tokenizers it tidies them up (it drops the space before `. , ? !` and before `'s 'm 're 've`), and what was
 * tidied is no longer what the model said.
 */
import {
  type AddonModel,
  BYTE,
  CONTROL,
  NORMAL,
  UNKNOWN,
  USER_DEFINED,
  VOCABULARY_BPE,
  VOCABULARY_PLAMO2,
  VOCABULARY_RWKV,
  VOCABULARY_UNIGRAM,
  VOCABULARY_WORD_PIECE
} from "../addon.ts"

/** What a token adds to a text: a string, or raw bytes where it ends or begins inside a character. */
export type Piece = string | Uint8Array

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

const characters = bytesOfCharacters()

const ofBytes = (bytes: Uint8Array): Piece => {
  const text = Buffer.from(bytes).toString()
  return Buffer.from(text).equals(bytes) ? text : bytes
}

/** A character that stands for no byte makes the string what it looks like: some converters do not spell all tokens. */
const byteLevel = (spelling: string): Piece => {
  const bytes: Array<number> = []
  for (const character of spelling) {
    const byte = characters.get(character)
    if (byte === undefined) return spelling
    bytes.push(byte)
  }
  return ofBytes(Uint8Array.from(bytes))
}

const spaced = (spelling: string): Piece => spelling.replaceAll("\u2581", " ")

const ESCAPES: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13 }

/** RWKV spells what cannot be printed as a program would: `\n`, `\\`, `\xe3` */
const escaped = (spelling: string): Piece => {
  const bytes: Array<number> = []
  for (const [part, hex, character] of spelling.matchAll(/\\x([0-9a-fA-F]{2})|\\([^x])|[^\\]+|\\/gsu)) {
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16))
    else if (character !== undefined)
      bytes.push(...(ESCAPES[character] === undefined ? Buffer.from(character) : [ESCAPES[character]]))
    else bytes.push(...Buffer.from(part))
  }
  return ofBytes(Uint8Array.from(bytes))
}

/** How this vocabulary spells ordinary tokens. */
const alphabetOf = (model: AddonModel): ((spelling: string) => Piece) => {
  switch (model.getVocabularyType()) {
    case VOCABULARY_BPE:
      // Gemma 4 and Sarvam merge as BPE does and spell as SentencePiece does; which one shows in a space.
      return spellingsOf(model, "a a").some((spelling) => spelling.includes("\u2581")) ? spaced : byteLevel
    case VOCABULARY_RWKV:
      return escaped
    case VOCABULARY_PLAMO2:
      return (spelling) => spelling
    default:
      return spaced
  }
}

const spellingsOf = (model: AddonModel, text: string): ReadonlyArray<string> =>
  Array.from(model.tokenize(text, false), (token) => model.getTokenString(token) ?? "")

/** tokens whose string is their text, letter for letter, and around which a text is tokenized in parts */
const SPECIAL = CONTROL | UNKNOWN | USER_DEFINED

/** The texts of each token. Remembered where they are streamed, so that a token costs one look-up. */
export class Pieces {
  private readonly shown = new Map<number, Piece>()
  private readonly written = new Map<number, Piece>()
  private readonly model: AddonModel
  private readonly alphabet: (spelling: string) => Piece
  private readonly prefix: boolean

  constructor(model: AddonModel) {
    this.model = model
    this.alphabet = alphabetOf(model)
    // A text of "a" is tokenized as " a".
    this.prefix = spellingsOf(model, "a").join("").startsWith("\u2581")
  }

  /** What a reader sees: nothing of a token that only steers. */
  visible(token: number): Piece {
    const known = this.shown.get(token)
    if (known !== undefined) return known
    const attributes = this.model.getTokenAttributes(token)
    const hidden = (attributes & (NORMAL | BYTE | USER_DEFINED)) === 0
    const piece = hidden ? "" : this.spelt(token)
    this.shown.set(token, piece)
    return piece
  }

  /** The same with control tokens written out, but for those that end an answer: for who reads what it means. */
  meant(token: number): Piece {
    const known = this.written.get(token)
    if (known !== undefined) return known
    const piece = this.model.isEogToken(token) ? "" : this.spelt(token)
    this.written.set(token, piece)
    return piece
  }

  /** With all control tokens written out. */
  spelt(token: number): Piece {
    const spelling = this.model.getTokenString(token)
    // llama.cpp's own name for a token without a string
    if (spelling === undefined || spelling === `[EMPTY_${token}]`) return ""
    if (this.isSpecial(token)) return spelling
    const isByte = (this.model.getTokenAttributes(token) & BYTE) !== 0
    const hex = isByte ? /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling)?.[1] : undefined
    return hex === undefined ? this.alphabet(spelling) : ofBytes(Uint8Array.of(Number.parseInt(hex, 16)))
  }

  /** Whether the tokenizer has put a space of its own between the two; undefined: where a text begins. */
  spaced(before: number | undefined, token: number): boolean {
    return this.prefix && !this.isSpecial(token) && (before === undefined || this.isSpecial(before))
  }

  /**
   * Bytes that one token stands for at most, of the first `count`; undefined where a token can stand for any number. In
   * turns of the event loop: a large vocabulary takes half a second.
   */
  async longest(count: number): Promise<number | undefined> {
    const type = this.model.getVocabularyType()
    // an unknown word is one token, however long it is
    if (type === VOCABULARY_WORD_PIECE || type === VOCABULARY_UNIGRAM || count === 0) return undefined
    let longest = 1
    for (let token = 0; token < count; token++) {
      if (token % 2048 === 2047) await new Promise((resolve) => setImmediate(resolve))
      longest = Math.max(longest, Buffer.from(this.spelt(token)).length)
    }
    return longest
  }

  private isSpecial(token: number): boolean {
    return (this.model.getTokenAttributes(token) & SPECIAL) !== 0
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
  private readonly as: "visible" | "meant" | "spelt"
  /** the token before */
  private last: number | undefined

  /** `last`: the token that the text follows; `as`: which of the tokens' texts it is of */
  constructor(pieces: Pieces, last?: number, as: "visible" | "meant" | "spelt" = "visible") {
    this.pieces = pieces
    this.last = last
    this.as = as
  }

  push(token: number): string {
    const piece = this.pieces[this.as](token)
    const { last } = this
    this.last = token
    if (typeof piece === "string") {
      const text = piece.startsWith(" ") && this.pieces.spaced(last, token) ? piece.slice(1) : piece
      if (!this.inside || text === "") return text
      this.inside = false
      return this.decode(Buffer.from(text))
    }
    this.inside = true
    return this.decode(piece)
  }

  private decode(bytes: Uint8Array): string {
    this.decoder ??= new TextDecoder("utf-8", { ignoreBOM: true })
    return this.decoder.decode(bytes, { stream: true })
  }
}

/** The end of a text, control tokens written out. */
export const spellEnd = (pieces: Pieces, tokens: ReadonlyArray<number>, characters: number): string => {
  // a token without a character is rare
  const from = Math.max(0, tokens.length - characters)
  const stream = new Utf8Stream(pieces, tokens[from - 1], "spelt")
  let text = ""
  for (let at = from; at < tokens.length; at++) text += stream.push(tokens[at] ?? -1)
  return text.slice(-characters)
}
