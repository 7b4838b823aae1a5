/** Server-Sent Events out of a text that comes in pieces. */
import { type Fields, fields } from "./fields.ts"

/** `id`: by which who comes back says what was heard last; "": it has none */
export type Heard = (name: string, data: Fields, id: string) => void

const dataOf = (text: string): Fields => {
  try {
    return fields(JSON.parse(text))
  } catch {
    return {}
  }
}

/** Gives what takes the next piece. */
export const events = (heard: Heard): ((piece: string) => void) => {
  let rest = ""
  return (piece) => {
    const blocks = (rest + piece).split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) {
      const lines = block.split("\n")
      const of = (field: string) =>
        lines.flatMap((line) => (line.startsWith(`${field}:`) ? [line.slice(field.length + 1).trimStart()] : []))
      const [name = "message"] = of("event")
      const [id = ""] = of("id")
      const data = of("data")
      if (data.length > 0) heard(name, dataOf(data.join("\n")), id)
    }
  }
}
