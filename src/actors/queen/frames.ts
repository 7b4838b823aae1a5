/** A job's events as SSE text. Built by hand: this is the token path, and JSON has no newline that would need care. */
import type { Entry } from "../../layers/journal/index.ts"

/** `data` is JSON on one line. */
export const frame = (id: number, event: string, data: string): string =>
  `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`

/** `text` is a JSON string. */
export const tokenFrame = (id: number, index: number, text: string): string =>
  `id: ${id}\nevent: token\ndata: {"i":${index},"t":${text}}\n\n`

/** Without an id: a reader that comes back does not ask for it again. */
export const passingFrame = (event: string, data: string): string => `event: ${event}\ndata: ${data}\n\n`

/** The frames of one row of the journal with an id above `after`. */
export const framesOf = (entry: Entry, after: number): string => {
  if (entry._tag === "Event") return entry.id > after ? frame(entry.id, entry.event, entry.data) : ""
  let frames = ""
  for (let k = Math.max(0, after + 1 - entry.firstId); k < entry.texts.length; k++)
    frames += tokenFrame(entry.firstId + k, entry.firstIndex + k, JSON.stringify(entry.texts[k]))
  return frames
}

/** `frames` without its first `count` frames; an empty line ends a frame and is nowhere else in it. */
export const withoutFirst = (frames: string, count: number): string => {
  let at = 0
  for (let k = 0; k < count; k++) at = frames.indexOf("\n\n", at) + 2
  return frames.slice(at)
}
