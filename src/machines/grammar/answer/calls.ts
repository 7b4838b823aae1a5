/** Calls of tools in a dialect's form, so that each that is read is of a declared tool and its arguments satisfy it. */
import type { Form, JsonForm, Mark, Tools } from "../../dialect/dialect.ts"
import type { Tool } from "../../vocabulary/conversation.ts"
import { isText } from "../../dialect/fold/values.ts"
import { isObject } from "../../formats/json/is-object.ts"
import { between } from "../automaton/ranges.ts"
import { type Item, type Rules, type Sequence, text } from "../rules.ts"
import { Layout } from "../schema/layout.ts"
import type { Place } from "../schema/plain.ts"
import { Values } from "../schema/values.ts"
import { ElementRules, plainKey } from "./elements.ts"
import { asText } from "./rewritten.ts"
import { beforeEnd, carriedOff, filled } from "./spans.ts"

export interface CallOptions {
  readonly rules: Rules
  readonly tools: Tools
  /** that may be called */
  readonly callable: ReadonlyArray<Tool>
  /** whose arguments have to satisfy their schema */
  readonly isBound: (tool: Tool) => boolean
  /** where its schema stands in the request */
  readonly pathOf: (tool: Tool) => string
  readonly parallel: boolean
  /** the prompt's end, and the texts of the tokens that end an answer */
  readonly prompt: string
  readonly ends: ReadonlyArray<string>
}

/** calls of an answer */
const callsMax = 64

/** An object of keys that stand inside of each other. */
type Tree = { readonly [key: string]: Item | Tree }

export class CallRules {
  private readonly options: CallOptions
  private readonly rules: Rules
  private readonly form: Form

  constructor(options: CallOptions) {
    this.options = options
    this.rules = options.rules
    this.form = options.tools.form
  }

  /** All calls of an answer; `opened`: the mark before them is written. */
  section(opened: boolean): Item {
    const { form, rules } = this
    const { callable, parallel, tools } = this.options
    const close = this.close()
    const heads = this.heads(opened)
    if (form._tag === "json" && form.list) {
      const call = rules.of(callable.map((tool) => this.jsonCall(form, tool)))
      const space = this.space()
      const more = rules.repeat(rules.of([[text(","), space, call]]), 0, parallel ? callsMax - 1 : 0)
      return rules.of(heads.map(({ open }) => [...open, text("["), space, call, ...more, space, text("]"), close]))
    }
    const one = (these: ReadonlyArray<Head>): Item =>
      rules.of(these.flatMap((head) => callable.map((tool) => [...head.open, ...this.call(tool, head.mid)])))
    if (!parallel) return rules.of([[one(heads), close]])
    if (tools.between === undefined)
      return tools.parallel
        ? rules.of([
            [
              one(heads),
              close,
              ...rules.repeat(rules.of([[this.space(), one(this.heads(false)), close]]), 0, callsMax - 1)
            ]
          ])
        : rules.of([[one(heads), close]])
    const next = one([{ open: filled(rules, tools.between, {}), mid: this.mid() }])
    return rules.of([[one(heads), ...rules.repeat(next, 0, callsMax - 1), close]])
  }

  private mid(): Mark {
    return this.form._tag === "json" ? [] : this.form.mid
  }

  /** The ways in which a call is opened. Where the mark is written, what follows it. */
  private heads(opened: boolean): ReadonlyArray<Head> {
    const { prompt, tools } = this.options
    const carry = Object.values(tools.carry).find((one) => one !== "" && prompt.endsWith(one)) ?? ""
    const first: ReadonlyArray<{ readonly open: Mark; readonly mid: Mark }> = [
      { open: tools.open, mid: this.mid() },
      ...(tools.also ?? [])
    ]
    return first.map(({ mid, open }) => ({
      open: filled(this.rules, opened ? afterOpening(open) : carriedOff(open, carry), {}),
      mid
    }))
  }

  /** What ends a section; the engine's own end is not written. */
  private close(): Item {
    const { ends, tools } = this.options
    const all = tools.close.map((mark) => filled(this.rules, beforeEnd(mark, ends), {}))
    return this.rules.of(all.length === 0 ? [[]] : all)
  }

  private call(tool: Tool, mid: Mark): Sequence {
    const { form, rules } = this
    if (form._tag === "json") return this.jsonCall(form, tool)
    const { name } = tool
    const head = [text(name), ...filled(rules, mid, { name })]
    if (form._tag === "name_json") return [...head, this.argumentsOf(tool)]
    const parameters = this.place(tool)
    const elements = new ElementRules(rules, new Values(rules, parameters), form)
    return [...head, elements.ofTool(parameters)]
  }

  private place(tool: Tool): Place {
    const { isBound, pathOf } = this.options
    const { parameters = anyObject } = tool
    const others = this.form._tag === "elements" ? described(parameters) : anyObject
    return { schema: isBound(tool) ? parameters : others, path: pathOf(tool) }
  }

  private argumentsOf(tool: Tool): Item {
    const place = this.place(tool)
    const values = new Values(this.rules, place)
    return values.of([place, { schema: anyObject, path: place.path }])
  }

  private jsonCall(form: JsonForm, tool: Tool): Sequence {
    const { rules } = this
    const inside = this.argumentsOf(tool)
    const made = form.argsAsText === true ? rules.of([[text('"'), asText(rules, inside), text('"')]]) : inside
    if (form.name === "key") return this.object({ [tool.name]: made })
    const id = rules.of([
      [
        text('"'),
        ...rules.repeat({ _tag: "Class", ranges: [...between("0", "9"), ...between("a", "z")] }, 9, 9),
        text('"')
      ]
    ])
    const tree = [
      [form.name, text(JSON.stringify(tool.name))] as const,
      [form.args, made] as const,
      ...(form.id === undefined ? [] : [[form.id, id] as const])
    ].reduce((all, [path, item]) => planted(all, path, item), {})
    return this.object(tree)
  }

  private object(tree: Tree): Sequence {
    const { rules } = this
    const [space, after] = [this.space(), rules.maybe(text(" "))]
    const parts = Object.entries(tree).map(([key, inner]): Sequence => [
      text(JSON.stringify(key)),
      text(":"),
      after,
      ...(isItem(inner) ? [inner] : this.object(inner))
    ])
    return [
      text("{"),
      space,
      ...parts.flatMap((part, at) => (at === 0 ? part : [text(","), space, ...part])),
      space,
      text("}")
    ]
  }

  private space(): Item {
    return new Layout(this.rules).space
  }
}

/** White space at the end of an opening is not waited for. */
const afterOpening = ([first, ...rest]: Mark): Mark =>
  typeof first === "string" ? [first.slice(first.trimEnd().length), ...rest] : []

interface Head {
  readonly open: Sequence
  readonly mid: Mark
}

const anyObject = { type: "object" }

/** Its arguments, whatever they are: where each has marks of its own, those that nobody has described cannot be written. */
const described = ({ properties }: NonNullable<Tool["parameters"]>): Place["schema"] => ({
  type: "object",
  properties: Object.fromEntries(
    Object.entries(isObject(properties) ? properties : {})
      .filter(([key]) => plainKey.test(key))
      .map(([key, schema]) => [key, isText(schema) ? { type: "string" } : {}])
  )
})

const isItem = (one: Item | Tree): one is Item => typeof one["_tag"] === "string"

const planted = (tree: Tree, [key, ...rest]: ReadonlyArray<string>, item: Item): Tree => {
  if (key === undefined) return tree
  const inner = tree[key]
  return {
    ...tree,
    [key]: rest.length === 0 ? item : planted(inner === undefined || isItem(inner) ? {} : inner, rest, item)
  }
}
