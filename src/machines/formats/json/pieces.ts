/** JSON of any length, made piece by piece: whoever writes it can leave the event loop to others in between. */

/** characters that a piece has at least, but for the last one; at most seven times as many, where all of it is escaped */
export const pieceLength = 64 * 1024

/** Whether the strings in a value of JSON are longer than this, all together. Looks no further than it must. */
export const isLongerThan = (value: unknown, characters: number): boolean => spend(value, characters) < 0

/** What is left of so many characters; below zero: too few. */
const spend = (value: unknown, characters: number): number => {
  if (typeof value === "string") return characters - value.length
  if (typeof value !== "object" || value === null) return characters - 1
  let left = characters
  for (const item of Object.values(value)) {
    left = spend(item, left)
    if (left < 0) return left
  }
  return left
}

/** What `JSON.stringify` gives for a value of JSON (an `undefined` field is left out), in pieces that follow each other. */
export function* jsonPieces(value: unknown): Generator<string, void> {
  let gathered = ""
  for (const bit of bits(value)) {
    gathered += bit
    if (gathered.length < pieceLength) continue
    yield gathered
    gathered = ""
  }
  if (gathered !== "") yield gathered
}

function* bits(value: unknown): Generator<string, void> {
  if (typeof value === "string") yield* textBits(value)
  else if (Array.isArray(value)) yield* listBits(value)
  else if (typeof value === "object" && value !== null) yield* objectBits(value)
  else yield JSON.stringify(value) ?? "null"
}

function* listBits(items: ReadonlyArray<unknown>): Generator<string, void> {
  yield "["
  for (const [index, item] of items.entries()) {
    if (index > 0) yield ","
    yield* bits(item)
  }
  yield "]"
}

function* objectBits(fields: object): Generator<string, void> {
  let before = "{"
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    yield `${before}${JSON.stringify(name)}:`
    yield* bits(value)
    before = ","
  }
  yield before === "{" ? "{}" : "}"
}

function* textBits(text: string): Generator<string, void> {
  if (text.length <= pieceLength) return yield JSON.stringify(text)
  yield '"'
  for (let at = 0; at < text.length;) {
    const end = borderAt(text, at + pieceLength)
    yield JSON.stringify(text.slice(at, end)).slice(1, -1)
    at = end
  }
  yield '"'
}

/** Not between the two halves of a character. */
const borderAt = (text: string, at: number): number => (/^[\uD800-\uDBFF]$/.test(text.charAt(at - 1)) ? at + 1 : at)
