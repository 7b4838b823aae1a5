import { describe, expect, it } from "vitest"
import { beginningsOf, ConversationHomes, type Held } from "../../../src/machines/policy/conversation-homes.ts"
import { decide } from "../../../src/machines/policy/placement/placement.ts"
import type { ChatMessage } from "../../../src/machines/vocabulary/conversation.ts"
import { HiveId, ModelRef, WorkerId } from "../../../src/machines/vocabulary/ids.ts"
import { fleetOf, request, resident } from "../../support/fleet.ts"

const model = ModelRef.make("minillama")
const [box, attic] = [HiveId.make("box"), HiveId.make("attic")]
const first = { worker: WorkerId.make("w1"), hive: box }
const second = { worker: WorkerId.make("w2"), hive: attic }

const says = (role: ChatMessage["role"], content: string): ChatMessage => ({ role, content })
const turn = [says("system", "You are helpful. ".repeat(40)), says("user", "What is rust? ".repeat(40))]
const next = [...turn, says("assistant", "It is what iron becomes."), says("user", "And the language?")]

describe("Who has read the beginning of a conversation", () => {
  const homes = (account = "key ann") => {
    const book = new ConversationHomes()
    book.note(beginningsOf({ model, messages: turn }, account), first)
    return book
  }
  const find = (book: ConversationHomes, messages: ReadonlyArray<ChatMessage>, of = model) =>
    book.find(beginningsOf({ model: of, messages }, "key ann"))

  it("is known at its next turn, with how much of it that is", () => {
    expect(find(homes(), next)).toEqual({ ...first, tokens: expect.closeTo((17 * 40 + 14 * 40) / 4, -2) })
  })

  it("is known of the part that both have, where it goes on otherwise", () => {
    const other = find(homes(), [...turn.slice(0, 1), says("user", "Something else")])
    expect(other).toEqual({ ...first, tokens: expect.closeTo((17 * 40) / 4, -2) })
  })

  it("is the one that read it last", () => {
    const book = homes()
    book.note(beginningsOf({ model, messages: next }, "key ann"), second)
    expect(find(book, [...next, says("user", "more")])).toMatchObject(second)
  })

  it("is nobody for another account, another model, or a few words", () => {
    expect(find(homes("key bob"), next)).toBeUndefined()
    expect(find(homes(), next, ModelRef.make("another"))).toBeUndefined()
    const book = new ConversationHomes()
    book.note(beginningsOf({ model, messages: [says("user", "hello")] }, "key ann"), first)
    expect(find(book, [says("user", "hello"), says("user", "again")])).toBeUndefined()
  })

  it("is known of long messages by their length and their ends, so that 20 MB are not gone through", () => {
    const long = (begin: string, middle: string, end: string) => {
      const words = `${begin}${"a b c ".repeat(50_000)}${middle}${"d e f ".repeat(50_000)}${end}`
      return beginningsOf({ model, messages: [says("user", words)] }, "key ann")
    }
    const read = long("one", "two", "six")
    expect(read[0]?.characters).toBeGreaterThan(600_000)
    expect(long("one", "ten", "six")).toEqual(read)
    for (const other of [long("two", "two", "six"), long("one", "two", "ten"), long("one", "three", "six")])
      expect(other).not.toEqual(read)
  })

  it("is known of raw prompts by whole parts of them", () => {
    const book = new ConversationHomes()
    const prompt = "word ".repeat(2000)
    book.note(beginningsOf({ model, prompt }, "admin"), first)
    expect(book.find(beginningsOf({ model, prompt: `${prompt} and more` }, "admin"))).toEqual({
      ...first,
      tokens: 2048
    })
  })

  it("is forgotten of those that were read longest ago", () => {
    const book = homes()
    for (let i = 0; i < 10_000; i++) book.note(beginningsOf({ model, messages: [says("user", `${i}`)] }, "bob"), second)
    expect(find(book, next)).toBeUndefined()
  })
})

describe("A conversation's next turn", () => {
  const fleet = (busy: number, worker = "w1") =>
    fleetOf({ box: [24_000], attic: [24_000] }, [
      resident(worker, { hive: box, slots: 4, free: 4 - busy }),
      resident("w2", { hive: attic, slots: 4, free: 4 })
    ])
  const taken = (held: Held | undefined, busy: number, worker?: string) => {
    const decision = decide(request({ held }), fleet(busy, worker))
    return decision.kind === "resident" ? decision.worker : decision.kind
  }
  const read = (tokens: number): Held => ({ ...first, tokens })

  it("goes to the worker that has read it, also beside others, where reading it again would take longer", () => {
    expect(taken(undefined, 1)).toBe("w2")
    expect(taken(read(5000), 1)).toBe("w1")
    expect(taken(read(50_000), 3)).toBe("w1")
  })

  it("goes to another where that one is busier than it is worth, or has no slot", () => {
    expect(taken(read(100), 1)).toBe("w2")
    expect(taken(read(5000), 3)).toBe("w2")
    expect(taken(read(50_000), 4)).toBe("w2")
  })

  it("goes to another worker of that hive where its own is gone: that one has it from a file", () => {
    expect(taken(read(5000), 1, "w9")).toBe("w9")
  })

  it("is told to the one that lost why", () => {
    expect(decide(request({ held: read(5000) }), fleet(1))).toMatchObject({
      losers: [{ hive: "attic", verdict: expect.stringContaining("read again") }]
    })
  })
})
