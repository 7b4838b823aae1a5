/**
 * What a choice of place really costs, told without the policy's arithmetic: cards with the bandwidth of their data
 * sheets, answers that share them second by second until they are through, and a reload of whatever was unloaded if its
 * next request comes before it would have gone idle anyway. Every device and every set of idle workers is tried.
 * The policy knows the same things in its own way: rates that it saw (within 10 %), uses that it counted.
 */
import { Fleet } from "../../../src/machines/policy/placement/fleet.ts"
import type { ResidentFacts } from "../../../src/machines/policy/placement/fleet-facts.ts"
import { Search } from "../../../src/machines/policy/placement/search.ts"
import { seeded } from "./cluster.ts"
import { WorkerId, HiveId, DeviceId, cpuDevice, ModelRef } from "../../../src/machines/vocabulary/ids.ts"

/** MB and GB/s of cards as they are sold */
const cards = [
  ["RTX 4060", 8000, 272],
  ["RTX 3060", 12_000, 360],
  ["RTX 4070 Ti S", 16_000, 672],
  ["RTX 3090", 24_000, 936],
  ["A100", 40_000, 1555],
  ["H100", 80_000, 3350]
] as const
const cpu = { mb: 48_000, gbps: 60 }
const answerTokens = 256
const diskMbps = 1000
const netMbps = 50
const bootSeconds = 0.5
const unloadSeconds = 0.3
const fastest = 200
/** seconds after which an idle worker ends by itself */
const idleSeconds = 300
/** the policy has counted uses for so long, seconds */
const watched = 3600
const slots = 4

interface Model {
  readonly name: string
  readonly mb: number
  /** requests a second */
  readonly rate: number
}
interface Busy {
  readonly facts: ResidentFacts
  readonly model: Model
  /** seconds of the whole device that its answers still take */
  readonly left: number
}
interface Spot {
  readonly hive: string
  readonly device: string
  readonly mb: number
  readonly gbps: number
  readonly workers: ReadonlyArray<Busy>
}

const alone = (mb: number, gbps: number): number => answerTokens / Math.min(fastest, (1000 * gbps) / mb)
const loads = (mb: number): number => bootSeconds + mb / diskMbps
const needOf = ({ mb }: Model): number => mb + 80

/** When an answer that comes at `from` and needs `work` seconds of the device is through, others having theirs first. */
const throughAt = (from: number, work: number, lefts: ReadonlyArray<number>): number => {
  const step = 0.002
  const left = lefts.filter((seconds) => seconds > 0)
  let mine = work
  for (let time = 0; ; time += step) {
    const isHere = time >= from
    const running = left.filter((seconds) => seconds > 0).length + (isHere ? 1 : 0)
    if (running === 0) continue
    for (let i = 0; i < left.length; i++) left[i] = Math.max(0, (left[i] ?? 0) - step / running)
    if (!isHere) continue
    mine -= step / running
    if (mine <= 0) return time
  }
}

/** What it is to be without these models: their reloads, by the chance that they are wanted in time. */
const missed = (gone: ReadonlyArray<Busy>): number =>
  gone.reduce(
    (sum, { model }) => sum + unloadSeconds + loads(needOf(model)) * (1 - Math.exp(-model.rate * idleSeconds)),
    0
  )

const subsets = <A>(list: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: 2 ** list.length }, (_, bits) => list.filter((_one, i) => (bits >> i) % 2 === 1))

class Scene {
  readonly fleet = new Fleet()
  readonly wanted: Model
  private readonly spots: ReadonlyArray<Spot>
  private readonly files = new Set<string>()
  readonly now = watched * 1000

  constructor(seed: number) {
    const random = seeded(seed)
    const below = (n: number) => Math.floor(random() * n)
    const models = Array.from({ length: 12 }, (_, i): Model => {
      return { name: `m${i}`, mb: Math.round(500 * 2 ** (random() * 5)), rate: 0.03 / (1 + below(12)) }
    })
    const pick = (): Model => models[below(models.length)] ?? { name: "m", mb: 1000, rate: 0 }
    this.wanted = pick()
    const spots: Array<Spot> = []
    for (let h = 0; h < 2 + below(2); h++) {
      const hive = `hive-${h}`
      const gpus = Array.from({ length: 1 + below(2) }, (_, i) => {
        const [name, mb, gbps] = cards[below(cards.length)] ?? cards[0]
        return { id: DeviceId.make(`gpu${i}`), name, mb, gbps }
      })
      for (const { gbps, id, mb } of [...gpus, { id: cpuDevice, ...cpu }]) {
        const workers: Array<Busy> = []
        let free = mb
        for (let n = 0; n < below(5); n++) {
          const model = pick()
          if (model === this.wanted || needOf(model) > free) continue
          free -= needOf(model)
          const taken = random() < 0.5 ? 0 : 1 + below(slots)
          const facts: ResidentFacts = {
            worker: WorkerId.make(`${hive}-${id}-${n}`),
            isServing: true,
            hive: HiveId.make(hive),
            device: DeviceId.make(id),
            model: ModelRef.make(model.name),
            context: 4096,
            slots,
            free: slots - taken,
            memoryMb: needOf(model),
            isPinned: false,
            isClosing: false,
            readyAt: 0
          }
          // answers in one batch end together with the longest of them: nobody knows more than its mean
          const left = taken === 0 ? 0 : (alone(model.mb, gbps) * taken) / (taken + 1)
          workers.push({ facts, model, left })
        }
        spots.push({ hive, device: id, mb, gbps, workers })
      }
      this.fleet.setHive({
        hive: HiveId.make(hive),
        devices: {
          cpu: { cores: 16, ram_mb: cpu.mb, ram_free_mb: cpu.mb },
          gpus: gpus.map(({ id, mb, name }) => ({ id, name, backend: "cuda", vram_mb: mb, vram_free_mb: mb }))
        },
        beats: spots
          .filter((spot) => spot.hive === hive)
          .map((spot) => ({ id: spot.device, state: "healthy", free_mb: this.freeOn(spot) }))
      })
      for (const model of models) {
        if (random() < 0.5) continue
        this.files.add(`${hive} ${model.name}`)
        this.fleet.seen.addFile(HiveId.make(hive), ModelRef.make(model.name), model.mb * 1e6)
      }
    }
    this.spots = spots
    for (const { device, gbps, hive, workers } of spots) {
      for (const { facts } of workers) this.fleet.setResident(facts)
      for (const { mb, name } of models) {
        const seen = (answerTokens / alone(mb, gbps)) * (0.9 + 0.2 * random())
        this.fleet.observe({ hive: HiveId.make(hive), device: DeviceId.make(device) }, ModelRef.make(name), seen)
      }
    }
    for (const { name, rate } of models) {
      for (let at = -Math.log(random()) / rate; at < watched; at -= Math.log(random()) / rate)
        this.fleet.seen.used(ModelRef.make(name), at * 1000)
    }
  }

  freeOn({ mb, workers }: Spot): number {
    return workers.reduce((free, { facts }) => free - facts.memoryMb, mb)
  }

  /** Undefined: there is no room like that. */
  cost(spot: Spot, gone: ReadonlyArray<Busy>): number | undefined {
    const freed = gone.reduce((mb, { facts }) => mb + facts.memoryMb, 0)
    if (this.freeOn(spot) + freed < needOf(this.wanted)) return undefined
    const isThere = this.files.has(`${spot.hive} ${this.wanted.name}`)
    const from = (isThere ? 0 : this.wanted.mb / netMbps) + loads(this.wanted.mb)
    const lefts = spot.workers.map(({ left }) => left)
    return throughAt(from, alone(this.wanted.mb, spot.gbps), lefts) + missed(gone)
  }

  best(): number {
    let best = Number.POSITIVE_INFINITY
    for (const spot of this.spots)
      for (const gone of subsets(spot.workers.filter(({ facts }) => facts.free === facts.slots)))
        best = Math.min(best, this.cost(spot, gone) ?? best)
    return best
  }

  /** What the policy chooses costs. */
  chosen(): number | undefined {
    const search = new Search(this.fleet, { ...anywhere, model: ModelRef.make(this.wanted.name) }, [], this.now)
    for (let one = search.next(); one !== undefined; one = search.next()) {
      const { device, evict } = one
      const spot = this.spots.find((other) => other.hive === device.hive && other.device === device.device)
      if (spot === undefined) return undefined
      const gone = spot.workers.filter(({ facts }) => evict.some(({ worker }) => worker === facts.worker))
      const cost = this.cost(spot, gone)
      if (cost !== undefined) return cost
      const freed = gone.reduce((mb, { facts }) => mb + facts.memoryMb, 0)
      search.refused(one, "full", { requiredMb: needOf(this.wanted), availableMb: this.freeOn(spot) + freed })
    }
    return undefined
  }
}

const anywhere = { hive: undefined, device: undefined, allowCpu: true, context: undefined, alone: false }

/** Regrets of `scenes` decisions: 0 is the best that could be done. */
export const regretsOf = (scenes: number): ReadonlyArray<number> => {
  const regrets: Array<number> = []
  for (let seed = 1; regrets.length < scenes && seed < 10 * scenes; seed++) {
    const scene = new Scene(seed)
    const chosen = scene.chosen()
    if (chosen !== undefined) regrets.push(chosen / scene.best() - 1)
  }
  return regrets
}
