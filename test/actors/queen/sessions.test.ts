/** Who woke what, who uses it, and what ends with a session (docs/design.md#sessions). */
import { describe, expect, it } from "@effect/vitest"
import { type SessionFacts, Sessions } from "../../../src/actors/queen/sessions/sessions.ts"
import type { HiveId } from "../../../src/machines/vocabulary/ids.ts"
import { WorkerId, localHive } from "../../../src/machines/vocabulary/ids.ts"

const none = { jobs: 0, hives: new Set<HiveId>(), workers: new Set<string>() }
const cold = (id: string, woke_queen = false) => ({ id, teardown: "cold", woke_queen }) as const
const warm = (id: string) => ({ id, teardown: "warm", woke_queen: false }) as const

const make = (facts?: SessionFacts) => {
  const stored: Array<SessionFacts> = []
  return { sessions: new Sessions((all) => stored.push(all), facts), stored }
}
/** A session that woke everything. */
const woken = (id = "s1") => {
  const made = make()
  made.sessions.opened(cold(id, true))
  made.sessions.woke("hive", "localhost", undefined, [cold(id)])
  made.sessions.uses(cold(id), localHive, WorkerId.make("w1"))
  return made
}
const all = { queenEnds: true, hives: ["localhost"], workers: ["w1"], kept: [] }

describe("A cold session", () => {
  it("ends all that it woke", () => {
    expect(woken().sessions.end("s1", none)).toEqual(all)
  })

  it("leaves a queen that was there before, and ends what it woke itself", () => {
    const { sessions } = make()
    sessions.opened(cold("s1"))
    sessions.woke("hive", "localhost", undefined, [cold("s1")])
    sessions.uses(cold("s1"), localHive, WorkerId.make("w1"))
    expect(sessions.end("s1", none)).toEqual({
      ...all,
      queenEnds: false,
      kept: [{ id: "queen", because: "it was here before" }]
    })
  })

  it("leaves what a warm session, or a job without one, has used", () => {
    for (const other of [warm("s2"), undefined]) {
      const { sessions } = woken()
      sessions.opened(other)
      sessions.uses(other, localHive, WorkerId.make("w1"))
      const { queenEnds, hives, workers, kept } = sessions.end("s1", none)
      expect({ queenEnds, hives, workers }).toEqual({ queenEnds: false, hives: [], workers: [] })
      expect(kept.map(({ id }) => id)).toEqual(["w1", "localhost", "queen"])
    }
  })

  it("passes to the last cold user what others still use", () => {
    const { sessions } = woken()
    sessions.opened(cold("s2"))
    sessions.uses(cold("s2"), localHive, WorkerId.make("w1"))
    sessions.opened(cold("s2"))
    expect(sessions.end("s1", none)).toMatchObject({ queenEnds: false, hives: [], workers: [] })
    // the queen was woken by s1 and used by s2
    expect(sessions.end("s2", none)).toEqual(all)
  })

  it("leaves what a running job uses", () => {
    const { sessions } = woken()
    const inUse = { jobs: 1, hives: new Set([localHive]), workers: new Set(["w1"]) }
    expect(sessions.end("s1", inUse).kept).toEqual([
      { id: "w1", because: "a job uses it" },
      { id: "localhost", because: "a job uses it" },
      { id: "queen", because: "a job uses it" }
    ])
  })

  it.each([
    ["this session used it too", true],
    ["it was never this session's", false]
  ])("keeps a hive that nobody else used for a worker that stays, and the queen above it: %s", (_, shared) => {
    const { sessions } = make()
    sessions.opened(cold("s1", true))
    // The worker is known before the session that woke its hive says so: the hive itself was not warmed by its user.
    sessions.uses(warm("s2"), localHive, WorkerId.make("w2"))
    sessions.woke("hive", "localhost", undefined, [cold("s1")])
    sessions.uses(cold("s1"), localHive, WorkerId.make("w1"))
    if (shared) sessions.uses(cold("s1"), localHive, WorkerId.make("w2"))
    const ending = sessions.end("s1", none)
    expect(ending).toMatchObject({ queenEnds: false, hives: [], workers: ["w1"] })
    expect(ending.kept).toContainEqual({ id: "localhost", because: "what stays below it needs it" })
  })

  it("leaves a hive that it did not wake, and the queen above it, though it never came to use it", () => {
    const before = make()
    before.sessions.woke("hive", "localhost", undefined, [warm("s0")])
    const { sessions } = make(before.stored.at(-1))
    sessions.opened(cold("s1", true))
    expect(sessions.end("s1", none)).toMatchObject({ queenEnds: false, hives: [], workers: [] })
  })

  it("ends once: asked again there is nothing left of it", () => {
    const { sessions } = woken()
    sessions.end("s1", none)
    expect(sessions.hasEnded("s1")).toBe(true)
    expect(sessions.end("s1", none)).toMatchObject({ hives: [], workers: [] })
  })

  it("does not end a queen that somebody warm used before the one who woke her said so", () => {
    const { sessions } = make()
    sessions.opened(warm("s0"))
    sessions.opened(cold("s1", true))
    expect(sessions.end("s1", none).queenEnds).toBe(false)
  })

  it("is known to the next queen", () => {
    const { stored } = woken()
    const next = make(stored.at(-1)).sessions
    expect(next.open()).toEqual(["s1"])
    expect(next.end("s1", none)).toEqual(all)
  })

  it("forgets what went by itself", () => {
    const { sessions } = woken()
    sessions.gone("hive", "localhost")
    expect(sessions.end("s1", none)).toEqual({ ...all, hives: [], workers: [] })
  })
})
