/**
 * One device that holds fewer models than are wanted, in virtual time, under the policy of production: who is seated,
 * who waits, who is unloaded. Counts loads, and how long jobs waited at most.
 */
import { Fleet } from "../../src/machines/policy/placement/fleet.ts"
import { loadSeconds } from "../../src/machines/policy/placement/cost.ts"
import { decide } from "../../src/machines/policy/placement/placement.ts"
import { type Hope, Search } from "../../src/machines/policy/placement/search.ts"
import { takeCapacityTurns } from "../../src/machines/policy/placement/capacity-turns.ts"
import { request as wishFor } from "./fleet.ts"
import { JobId, WorkerId, HiveId, DeviceId, ModelRef } from "../../src/machines/vocabulary/ids.ts"

export interface Request {
  /** milliseconds */
  readonly at: number
  readonly model: string
}

export interface Setting {
  /** models that fit at once */
  readonly capacity: number
  readonly modelMb: number
  /** milliseconds that an answer takes */
  readonly answerMs: number
}

interface Job {
  readonly id: string
  readonly model: string
  readonly at: number
  since: number | undefined
  hopes: ReadonlyArray<Hope>
}

const gpu = { hive: HiveId.make("box"), device: DeviceId.make("gpu0") } as const
const slots = 4

export const play = (trace: ReadonlyArray<Request>, { answerMs, capacity, modelMb }: Setting) => {
  const fleet = new Fleet()
  const totalMb = capacity * modelMb
  let usedMb = 0
  let now = 0
  let loads = 0
  let longestWait = 0
  const served: Array<string> = []
  /** by model: how long one of its jobs waited at most, milliseconds */
  const longest = new Map<string, number>()
  const events: Array<{ readonly at: number; readonly order: number; readonly run: () => void }> = []
  let order = 0
  const at = (time: number, run: () => void): void => void events.push({ at: time, order: order++, run })
  /** by model: those who wait for a slot, or for the load that is under way */
  const lines = new Map<string, Array<Job>>()
  const loading = new Set<string>()
  let waits: Array<Job> = []
  const free = new Map<string, number>()
  const closing = new Set<WorkerId>()
  const readyAt = new Map<string, number>()

  const beat = (): void =>
    fleet.setHive({
      hive: HiveId.make("box"),
      devices: {
        cpu: { cores: 1, ram_mb: 1, ram_free_mb: 1 },
        gpus: [{ id: DeviceId.make("gpu0"), name: "GPU", backend: "cuda", vram_mb: totalMb, vram_free_mb: totalMb }]
      },
      beats: [{ id: DeviceId.make("gpu0"), state: "healthy", free_mb: totalMb - usedMb }]
    })
  const show = (model: string): void =>
    fleet.setResident({
      ...gpu,
      worker: WorkerId.make(model),
      isServing: !loading.has(model),
      model: ModelRef.make(model),
      context: 4096,
      slots,
      free: free.get(model) ?? slots,
      memoryMb: modelMb,
      isPinned: false,
      isClosing: closing.has(WorkerId.make(model)),
      readyAt: readyAt.get(model) ?? now
    })
  const seat = (job: Job): void => {
    longestWait = Math.max(longestWait, now - job.at)
    served.push(job.id)
    longest.set(job.model, Math.max(now - job.at, longest.get(job.model) ?? 0))
    fleet.seen.used(ModelRef.make(job.model), now)
    free.set(job.model, (free.get(job.model) ?? slots) - 1)
    show(job.model)
    at(now + answerMs, () => {
      free.set(job.model, (free.get(job.model) ?? 0) + 1)
      show(job.model)
    })
  }
  const line = (model: string): Array<Job> => {
    const found = lines.get(model) ?? []
    lines.set(model, found)
    return found
  }
  const load = (job: Job, evict: ReadonlyArray<WorkerId>): void => {
    for (const model of evict) {
      fleet.removeResident(model)
      free.delete(model)
      usedMb -= modelMb
    }
    loads++
    usedMb += modelMb
    if (usedMb > totalMb) throw new Error(`over-booked: ${usedMb} of ${totalMb} MB`)
    beat()
    loading.add(job.model)
    show(job.model)
    line(job.model).unshift(job)
    at(now + loadSeconds(modelMb) * 1000, () => {
      loading.delete(job.model)
      free.set(job.model, slots)
      readyAt.set(job.model, now)
      show(job.model)
    })
  }
  const place = (job: Job): void => {
    if (loading.has(job.model)) return void line(job.model).push(job)
    const request = wishFor({ model: ModelRef.make(job.model), allowCpu: false })
    const decision = decide(request, fleet)
    if (decision.kind === "resident") return seat(job)
    if (decision.kind === "full") return void line(job.model).push(job)
    const search = new Search(fleet, request, [], now)
    for (let one = search.next(); one !== undefined; one = search.next()) {
      const availableMb = totalMb - usedMb + one.evict.length * modelMb
      if (availableMb >= modelMb) {
        return load(
          job,
          one.evict.map(({ worker }) => worker)
        )
      }
      search.refused(one, "full", { requiredMb: modelMb, availableMb })
    }
    job.since ??= now
    job.hopes = search.hopes
    waits.push(job)
  }
  const pump = (): void => {
    for (const [model, waiting] of lines) {
      if (loading.has(model)) continue
      for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
        const decision = decide(wishFor({ model: ModelRef.make(model), allowCpu: false }), fleet)
        if (decision.kind === "full") break
        waiting.shift()
        if (decision.kind === "resident") seat(next)
        else place(next)
        if (loading.has(model)) break
      }
    }
    const isThere = ({ model }: Job) => loading.has(model) || fleet.residentsOf(ModelRef.make(model)).length > 0
    const found = waits.filter(isThere)
    waits = waits.filter((job) => !isThere(job))
    found.forEach(place)
    const turns = takeCapacityTurns(
      waits
        .toSorted((a, b) => (a.since ?? 0) - (b.since ?? 0))
        .map(({ hopes, id, model, since }) => ({
          job: JobId.make(id),
          model: ModelRef.make(model),
          since: since ?? now,
          hopes
        })),
      fleet,
      now
    )
    for (const model of [...closing, ...turns.close]) {
      if (turns.close.has(model)) closing.add(model)
      else closing.delete(model)
      if (fleet.residentsOf(ModelRef.make(model)).length > 0) show(model)
    }
    const goes = new Set(turns.go.map(({ job }) => job))
    const going = waits.filter(({ id }) => goes.has(JobId.make(id)))
    waits = waits.filter(({ id }) => !goes.has(JobId.make(id)))
    going.forEach(place)
    if (turns.at !== undefined) at(turns.at, () => {})
  }

  beat()
  for (const [n, request] of trace.entries())
    at(request.at, () => place({ id: `j${n}`, model: request.model, at: request.at, since: undefined, hopes: [] }))
  while (events.length > 0) {
    events.sort((a, b) => a.at - b.at || a.order - b.order)
    const next = events.shift()
    if (next === undefined) break
    now = next.at
    next.run()
    pump()
  }
  return { loads, longestWait, served, longest }
}

/** Loads of a cache that serves the requests one after the other, in the order in which they came. */
export const loadsInOrder = (
  trace: ReadonlyArray<Request>,
  capacity: number,
  leaves: (held: ReadonlyArray<string>, n: number) => string
): number => {
  let held: Array<string> = []
  let loads = 0
  for (const [n, { model }] of trace.entries()) {
    if (held.includes(model)) continue
    loads++
    if (held.length >= capacity) {
      const leaver = leaves(held, n)
      held = held.filter((one) => one !== leaver)
    }
    held.push(model)
  }
  return loads
}

const lastUse = (trace: ReadonlyArray<Request>, model: string, n: number) =>
  trace.slice(0, n).findLastIndex((one) => one.model === model)
const nextUse = (trace: ReadonlyArray<Request>, model: string, n: number) => {
  const next = trace.slice(n).findIndex((one) => one.model === model)
  return next < 0 ? Number.POSITIVE_INFINITY : next
}
const by = (held: ReadonlyArray<string>, rank: (model: string) => number): string =>
  held.reduce((worst, model) => (rank(model) < rank(worst) ? model : worst))

/** The one loaded first goes; the one least recently used goes; the one wanted last goes (Belady's optimum). */
export const firstCome = (trace: ReadonlyArray<Request>, capacity: number) =>
  loadsInOrder(trace, capacity, ([first = ""]) => first)
export const leastRecent = (trace: ReadonlyArray<Request>, capacity: number) =>
  loadsInOrder(trace, capacity, (held, n) => by(held, (model) => lastUse(trace, model, n)))
export const belady = (trace: ReadonlyArray<Request>, capacity: number) =>
  loadsInOrder(trace, capacity, (held, n) => by(held, (model) => -nextUse(trace, model, n)))
