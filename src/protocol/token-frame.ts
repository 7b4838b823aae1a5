/**
 * A token as an event of a stream, the same from worker to queen and from queen to client: written by hand and found by
 * hand, because it is the token path. A token's text goes on as the JSON string that it came as. What does not look
 * exactly as this cluster writes it is given to `other`, which reads it properly.
 */
const TOKEN = 'event: token\ndata: {"i":'
const TEXT = ',"t":"'
const ID = ',"k":'

/** `json` is the text as a JSON string; `id` is the token's own in its vocabulary: a worker tells it to the queen. */
export const tokenFrame = (index: number, json: string, id?: number): string =>
  `${TOKEN}${index},"t":${json}${id === undefined ? "" : `${ID}${id}`}}\n\n`

/** The same with what else was asked of it; who reads it knows it for no plain token. */
export const fullTokenFrame = (index: number, json: string, id: number, logprob: string): string =>
  `${TOKEN}${index},"t":${json}${ID}${id},"p":${logprob}}\n\n`

/** How many tokens the prompt has, before the first token of its answer. */
export const promptFrame = (tokens: number): string => `event: prompt\ndata: {"tokens":${tokens}}\n\n`

const prompt = /^\{"tokens":(\d{1,15})\}$/

/** Of its data, by hand as well: every answer has one. */
export const promptIn = (data: string): number | undefined => {
  const found = prompt.exec(data)?.[1]
  return found === undefined ? undefined : Number(found)
}

/** without escapes (neither quote, backslash nor control character inside): most tokens */
const plain = /^"[ !#-[\]-\uffff]*"$/

const isJsonString = (json: string): boolean => {
  if (plain.test(json)) return true
  try {
    return typeof JSON.parse(json) === "string"
  } catch {
    return false
  }
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39

export interface FrameReader {
  /** `json` is the text as a JSON string; `id` is the token's, NaN where the frame has none */
  readonly token: (index: number, json: string, id: number) => void
  /** one frame, or what there is of it */
  readonly other: (frame: string) => void
}

export const readFrames = (text: string, reader: FrameReader): void => {
  let at = 0
  while (at < text.length) {
    const blank = text.indexOf("\n\n", at)
    const end = blank === -1 ? text.length : blank
    if (!readToken(text, at, end, reader)) reader.other(text.slice(at, end + 2))
    at = end + 2
  }
}

/** `{"i":0,"t":"he","k":7}`, or without `k`; a quote inside the text is escaped, so that the names are unmistakable. */
const readToken = (text: string, at: number, end: number, reader: FrameReader): boolean => {
  const start = text.startsWith("id: ", at) ? text.indexOf("\n", at) + 1 : at
  if (!text.startsWith(TOKEN, start)) return false
  const comma = text.indexOf(TEXT, start + TOKEN.length)
  if (comma === -1 || comma > end) return false
  const from = comma + TEXT.length - 1
  // from the end over the digits: looking for the name would look through all that came before
  let digits = end - 1
  while (isDigit(text.charCodeAt(digits - 1))) digits--
  const hasId = digits < end - 1 && text.startsWith(ID, digits - ID.length)
  const to = hasId ? digits - ID.length : end - 1
  const index = Number(text.slice(start + TOKEN.length, comma))
  const id = hasId ? Number(text.slice(digits, end - 1)) : Number.NaN
  const json = text.slice(from, to)
  if (text.charCodeAt(end - 1) !== 0x7d || !Number.isInteger(index)) return false
  if (!isJsonString(json)) return false
  reader.token(index, json, id)
  return true
}
