/** A cluster in memory: hives with 8 devices each, 1 000 models, a Zipf workload, for the placement policy to decide on. */
import { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import type { HiveFacts, ResidentFacts } from "../../../src/machines/policy/placement/fleet-facts.ts"
import { decide, type PlacementRequest } from "../../../src/machines/policy/placement/placement.ts"
import { type Candidate, Search } from "../../../src/machines/policy/placement/search.ts"
import { WorkerId, HiveId, DeviceId, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

/** mulberry32: the same workload in every run */
export const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
}

export const models = 1000
const vram = [8000, 12_000, 16_000, 24_000, 24_000, 48_000, 80_000]
const slots = 4
/** answers under way for each hive */
const loadOfHive = 12

export class Cluster {
  readonly fleet = new Fleet()
  readonly random = seeded(7)
  private readonly free = new Map<string, number>()
  private readonly gpus = new Map<string, HiveFacts["devices"]["gpus"]>()
  private readonly sizes: ReadonlyArray<number>
  private readonly zipf: Float64Array
  private readonly running: Array<string> = []
  private readonly workers = new Map<string, ResidentFacts>()
  private readonly hives: number
  private made = 0
  now = 0

  constructor(hives: number) {
    this.hives = hives
    this.sizes = Array.from({ length: models }, () => Math.round(500 * 2 ** (this.random() * 6.5)))
    this.zipf = new Float64Array(models)
    let sum = 0
    for (let i = 0; i < models; i++) this.zipf[i] = sum += 1 / (i + 1) ** 0.9
    for (let h = 0; h < hives; h++) {
      const hive = `hive-${h}`
      const gpus = Array.from({ length: 7 }, (_, i) => {
        const vram_mb = vram[Math.floor(this.random() * vram.length)] ?? 24_000
        this.free.set(`${hive}/gpu${i}`, vram_mb)
        return { id: DeviceId.make(`gpu${i}`), name: "GPU", backend: "cuda" as const, vram_mb, vram_free_mb: vram_mb }
      })
      this.free.set(`${hive}/cpu`, 64_000)
      this.gpus.set(hive, gpus)
      this.beat(hive)
    }
    for (let m = 0; m < models; m++)
      for (let copy = 0; copy < 3; copy++)
        this.fleet.seen.addFile(
          HiveId.make(`hive-${Math.floor(this.random() * hives)}`),
          ModelRef.make(`m${m}`),
          this.sizeOf(`m${m}`) * 1e6
        )
  }

  /**
   * Fills all memory with workers, of which `idle` (0 to 1) are idle and may be unloaded: none has a model
   * that is wished for.
   */
  crowd(idle: number): void {
    let device = 0
    for (const [place, mb] of this.free) {
      const [hive = "", name = ""] = place.split("/")
      let left = mb
      for (let n = 0; n < 6 && left > 0; n++) {
        const memoryMb = n === 5 ? left : Math.min(left, this.need(`m${Math.floor(this.random() * models)}`))
        left -= memoryMb
        const worker = `c${device}-${n}`
        this.fleet.setResident({
          worker: WorkerId.make(worker),
          hive: HiveId.make(hive),
          device: DeviceId.make(name),
          model: ModelRef.make(`other${Math.floor(this.random() * models)}`),
          context: 4096,
          slots,
          free: this.random() < idle ? slots : Math.floor(this.random() * slots),
          memoryMb,
          isServing: true,
          isPinned: false,
          isClosing: false,
          readyAt: -Math.floor(this.random() * 600_000)
        })
      }
      this.free.set(place, 0)
      device++
    }
    for (const hive of this.gpus.keys()) this.beat(hive)
  }

  sizeOf(model: string): number {
    return this.sizes[Number(model.slice(1))] ?? 1000
  }

  /** As a heartbeat tells it. */
  private beat(hive: string): void {
    const gpus = this.gpus.get(hive) ?? []
    const beats = [...gpus.map(({ id }) => id), "cpu"].map((id) => ({
      id,
      state: "healthy",
      free_mb: this.free.get(`${hive}/${id}`) ?? 0
    }))
    this.fleet.setHive({
      hive: HiveId.make(hive),
      devices: { cpu: { cores: 16, ram_mb: 64_000, ram_free_mb: 64_000 }, gpus },
      beats
    })
  }

  request(): PlacementRequest {
    const at = this.random() * (this.zipf[models - 1] ?? 1)
    let low = 0
    for (let high = models - 1; low < high;) {
      const middle = (low + high) >> 1
      if ((this.zipf[middle] ?? 0) < at) low = middle + 1
      else high = middle
    }
    return {
      model: ModelRef.make(`m${low}`),
      hive: undefined,
      device: undefined,
      allowCpu: true,
      context: undefined,
      alone: false
    }
  }

  need(model: string): number {
    return this.sizeOf(model) * 1.15 + 80
  }

  /** One decision, hives being asked in memory; undefined: no room anywhere now. */
  place(
    request: PlacementRequest,
    few?: number
  ): { readonly worker?: string; readonly candidate?: Candidate } | undefined {
    const decision = decide(request, this.fleet)
    if (decision.kind === "resident") return { worker: decision.worker }
    if (decision.kind === "full") return {}
    const search = new Search(this.fleet, request, [], this.now, few)
    const requiredMb = this.need(request.model)
    for (let candidate = search.next(); candidate !== undefined; candidate = search.next()) {
      const { device, hive } = candidate.device
      const freed = candidate.evict.reduce((sum, { memoryMb }) => sum + memoryMb, 0)
      const availableMb = (this.free.get(`${hive}/${device}`) ?? 0) + freed
      if (availableMb >= requiredMb) return { candidate }
      search.refused(candidate, "full", { requiredMb, availableMb })
    }
    return undefined
  }

  /** What the cluster is after it: seats taken, workers started and ended, the oldest answer done. */
  apply(request: PlacementRequest, placed: ReturnType<Cluster["place"]>): void {
    this.now += 50
    if (this.running.length > loadOfHive * this.hives) this.seat(this.running.shift() ?? "", 1)
    const { candidate, worker } = placed ?? {}
    if (worker !== undefined) this.take(worker)
    if (candidate === undefined) return
    const { device, hive } = candidate.device
    for (const victim of candidate.evict) {
      this.fleet.removeResident(victim.worker)
      this.workers.delete(victim.worker)
      this.free.set(`${hive}/${device}`, (this.free.get(`${hive}/${device}`) ?? 0) + victim.memoryMb)
    }
    const memoryMb = this.need(request.model)
    this.free.set(`${hive}/${device}`, (this.free.get(`${hive}/${device}`) ?? 0) - memoryMb)
    const id = WorkerId.make(`w${this.made++}`)
    const facts = { worker: id, hive, device, model: request.model, context: 4096, slots, free: slots, memoryMb }
    this.workers.set(id, { ...facts, isServing: true, isPinned: false, isClosing: false, readyAt: this.now })
    this.fleet.seen.addFile(hive, request.model, this.sizeOf(request.model) * 1e6)
    this.take(id)
    this.beat(hive)
  }

  private take(worker: string): void {
    const facts = this.workers.get(worker)
    if (facts === undefined) return
    this.fleet.seen.used(facts.model, this.now)
    this.seat(worker, -1)
    this.running.push(worker)
  }

  private seat(worker: string, by: number): void {
    const facts = this.workers.get(worker)
    if (facts === undefined) return
    const next = { ...facts, free: facts.free + by }
    this.workers.set(worker, next)
    this.fleet.setResident(next)
  }
}
