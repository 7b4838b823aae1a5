/**
 * Who woke what, and who uses it (docs/design.md#sessions). Each thing that a session woke (the queen, a hive, a
 * worker) remembers its cold users and whether anybody warm ever used it. When a cold session ends, what it used and
 * nobody else does ends too; what others use passes to them, and ends with the last cold one, or stays if a warm one
 * used it.
 */
import * as Schema from "effect/Schema"
import type { SessionRequest } from "../../../machines/vocabulary/job.ts"
import { type WorkerId, HiveId } from "../../../machines/vocabulary/ids.ts"

/** One thing that may end with a session. */
interface Thing {
  readonly kind: "queen" | "hive" | "worker"
  readonly id: string
  /** of a worker: its hive */
  readonly hive: HiveId | undefined
  /** cold sessions that used it and have not ended */
  readonly users: Set<string>
  /** somebody used it who wants it to stay, or it was there before any session */
  isWarm: boolean
}

/** What is stored, so that the next queen knows it too. */
export const SessionFacts = Schema.Struct({
  things: Schema.Array(
    Schema.Struct({
      kind: Schema.Literal("queen", "hive", "worker"),
      id: Schema.String,
      hive: Schema.optional(HiveId),
      users: Schema.Array(Schema.String),
      warm: Schema.Boolean
    })
  )
})
export type SessionFacts = typeof SessionFacts.Type

export interface Ending {
  readonly queenEnds: boolean
  readonly hives: ReadonlyArray<HiveId>
  readonly workers: ReadonlyArray<string>
  readonly kept: ReadonlyArray<{ readonly id: string; readonly because: string }>
}

/** What is in use by jobs right now, whoever they belong to. */
export interface InUse {
  readonly jobs: number
  readonly hives: ReadonlySet<HiveId>
  readonly workers: ReadonlySet<string>
}

type User = Pick<SessionRequest, "id" | "teardown"> | undefined

export class Sessions {
  private readonly things = new Map<string, Thing>()
  private readonly ended = new Set<string>()
  private readonly store: (facts: SessionFacts) => void

  constructor(store: (facts: SessionFacts) => void, facts: SessionFacts | undefined) {
    this.store = store
    for (const { kind, id, hive, users, warm } of facts?.things ?? [])
      this.things.set(keyOf(kind, id), { kind, id, hive, users: new Set(users), isWarm: warm })
  }

  /** A job of this session (or of none) came in. A session that says that it woke the queen owns her. */
  opened(session: SessionRequest | undefined): void {
    if (session?.teardown === "cold") this.ended.delete(session.id)
    const queen = this.things.get(keyOf("queen", "queen"))
    if (session?.woke_queen === true && queen === undefined) this.put("queen", "queen", undefined, session)
    else this.touch(queen, session)
    // A queen that nobody woke for a session was there before: she has no entry, and stays.
    if (queen === undefined && session?.woke_queen !== true && session?.teardown !== "cold") this.warmQueen = true
    if (this.warmQueen) this.touch(this.things.get(keyOf("queen", "queen")), undefined)
  }
  /** a warm use that came before the session that woke her said so */
  private warmQueen = false

  /** A hive or a worker was woken for these users. */
  woke(kind: "hive" | "worker", id: string, hive: HiveId | undefined, users: ReadonlyArray<User>): void {
    for (const user of users) this.put(kind, id, hive, user)
  }

  /** A job of this session (or of none) uses this hive and worker. */
  uses(session: User, hiveId: HiveId, workerId: WorkerId): void {
    this.touch(this.things.get(keyOf("hive", hiveId)), session)
    const worker = this.things.get(keyOf("worker", workerId))
    if (worker === undefined) this.put("worker", workerId, hiveId, session)
    else this.touch(worker, session)
  }

  /** It is gone, however it went; for the queen: she ends in good order, so the next one is nobody's yet. */
  gone(kind: Thing["kind"], id: string): void {
    let changed = this.things.delete(keyOf(kind, id))
    if (kind === "hive")
      for (const [key, thing] of this.things) if (thing.hive === id) changed = this.things.delete(key) || changed
    if (changed) this.save()
  }

  hasEnded(sessionId: string): boolean {
    return this.ended.has(sessionId)
  }

  /** Cold sessions that something could end with. */
  open(): ReadonlyArray<string> {
    const open = new Set<string>()
    for (const { users } of this.things.values()) for (const user of users) open.add(user)
    return [...open]
  }

  /** The session ends: what goes with it. What stays is no longer its. */
  end(sessionId: string, inUse: InUse): Ending {
    this.ended.add(sessionId)
    const [oldest] = this.ended
    if (this.ended.size > endedMax && oldest !== undefined) this.ended.delete(oldest)
    const hives: Array<HiveId> = []
    const workers: Array<string> = []
    const kept: Array<{ readonly id: string; readonly because: string }> = []
    const own = [...this.things.values()].filter(({ users }) => users.has(sessionId))
    // Workers before hives before the queen: whether one may end depends on what is left below it.
    for (const thing of own.filter(({ kind }) => kind === "worker")) {
      const because = this.leave(thing, sessionId, inUse.workers.has(thing.id))
      if (because === undefined) workers.push(thing.id)
      else kept.push({ id: thing.id, because })
    }
    for (const thing of own.filter(({ kind }) => kind === "hive")) {
      const isBelow = ({ kind, hive, id }: Thing) => kind === "worker" && hive === thing.id && !workers.includes(id)
      const below = [...this.things.values()].some(isBelow) ? neededBelow : undefined
      const because = this.leave(thing, sessionId, inUse.hives.has(HiveId.make(thing.id))) ?? below
      if (because === undefined) hives.push(HiveId.make(thing.id))
      else kept.push({ id: thing.id, because })
    }
    const queen = this.things.get(keyOf("queen", "queen"))
    const isOwner = queen?.users.has(sessionId) === true
    const hivesThatEnd: ReadonlySet<string | undefined> = new Set(hives)
    const isLeft = ({ kind, hive, id }: Thing): boolean =>
      kind === "hive" ? !hivesThatEnd.has(id) : kind === "worker" && !workers.includes(id) && !hivesThatEnd.has(hive)
    const below = [...this.things.values()].some(isLeft) ? neededBelow : undefined
    const because = isOwner ? (this.leave(queen, sessionId, inUse.jobs > 0) ?? below) : "it was here before"
    if (because !== undefined) kept.push({ id: "queen", because })
    for (const id of workers) this.things.delete(keyOf("worker", id))
    for (const id of hives) this.things.delete(keyOf("hive", id))
    this.save()
    return { queenEnds: because === undefined, hives, workers, kept }
  }

  /** Why it stays, or undefined: it ends. */
  private leave(thing: Thing, sessionId: string, isUsed: boolean): string | undefined {
    thing.users.delete(sessionId)
    if (thing.isWarm) return "a warm session used it"
    if (thing.users.size > 0) return "another session uses it"
    return isUsed ? "a job uses it" : undefined
  }

  private put(kind: Thing["kind"], id: string, hive: HiveId | undefined, user: User): void {
    const key = keyOf(kind, id)
    const thing = this.things.get(key) ?? { kind, id, hive, users: new Set<string>(), isWarm: false }
    this.things.set(key, thing)
    if (!this.touch(thing, user)) this.save()
  }

  private touch(thing: Thing | undefined, user: User): boolean {
    if (thing === undefined) return false
    if (user?.teardown === "cold") {
      if (thing.users.has(user.id)) return false
      thing.users.add(user.id)
    } else {
      if (thing.isWarm) return false
      thing.isWarm = true
    }
    this.save()
    return true
  }

  private save(): void {
    this.store({
      things: [...this.things.values()].map(({ kind, id, hive, users, isWarm }) => ({
        kind,
        id,
        hive,
        users: [...users],
        warm: isWarm
      }))
    })
  }
}

const neededBelow = "what stays below it needs it"

/** Ended sessions that are remembered: a keeper asks within seconds. */
const endedMax = 1024

const keyOf = (kind: string, id: string): string => `${kind}/${id}`
