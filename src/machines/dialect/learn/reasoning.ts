/** What opens and closes reasoning, and in which state each prompt leaves the model. */
import type { Reasoning } from "../dialect.ts"
import { atomsOf, commonEnd, commonStart, longest } from "./atoms.ts"
import type { Scene, Thinking } from "./scene.ts"
import { firstCall, type Renders, words } from "./renders.ts"

/** The names that templates read it under; `parts`: a part of the content. */
const fields = ["reasoning_content", "reasoning", "thinking", "thought", "parts"] as const

interface Seen {
  readonly field: string
  readonly text: string
  readonly withCall: boolean
  /** the same without reasoning: what stands before the content */
  readonly plain: string
}

const rendered = (renders: Renders, field: (typeof fields)[number], withCall: boolean, thinking: boolean | undefined) =>
  renders.turn({
    ...(withCall ? { calls: [firstCall] } : {}),
    ...(thinking === undefined ? {} : { thinking }),
    content: words.text,
    reasoning: { field, text: words.thought }
  })

/** A list that was printed as it is was not understood. */
const printed = /["']type["']/

const seen = (renders: Renders): Seen | undefined => {
  for (const field of fields)
    for (const withCall of field === "parts" ? [false] : [false, true])
      for (const thinking of [true, undefined]) {
        const text = rendered(renders, field, withCall, thinking)
        if (text === undefined || !text.includes(words.thought)) continue
        if (field === "parts" && (printed.test(text) || !text.includes(words.text))) continue
        const calls = withCall ? { calls: [firstCall] } : {}
        const without =
          renders.turn({ content: words.text, ...calls, ...(thinking === undefined ? {} : { thinking }) }) ?? ""
        const at = without.indexOf(words.text)
        return { field, text, withCall, plain: at === -1 ? without : without.slice(0, at) }
      }
  return undefined
}

/** What stands between the answer's head and the thought. */
const openIn = (before: string, plain: string, scene: Scene): string => {
  const prompts = [...scene.prompts.values()]
  const whole = longest(prompts.filter((prompt) => before.startsWith(prompt)))
  if (whole !== "" && before.slice(whole.length).trim() !== "") return before.slice(whole.length).trim()
  const rests = [plain, ...prompts]
    .map((text) => before.slice(commonStart(before, text).length).trim())
    .filter((rest) => rest !== "")
  if (rests.length > 0) return rests.reduce((best, rest) => (rest.length < best.length ? rest : best))
  // every render has it: a prompt goes on with it, or it is the last mark
  const [further] = prompts
    .filter((prompt) => prompt.startsWith(before))
    .map((prompt) => prompt.slice(before.length).trim())
  if (further !== undefined && /^[\p{L}]/u.test(further)) return further
  return atomsOf(before).findLast((atom) => atom.trim() !== "") ?? ""
}

/** What stands between the thought and what follows: content, or what opens a call. */
const closeIn = (after: string, open: string, found: Seen, scene: Scene, callOpen: string | undefined): string => {
  const ends = [
    words.text,
    firstCall.name,
    ...(callOpen === undefined || callOpen.trim() === "" ? [] : [callOpen.trim()])
  ]
    .map((text) => after.indexOf(text))
    .filter((at) => at >= 0)
  let close = ends.length === 0 ? after : after.slice(0, Math.min(...ends))
  // a call without an opening of its own
  if (found.withCall && /[[{]/.test(close.trim().slice(1))) close = close.slice(0, 1 + close.slice(1).search(/[[{]/))
  const frame = commonEnd(close, found.plain)
  const rest = close.slice(0, close.length - frame.length)
  if (!found.withCall && frame.trim() !== "" && rest.trim() !== "" && !found.plain.includes(open)) close = rest
  const head = scene.head === "" ? -1 : close.indexOf(scene.head)
  return (head > 0 ? close.slice(0, head) : close).trim()
}

const stateIn = (prompt: string | undefined, open: string, close: string): "open" | "closed" | "none" => {
  if (prompt === undefined) return "none"
  const [opened, closed] = [prompt.lastIndexOf(open), prompt.lastIndexOf(close)]
  if (opened > closed) return "open"
  // what closes it may close other messages too
  return closed >= 0 && (opened >= 0 || prompt.trimEnd().endsWith(close)) ? "closed" : "none"
}

const stated = (scene: Scene, open: string, close: string): Reasoning["prompt"] => {
  const state = (mode: Thinking) => stateIn(scene.prompts.get(mode), open, close)
  return { on: state("on"), off: state("off"), default: state("default") }
}

/** `<think>` is closed by `</think>`, `[THINK]` by `[/THINK]`. */
const closerOf = (open: string): string => `${open.charAt(0)}/${open.slice(1)}`

/** The template never writes reasoning; a prompt may open it, and a render may leave it out. */
const conventional = (renders: Renders, scene: Scene): Reasoning | undefined => {
  const known = [scene.before, ...(scene.call === "" ? [] : [scene.call])]
  const extra = [...scene.prompts.values()].flatMap((prompt) =>
    known.map((text) => prompt.slice(commonStart(prompt, text).length))
  )
  const opener = /<[\p{L}][\p{L}:_]*>|\[[A-Z_]{3,}\]/u
  const found = extra.map((text) => opener.exec(text)?.[0]).find((mark) => mark !== undefined)
  const open = found ?? "<think>"
  const close = closerOf(open)
  const dropped = renders.turn({ content: `${words.thought}${close}${words.text}` })
  const drops = dropped !== undefined && dropped.includes(words.text) && !dropped.includes(words.thought)
  if (found === undefined && !drops) return undefined
  const confirmed = drops || extra.some((text) => text.includes(close)) ? "prompt" : "convention"
  return { open, close, confirmed, prompt: stated(scene, open, close) }
}

export const learnReasoning = (renders: Renders, scene: Scene, callOpen: string | undefined): Reasoning | undefined => {
  const found = seen(renders)
  if (found === undefined) return conventional(renders, scene)
  const at = found.text.indexOf(words.thought)
  const open = openIn(found.text.slice(0, at), found.plain, scene)
  const close = closeIn(found.text.slice(at + words.thought.length), open, found, scene, callOpen)
  if (open === "" || close === "") return undefined
  return { open, close, confirmed: "render", prompt: stated(scene, open, close), field: found.field }
}
