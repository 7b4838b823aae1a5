/** What stands around an answer: the prompts that it follows, and a plain answer's frame. */
import { atomsOf, commonStart } from "./atoms.ts"
import { type Renders, words } from "./renders.ts"

export type Thinking = "on" | "off" | "default"
export const thinkings: Readonly<Record<Thinking, boolean | undefined>> = { on: true, off: false, default: undefined }

export interface Scene {
  /** what the template writes for an answer to follow; those that it refuses are absent */
  readonly prompts: ReadonlyMap<Thinking, string>
  /** before and after the words of a plain answer */
  readonly before: string
  readonly after: string
  /** what stands before a call's name, where the template shows calls */
  readonly call: string
  /** what heads an assistant's message */
  readonly head: string
}

/** `call`: what stands before the name in a turn that calls. */
export const sceneOf = (renders: Renders, call?: string): Scene => {
  const prompts = new Map<Thinking, string>()
  const modes: ReadonlyArray<Thinking> = ["on", "off", "default"]
  for (const mode of modes) {
    const prompt = renders.prompt(thinkings[mode])
    if (prompt !== undefined) prompts.set(mode, prompt)
  }
  const plain = renders.turn({ content: words.text }) ?? ""
  const at = plain.indexOf(words.text)
  const before = at === -1 ? "" : plain.slice(0, at)
  return {
    prompts,
    before,
    after: at === -1 ? "" : plain.slice(at + words.text.length),
    call: call ?? "",
    head: headOf(
      [...prompts.values(), before, call ?? ""].filter((text) => text !== ""),
      renders.user() ?? ""
    )
  }
}

/** What all answers begin with, after what ends the user's turn. */
const headOf = ([first = "", ...others]: ReadonlyArray<string>, user: string): string => {
  const common = others.reduce(commonStart, first)
  const head = (common.startsWith(user) ? common.slice(user.length) : common).trim()
  return atomsOf(head).length > 1 ? head : ""
}

/** What looks like a mark in a text, no word and no sign. */
export const marksIn = (text: string): ReadonlyArray<string> =>
  [...new Set(atomsOf(text).filter((atom) => atom.length > 3 && /^[<[]/.test(atom)))].slice(0, 8)
