/**
 * Messages of DNS, as far as multicast DNS needs them to find services (RFC 1035, 6762, 6763): questions are written,
 * answers are read. They come from anybody on the network: a message that is not well-formed says nothing.
 */

/** `["gpu-box", "local"]`; a label may have dots and spaces in it. */
export type Name = ReadonlyArray<string>

export const types = { A: 1, PTR: 12, AAAA: 28, SRV: 33 } as const
export interface Question {
  readonly name: Name
  readonly type: keyof typeof types
}

export type Answer =
  | { readonly type: "PTR"; readonly name: Name; readonly to: Name }
  | { readonly type: "SRV"; readonly name: Name; readonly to: Name; readonly port: number }
  | { readonly type: "A" | "AAAA"; readonly name: Name; readonly address: string }

const headerBytes = 12
const internet = 1
/** of 16 bits of a class the first means something else in multicast DNS */
const classBits = 0x7fff
const isAnswer = 0x80
const longestName = 255
const longestLabel = 63
const pointer = 0xc0

/** Labels that are too long for a message are cut by whoever made them, and nobody is asked for those. */
const encoded = (name: Name): ReadonlyArray<number> => [
  ...name.flatMap((label) => {
    const bytes = new TextEncoder().encode(label).slice(0, longestLabel)
    return [bytes.length, ...bytes]
  }),
  0
]
const short = (value: number): ReadonlyArray<number> => [value >> 8, value & 255]

export const questionMessage = (questions: ReadonlyArray<Question>): Uint8Array =>
  Uint8Array.from([
    ...[0, 0, questions.length, 0, 0, 0].flatMap(short),
    ...questions.flatMap(({ name, type }) => [...encoded(name), ...short(types[type]), ...short(internet)])
  ])

interface Read<out A> {
  readonly value: A
  readonly end: number
}

class Message {
  private readonly bytes: Uint8Array
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  has(at: number, count: number): boolean {
    return at + count <= this.bytes.length
  }

  short(at: number): number {
    return this.view.getUint16(at)
  }

  slice(at: number, count: number): Uint8Array {
    return this.bytes.subarray(at, at + count)
  }

  /** A pointer leads further back than all before it, so that each name ends. */
  name(start: number): Read<Name> | undefined {
    const labels: Array<string> = []
    let [at, lowest, length] = [start, start, 0]
    let end: number | undefined
    for (;;) {
      const size = this.bytes[at]
      if (size === undefined) return undefined
      if (size === 0) return { value: labels, end: end ?? at + 1 }
      if (size >= pointer) {
        if (!this.has(at, 2)) return undefined
        end ??= at + 2
        const to = this.short(at) & 0x3fff
        if (to >= lowest) return undefined
        at = lowest = to
        continue
      }
      length += size + 1
      if (size > longestLabel || length > longestName || !this.has(at + 1, size)) return undefined
      labels.push(new TextDecoder().decode(this.slice(at + 1, size)))
      at += size + 1
    }
  }
}

/** As a url has it: the longest run of zeros left out. */
const ofIPv6 = (bytes: Uint8Array): string => {
  const groups = Array.from({ length: 8 }, (_, at) =>
    (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16)
  )
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1)
}

/** undefined: of another type; "broken": not what its type is */
const recordAt = (
  message: Message,
  name: Name,
  type: number,
  at: number,
  size: number
): Answer | "broken" | undefined => {
  switch (type) {
    case types.A:
      return size === 4 ? { type: "A", name, address: message.slice(at, size).join(".") } : "broken"
    case types.AAAA:
      return size === 16 ? { type: "AAAA", name, address: ofIPv6(message.slice(at, size)) } : "broken"
    case types.PTR: {
      const to = message.name(at)
      return to === undefined ? "broken" : { type: "PTR", name, to: to.value }
    }
    case types.SRV: {
      const to = size > 6 ? message.name(at + 6) : undefined
      return to === undefined ? "broken" : { type: "SRV", name, to: to.value, port: message.short(at + 4) }
    }
    default:
      return undefined
  }
}

/** What it answers; nothing of a question, and of what is not well-formed. What is taken back (no time to live) is none. */
export const answersIn = (bytes: Uint8Array): ReadonlyArray<Answer> => {
  const message = new Message(bytes)
  if (!message.has(0, headerBytes) || ((bytes[2] ?? 0) & isAnswer) === 0) return []
  const count = [4, 6, 8, 10].map((at) => message.short(at))
  const [questions = 0, ...records] = count
  let at = headerBytes
  for (let n = 0; n < questions; n++) {
    const name = message.name(at)
    if (name === undefined) return []
    at = name.end + 4
  }
  const found: Array<Answer> = []
  for (let n = records.reduce((sum, one) => sum + one, 0); n > 0; n--) {
    const name = message.name(at)
    if (name === undefined || !message.has(name.end, 10)) return []
    const fixed = name.end
    const size = message.short(fixed + 8)
    at = fixed + 10 + size
    if (!message.has(fixed + 10, size)) return []
    const isLive = message.short(fixed + 4) + message.short(fixed + 6) > 0
    const record =
      (message.short(fixed + 2) & classBits) === internet
        ? recordAt(message, name.value, message.short(fixed), fixed + 10, size)
        : undefined
    if (record === "broken") return []
    if (record !== undefined && isLive) found.push(record)
  }
  return found
}
