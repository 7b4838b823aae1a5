/**
 * What placement is decided from: every device that may take work, strongest first, and every worker that is awake.
 * Kept up to date change by change, so that a decision never walks over all of a large cluster: the strongest device
 * with so much room is found in the logarithm of their number.
 */
import { type Backend, runtimeOf } from "../../vocabulary/device.ts"
import { ObservedPerformance } from "./observed-performance.ts"
import type { DeviceFacts, HiveFacts, ResidentFacts } from "./fleet-facts.ts"
import { MinHeap } from "./min-heap.ts"
import { type Place, placeKey as key } from "./place.ts"
import { mayGoAt } from "./residency.ts"
import { type Rooms, DeviceIndex } from "./device-index.ts"
import { type WorkerId, type HiveId, type DeviceId, cpuDevice, type ModelRef } from "../../vocabulary/ids.ts"

/** A guess that gets the order right: an RTX 3060 has 360 GB/s, an RTX 3090 936, an H100 3 350; two DDR channels 50. */
const gpuGbps = (vramMb: number): number => 100 + vramMb * 0.035
const cpuGbps = (cores: number): number => Math.min(60, 8 * cores)

/** Strongest first; by name where they are equal, so that the order is the same everywhere. */
const byStrength = (a: DeviceFacts, b: DeviceFacts): number =>
  b.gbps - a.gbps || (a.hive < b.hive ? -1 : a.hive > b.hive ? 1 : a.device < b.device ? -1 : 1)

const devicesOf = ({ beats, devices, hive }: HiveFacts): ReadonlyArray<DeviceFacts> => {
  const facts = (device: DeviceId, backend: Backend, gbps: number, freeMb: number): DeviceFacts => {
    const beat = beats.find(({ id }) => id === device)
    const free = beat?.free_mb ?? freeMb
    return {
      key: key({ hive, device }),
      hive,
      device,
      backend,
      gbps,
      freeMb: free,
      isDegraded: beat?.state === "degraded"
    }
  }
  return [
    ...devices.gpus.map((gpu) => facts(gpu.id, runtimeOf(gpu), gpuGbps(gpu.vram_mb), gpu.vram_free_mb)),
    facts(cpuDevice, "cpu", cpuGbps(devices.cpu.cores), devices.cpu.ram_free_mb)
  ]
}

/** MB that a model needs where a kind of runtime serves; infinity: it may not run there. */
export type Need = (backend: Backend) => number

export class Fleet {
  /** strongest first */
  private order: Array<DeviceFacts> = []
  private readonly at = new Map<
    string,
    { readonly inOrder: number; readonly index: DeviceIndex; readonly inIndex: number }
  >()
  private readonly indexes = new Map<Backend, DeviceIndex>()
  private readonly hives = new Map<HiveId, ReadonlyArray<DeviceFacts>>()
  private readonly residents = new Map<string, ResidentFacts>()
  private readonly byModel = new Map<string, Set<string>>()
  private readonly byPlace = new Map<string, Set<string>>()
  /** what was seen of the models */
  readonly seen = new ObservedPerformance()
  /** models of whose workers something was said since that was last asked */
  private touched = new Set<ModelRef>()
  private isStale = false
  /** until when the passing of time was followed: workers that may go since then are spare memory now */
  private now = Number.NEGATIVE_INFINITY
  private readonly young = new MinHeap<Place>()

  /** A hive is healthy, or has other devices, or others of them are free. */
  setHive(facts: HiveFacts): void {
    const before = this.hives.get(facts.hive)
    const devices = devicesOf(facts)
    this.hives.set(facts.hive, devices)
    const isSame =
      before?.length === devices.length &&
      devices.every((one, i) => {
        const known = before[i]
        return known?.device === one.device && known.gbps === one.gbps && known.backend === one.backend
      })
    if (!isSame || this.isStale) {
      this.isStale = true
      return
    }
    for (const device of devices) this.put(device)
  }

  removeHive(hive: HiveId): void {
    if (this.hives.delete(hive)) this.isStale = true
  }

  setResident(facts: ResidentFacts): void {
    const before = this.residents.get(facts.worker)
    this.forget(facts.worker)
    this.residents.set(facts.worker, facts)
    this.touched.add(facts.model)
    add(this.byModel, facts.model, facts.worker)
    add(this.byPlace, key(facts), facts.worker)
    const time = mayGoAt(facts)
    if (time > this.now && (before === undefined || mayGoAt(before) !== time)) this.young.push(time, facts)
    if (before !== undefined && key(before) !== key(facts)) this.settle(before)
    this.settle(facts)
  }

  removeResident(worker: WorkerId): void {
    const facts = this.forget(worker)
    if (facts !== undefined) this.settle(facts)
  }

  private forget(worker: WorkerId): ResidentFacts | undefined {
    const facts = this.residents.get(worker)
    if (facts === undefined) return undefined
    this.residents.delete(worker)
    this.touched.add(facts.model)
    this.byModel.get(facts.model)?.delete(worker)
    this.byPlace.get(key(facts))?.delete(worker)
    return facts
  }

  /** Models of whose workers something was said since the last time. */
  takeTouched(): ReadonlySet<ModelRef> {
    const { touched } = this
    this.touched = new Set()
    return touched
  }

  /** An answer was decoded there at this rate. */
  observe(place: Place, model: ModelRef, tokensPerS: number): void {
    const device = this.device(place)
    if (device !== undefined) this.seen.observe(device, model, tokensPerS)
  }

  get hiveCount(): number {
    return this.hives.size
  }

  get size(): number {
    this.fresh()
    return this.order.length
  }

  /** All devices, strongest first. */
  devices(): ReadonlyArray<DeviceFacts> {
    this.fresh()
    return this.order
  }

  devicesOf(hive: HiveId): ReadonlyArray<DeviceFacts> {
    return this.hives.get(hive) ?? []
  }

  device(place: Place): DeviceFacts | undefined {
    this.fresh()
    const at = this.at.get(key(place))
    return at === undefined ? undefined : this.order[at.inOrder]
  }

  /** The kinds of runtimes that there are. */
  backends(): ReadonlyArray<Backend> {
    this.fresh()
    return [...this.indexes.keys()]
  }

  /** The room on a device, as far as the queen knows. */
  roomsOn(place: Place, now: number): Rooms {
    this.follow(now)
    const at = this.at.get(key(place))
    return at?.index.roomsAt(at.inIndex) ?? noRooms
  }

  /** The strongest `count` devices with at least so much room of a kind. */
  strongest(kind: keyof Rooms, need: Need, count: number, now: number): ReadonlyArray<DeviceFacts> {
    this.follow(now)
    const found: Array<DeviceFacts> = []
    for (const [backend, index] of this.indexes) found.push(...index.strongest(kind, need(backend), count))
    return this.indexes.size > 1 ? found.sort(byStrength).slice(0, count) : found
  }

  /** Workers of a model. */
  residentsOf(model: ModelRef): ReadonlyArray<ResidentFacts> {
    return this.found(this.byModel.get(model))
  }

  /** Workers on a device. */
  residentsOn(place: Place): ReadonlyArray<ResidentFacts> {
    return this.found(this.byPlace.get(key(place)))
  }

  allResidents(): ReadonlyArray<ResidentFacts> {
    return [...this.residents.values()]
  }

  private found(workers: ReadonlySet<string> | undefined): ReadonlyArray<ResidentFacts> {
    const list: Array<ResidentFacts> = []
    for (const worker of workers ?? []) {
      const facts = this.residents.get(worker)
      if (facts !== undefined) list.push(facts)
    }
    return list
  }

  private put(device: DeviceFacts): void {
    const at = this.at.get(key(device))
    if (at === undefined) return
    this.order[at.inOrder] = device
    this.settle(device)
  }

  /** The trees follow what is free and who is idle on a device. */
  private settle(place: Place): void {
    if (this.isStale) return
    const at = this.at.get(key(place))
    const device = at === undefined ? undefined : this.order[at.inOrder]
    if (at !== undefined && device !== undefined) at.index.set(at.inIndex, device, this.measure(device))
  }

  private measure(device: DeviceFacts): Rooms {
    if (device.isDegraded) return noRooms
    let spare = device.freeMb
    let hope = device.freeMb
    for (const worker of this.residentsOn(device)) {
      if (worker.isPinned) continue
      hope += worker.memoryMb
      if (worker.isServing && worker.free === worker.slots && mayGoAt(worker) <= this.now) spare += worker.memoryMb
    }
    return { free: device.freeMb, spare, hope }
  }

  /** Workers that were loaded long enough ago by now may go. */
  private follow(now: number): void {
    this.now = Math.max(this.now, now)
    for (let place = this.young.popUntil(now); place !== undefined; place = this.young.popUntil(now)) this.settle(place)
    this.fresh()
  }

  /** Hives come and go seldom: then everything is put in order anew. */
  private fresh(): void {
    if (!this.isStale) return
    this.isStale = false
    this.order = [...this.hives.values()].flat().sort(byStrength)
    this.at.clear()
    this.indexes.clear()
    const kinds = new Map<Backend, Array<readonly [device: DeviceFacts, inOrder: number]>>()
    for (const [at, device] of this.order.entries()) {
      const kind = kinds.get(device.backend) ?? []
      kind.push([device, at])
      kinds.set(device.backend, kind)
    }
    for (const [backend, kind] of kinds) {
      const index = new DeviceIndex(
        kind.map(([device]) => device),
        (device) => this.measure(device)
      )
      this.indexes.set(backend, index)
      for (const [inIndex, [device, inOrder]] of kind.entries()) this.at.set(key(device), { inOrder, index, inIndex })
    }
  }
}

const nothing = Number.NEGATIVE_INFINITY
const noRooms: Rooms = { free: nothing, spare: nothing, hope: nothing }

const add = (map: Map<string, Set<string>>, at: string, value: string): void => {
  const set = map.get(at)
  if (set === undefined) map.set(at, new Set([value]))
  else set.add(value)
}
