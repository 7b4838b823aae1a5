/** What a client of a surface has heard, in the order in which it was told. */

export interface HeardText {
  readonly kind: "content" | "reasoning"
  text: string
}

export interface HeardCall {
  readonly kind: "call"
  /** as its surface counts */
  readonly at: number
  /** "": the surface has none */
  id: string
  name: string
  /** JSON, as text */
  arguments: string
  /** how often it was announced */
  told: number
}

export interface Heard {
  /** of the response, where its surface tells it */
  id: string
  readonly parts: Array<HeardText | HeardCall>
  /** how often the answer was said to be whole: `[DONE]`, `message_stop`, `done: true` and the like */
  ends: number
  /** errors, and whatever else must not come */
  readonly wrongs: Array<string>
  /** the last event that has a name: where a later reader goes on */
  last: string
}

export const nothing = (): Heard => ({ id: "", parts: [], ends: 0, wrongs: [], last: "" })

/** More text of this kind; it goes on from the text before, if nothing else was told between. */
export const say = ({ parts }: Heard, kind: HeardText["kind"], text: string | null | undefined): void => {
  if (text === undefined || text === null || text === "") return
  const last = parts.at(-1)
  if (last?.kind === kind) last.text += text
  else parts.push({ kind, text })
}

const callAt = ({ parts }: Heard, at: number): HeardCall => {
  const known = parts.find((part): part is HeardCall => part.kind === "call" && part.at === at)
  if (known !== undefined) return known
  const made: HeardCall = { kind: "call", at, id: "", name: "", arguments: "", told: 0 }
  parts.push(made)
  return made
}

export const begin = (heard: Heard, at: number, id: string, name: string): void => {
  const call = callAt(heard, at)
  call.id = id
  call.name = name
  call.told++
}

export const argue = (heard: Heard, at: number, text: string): void => {
  callAt(heard, at).arguments += text
}

export const callsOf = ({ parts }: Heard): ReadonlyArray<HeardCall> => parts.filter((part) => part.kind === "call")

export const textOf = ({ parts }: Heard, kind: HeardText["kind"]): string =>
  parts.map((part) => (part.kind === kind ? part.text : "")).join("")
