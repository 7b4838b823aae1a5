/**
 * What a client may have heard: "the deltas of a job are the fold of its tokens", whatever surface told them, whoever
 * died meanwhile, and however many tokens it had when it was told.
 */
import { isDeepStrictEqual } from "node:util"
import type { JournalJob } from "../../layers/journal/index.ts"
import { Meaning } from "../../machines/dialect/meaning.ts"
import { argue, begin, type Heard, type HeardCall, nothing, say } from "./heard.ts"

type Part = Heard["parts"][number]

/** The job of an answer, as the journal has it. */
export interface Told {
  readonly id: JournalJob["id"]
  readonly request: Pick<JournalJob["request"], "messages" | "tools" | "embed" | "rerank">
  readonly facts: Pick<JournalJob["facts"], "form">
}

/** What the tokens of this job mean, one after the other. */
export const foldOf = ({ facts: { form }, id, request }: Told, tokens: ReadonlyArray<string>): Heard => {
  const heard = nothing()
  if (form === undefined) {
    say(heard, "content", tokens.join(""))
    return heard
  }
  const meaning = new Meaning(
    { jobId: id, form, tools: request.tools ?? [] },
    {
      content: (text) => say(heard, "content", text),
      reasoning: (text) => say(heard, "reasoning", text),
      call: (index, callId, name) => begin(heard, index, callId, name),
      argument: (index, text) => argue(heard, index, text)
    }
  )
  for (const token of tokens) meaning.token(token)
  meaning.end()
  return heard
}

/** Some surfaces give arguments as an object. */
const isSameJson = (one: string, other: string): boolean => {
  try {
    return isDeepStrictEqual(JSON.parse(one), JSON.parse(other))
  } catch {
    return false
  }
}

const isSameCall = (heard: HeardCall, meant: HeardCall, isCut: boolean): boolean => {
  if (heard.told !== 1 || heard.name !== meant.name || !heard.id.endsWith(heard.id === "" ? "" : meant.id)) return false
  const [said, whole] = [heard.arguments, meant.arguments]
  return said === whole || isSameJson(said, whole) || (isCut && whole.startsWith(said))
}

const isSame = (heard: Part, meant: Part | undefined, isCut: boolean): boolean => {
  if (heard.kind === "call") return meant?.kind === "call" && isSameCall(heard, meant, isCut)
  if (meant === undefined || meant.kind === "call" || meant.kind !== heard.kind) return false
  return isCut ? meant.text.startsWith(heard.text) : meant.text === heard.text
}

/** Is it all of this? */
export const isWholly = ({ parts }: Heard, meant: Heard): boolean =>
  parts.length === meant.parts.length && parts.every((part, at) => isSame(part, meant.parts[at], false))

/** Is it a beginning of this? */
export const isBeginningOf = ({ parts }: Heard, meant: Heard): boolean =>
  parts.every((part, at) => isSame(part, meant.parts[at], at === parts.length - 1))
