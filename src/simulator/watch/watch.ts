/** The invariants, watched while a seed runs (docs/design.md#the-simulator). The first breach ends the run. */
import * as Effect from "effect/Effect"
import type { EventFeed } from "../../protocol/endpoint.ts"
import { makeSseParser } from "../../protocol/sse.ts"
import type { LeaseRow } from "../../layers/hive-catalog/index.ts"
import type { QueenApi } from "../../protocol/queen/index.ts"
import type { Kernel } from "../world/kernel/kernel.ts"
import type { Host, SimProcess } from "../world/process.ts"
import { inferIdHeader, type WorkerApi } from "../../protocol/worker.ts"
import type { InferRequest } from "../../machines/vocabulary/worker.ts"
import { usualMs } from "../../machines/policy/wake-time.ts"
import type { JobId } from "../../machines/vocabulary/ids.ts"

/** What is broken, in words; `invariant` is its short name. */
export class Violation extends Error {
  readonly invariant: string

  constructor(invariant: string, message: string) {
    super(message)
    this.invariant = invariant
  }
}

/** three restarts in a minute, and one with less memory after an out-of-memory exit */
const startsWithinMs = 60_000
const startsMax = 1 + 3 + 1

const terminal = new Set(["done", "error", "cancelled"])

/** a request waits for the boot, the load and no longer than this besides */
const startsMs = 1000
/** what is promised begins with the fourth waking */
const wakingsToKnow = 3
const expected = (woke: ReadonlyArray<number>) => (woke.length < wakingsToKnow ? undefined : usualMs(woke))

export interface WatchOptions {
  /** the tokens of a job that are in the journal */
  readonly recorded: (job: JobId) => ReadonlyArray<number>
  readonly plantsDuplicate: boolean
  /** no catalog is lost: a hive finds what an earlier one left */
  readonly readsRecords: boolean
  /** no machine has room for a second worker */
  readonly hasRoomForOne: boolean
  /** nothing goes wrong */
  readonly isCalm: boolean
  /** nothing is wrong but files: no device is ever out of service */
  readonly hasGoodDevices: boolean
}

export class Watch {
  private readonly kernel: Kernel
  private readonly options: WatchOptions
  /** what readers were shown: job → text of each token */
  readonly shown = new Map<string, Array<string>>()
  /** job → its terminal event, as readers were shown it */
  readonly ends = new Map<string, string>()
  /** file and place → workers that were to load it there */
  private readonly tries = new Map<string, number>()
  private readonly epochs = new Map<string, string>()
  private readonly starts = new Map<string, ReadonlyArray<number>>()
  /** machines that were called and are not up yet */
  private readonly calls = new Map<Host, { readonly at: number; readonly expectedMs: number | undefined }>()
  /** of those, since when they are there, virtual milliseconds */
  private readonly there = new Map<Host, number>()
  /** wakings that were foreseen */
  foreseen = 0
  private readonly orphans = new Map<SimProcess, number>()
  private readonly held = new Map<Host, ReadonlyMap<string, LeaseRow>>()

  constructor(kernel: Kernel, options: WatchOptions) {
    this.kernel = kernel
    this.options = options
  }

  breach(invariant: string, message: string): void {
    this.kernel.fail(new Violation(invariant, message))
  }

  /** Where nothing else is wrong a file that ends its workers is tried twice on a device, by whomever it is asked for. */
  tried(file: string, place: string): void {
    if (!this.options.hasGoodDevices) return
    const times = (this.tries.get(`${file} ${place}`) ?? 0) + 1
    this.tries.set(`${file} ${place}`, times)
    if (times > 2) this.breach("a file is tried twice", `${file} was loaded ${times} times on ${place}`)
  }

  /** A machine of the queen lost its power: what was not synced may be said again, otherwise. */
  forgetShown(): void {
    this.shown.clear()
    this.ends.clear()
  }

  /** Reads along with every reader of a job. */
  queen(process: SimProcess, api: QueenApi): QueenApi {
    return {
      ...api,
      heartbeat: (beat) => {
        const out = beat.devices.find(({ state }) => state === "degraded")
        if (this.options.hasGoodDevices && out !== undefined)
          this.breach("a device is not blamed for a file", `${out.id} of ${beat.hive_id} is out of service`)
        return api.heartbeat(beat)
      },
      jobEvents: (input) =>
        Effect.map(api.jobEvents(input), (feed) =>
          this.reader(process, input.id, input.last_event_id, this.options.plantsDuplicate ? twice(feed) : feed)
        )
    }
  }

  /** One epoch of a job decodes on one worker, and goes on where the job is. */
  worker(_process: SimProcess, api: WorkerApi): WorkerApi {
    return {
      ...api,
      infer: (input) =>
        Effect.suspend(() => {
          this.continues(input)
          return Effect.tap(api.infer(input), (answer) =>
            Effect.sync(() => {
              const id = answer.headers?.[inferIdHeader] ?? ""
              const key = `${input.job_id} epoch ${input.epoch}`
              const known = this.epochs.get(key)
              if (known !== undefined && known !== id)
                this.breach("one worker an epoch", `${key} was taken in twice: ${known} and ${id}`)
              this.epochs.set(key, id)
            })
          )
        })
    }
  }

  /** An answer that lost its worker is never decoded anew: what is known of it goes along, whole. */
  private continues({ job_id: job, epoch, resume }: InferRequest): void {
    const known = this.options.recorded(job)
    const given = resume?.token_ids ?? []
    const first = known.findIndex((token, index) => given[index] !== token)
    if (first >= 0)
      this.breach(
        "an answer goes on where it was",
        `${job} epoch ${epoch} was asked for with ${given.length} of its ${known.length} tokens; they differ from token ${first} on`
      )
  }

  private reader(process: SimProcess, job: string, after: string | undefined, feed: EventFeed): EventFeed {
    let next: number | undefined = after === undefined ? 0 : undefined
    let lastId = after === undefined ? 0 : Number(after)
    let ended: string | undefined
    const parse = makeSseParser(({ data, event, id }) => {
      const at = `${job} as read by ${process.name}`
      this.kernel.note(`read ${job} ${id ?? ""} ${event} ${data}`)
      if (ended !== undefined) this.breach("one terminal event", `${event} after ${ended} of ${at}`)
      if (id !== undefined) {
        if (!(Number(id) > lastId)) this.breach("ids grow", `event ${id} after ${lastId} of ${at}`)
        lastId = Number(id)
      }
      if (event === "token") {
        const { i, t } = JSON.parse(data) as { readonly i: number; readonly t: string }
        if (next !== undefined && i !== next)
          this.breach("token indexes are contiguous", `token ${i} where ${next} was due, of ${at}`)
        next = i + 1
        this.show(job, i, t, at)
      }
      if (!terminal.has(event)) return
      ended = event
      const known = this.ends.get(job)
      if (known !== undefined && known !== event)
        this.breach("one terminal event", `${event} now, ${known} before, of ${at}`)
      this.ends.set(job, event)
    })
    return (sink) =>
      feed({
        write: (text) => {
          parse(text)
          return sink.write(text)
        },
        drain: sink.drain
      })
  }

  private show(job: string, index: number, text: string, at: string): void {
    const shown = this.shown.get(job) ?? []
    this.shown.set(job, shown)
    const known = shown[index]
    if (known !== undefined && known !== text)
      this.breach("one text", `token ${index} is ${JSON.stringify(text)}, and was ${JSON.stringify(known)}, of ${at}`)
    if (index > shown.length)
      this.breach("token indexes are contiguous", `token ${index} after ${shown.length - 1}, of ${at}`)
    shown[index] = text
  }

  /** A worker is started again as often as the policy says, and no more (docs/design.md#when-something-fails). */
  spawned(process: SimProcess): void {
    this.started(process)
    const worker = /\/(worker-[^#]+)#/.exec(process.name)?.[1]
    if (worker === undefined) return
    if (this.options.hasRoomForOne)
      for (const { name } of process.machine.processes.values())
        if (name.includes("/worker-") && name !== process.name)
          this.breach("the last room is for one", `${process.name} was started beside ${name}`)
    const { now } = this.kernel
    const recent = [...(this.starts.get(worker) ?? []).filter((at) => now - at < startsWithinMs), now]
    this.starts.set(worker, recent)
    if (recent.length > startsMax)
      this.breach("a retry ends", `${worker} was started ${recent.length} times within ${startsWithinMs / 1000} s`)
  }

  /** A hive's leases: a map that refuses to hold more of a device than there is, or to let go before it is back. */
  leases(machine: Host): Map<string, LeaseRow> {
    const breach = (invariant: string, message: string) => this.breach(invariant, message)
    const watched = new (class extends Map<string, LeaseRow> {
      override set(key: string, row: LeaseRow): this {
        super.set(key, row)
        if (row.device === "disk") return this
        let sum = 0
        for (const each of this.values()) if (each.device === row.device) sum += each.bytes
        const total = machine.totalBytes(row.device)
        if (sum > total)
          breach(
            "leases never exceed a device",
            `${sum} bytes of ${row.device} of ${machine.name} are leased, it has ${total}`
          )
        return this
      }

      override delete(key: string): boolean {
        // what a driver has not given back by then, the device's own figure still lacks
        for (const { name } of this.has(key) ? machine.processes.values() : [])
          if (name.includes(`/worker-${key}#`))
            breach("a lease lasts as long as its worker", `${key} is released while ${name} runs`)
        return super.delete(key)
      }
    })()
    this.held.set(machine, watched)
    return watched
  }

  /** A packet is sent that wakes a machine; what its last wakings took is known to the queen, milliseconds. */
  called(machine: Host, isWanted: boolean, woke: ReadonlyArray<number>): void {
    if (!isWanted) this.breach("woken only by a request", `${machine.name} is woken, and nobody wants it`)
    if (!this.calls.has(machine)) this.calls.set(machine, { at: this.kernel.now, expectedMs: expected(woke) })
  }

  /** A machine that was called is there: its hive is started within a second, where nothing goes wrong. */
  isThere(machine: Host): void {
    if (this.options.isCalm && this.calls.has(machine)) this.there.set(machine, this.kernel.now)
  }

  private started({ machine, name }: SimProcess): void {
    const since = this.there.get(machine)
    if (since === undefined || !name.includes("/hive-")) return
    this.there.delete(machine)
    if (this.kernel.now - since > startsMs)
      this.breach("who is up is used", `${name} was started ${this.kernel.now - since} ms after ${machine.name} was up`)
  }

  /** A queen has claimed the hive of a machine. */
  isUp(machine: Host): void {
    const call = this.calls.get(machine)
    this.calls.delete(machine)
    if (call?.expectedMs === undefined || !this.options.isCalm) return
    const took = this.kernel.now - call.at
    if (Math.abs(call.expectedMs - took) > took / 5)
      this.breach("after three wakings the next is foreseen", `${machine.name} took ${took} ms, not ${call.expectedMs}`)
    this.foreseen++
  }

  /** A hive puts its machine to sleep. */
  suspended(machine: Host): void {
    for (const { decodes, name } of machine.processes.values())
      if (decodes > 0) this.breach("never asleep under work", `${name} decodes ${decodes} answers`)
    const [lease] = this.held.get(machine)?.values() ?? []
    if (lease !== undefined)
      this.breach("never asleep under work", `${lease.bytes} bytes of ${lease.device} of ${machine.name} are leased`)
  }

  /** Whoever ends by itself has seen its children end: only one that was killed leaves them to the leash. */
  ended(parent: SimProcess): void {
    if (parent.status?.code === undefined) return
    if (parent.status.code === 0 && parent.name.includes("/hive-"))
      for (const { bytes, device, id } of this.held.get(parent.machine)?.values() ?? [])
        this.breach(
          "what ends in good order holds nothing",
          `${parent.name} ended with ${bytes} bytes of ${device} leased to ${id}`
        )
    for (const child of parent.machine.processes.values())
      if (child.parent === parent)
        this.breach("no child without its supervisor", `${parent.name} ended by itself before ${child.name}`)
  }

  /** Once a virtual second: a child outlives its parent by a moment, no longer. */
  processes(machines: Iterable<Host>): void {
    for (const machine of machines)
      for (const process of machine.processes.values()) {
        if (process.parent === undefined || process.parent.isAlive || process.isFrozen) continue
        // one that is stopped hears nothing of it, and is for the next hive to end
        if (process.isStopped && !(this.options.readsRecords && hasSettledHive(machine))) {
          this.orphans.delete(process)
          continue
        }
        const since = this.orphans.get(process) ?? this.kernel.now
        this.orphans.set(process, since)
        if (this.kernel.now - since > 2000)
          this.breach("no child without its supervisor", `${process.name} outlives ${process.parent.name}`)
      }
  }
}

/** A hive that has had its time to end what an earlier one left. */
const hasSettledHive = (machine: Host): boolean =>
  [...machine.processes.values()].some(
    ({ bornMs, isStopped, kernel, name, stops }) =>
      name.includes("/hive-") && !isStopped && stops === 0 && kernel.now - bornMs > settledMs
  )
const settledMs = 20_000

/** The canary: every write comes twice. */
const twice =
  (feed: EventFeed): EventFeed =>
  (sink) =>
    feed({
      write: (text) => {
        sink.write(text)
        return sink.write(text)
      },
      drain: sink.drain
    })
