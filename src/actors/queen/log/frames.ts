/** A job's events as SSE text. */
import { frameOf } from "../../../protocol/sse.ts"
import type { Entry } from "../../../layers/journal/index.ts"
import { tokenFrame } from "../../../protocol/token-frame.ts"

/** A token with an id by which a reader comes back; `text` is a JSON string. */
export const numberedToken = (id: number, index: number, text: string): string =>
  `id: ${id}\n${tokenFrame(index, text)}`

/** The frames of one row of the journal with an id above `after`. */
export const framesOf = (entry: Entry, after: number): string => {
  if (entry._tag === "Event") return entry.id > after ? frameOf(entry.id, entry.event, entry.data) : ""
  let frames = ""
  for (let k = Math.max(0, after + 1 - entry.firstId); k < entry.texts.length; k++)
    frames += numberedToken(entry.firstId + k, entry.firstIndex + k, JSON.stringify(entry.texts[k]))
  return frames
}

/** `frames` without its first `count` frames; an empty line ends a frame and is nowhere else in it. */
export const withoutFirst = (frames: string, count: number): string => {
  let at = 0
  for (let k = 0; k < count; k++) at = frames.indexOf("\n\n", at) + 2
  return frames.slice(at)
}
