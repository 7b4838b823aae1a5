/** Generated calls, rendered by the template and read back. */
import { isObject } from "../../formats/json/is-object.ts"
import type { Dialect } from "../dialect.ts"
import { type DeclaredTool, type Delta, Fold } from "../fold/fold.ts"
import { noContent, Renders, type Turn } from "../learn/renders.ts"
import { sceneOf } from "../learn/scene.ts"
import type { Render } from "../template.ts"
import { answerIn } from "./answer.ts"
import { aCall, type Chance, chanceOf, easyTexts, hardTexts, toolsOf, twoNames } from "./generate.ts"

/** `one` and `two` calls, `text` beside one, `reasoning` before one, one with `none`: no arguments; `content` alone. */
export const kinds = ["one", "two", "text", "reasoning", "none", "content"] as const
export type Kind = (typeof kinds)[number]

export interface Said {
  readonly reasoning: string
  readonly content: string
  readonly calls: ReadonlyArray<{ readonly name: string; readonly id: string; readonly arguments: string }>
}

/** All deltas of an answer together. */
export const gathered = (deltas: ReadonlyArray<Delta>): Said => {
  const calls: Array<{ name: string; id: string; arguments: string }> = []
  let [reasoning, content] = ["", ""]
  for (const delta of deltas) {
    if (delta._tag === "Reasoning") reasoning += delta.text
    else if (delta._tag === "Content") content += delta.text
    else if (delta._tag === "Call") calls.push({ name: delta.name, id: "", arguments: "" })
    else {
      const call = calls[delta.index]
      if (call === undefined) continue
      if (delta._tag === "CallId") call.id = delta.id
      else call.arguments += delta.text
    }
  }
  return { reasoning, content, calls }
}

export const folded = (dialect: Dialect, tools: ReadonlyArray<DeclaredTool>, prompt: string, text: string): Said => {
  const fold = new Fold(dialect, { tools, prompt })
  return gathered([...fold.push(text), ...fold.end()])
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One try, and what came of it. */
export interface Try {
  readonly kind: Kind
  readonly tools: ReadonlyArray<DeclaredTool>
  readonly prompt: string
  readonly text: string
  readonly given: Turn
  readonly got: Said
  readonly exact: boolean
}

/** Some templates sort the keys. */
const sorted = (_key: string, value: unknown): unknown =>
  isObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one, sorted) === JSON.stringify(other, sorted)

const isExact = (given: Turn, content: string, got: Said): boolean =>
  got.content.trim() === content.trim() &&
  got.reasoning.trim() === (given.reasoning?.text ?? "").trim() &&
  got.calls.length === (given.calls ?? []).length &&
  (given.calls ?? []).every((call, index) => {
    const read = got.calls[index]
    return (
      read?.name === call.name &&
      isSame(parsed(read.arguments), call.arguments) &&
      (read.id === "" || read.id === call.id)
    )
  })

/** What is asked of the template for a kind; undefined: it cannot be asked. */
const turnOf = (dialect: Dialect, kind: Kind, chance: Chance, texts: ReadonlyArray<string>): Turn | undefined => {
  const { reasoning, tools } = dialect
  const [first = "", second = ""] = twoNames(chance)
  if (kind === "content") return { content: `So it is, ${chance(1000)} times: a < b, [x].` }
  if (tools === null || (kind === "two" && !tools.parallel) || (kind === "text" && !tools.textBeside)) return undefined
  const call = aCall(chance, texts, first, kind === "none" ? 0 : 3)
  if (kind === "two") return { calls: [call, aCall(chance, texts, second, 3)] }
  if (kind === "text") return { content: "Let me look.", calls: [call] }
  if (kind !== "reasoning") return { calls: [call] }
  if (reasoning?.field === undefined) return undefined
  return { calls: [call], reasoning: { field: reasoning.field, text: "I think so.\n\nOr not." }, thinking: true }
}

export class Trial {
  private readonly dialect: Dialect
  private readonly renders: Renders
  private readonly prompts: ReadonlyArray<string>

  constructor(dialect: Dialect, render: Render) {
    this.dialect = dialect
    this.renders = new Renders(render, dialect.manner)
    const scene = sceneOf(this.renders)
    this.prompts = [...scene.prompts.values(), ...(scene.before === "" ? [] : [scene.before])]
  }

  /** undefined: the template does not take it */
  turn(kind: Kind, given: Turn): Try | undefined {
    const { dialect, prompts, renders } = this
    const turn = renders.turn(given)
    if (turn === undefined || (kind === "content" && !turn.includes(given.content ?? ""))) return undefined
    const tools = toolsOf(given.calls ?? [])
    const { prompt: before, text } = answerIn(dialect, turn, prompts)
    // the template leaves out what the prompt has written to open it
    const thought = given.reasoning?.text
    const prompt =
      thought !== undefined && text.trimStart().startsWith(thought) ? (dialect.reasoning?.open ?? "") : before
    if (thought === undefined && this.opens(before)) return undefined
    const got = folded(dialect, tools, prompt, text)
    const content = given.content ?? noContent(dialect.manner) ?? ""
    return { kind, tools, prompt, text, given, got, exact: isExact(given, content, got) }
  }

  /** A plain answer would be read as reasoning: what stands there holds both, and what closes reasoning between. */
  private opens(prompt: string): boolean {
    return this.dialect.reasoning !== null && prompt.trimEnd().endsWith(this.dialect.reasoning.open)
  }

  /** A generated try. */
  try(kind: Kind, seed: number, hard: boolean): Try | undefined {
    const chance = chanceOf(seed)
    const texts = hard ? [...easyTexts, ...hardTexts] : easyTexts
    const given = turnOf(this.dialect, kind, chance, texts)
    return given === undefined ? undefined : this.turn(kind, given)
  }
}

export interface RoundTrip {
  readonly tried: number
  readonly exact: number
  readonly kinds: Readonly<Partial<Record<Kind, { readonly tried: number; readonly exact: number }>>>
  /** kinds that the template cannot render */
  readonly impossible: ReadonlyArray<Kind>
}

/** `each`: how often a kind is tried, every second time with texts that are hard to tell from marks. */
export const roundTrip = (
  dialect: Dialect,
  render: Render,
  each: number
): RoundTrip & { readonly failed: ReadonlyArray<Try> } => {
  const trial = new Trial(dialect, render)
  const tries = kinds.map((kind) =>
    Array.from({ length: each }, (_, seed) => trial.try(kind, seed * 7919 + 1, seed % 2 === 1)).filter(
      (one) => one !== undefined
    )
  )
  const counts = kinds.map((kind, index) => {
    const of = tries[index] ?? []
    return [kind, { tried: of.length, exact: of.filter(({ exact }) => exact).length }] as const
  })
  const all = tries.flat()
  return {
    tried: all.length,
    exact: all.filter(({ exact }) => exact).length,
    kinds: Object.fromEntries(counts.filter(([, { tried }]) => tried > 0)),
    impossible: counts.filter(([, { tried }]) => tried === 0).map(([kind]) => kind),
    failed: all.filter(({ exact }) => !exact)
  }
}
