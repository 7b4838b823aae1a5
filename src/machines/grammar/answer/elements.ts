/** A call's arguments with marks of their own, so that what is read of them satisfies the tool's schema. */
import type { ElementsForm } from "../../dialect/dialect.ts"
import { isObject } from "../../formats/json/is-object.ts"
import { isText } from "../../dialect/fold/values.ts"
import { anything } from "../automaton/automaton.ts"
import { Refusal } from "../refusal.ts"
import { type Choice, type Item, type Rules, type Sequence, text } from "../rules.ts"
import { bare, described } from "../text.ts"
import type { All, Place, Plain } from "../schema/plain.ts"
import { place, underKey } from "../schema/plain.ts"
import type { Values } from "../schema/values.ts"
import { avoiding } from "./rewritten.ts"
import { filled, notBegunWith, withoutMark } from "./spans.ts"

/** what a key may be made of, so that it is found again */
export const plainKey = /^[\p{L}\p{N}_.$@-]+$/u

/** where a text is said by its type's name */
const typeWords = ["number", "integer", "boolean", "object", "array", "null", "json"]

interface Entry {
  readonly key: string
  readonly all: All
  /** it is read as it stands, and not as JSON */
  readonly isText: boolean
  readonly isRequired: boolean
}

export class ElementRules {
  private readonly rules: Rules
  private readonly values: Values
  private readonly form: ElementsForm

  constructor(rules: Rules, values: Values, form: ElementsForm) {
    this.rules = rules
    this.values = values
    this.form = form
  }

  /** Between the marks of the call. */
  ofTool(parameters: Place): Item {
    const { path, schema } = parameters
    const objects = this.values.plains([parameters, { schema: { type: "object" }, path }])
    const properties = isObject(schema) && isObject(schema["properties"]) ? schema["properties"] : {}
    return this.rules.of(objects.map((plain) => [this.from(this.entries(plain, path, properties), 0, false)]))
  }

  private entries(plain: Plain, path: string, said: Readonly<Record<string, unknown>>): ReadonlyArray<Entry> {
    if (plain.size.min > 0 || plain.size.max !== undefined || plain.values !== undefined)
      throw new Refusal(
        path,
        "a number of keys, or whole objects as values, are not supported in this model's form of calls"
      )
    const keys = new Set([...plain.objects.flatMap(({ properties }) => [...properties.keys()]), ...plain.required])
    return [...keys].flatMap((key) => {
      if (!plainKey.test(key))
        throw new Refusal(path, `the key ${JSON.stringify(key)} cannot be written in this model's form of calls`)
      const all = underKey(plain, key, this.values.judge.matches)
      const isRequired = plain.required.includes(key)
      if (all === undefined && !isRequired) return []
      // as who reads the answer tells it: by what stands there, without looking further
      return [{ key, all: all ?? [place(false, path, key)], isText: isText(said[key]), isRequired }]
    })
  }

  /** From the entry at `index` on. */
  private from(entries: ReadonlyArray<Entry>, index: number, written: boolean): Item {
    const entry = entries[index]
    if (entry === undefined) return this.rules.of([[]])
    const separator = written ? this.form.separator : ""
    const here: Sequence = [text(separator), this.argument(entry), this.from(entries, index + 1, true)]
    return this.rules.of([here, ...(entry.isRequired ? [] : [[this.from(entries, index + 1, written)]])])
  }

  private argument({ all, isText: isRaw, key }: Entry): Item {
    const { close, open } = this.form
    return this.rules.of(
      this.valuesOf(all, isRaw).map((value) => [
        ...filled(this.rules, open, { key }),
        ...value,
        ...filled(this.rules, close, { key })
      ])
    )
  }

  private valuesOf(all: All, isRaw: boolean): Choice {
    const { form } = this
    if (form.values === "literal") return this.literals(all)
    const { typed } = form
    if (typed !== undefined) {
      const others = typed.text === "true" ? ["false"] : typeWords.filter((word) => word !== typed.text)
      return [
        ...this.raw(all).map((one) => [text(`${typed.text}${typed.after}`), ...one]),
        [this.rules.of(others.map((word) => [text(word)])), text(typed.after), this.json([...all, notText(all)])]
      ]
    }
    return isRaw ? this.raw(all) : [[this.json(all)]]
  }

  /** Texts as they are, without what closes them. */
  private raw(all: All): Choice {
    const { close, wrap } = this.form
    const core = close
      .map((part) => (typeof part === "string" ? part : ""))
      .join("")
      .trim()
    const texts = this.values.plains([...all, { schema: { type: "string" }, path: all[0]?.path ?? "tools" }])
    return texts.map((plain) =>
      this.values.judge.texts.guarded(plain.path, "", () => {
        const free = withoutMark(this.values.judge.texts.whole(plain), core)
        const kept = wrap === undefined ? free : notBegunWith(free, wrap.open)
        return [described(this.rules, kept, bare, [])]
      })
    )
  }

  private json(all: All): Item {
    const first = (this.form.close.find((part) => typeof part === "string") ?? "").trim().charAt(0)
    if (first !== "<" && first !== "")
      throw new Refusal("tools", "values in this model's form of calls cannot be told from their end")
    const value = this.values.of(all)
    return first === "" ? value : avoiding(this.rules, value, first)
  }

  /** As in a program; texts in the model's own quotes, where it has any. */
  private literals(all: All): Choice {
    const { quote } = this.form
    if (quote === undefined) return [[this.values.of(all)]]
    const texts = this.values.plains([...all, { schema: { type: "string" }, path: all[0]?.path ?? "tools" }])
    const quoted = texts.map((plain) =>
      this.values.judge.texts.guarded(plain.path, "", (): Sequence => {
        const free = withoutMark(
          plain.values === undefined && isFree(plain) ? anything : this.values.judge.texts.whole(plain),
          quote.close
        )
        return [text(quote.open), described(this.rules, free, bare, [text(quote.close)])]
      })
    )
    return [...quoted, [this.values.of([...all, notText(all)])]]
  }
}

const isFree = ({ length, patterns }: Plain): boolean =>
  length.min === 0 && length.max === undefined && patterns.length === 0

/** The same schema each time, so that its rules are made once. */
const others = { type: ["null", "boolean", "number", "array", "object"] }
const notText = (all: All): Place => ({ schema: others, path: all[0]?.path ?? "tools" })
