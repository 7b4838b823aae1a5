/** What placement decides from follows what is known of hives and workers, change by change. */
import { type JobId, WorkerId, type HiveId, type ModelRef } from "../../../machines/vocabulary/ids.ts"
import { invariant } from "../../../machines/invariant.ts"
import { mayReloadAt } from "../../../machines/policy/memory/context.ts"
import { unknownBytes } from "../../../machines/policy/placement/cost.ts"
import type { Fleet } from "../../../machines/policy/placement/fleet.ts"
import { type Place, placeKey } from "../../../machines/policy/placement/place.ts"
import type { Sleeper } from "../../../machines/policy/placement/sleepers.ts"
import type { HiveEntry } from "./hive-entry.ts"
import { freeOf, serving } from "./worker-entry.ts"
import type { Registry } from "./registry.ts"
import type { SlotBook } from "./slot-book.ts"

export class FleetFeed {
  private readonly fleet: Fleet
  private readonly registry: Registry
  private readonly slots: SlotBook
  private readonly now: () => number
  /** by place and model: when it was last loaded anew for more context, milliseconds since 1970 */
  private readonly reloads = new Map<string, number>()
  /** hives whose machines sleep */
  readonly sleepers = new Map<HiveId, Sleeper>()
  /** as the fleet knows them */
  private readonly synced = new Map<string, Pick<HiveEntry, "state" | "devices" | "beats">>()

  constructor(fleet: Fleet, registry: Registry, slots: SlotBook, now: () => number) {
    this.fleet = fleet
    this.registry = registry
    this.slots = slots
    this.now = now
  }

  /** A worker gives its place to one of its own model, which has more context. */
  reloaded(place: Place, model: ModelRef): void {
    const now = this.now()
    for (const [key, at] of this.reloads) if (mayReloadAt(at) <= now) this.reloads.delete(key)
    this.reloads.set(reloadKey(place, model), now)
  }

  /** A worker is asked for: its memory is spoken for before its hive has told of it. Returns what takes that back. */
  starting(jobId: JobId, { device, hive }: Place, model: ModelRef): () => void {
    // a name of its own: the worker has none yet
    const worker = WorkerId.make(`for-${jobId}`)
    invariant(!this.registry.workers.has(worker), () => `a worker is called ${worker}`)
    this.fleet.setResident({
      worker,
      isServing: false,
      hive,
      device,
      model,
      context: 0,
      slots: 0,
      free: 0,
      memoryMb: (this.fleet.seen.bytesOf(model) ?? unknownBytes) / 1e6,
      isPinned: false,
      isClosing: false,
      readyAt: this.now()
    })
    return () => this.fleet.removeResident(worker)
  }

  removeHive(id: HiveId): void {
    this.synced.delete(id)
    this.sleepers.delete(id)
    this.fleet.removeHive(id)
  }

  removeWorker(id: WorkerId): void {
    this.fleet.removeResident(id)
  }

  /** A hive whose beats are late gets no new work, and neither do its workers. */
  syncHive(id: HiveId): void {
    const hive = this.registry.hives.get(id)
    if (hive === undefined) return
    const { asleep, beats, devices, state } = hive
    if (asleep === undefined) this.sleepers.delete(id)
    else this.sleepers.set(id, { hive: id, ...asleep })
    const before = this.synced.get(id)
    if (before?.state === state && before.devices === devices && before.beats === beats) return
    this.synced.set(id, { state, devices, beats })
    if (state === "healthy" && devices !== undefined) this.fleet.setHive({ hive: id, devices, beats })
    else this.fleet.removeHive(id)
    if (before?.state === state) return
    for (const { view } of this.registry.workersOn(id)) this.syncWorker(view.id)
  }

  syncWorker(id: WorkerId): void {
    const entry = this.registry.workers.get(id)
    if (entry === undefined || this.registry.hives.get(entry.view.hive)?.state !== "healthy")
      return this.fleet.removeResident(id)
    const isServing = serving(entry.view)
    if (isServing) entry.readyAt ??= this.now()
    const { asked, context, device, hive, kv_type, memory_mb, model, pinned, slots } = entry.view
    const reloadedAt = this.reloads.get(reloadKey(entry.view, model))
    this.fleet.setResident({
      worker: id,
      isServing,
      hive,
      device,
      model,
      context,
      slots,
      ...(kv_type === undefined ? {} : { kv_type }),
      ...(asked === undefined ? {} : { asked }),
      free: freeOf(entry),
      memoryMb: memory_mb ?? (this.fleet.seen.bytesOf(model) ?? 0) / 1e6,
      isPinned: pinned === true,
      isClosing: this.slots.isClosing(id),
      readyAt: entry.readyAt ?? this.now(),
      ...(reloadedAt === undefined ? {} : { reloadedAt })
    })
  }
}

const reloadKey = (place: Place, model: ModelRef): string => `${placeKey(place)} ${model}`
