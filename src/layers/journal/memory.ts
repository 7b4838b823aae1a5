/**
 * The journal in memory. The store outlives the layer, so a queen that starts again over the same store finds what the
 * one before had committed: that is how simulation and `--one-process` tests restart a queen.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { jsonPieces } from "../../machines/formats/json/pieces.ts"
import { byKeyAndDay, chargeOf } from "../../machines/people/charge.ts"
import { CheckedRequest } from "../../machines/vocabulary/job.ts"
import type { UsageDay } from "../../machines/vocabulary/people/usage.ts"
import { Turns } from "../turns/index.ts"
import { inProcess, malformed, type Steps, type Store } from "./in-process.ts"
import { type Entry, type JobFacts, Journal, type JournalJob, lastIdOf, type Write } from "./index.ts"
import { isLong } from "./long-requests.ts"

const encodeRequest = Schema.encodeSync(Schema.parseJson(CheckedRequest))

interface Kept {
  job: JournalJob
  readonly entries: Array<Entry>
  readonly texts: Array<string>
  readonly tokenIds: Array<number>
}
export interface MemoryStore {
  /** in order of creation */
  readonly jobs: Map<string, Kept>
  /** what ended jobs were charged with */
  usage: ReadonlyArray<UsageDay>
}

export const memoryStore = (): MemoryStore => ({ jobs: new Map(), usage: [] })

/** Without a `store`, every building of the layer starts empty. */
export const layerMemory = (store?: MemoryStore): Layer.Layer<Journal, never, Turns> =>
  Layer.effect(
    Journal,
    Effect.map(Turns, (turns) => inProcess(storeOver(store ?? memoryStore()), turns))
  )

export const storeOver = (memory: MemoryStore): Store => {
  const store = memory.jobs
  const charge = (kept: Kept, facts: JobFacts): void => {
    const charged = kept.job.endedAt === undefined ? chargeOf(facts) : undefined
    if (charged !== undefined) memory.usage = byKeyAndDay([...memory.usage, charged])
  }
  const kept = (id: string): Kept => {
    const found = store.get(id)
    if (found === undefined) throw malformed(`it has no job ${id}`)
    return found
  }
  const jobs = () => [...store.values()].map(({ job }) => job)
  return {
    *prepare({ request }) {
      yield* inPieces(request)
    },
    create: (job) => {
      const { key } = job
      if (store.has(job.id) || (key !== undefined && jobs().some((other) => other.key === key)))
        throw new Error(`the journal already has job ${job.id} or its key`)
      store.set(job.id, { job: { ...job, endedAt: undefined }, entries: [], texts: [], tokenIds: [] })
    },
    *isSame(id, request) {
      yield* inPieces(request)
      return encodeRequest(kept(id).job.request) === encodeRequest(request)
    },
    commit: (writes) => {
      // all or nothing: the only way to fail is a job that is not there
      for (const write of writes) kept(write.job)
      for (const write of writes) {
        const job = kept(write.job)
        if (write._tag === "Facts" && write.endedAt !== undefined) charge(job, write.facts)
        apply(job, write)
      }
    },
    replay: (job, afterId, limit) =>
      kept(job)
        .entries.filter((entry) => lastIdOf(entry) > afterId)
        .slice(0, limit),
    lastId: (job) => {
      const last = kept(job).entries.at(-1)
      return last === undefined ? 0 : lastIdOf(last)
    },
    tokens: (job) => {
      const { texts, tokenIds } = kept(job)
      return { texts: [...texts], tokenIds: [...tokenIds] }
    },
    job: (id) => store.get(id)?.job,
    byKey: (key) => jobs().find((job) => job.key === key),
    jobs: (limit) => jobs().reverse().slice(0, limit),
    unfinished: () => jobs().filter((job) => job.endedAt === undefined),
    remove: (id) => void store.delete(id),
    // eslint-disable-next-line require-yield -- one step takes no time here
    *forget(before, keep) {
      const ended = jobs()
        .filter((job) => job.endedAt !== undefined)
        .reverse()
      const old = ended.filter((job, newer) => newer >= keep || (job.endedAt ?? before) < before)
      for (const job of old) store.delete(job.id)
      return old.map(({ id }) => id)
    },
    usage: (since) => memory.usage.filter(({ day }) => day >= since),
    forgetUsage: (before) => {
      memory.usage = memory.usage.filter(({ day }) => day >= before)
    },
    checkpoint: () => undefined
  }
}

const apply = (kept: Kept, write: Write): void => {
  switch (write._tag) {
    case "Event":
      kept.entries.push({ _tag: "Event", id: write.id, event: write.event, data: write.data })
      return
    case "Tokens": {
      const texts: ReadonlyArray<string> = JSON.parse(write.texts)
      const tokenIds: ReadonlyArray<number> = JSON.parse(write.tokenIds)
      kept.texts.push(...texts)
      kept.tokenIds.push(...tokenIds)
      if (write.firstId > 0)
        kept.entries.push({ _tag: "Tokens", firstId: write.firstId, firstIndex: write.firstIndex, texts })
      return
    }
    case "Facts":
      kept.job = { ...kept.job, facts: write.facts, endedAt: write.endedAt }
  }
}

/** As many steps as a disk takes. */
function* inPieces(request: CheckedRequest): Steps {
  if (isLong(request)) for (const _ of jsonPieces(request)) yield
}
