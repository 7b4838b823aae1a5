/** The grammar's text, as llama.cpp reads it (GBNF), without what can never come to an end. */
import { Refusal } from "./refusal.ts"
import type { Choice, Item, Rules, Sequence } from "./rules.ts"

type Named = ReadonlyMap<string, Choice>

/** Names of the rules that some text satisfies. */
const productive = (rules: Named): ReadonlySet<string> => closed(rules, ends)

/** Names of rules of which an alternative is so, by what is known of others. */
const closed = (rules: Named, is: (one: Sequence, found: ReadonlySet<string>) => boolean): ReadonlySet<string> => {
  const found = new Set<string>()
  for (let left = [...rules], before = -1; before !== left.length;) {
    before = left.length
    left = left.filter(([name, choice]) => {
      const isSo = choice.some((one) => is(one, found))
      if (isSo) found.add(name)
      return !isSo
    })
  }
  return found
}

const ends = (sequence: Sequence, found: ReadonlySet<string>): boolean =>
  sequence.every((item) =>
    item._tag === "Class" ? item.ranges.length > 0 : item._tag === "Text" || found.has(item.name)
  )

const reached = (rules: Named, root: string): Named => {
  const found = new Map<string, Choice>()
  const open = [root]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    const choice = rules.get(name) ?? []
    found.set(name, choice)
    for (const sequence of choice) for (const item of sequence) if (item._tag === "Rule") open.push(item.name)
  }
  return found
}

const nullable = (rules: Named): ReadonlySet<string> =>
  closed(rules, (one, found) => one.every((item) => isEmpty(item, found)))

const isEmpty = (item: Item, found: ReadonlySet<string>): boolean =>
  item._tag === "Text" ? item.text === "" : item._tag === "Rule" && found.has(item.name)

/** Whether a rule may begin with itself, which llama.cpp does not read. */
const beginsWithItself = (rules: Named): boolean => {
  const empty = nullable(rules)
  const state = new Map<string, "open" | "done">()
  const leads = (name: string): ReadonlyArray<string> =>
    (rules.get(name) ?? []).flatMap((sequence) => {
      const first = sequence.findIndex((item) => !isEmpty(item, empty))
      return sequence
        .slice(0, first === -1 ? sequence.length : first + 1)
        .flatMap((item) => (item._tag === "Rule" ? [item.name] : []))
    })
  for (const root of rules.keys()) {
    const path = state.has(root) ? [] : [{ name: root, left: [...leads(root)] }]
    if (path.length > 0) state.set(root, "open")
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const next = top.left.pop()
      if (next === undefined) {
        state.set(top.name, "done")
        path.pop()
      } else if (state.get(next) === "open") return true
      else if (!state.has(next)) {
        state.set(next, "open")
        path.push({ name: next, left: [...leads(next)] })
      }
    }
  }
  return false
}

const hex = (code: number): string =>
  code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : code < 0x1_0000
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\U${code.toString(16).padStart(8, "0")}`

const plain = /^[\w !#$%&'()*+,./:;<=>?@{|}~`]$/
const spelt = (character: string): string => (plain.test(character) ? character : hex(character.codePointAt(0) ?? 0))
const spellText = (value: string): string => `"${[...value].map(spelt).join("")}"`

const itemText = (item: Item): string => {
  if (item._tag === "Rule") return item.name
  if (item._tag === "Text") return spellText(item.text)
  return `[${item.ranges.map(([from, to]) => (from === to ? hex(from) : `${hex(from)}-${hex(to)}`)).join("")}]`
}

const joined = (sequence: Sequence): Sequence => {
  const all: Array<Item> = []
  for (const item of sequence) {
    const last = all.at(-1)
    if (item._tag === "Text" && last?._tag === "Text") all.splice(-1, 1, { ...last, text: last.text + item.text })
    else if (item._tag !== "Text" || item.text !== "") all.push(item)
  }
  return all
}

const choiceText = (choice: Choice): string =>
  choice.map((sequence) => joined(sequence).map(itemText).join(" ") || '""').join(" | ")

/** The rule of this name begins it. */
export const rootName = "root"

export const grammarText = (rules: Rules, root: Item): string => {
  const all = new Map<string, Choice>([...rules.all(), [rootName, [[root]]]])
  const good = productive(all)
  if (!good.has(rootName)) throw new Refusal("schema", "nothing satisfies it")
  const pruned = new Map([...all].map(([name, choice]) => [name, choice.filter((one) => ends(one, good))]))
  const left = reached(pruned, rootName)
  if (beginsWithItself(left)) throw new Refusal("schema", "it refers to itself without a value in between")
  return [...left].map(([name, choice]) => `${name} ::= ${choiceText(choice)}\n`).join("")
}
