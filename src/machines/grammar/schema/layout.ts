/** Where white space may stand in the JSON of an answer: as people and `JSON.stringify` write it, and never without end. */
import { isObject } from "../../formats/json/is-object.ts"
import { ofCharacters } from "../automaton/ranges.ts"
import { type Item, oneOf, type Rules, type Sequence, text } from "../rules.ts"

/** characters that a line may be indented by */
const indentMax = 20

export class Layout {
  readonly rules: Rules
  /** between what is inside */
  readonly space: Item
  readonly comma: Sequence
  readonly colon: Sequence

  constructor(rules: Rules) {
    this.rules = rules
    const indent = rules.repeat(oneOf(ofCharacters(" \t")), 0, indentMax)
    this.space = rules.of([[], [text(" ")], [text("\n"), ...indent]])
    this.comma = [text(","), this.space]
    this.colon = [text(":"), rules.maybe(text(" "))]
  }

  /** As `JSON.stringify` writes texts and numbers. */
  literal(value: unknown): Sequence {
    if (Array.isArray(value))
      return this.enclosed(
        "[",
        "]",
        value.map((one: unknown) => this.literal(one))
      )
    if (!isObject(value)) return [text(JSON.stringify(value))]
    const entries = Object.entries(value)
    return this.enclosed(
      "{",
      "}",
      entries.map(([key, one]) => [text(JSON.stringify(key)), ...this.colon, ...this.literal(one)])
    )
  }

  private enclosed(open: string, close: string, parts: ReadonlyArray<Sequence>): Sequence {
    if (parts.length === 0) return [text(open), this.space, text(close)]
    return [
      text(open),
      this.space,
      ...parts.flatMap((part, at) => (at === 0 ? part : [...this.comma, ...part])),
      this.space,
      text(close)
    ]
  }
}
