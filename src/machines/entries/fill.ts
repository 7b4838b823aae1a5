/** What an entry adds to a request: the request's own words win. */
import * as Struct from "effect/Struct"
import { purposeOf } from "../policy/purpose.ts"
import type { ReasoningWish } from "../vocabulary/conversation.ts"
import type { JobRequest } from "../vocabulary/job.ts"
import type { Entry } from "./entries.ts"
import { entrySampling } from "./entry.ts"

type Asked = Omit<JobRequest, "model">

const samples = Struct.keys(entrySampling)

const reasoningOf = ({ reasoning }: Entry): ReasoningWish | undefined => {
  if (reasoning === undefined || reasoning === "off") return reasoning
  return typeof reasoning === "number" ? { budget: reasoning } : { effort: reasoning }
}

/** Before a conversation that does not say itself who the model is. */
const introduced = ({ system = "" }: Entry, { messages, prompt }: Asked): Asked => {
  const said = messages ?? (prompt === undefined ? [] : [{ role: "user" as const, content: prompt }])
  // who says nothing wants the model loaded, no more
  if (system === "" || said.length === 0 || said.some(({ role }) => role === "system")) return {}
  const talk: Asked = { messages: [{ role: "system", content: system }, ...said] }
  return messages === undefined ? { ...talk, prompt: undefined } : talk
}

/** What is read as it stands gets no word of anybody else's. */
const talkOf = (entry: Entry, asked: Asked): { readonly wishes: Asked; readonly words: Asked } => {
  if (purposeOf(asked) !== "chat") return { wishes: {}, words: {} }
  const wishes = Struct.pick(entry, ...samples)
  if (asked.raw === true || asked.tokens !== undefined) return { wishes, words: {} }
  return { wishes: { ...wishes, reasoning: reasoningOf(entry) }, words: introduced(entry, asked) }
}

/** Where it is to run, if the request does not say. */
const placed = ({ device, hive, only_there }: Entry, asked: Asked): Asked => {
  const own = { ...(hive === undefined ? {} : { hive }), ...(device === undefined ? {} : { device }) }
  const isSaid = [asked.hive, asked.device, asked.prefer].some((place) => place !== undefined)
  if (isSaid || Struct.keys(own).length === 0) return {}
  return only_there === true ? own : { prefer: own }
}

/** `asked` by whatever surface; by a name that is no entry's it stays as it is. */
export const filled = <A extends Asked>(entry: Entry | undefined, asked: A): A => {
  if (entry === undefined) return asked
  const { words, wishes } = talkOf(entry, asked)
  const { context, engine, keep_loaded, kv_type, slots } = entry
  const isMissing = ([field, value]: [string, unknown]) =>
    value !== undefined && (asked as Readonly<Record<string, unknown>>)[field] === undefined
  const added: Asked = Object.fromEntries(
    Object.entries({ context, engine, kv_type, slots, keep_warm: keep_loaded, ...wishes }).filter(isMissing)
  )
  return { ...asked, ...added, ...placed(entry, asked), ...words }
}
