/**
 * Markdown as a terminal shows it, while it comes in: emphasis as styles, lists with bullets, code apart. What the text says
 * stays: only the marks go. `streaming-markdown` reads it; nothing is taken back that was shown.
 */
import * as markdown from "streaming-markdown"
import { Attr, Token } from "streaming-markdown"
import { type Colour, paint, type Part } from "./parts.ts"

const styles: ReadonlyMap<Token, Colour> = new Map([
  [Token.Heading_1, "bold"],
  [Token.Heading_2, "bold"],
  [Token.Heading_3, "bold"],
  [Token.Heading_4, "bold"],
  [Token.Heading_5, "bold"],
  [Token.Heading_6, "bold"],
  [Token.Strong_Ast, "bold"],
  [Token.Strong_Und, "bold"],
  [Token.Italic_Ast, "italic"],
  [Token.Italic_Und, "italic"],
  [Token.Strike, "strikethrough"],
  [Token.Link, "underline"],
  [Token.Raw_URL, "underline"],
  [Token.Code_Inline, "cyan"],
  [Token.Code_Fence, "cyan"],
  [Token.Code_Block, "cyan"]
])
/** What stands by itself, with an empty line before it. */
const blocks: ReadonlySet<Token> = new Set([
  Token.Paragraph,
  Token.Heading_1,
  Token.Heading_2,
  Token.Heading_3,
  Token.Heading_4,
  Token.Heading_5,
  Token.Heading_6,
  Token.Code_Fence,
  Token.Code_Block,
  Token.Blockquote,
  Token.List_Unordered,
  Token.List_Ordered,
  Token.Table,
  Token.Rule
])
const lists: ReadonlySet<Token> = new Set([Token.List_Unordered, Token.List_Ordered])
/** Where an underscore is one. */
const literal: ReadonlySet<Token> = new Set([
  Token.Code_Inline,
  Token.Code_Fence,
  Token.Code_Block,
  Token.Link,
  Token.Raw_URL,
  Token.Image
])
const wordEnd = /[\p{L}\p{N}]$/u
const wordStart = /^[\p{L}\p{N}]/u
/** columns of a rule, at most */
const ruleMax = 40

interface Open {
  readonly token: Token
  /** of a list: the next item's */
  number: number
  /** things in it so far: items, cells, blocks */
  count: number
  href: string
  shown: string
  isChecked: boolean
}

/** One text, from its beginning to its end. */
export class Prose {
  private readonly columns: () => number
  private readonly parser: markdown.Parser
  private readonly open: Array<Open> = []
  /** what every line within lists and quotes begins with */
  private readonly margins: Array<string> = []
  private parts: Array<Part> = []
  private isLineStart = true
  private isEmpty = true
  /** underscores whose next character is not here yet */
  private held = ""
  private last = ""

  constructor(columns: () => number) {
    this.columns = columns
    this.parser = markdown.parser({
      data: undefined,
      add_token: (_, token) => this.begin(token),
      end_token: () => this.finish(),
      add_text: (_, text) => this.say(text),
      set_attr: (_, attribute, value) => this.note(attribute, value)
    })
  }

  get midLine(): boolean {
    return !this.isLineStart
  }

  /** What there is to show of this piece, and of what waited for it. */
  push(text: string): ReadonlyArray<Part> {
    this.read(text, false)
    return this.taken()
  }

  end(): ReadonlyArray<Part> {
    this.read("", true)
    markdown.parser_end(this.parser)
    return this.taken()
  }

  private taken(): ReadonlyArray<Part> {
    const { parts } = this
    this.parts = []
    return parts
  }

  /** `snake_case` is no emphasis: underscores between two letters are escaped for the parser, which takes them for marks. */
  private read(piece: string, isEnd: boolean): void {
    const text = this.held + piece
    this.held = ""
    let from = 0
    for (const { 0: run, index } of text.matchAll(/_+/g)) {
      this.feed(text.slice(from, index))
      from = index + run.length
      const after = text.slice(from, from + 2)
      if (after === "" && !isEnd) this.held = run
      else if (wordEnd.test(this.last) && wordStart.test(after) && !this.isLiteral())
        this.feed(run.replaceAll("_", "\\_"))
      else this.feed(run)
    }
    this.feed(text.slice(from))
  }

  private feed(text: string): void {
    if (text === "") return
    markdown.parser_write(this.parser, text)
    this.last = text.slice(-2)
  }

  private isLiteral(): boolean {
    const top = this.open.at(-1)
    return top !== undefined && literal.has(top.token)
  }

  private begin(token: Token): void {
    const within = this.open.at(-1)
    if (blocks.has(token)) this.separate(token, within)
    this.open.push({ token, number: 1, count: 0, href: "", shown: "", isChecked: false })
    if (within !== undefined) within.count++
    if (token === Token.Blockquote) this.margins.push("│ ")
    if (token === Token.List_Item) this.item(within)
    if (token === Token.Table_Row) this.newLine()
    if (token === Token.Table_Cell && within !== undefined && within.count > 1) this.put("│")
    if (token === Token.Line_Break) this.newLine()
    if (token === Token.Rule) this.put("─".repeat(Math.max(1, Math.min(this.columns() - 1, ruleMax))))
  }

  private separate(token: Token, within: Open | undefined): void {
    this.newLine()
    // a list in an item begins on its next line, and what a quote begins with on its own
    const isFirst = this.isEmpty || (within?.token === Token.Blockquote && within.count === 0)
    if (isFirst || (lists.has(token) && within?.token === Token.List_Item)) return
    this.parts.push(`${this.margins.join("").trimEnd()}\n`)
  }

  private item(list: Open | undefined): void {
    this.newLine()
    const mark = list?.token === Token.List_Ordered ? `${list.number++}. ` : "• "
    this.put(mark)
    this.margins.push(" ".repeat(mark.length))
  }

  private finish(): void {
    const ended = this.open.pop()
    if (ended === undefined) return
    const { href, isChecked, shown, token } = ended
    if (token === Token.Checkbox) this.put(isChecked ? "☑" : "☐")
    if (token === Token.Blockquote || token === Token.List_Item) this.margins.pop()
    // where a link leads is seen: the text says what its writer wants
    if (href !== "" && href !== shown && token !== Token.Raw_URL) this.put(` (${href})`, ["dim"])
  }

  private note(attribute: Attr, value: string): void {
    const top = this.open.at(-1)
    if (top === undefined) return
    if (attribute === Attr.Href || attribute === Attr.Src) top.href = value
    if (attribute === Attr.Checked) top.isChecked = true
    if (attribute === Attr.Start && Number.isSafeInteger(Number(value))) top.number = Number(value)
  }

  private say(text: string): void {
    const top = this.open.at(-1)
    if (top !== undefined) top.shown += text
    const [first = "", ...others] = text.split("\n")
    this.put(first)
    for (const line of others) {
      // an empty line of code stays
      if (this.isLineStart) this.parts.push(this.margins.join("").trimEnd())
      this.parts.push("\n")
      this.isLineStart = true
      this.put(line)
    }
  }

  private newLine(): void {
    if (!this.isLineStart) this.parts.push("\n")
    this.isLineStart = true
  }

  private put(text: string, style = this.style()): void {
    if (text === "") return
    if (this.isLineStart && this.margins.length > 0) this.parts.push(this.margins.join(""))
    this.isLineStart = false
    this.isEmpty = false
    const last = this.parts.at(-1)
    const styled = style.length === 0 ? text : paint(style, text)
    // one piece where the parser made two
    if (typeof last === "object" && typeof styled === "object" && String(last.colour) === String(style)) {
      this.parts.splice(-1, 1, paint(style, last.text + text))
    } else this.parts.push(styled)
  }

  private style(): ReadonlyArray<Colour> {
    const all = this.open.flatMap(({ token }) => styles.get(token) ?? [])
    return [...new Set(all)]
  }
}
