/**
 * Which worker read the beginning of a conversation: the next turn need not read it again there. What begins alike is known
 * by hashes; a worker compares tokens, so that two that are alike by chance cost a detour and no more.
 */
import type { ChatMessage } from "../vocabulary/conversation.ts"
import type { JobRequest } from "../vocabulary/job.ts"
import type { HiveId, WorkerId } from "../vocabulary/ids.ts"

/** The beginning of a conversation: up to the end of one of its messages, or so many characters of a raw prompt. */
export interface Beginning {
  readonly hash: number
  readonly characters: number
}

export interface Home {
  readonly worker: WorkerId
  readonly hive: HiveId
}

/** Where a conversation was read, and how much of it. */
export interface Held extends Home {
  readonly tokens: number
}

/** of a raw prompt, which has no messages */
const rawStep = 2048
/** of a longer text in a message so many characters are looked at from each end */
const endCharacters = 16_384
/** beginnings that are noted of one conversation: its latest turns and what was before them */
const noted = 32
/** beginnings that are remembered */
const remembered = 8192
/** a text's characters a token, roughly */
const charactersPerToken = 4
/** less is read as fast as it is looked for */
const worthTokens = 64

/** 32 bits of FNV-1a */
const hashOf = (text: string, seed: number): number => {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** What is hashed, and how long it would be as a whole. */
interface Part {
  readonly text: string
  readonly characters: number
}

const part = (text: string): Part => ({ text, characters: text.length })

/** Of a long text its length and both ends: to go through 20 MB would hold the queen up for 100 ms. */
const partOf = (message: ChatMessage): Part => {
  const { content } = message
  const leftOut = content.length - 2 * endCharacters
  if (leftOut <= 0) return part(JSON.stringify(message))
  const ends = `${content.slice(0, endCharacters)}${content.slice(-endCharacters)}`
  const text = JSON.stringify({ ...message, content: `${content.length} ${ends}` })
  return { text, characters: text.length + leftOut }
}

const partsOf = ({ messages, prompt = "" }: Pick<JobRequest, "messages" | "prompt">): ReadonlyArray<Part> =>
  messages?.map(partOf) ??
  Array.from({ length: Math.floor(prompt.length / rawStep) }, (_, i) =>
    part(prompt.slice(i * rawStep, (i + 1) * rawStep))
  )

/** Shortest first. `account`: what was read for one is of no use to another. */
export const beginningsOf = (
  request: Pick<JobRequest, "messages" | "prompt" | "model">,
  account: string
): ReadonlyArray<Beginning> => {
  let hash = hashOf(`${account} ${request.model}`, 0x811c9dc5)
  let characters = 0
  return partsOf(request).map((each) => {
    hash = hashOf(each.text, hash)
    characters += each.characters
    return { hash, characters }
  })
}

/** with the length less is alike by chance */
const keyOf = ({ characters, hash }: Beginning): number => hash * 2 ** 20 + (characters % 2 ** 20)

export class ConversationHomes {
  /** the one that was read longest ago first */
  private readonly homes = new Map<number, Home>()

  /** A worker reads this conversation now. */
  note(conversation: ReadonlyArray<Beginning>, home: Home): void {
    for (const beginning of conversation.slice(-noted)) {
      const key = keyOf(beginning)
      this.homes.delete(key)
      this.homes.set(key, home)
    }
    for (const key of this.homes.keys()) {
      if (this.homes.size <= remembered) break
      this.homes.delete(key)
    }
  }

  /** Where the longest beginning of it was read last. */
  find(conversation: ReadonlyArray<Beginning>): Held | undefined {
    const longest = conversation.findLast((one) => this.homes.has(keyOf(one)))
    const home = longest === undefined ? undefined : this.homes.get(keyOf(longest))
    const tokens = Math.floor((longest?.characters ?? 0) / charactersPerToken)
    return home === undefined || tokens < worthTokens ? undefined : { ...home, tokens }
  }
}
