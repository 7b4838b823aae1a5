/**
 * What steers a model, in a client's words, is text: names, keys, schemas and results included. While the template
 * runs, a mark of our own stands in its place.
 */
import { type Dialect, marksOf } from "../../../../machines/dialect/dialect.ts"
import { eachString, mapStrings } from "../../../../machines/dialect/strings.ts"
import type { TemplateInput } from "../../../../machines/dialect/template.ts"
import { type AddonModel, CONTROL, USER_DEFINED } from "../addon.ts"
import { openEnd } from "./messages.ts"

/** Stands for one control token's spelling in a user's text while the template runs: private-use characters. */
const OPEN = "\u{F5A00}"
const CLOSE = "\u{F5A01}"
const ours = new RegExp(`[${OPEN}${CLOSE}${openEnd}]`, "gu")

/** `<tool_call>`, `[INST]`, `<|im_start|>`: not words and spaces, which some vocabularies define by hand too */
const looksLikeMark = /[<>[\]|]/
/** `>>>`, `$$`: a mark where the dialect says so */
const isWord = /^[\p{L}\p{N}\s_]*$/u

/** ends no spelling, and begins none */
const BETWEEN = "\0"

export class Literals {
  private readonly model: AddonModel
  private readonly marks: ReadonlyArray<string>
  private readonly spellings: Array<string> = []

  constructor(model: AddonModel, dialect: Dialect) {
    this.model = model
    this.marks = marksOf(dialect)
  }

  /** The same input with each spelling of such a token replaced. Almost always there is none, which one look tells. */
  clean(input: TemplateInput): TemplateInput {
    const { args, messages, tools } = input
    let all = ""
    eachString([messages, tools, args], (text) => {
      all += text + BETWEEN
    })
    if (all.search(ours) === -1 && this.steeringIn(all).length === 0) return input
    const clean = <A>(value: A): A =>
      // strings become strings
      mapStrings(value, (text) => this.neutral(text)) as A
    return { ...input, messages: clean(messages), tools: clean(tools), args: clean(args) }
  }

  /** What the template has made of it. */
  tokens(text: string): Array<number> {
    if (this.spellings.length === 0) return Array.from(this.model.tokenize(text, true))
    const parts: Array<Uint32Array> = []
    let at = 0
    for (const match of text.matchAll(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "gu"))) {
      if (match.index > at) parts.push(this.model.tokenize(text.slice(at, match.index), true))
      parts.push(this.plain(this.spellings[Number(match[1])] ?? ""))
      at = match.index + match[0].length
    }
    if (at < text.length) parts.push(this.model.tokenize(text.slice(at), true))
    return parts.flatMap((part) => Array.from(part))
  }

  /** The same as text, for who makes tokens of it and knows no marks: a mark is broken by a space of no width. */
  text(text: string): string {
    return text.replaceAll(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "gu"), (_, at: string) => {
      const [first = "", ...rest] = this.spellings[Number(at)] ?? ""
      return `${first}\u200b${rest.join("")}`
    })
  }

  /** A mark as the text that it looks like: tokens that are user-defined are found in any text, so it is cut. */
  private plain(text: string): Uint32Array {
    const tokens = this.model.tokenize(text, false)
    const [first = ""] = text
    if (first.length === text.length || !tokens.some((token) => this.steers(token) !== undefined)) return tokens
    return Uint32Array.from([...this.model.tokenize(first, false), ...this.plain(text.slice(first.length))])
  }

  /** The spelling of a token that templates steer the model with. */
  private steers(token: number): string | undefined {
    const attributes = this.model.getTokenAttributes(token)
    if ((attributes & (CONTROL | USER_DEFINED)) === 0) return undefined
    const spelling = this.model.getTokenString(token) ?? ""
    return spelling !== "" && ((attributes & CONTROL) !== 0 || this.isMark(spelling)) ? spelling : undefined
  }

  private isMark(spelling: string): boolean {
    if (looksLikeMark.test(spelling)) return true
    return !isWord.test(spelling) && this.marks.some((mark) => mark.includes(spelling.trim()))
  }

  private steeringIn(text: string): ReadonlyArray<string> {
    const spellings = new Set<string>()
    for (const token of this.model.tokenize(text, true)) {
      const spelling = this.steers(token)
      if (spelling !== undefined) spellings.add(spelling)
    }
    return [...spellings]
  }

  /** A text with each spelling of such a token replaced. */
  neutral(content: string): string {
    let text = content.replaceAll(ours, "")
    // longest first, so that one spelling inside another is left to it
    for (const spelling of [...this.steeringIn(text)].sort((a, b) => b.length - a.length)) {
      if (!text.includes(spelling)) continue
      text = text.replaceAll(spelling, `${OPEN}${this.spellings.push(spelling) - 1}${CLOSE}`)
    }
    return text
  }
}
