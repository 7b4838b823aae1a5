/**
 * The search for a device that has room, cheapest first. Whoever searches asks the hive of each candidate and tells
 * what it said; a refusal for want of memory may be answered by a candidate on the same device with others unloaded,
 * which takes its place among the rest by its cost. In a large cluster only a short list is looked at before all are.
 */
import { because, type Cost, decodeSeconds, fetchSeconds, loadSeconds, secondsOf, unknownBytes } from "./cost.ts"
import type { DeviceFacts, Fleet, Place, ResidentFacts } from "./fleet.ts"
import { type Loser, objection, type Wish } from "./placement.ts"
import { makeRoom } from "./residency.ts"

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
}

/** A device that has no room now, but would if others went. */
export interface Hope extends Place {
  readonly requiredMb: number
}

/** So many devices are all looked at; of more only so many of each kind. */
const fewDevices = 64
const shortList = 24
const localList = 48

/** The least that a model can take: its weights and a worker's own memory. */
const leastMb = (bytes: number): number => bytes / 1e6 + 80

const placeKey = ({ device, hive }: Place): string => `${hive}/${device}`
const same = (a: Place, b: Place): boolean => a.hive === b.hive && a.device === b.device

const cheaper = (a: Candidate, b: Candidate): number =>
  a.seconds - b.seconds ||
  b.device.gbps - a.device.gbps ||
  (a.device.hive < b.device.hive ? -1 : a.device.hive > b.device.hive ? 1 : a.device.device < b.device.device ? -1 : 1)

export class Search {
  readonly losers: Array<Loser> = []
  /** where waiting would help */
  readonly hopes: Array<Hope> = []
  private open: Array<Candidate> = []
  private isAll: boolean
  private readonly seen = new Set<string>()
  private readonly bytes: number
  private readonly leastMb: number
  /** every device is asked; in a large cluster only those that should have room are */
  private readonly isAsked: boolean
  private readonly fleet: Fleet
  private readonly wish: Wish
  private readonly excluded: ReadonlyArray<Place>
  private readonly now: number

  /** `excluded`: places that failed for this job; `now`: milliseconds since 1970; `few`: so many are all looked at */
  constructor(fleet: Fleet, wish: Wish, excluded: ReadonlyArray<Place>, now: number, few = fewDevices) {
    this.fleet = fleet
    this.wish = wish
    this.excluded = excluded
    this.now = now
    this.bytes = fleet.seen.bytesOf(wish.model) ?? unknownBytes
    this.leastMb = leastMb(this.bytes)
    this.isAsked = wish.hive !== undefined || fleet.size <= fewDevices
    this.isAll = wish.hive !== undefined || fleet.size <= few
    const first = wish.hive === undefined ? fleet.devices() : fleet.devicesOf(wish.hive)
    this.consider(this.isAll ? first : this.short())
  }

  /** The cheapest that was not asked yet. */
  next(): Candidate | undefined {
    const found = this.open.shift()
    if (found !== undefined || this.isAll) return found
    this.isAll = true
    this.consider(this.fleet.devices())
    return this.open.shift()
  }

  /** It has no room, or cannot serve at all (`amounts` undefined). */
  refused({ cost, device, evict }: Candidate, why: string, amounts: Amounts | undefined): void {
    this.lose(device, why)
    if (amounts === undefined) return
    const { availableMb, requiredMb } = amounts
    const room = makeRoom(this.fleet.residentsOn(device), requiredMb - availableMb, this.heat, this.now)
    if (room.kind === "never") return
    this.hopes.push({ hive: device.hive, device: device.device, requiredMb })
    // what was to be unloaded did not do: it is left to a later look
    if (room.kind === "later" || evict.length > 0) return
    this.add(device, { ...cost, evict: room.seconds }, room.evict)
  }

  /** Those that were not asked, once one is found. */
  passedOver(winner: Candidate): ReadonlyArray<Loser> {
    return this.open.map(({ cost, device }) => ({
      hive: device.hive,
      device: device.device,
      verdict: because(cost, winner.cost)
    }))
  }

  /** The strongest with room, the strongest with room if idle workers went, and those of hives that have the file. */
  private short(): ReadonlyArray<DeviceFacts> {
    const { fleet } = this
    const local: Array<DeviceFacts> = []
    for (const hive of fleet.seen.hivesWith(this.wish.model)) {
      local.push(...fleet.devicesOf(hive))
      if (local.length >= localList) break
    }
    return [...fleet.roomiest(this.leastMb, shortList), ...fleet.sparest(this.leastMb, shortList), ...local]
  }

  private consider(devices: ReadonlyArray<DeviceFacts>): void {
    for (const device of devices) {
      const id = placeKey(device)
      if (this.seen.has(id)) continue
      this.seen.add(id)
      const verdict = this.verdict(device)
      if (verdict !== undefined) this.lose(device, verdict)
      else if (this.isAsked || device.freeMb >= this.leastMb)
        this.open.push(this.candidate(device, this.costOn(device), []))
      else this.instead(device)
    }
    this.open.sort(cheaper)
  }

  /** In a large cluster nobody is asked who is known to be full: only whether others could go. */
  private instead(device: DeviceFacts): void {
    const { heat, leastMb: requiredMb, now } = this
    const room = makeRoom(this.fleet.residentsOn(device), requiredMb - device.freeMb, heat, now)
    if (room.kind === "now")
      this.open.push(this.candidate(device, { ...this.costOn(device), evict: room.seconds }, room.evict))
    else this.lose(device, `${Math.floor(device.freeMb)} MB are free, ${Math.ceil(requiredMb)} MB are needed`)
    if (room.kind === "later") this.hopes.push({ hive: device.hive, device: device.device, requiredMb })
  }

  private readonly heat = (model: string): number => this.fleet.seen.heat(model, this.now)

  private verdict(device: DeviceFacts): string | undefined {
    if (this.excluded.some((place) => same(place, device))) return "failed for this job already"
    const why = objection(this.wish, device)
    if (why !== undefined) return why
    return device.isDegraded ? "the device is degraded and takes no new work" : undefined
  }

  private costOn(device: DeviceFacts): Cost {
    const { fleet, wish } = this
    const mb = this.bytes / 1e6
    const busy = fleet.residentsOn(device).filter(({ free, slots }) => free < slots).length
    return {
      fetch: fleet.seen.hasFile(device.hive, wish.model) ? 0 : fetchSeconds(mb),
      load: loadSeconds(mb),
      evict: 0,
      decode: decodeSeconds(fleet.seen.rate(device, wish.model), busy)
    }
  }

  private candidate(device: DeviceFacts, cost: Cost, evict: ReadonlyArray<ResidentFacts>): Candidate {
    return { device, evict, cost, seconds: secondsOf(cost) }
  }

  private add(device: DeviceFacts, cost: Cost, evict: ReadonlyArray<ResidentFacts>): void {
    const found = this.candidate(device, cost, evict)
    const at = this.open.findIndex((other) => cheaper(found, other) < 0)
    this.open.splice(at < 0 ? this.open.length : at, 0, found)
  }

  private lose({ device, hive }: Place, verdict: string): void {
    this.losers.push({ hive, device, verdict })
  }
}
