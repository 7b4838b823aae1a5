/**
 * A schema's pattern: JavaScript's regular expressions with the flag `u`, as far as they describe a regular language
 * and nothing but characters is looked at. The rest (looking ahead and behind, references back, borders of words, the
 * properties of Unicode) is refused.
 */
import type { Automaton } from "./automaton.ts"
import { automatonOf, type Expression } from "./expression.ts"
import { between, complement, every, ofCharacters, type Ranges, union } from "./ranges.ts"

export class Unreadable extends Error {
  override readonly name = "Unreadable"
}

const digits = between("0", "9")
const word = union(digits, between("a", "z"), between("A", "Z"), ofCharacters("_"))
const space = union(
  ofCharacters("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"),
  between("\u2000", "\u200a")
)
const classes: Readonly<Record<string, Ranges>> = {
  d: digits,
  D: complement(digits),
  w: word,
  W: complement(word),
  s: space,
  S: complement(space)
}
const controls: Readonly<Record<string, string>> = { t: "\t", n: "\n", v: "\v", f: "\f", r: "\r", "0": "\0" }
const notLineEnd = complement(ofCharacters("\n\r\u2028\u2029"))
const anyText: Expression = { _tag: "Repeat", part: { _tag: "Set", ranges: every }, min: 0, max: Infinity }
const nothing: Expression = { _tag: "Sequence", parts: [] }
/** copies that a quantifier may ask for */
const timesMax = 4000

class Reader {
  private readonly characters: ReadonlyArray<string>
  private at = 0

  constructor(pattern: string) {
    this.characters = [...pattern]
  }

  private get next(): string {
    return this.characters[this.at] ?? ""
  }

  private eats(text: string): boolean {
    const is = this.characters.slice(this.at, this.at + [...text].length).join("") === text
    if (is) this.at += [...text].length
    return is
  }

  private unreadable(what: string): Unreadable {
    return new Unreadable(what)
  }

  /** What is searched for: where it is not held fast, any text may stand around it. */
  search(): Expression {
    const found: Array<Expression> = []
    do {
      const start = this.eats("^")
      const body = this.sequence()
      const end = this.eats("$")
      found.push({ _tag: "Sequence", parts: [start ? nothing : anyText, body, end ? nothing : anyText] })
    } while (this.eats("|"))
    if (this.next !== "") throw this.unreadable(`"${this.next}" at ${this.at}`)
    return { _tag: "Choice", parts: found }
  }

  private choice(): Expression {
    const parts = [this.sequence()]
    while (this.eats("|")) parts.push(this.sequence())
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { _tag: "Choice", parts }
  }

  private sequence(): Expression {
    const parts: Array<Expression> = []
    while (!["", "|", ")", "$"].includes(this.next)) parts.push(this.quantified(this.atom()))
    return { _tag: "Sequence", parts }
  }

  private atom(): Expression {
    if (this.eats("(")) return this.group()
    if (this.eats("[")) return { _tag: "Set", ranges: this.bracket() }
    if (this.eats(".")) return { _tag: "Set", ranges: notLineEnd }
    if (this.eats("\\")) return { _tag: "Set", ranges: this.escape(false) }
    if ("^*+?{}]".includes(this.next)) throw this.unreadable(`"${this.next}" at ${this.at}`)
    return { _tag: "Set", ranges: ofCharacters(this.take()) }
  }

  private take(): string {
    const { next } = this
    if (next === "") throw this.unreadable("it breaks off")
    this.at++
    return next
  }

  private group(): Expression {
    if (this.eats("?<") && !["=", "!"].includes(this.next)) while (this.take() !== ">");
    else if (!this.eats("?:") && (this.next === "?" || this.characters[this.at - 1] === "<"))
      throw this.unreadable("what stands before and after cannot be looked at")
    const inside = this.choice()
    if (!this.eats(")")) throw this.unreadable(this.next === "$" ? '"$" inside of a group' : "a group has no end")
    return inside
  }

  private quantified(part: Expression): Expression {
    const times = this.times()
    if (times === undefined) return part
    // as few as there may be, or as many: the texts are the same
    this.eats("?")
    const [min, max] = times
    if (max < min || (max !== Infinity && max > timesMax) || min > timesMax) throw this.unreadable(`{${min},${max}}`)
    return { _tag: "Repeat", part, min, max }
  }

  private times(): readonly [number, number] | undefined {
    if (this.eats("*")) return [0, Infinity]
    if (this.eats("+")) return [1, Infinity]
    if (this.eats("?")) return [0, 1]
    if (!this.eats("{")) return undefined
    const found = /^(\d+)(,(\d*))?\}/.exec(this.characters.slice(this.at, this.at + 24).join(""))
    if (found === null) throw this.unreadable(`"{" at ${this.at - 1}`)
    this.at += found[0].length
    const min = Number(found[1])
    return [min, found[2] === undefined ? min : found[3] === "" ? Infinity : Number(found[3])]
  }

  /** After `[`. */
  private bracket(): Ranges {
    const isNot = this.eats("^")
    const parts: Array<Ranges> = []
    while (!this.eats("]")) {
      const low = this.inBracket()
      const [only] = low
      if (this.next === "-" && this.characters[this.at + 1] !== "]") {
        this.at++
        const [end] = this.inBracket()
        if (only?.[0] !== only?.[1] || end?.[0] !== end?.[1] || low.length !== 1)
          throw this.unreadable("a range of classes")
        const [from = 0, to = -1] = [only?.[0], end?.[0]]
        if (from > to) throw this.unreadable("a range that ends before it begins")
        parts.push([[from, to]])
      } else parts.push(low)
    }
    const all = union(...parts)
    return isNot ? complement(all) : all
  }

  private inBracket(): Ranges {
    return this.eats("\\") ? this.escape(true) : ofCharacters(this.take())
  }

  /** After a backslash. */
  private escape(inBracket: boolean): Ranges {
    const letter = this.take()
    const known = classes[letter]
    if (known !== undefined) return known
    const control = controls[letter]
    if (control !== undefined && !(letter === "0" && /\d/.test(this.next))) return ofCharacters(control)
    if (letter === "x") return this.code(2)
    if (letter === "u") return this.unicode()
    if (letter === "c" && /[a-z]/i.test(this.next)) return codePoint(this.take().charCodeAt(0) % 32)
    if (inBracket && letter === "b") return ofCharacters("\b")
    if (/[\^$\\.*+?()[\]{}|/]/.test(letter) || (inBracket && letter === "-")) return ofCharacters(letter)
    throw this.unreadable(`\\${letter}`)
  }

  private code(length: number): Ranges {
    const code = this.characters.slice(this.at, this.at + length).join("")
    if (code.length !== length || !/^[\da-f]+$/i.test(code)) throw this.unreadable("a character's code breaks off")
    this.at += length
    return codePoint(Number.parseInt(code, 16))
  }

  private unicode(): Ranges {
    if (!this.eats("{")) {
      const [[high = 0] = []] = this.code(4)
      if (high < 0xd800 || high > 0xdbff || !this.eats("\\u")) return codePoint(high)
      const [[low = 0] = []] = this.code(4)
      if (low < 0xdc00 || low > 0xdfff) throw this.unreadable("half of a character")
      return codePoint(0x1_0000 + (high - 0xd800) * 0x400 + (low - 0xdc00))
    }
    let code = ""
    for (let digit = this.take(); digit !== "}"; digit = this.take()) code += digit
    if (!/^[\da-f]{1,6}$/i.test(code)) throw this.unreadable(`\\u{${code}}`)
    return codePoint(Number.parseInt(code, 16))
  }
}

const codePoint = (code: number): Ranges => [[code, code]]

const isExpression = (pattern: string): boolean => {
  try {
    return new RegExp(pattern, "u").unicode
  } catch {
    return false
  }
}

/** The texts in which the pattern is found. */
export const automatonOfPattern = (pattern: string): Automaton => {
  if (!isExpression(pattern)) throw new Unreadable("it is no regular expression")
  return automatonOf(new Reader(pattern).search())
}
