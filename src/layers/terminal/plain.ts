/**
 * Text for a terminal, without what steers it: a model, a file's name or somebody's error must not move the cursor, set
 * the clipboard or answer for the user.
 *
 * Gone are whole escape sequences (ECMA-48: CSI, OSC, DCS and the like, with 7-bit and 8-bit introducers), every C0 and
 * C1 control but line feed and tab, and Unicode's nine characters that reorder what stands after them (embeddings,
 * overrides, isolates: "Trojan Source"). Marks and joiners that languages need stay.
 */

/** Longer than a sequence is: what never ends is no sequence, and text is not swallowed for it. */
const sequenceMax = 4096

// oxlint-disable-next-line no-control-regex -- control characters are what is removed
const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/
// oxlint-disable-next-line no-control-regex -- as above
const strange = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g

type State = "text" | "escape" | "intermediate" | "csi" | "string" | "string-escape"

/** What an introducer begins; ESC and `[` is the same as the one character U+009B. */
const begins = (code: number): State => {
  if (code === 0x1b) return "escape"
  if (code === 0x9b) return "csi"
  return code === 0x90 || code === 0x98 || (code >= 0x9d && code <= 0x9f) ? "string" : "text"
}

/** The state behind a character of a sequence; undefined: the character is none of it, and is judged as text. */
const behind = (state: State, code: number): State | undefined => {
  switch (state) {
    case "escape":
      if (code >= 0x40 && code <= 0x5f) return begins(code + 0x40)
      if (code >= 0x20 && code <= 0x2f) return "intermediate"
      return code >= 0x30 && code <= 0x7e ? "text" : undefined
    case "intermediate":
      if (code >= 0x20 && code <= 0x2f) return state
      return code >= 0x30 && code <= 0x7e ? "text" : undefined
    case "csi":
      if (code >= 0x20 && code <= 0x3f) return state
      return code >= 0x40 && code <= 0x7e ? "text" : undefined
    case "string":
      if (code === 0x1b) return "string-escape"
      if (code === 0x07 || code === 0x9c) return "text"
      return code === 0x0a ? undefined : state
    case "string-escape":
      return code === 0x5c ? "text" : undefined
    case "text":
      return undefined
  }
}

/** For a text that comes in pieces: a sequence may stand across them. */
export const makePlain = (): ((text: string) => string) => {
  let state: State = "text"
  let length = 0
  return (text) => {
    if (state === "text" && !steering.test(text)) return text
    let kept = ""
    for (const character of text) {
      const code = character.codePointAt(0) ?? 0
      const next = state === "text" || length++ >= sequenceMax ? undefined : behind(state, code)
      if (next !== undefined) {
        state = next
        continue
      }
      // after ESC within a string, a sequence of its own
      state = state === "string-escape" ? (behind("escape", code) ?? begins(code)) : begins(code)
      length = 0
      if (state === "text" && !steering.test(character)) kept += character
    }
    return kept
  }
}

export const plain = (text: string): string => makePlain()(text)

/** For a cell or a line: it stays one line, and shows that there was something. */
export const printable = (text: string): string => text.replace(strange, "\ufffd")
