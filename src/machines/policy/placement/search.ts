/**
 * The search for a device that has room, cheapest first. Whoever searches asks the hive of each candidate and tells
 * what it said; a refusal for want of memory may be answered by a candidate on the same device with others unloaded,
 * which takes its place among the rest by its cost. In a large cluster only a short list is looked at before all are.
 */
import type { Backend } from "../../vocabulary/device.ts"
import {
  because,
  type Cost,
  decodeSeconds,
  fetchSeconds,
  leastMb,
  loadSeconds,
  lostBy,
  mainly,
  secondsOf,
  unknownBytes
} from "./cost.ts"
import type { Fleet } from "./fleet.ts"
import type { DeviceFacts, ResidentFacts } from "./fleet-facts.ts"
import type { Place } from "./place.ts"
import { placeKey } from "./place.ts"
import { type RejectedCandidate, objection, type Others, type PlacementRequest } from "./placement.ts"
import { makeRoom, spareMb, unloadSeconds } from "./residency.ts"
import type { ModelRef } from "../../vocabulary/ids.ts"

export interface Candidate {
  readonly device: DeviceFacts
  /** workers that are unloaded first */
  readonly evict: ReadonlyArray<ResidentFacts>
  readonly cost: Cost
  readonly seconds: number
}

/** What a hive said that has no room. */
export interface Amounts {
  readonly requiredMb: number
  readonly availableMb: number
  /** what would be available if every worker went that is not pinned; absent: it did not say */
  readonly mostMb?: number | undefined
}

/** A device that has no room now, but would if others went. */
export interface Hope extends Place {
  readonly requiredMb: number
}

/** Who has to go for it is found out when its turn comes: until then it costs at least what it says. */
interface Open extends Candidate {
  readonly isUnpriced: boolean
}

/** So many devices are all looked at; of more only so many of each kind at first, and twice as many in each round. */
const fewDevices = 64
const shortList = 16
const localList = 32
/** Places to wait for, in a large cluster. */
const hopesMax = 24

const same = (a: Place, b: Place): boolean => a.hive === b.hive && a.device === b.device

const cheaper = (a: Candidate, b: Candidate): number =>
  a.seconds - b.seconds ||
  b.device.gbps - a.device.gbps ||
  (a.device.hive < b.device.hive ? -1 : a.device.hive > b.device.hive ? 1 : a.device.device < b.device.device ? -1 : 1)

const nobody: ReadonlyArray<ResidentFacts> = []
const candidate = (
  device: DeviceFacts,
  cost: Cost,
  evict: ReadonlyArray<ResidentFacts>,
  isUnpriced: boolean
): Open => ({ device, evict, cost, seconds: secondsOf(cost), isUnpriced })

export class Search {
  readonly losers: Array<RejectedCandidate> = []
  private readonly refusedHopes: Array<Hope> = []
  private open: Array<Open> = []
  private isAll: boolean
  private depth = shortList
  private readonly seen = new Set<string>()
  private readonly bytes: number
  private readonly leastMb: number
  private readonly fetch: number
  private readonly load: number
  /** MB that hives said it takes, by the kind of their runtime */
  private readonly told = new Map<Backend, number>()
  /** every device is asked; in a large cluster only those that should have room are */
  private readonly isAsked: boolean
  private readonly fleet: Fleet
  private readonly request: PlacementRequest
  private readonly excluded: ReadonlyArray<Place>
  private readonly now: number

  /** `excluded`: places that failed for this job; `now`: milliseconds since 1970; `few`: so many are all looked at */
  constructor(fleet: Fleet, request: PlacementRequest, excluded: ReadonlyArray<Place>, now: number, few = fewDevices) {
    this.fleet = fleet
    this.request = request
    this.excluded = excluded
    this.now = now
    const known = fleet.seen.bytesOf(request.model)
    this.bytes = known ?? unknownBytes
    this.leastMb = leastMb(known ?? 0)
    this.fetch = fetchSeconds(this.bytes / 1e6)
    this.load = loadSeconds(this.bytes / 1e6)
    this.isAsked = request.hive !== undefined || fleet.size <= fewDevices
    this.isAll = request.hive !== undefined || request.device !== undefined || fleet.size <= few
    const first = request.hive === undefined ? fleet.devices() : fleet.devicesOf(request.hive)
    this.consider(this.isAll ? first : [...this.inReach(), ...this.local()])
  }

  /** The cheapest that was not asked yet. */
  next(): Candidate | undefined {
    for (;;) {
      const found = this.open.shift()
      if (found === undefined) {
        if (this.isAll) return this.isAsked || this.request.isScaleOut === true ? undefined : this.toTell()
        this.depth *= 2
        this.isAll = this.consider(this.inReach()) === 0
      } else if (this.isAsked || (!found.isUnpriced && this.hasRoom(found))) return found
      else {
        const instead = this.instead(found.device)
        if (instead === undefined) this.lose(found.device, this.full(found.device))
        else this.add(instead)
      }
    }
  }

  /** It has no room, or cannot serve at all (`amounts` undefined). */
  refused({ cost, device, evict }: Candidate, why: string, amounts: Amounts | undefined): void {
    this.lose(device, why)
    if (amounts === undefined) return
    if (this.request.isScaleOut === true) return
    const { availableMb, mostMb = 0, requiredMb } = amounts
    this.told.set(device.backend, Math.max(requiredMb, this.told.get(device.backend) ?? 0))
    // what it said counts those as gone that were to be unloaded
    const left = this.fleet.residentsOn(device).filter(({ worker }) => !evict.some((one) => one.worker === worker))
    // Who is there and what each holds is known as of the last beat, in whole MB. Where the hive says that all of them
    // together would do, they do; where none is known who could go, the next beat tells who has come or gone.
    const short = requiredMb - availableMb
    const spare = spareMb(left)
    const wouldDo = mostMb >= requiredMb
    const room = makeRoom(
      left,
      wouldDo && spare > 0 ? Math.min(short, spare) : short,
      this.heat,
      this.now,
      this.request.model
    )
    if (room.kind === "never" && !wouldDo) return
    this.refusedHopes.push({ hive: device.hive, device: device.device, requiredMb })
    if (room.kind === "never") return
    // what was to be unloaded did not do: it is left to a later look
    if (room.kind === "later" || evict.length > 0) return
    this.add(candidate(device, { ...cost, evict: room.seconds }, room.evict, false))
  }

  /** Where waiting would help: those that said so, and in a large cluster the strongest that were not asked. */
  get hopes(): ReadonlyArray<Hope> {
    if (this.isAsked || this.request.isScaleOut === true) return this.refusedHopes
    const hopes = [...this.refusedHopes]
    const known = new Set(hopes.map(placeKey))
    for (const device of this.fleet.strongest("hope", this.need, hopesMax + known.size, this.now)) {
      if (hopes.length >= hopesMax) break
      if (known.has(placeKey(device)) || this.verdict(device) !== undefined) continue
      hopes.push({ hive: device.hive, device: device.device, requiredMb: this.need(device.backend) })
    }
    return hopes
  }

  /**
   * In a large cluster, where hopes are a short list: a device that could be had by now, on the list or not, but for
   * those that are `taken` by others.
   */
  readonly elsewhere = (now: number, taken: ReadonlySet<string>): Place | undefined =>
    this.isAsked
      ? undefined
      : this.fleet
          .strongest("spare", this.need, taken.size + this.excluded.length + 1, now)
          .find((device) => !taken.has(device.key) && this.verdict(device) === undefined)

  /** Those that were not asked, once one is found. */
  passedOver(winner: Candidate): ReadonlyArray<RejectedCandidate> {
    return this.open.map((one) => {
      const { hive, device } = one.device
      const priced = one.isUnpriced ? this.instead(one.device) : one
      return {
        hive,
        device,
        verdict: priced === undefined ? this.full(one.device) : because(priced.cost, winner.cost)
      }
    })
  }

  /**
   * Those that were not even looked at, by the reason: with the losers, and the winner if there is one, they are all
   * devices there are. Takes as long as there are devices, so it is made for a job's record, not for its decision.
   */
  notLookedAt(winner: Candidate | undefined): ReadonlyArray<Others> {
    if (this.seen.size >= this.fleet.size) return []
    const counts = new Map<string, number>()
    for (const device of this.fleet.devices()) {
      if (this.seen.has(placeKey(device))) continue
      const verdict = this.verdict(device) ?? this.standing(device, winner)
      counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
    }
    return [...counts].map(([verdict, count]) => ({ verdict, count }))
  }

  private standing(device: DeviceFacts, winner: Candidate | undefined): string {
    const { free, hope, spare } = this.fleet.roomsOn(device, this.now)
    const need = this.need(device.backend)
    if (hope < need) return "too small for the model, or full of what is pinned"
    if (spare < need) return "full: its workers are busy or were only just loaded"
    if (winner === undefined) return "not asked"
    return free < need ? lostBy.evict : mainly(this.costOn(device, 0), winner.cost)
  }

  /** The strongest with room, and the strongest with room if idle workers went. */
  private inReach(): ReadonlyArray<DeviceFacts> {
    const { depth, fleet, need, now } = this
    return [...fleet.strongest("free", need, depth, now), ...fleet.strongest("spare", need, depth, now)]
  }

  /** Those of hives that have the file. */
  private local(): ReadonlyArray<DeviceFacts> {
    const { fleet, request } = this
    const local: Array<DeviceFacts> = []
    for (const hive of fleet.seen.hivesWith(request.model)) {
      local.push(...fleet.devicesOf(hive))
      if (local.length >= localList) break
    }
    return local
  }

  /** Returns how many of them are new. In a large cluster nobody is asked who is known to be full. */
  private consider(devices: ReadonlyArray<DeviceFacts>): number {
    const before = this.seen.size
    for (const device of devices) {
      if (this.seen.has(device.key)) continue
      this.seen.add(device.key)
      const verdict = this.verdict(device)
      if (verdict !== undefined) this.lose(device, verdict)
      else if (this.request.isScaleOut === true && device.freeMb < this.need(device.backend))
        this.lose(device, this.full(device))
      else if (this.isAsked || device.freeMb >= this.need(device.backend))
        this.open.push(candidate(device, this.costOn(device, 0), nobody, false))
      else if (this.fleet.roomsOn(device, this.now).spare < this.need(device.backend))
        this.lose(device, this.full(device))
      else this.open.push(candidate(device, this.costOn(device, unloadSeconds), nobody, true))
    }
    this.open.sort(cheaper)
    return this.seen.size - before
  }

  /** The device with others unloaded, if that makes room. */
  private instead(device: DeviceFacts): Open | undefined {
    const short = this.need(device.backend) - device.freeMb
    const room = makeRoom(this.fleet.residentsOn(device), short, this.heat, this.now, this.request.model)
    if (room.kind !== "now") return undefined
    return candidate(device, this.costOn(device, room.seconds), room.evict, false)
  }

  /**
   * Nothing should have room. In a large cluster nobody may have been asked by then: one device for each kind of runtime
   * tells what the model takes there, so that neither hopes nor the job's error are guesses.
   */
  private toTell(): Candidate | undefined {
    for (const backend of this.fleet.backends()) {
      if (this.told.has(backend) || this.need(backend) === Number.POSITIVE_INFINITY) continue
      const least = this.need(backend)
      this.told.set(backend, least)
      const only = (mb: number) => (kind: Backend) => (kind === backend ? mb : Number.POSITIVE_INFINITY)
      const most = this.excluded.length + 1
      const device = [least, 0]
        .flatMap((mb) => this.fleet.strongest("hope", only(mb), most, this.now))
        .find((one) => this.verdict(one) === undefined)
      if (device === undefined) continue
      this.seen.add(device.key)
      return candidate(device, this.costOn(device, 0), nobody, false)
    }
    return undefined
  }

  /** Is there still room, after what other hives said? */
  private hasRoom({ device, evict }: Candidate): boolean {
    return evict.reduce((mb, { memoryMb }) => mb + memoryMb, device.freeMb) >= this.need(device.backend)
  }

  private full({ backend, freeMb }: DeviceFacts): string {
    return `${Math.floor(freeMb)} MB are free, ${Math.ceil(this.need(backend))} MB are needed`
  }

  private readonly need = (backend: Backend): number =>
    backend === "cpu" && !this.request.allowCpu && this.request.device !== "cpu"
      ? Number.POSITIVE_INFINITY
      : Math.max(this.leastMb, this.told.get(backend) ?? 0)

  private readonly heat = (model: ModelRef): number => this.fleet.seen.heat(model, this.now)

  private verdict(device: DeviceFacts): string | undefined {
    if (this.excluded.some((place) => same(place, device))) return "failed for this job already"
    const why = objection(this.request, device)
    if (why !== undefined) return why
    if (
      this.request.isScaleOut === true &&
      this.fleet.residentsOn(device).some(({ model }) => model === this.request.model)
    )
      return "the model is resident there already"
    return device.isDegraded ? "the device is degraded and takes no new work" : undefined
  }

  private costOn(device: DeviceFacts, evict: number): Cost {
    const { fleet, request } = this
    let busy = 0
    for (const { free, slots } of fleet.residentsOn(device)) if (free < slots) busy++
    return {
      fetch: fleet.seen.hasFile(device.hive, request.model) ? 0 : this.fetch,
      load: this.load,
      evict,
      // nobody has read anything there: it is the same for all
      read: 0,
      decode: decodeSeconds(fleet.seen.rate(device, request.model), busy)
    }
  }

  private add(found: Open): void {
    const at = this.open.findIndex((other) => cheaper(found, other) < 0)
    this.open.splice(at < 0 ? this.open.length : at, 0, found)
  }

  private lose({ device, hive }: Place, verdict: string): void {
    this.losers.push({ hive, device, verdict })
  }
}
