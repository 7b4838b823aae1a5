/**
 * The ledger of one machine: who holds how much of which device. Conserved: the leases of a device never exceed it.
 * One owner a row. Checking and booking are one step that nothing can come between; the catalog follows, and if it
 * cannot be written the booking is taken back.
 */
import * as Effect from "effect/Effect"
import {
  type CatalogError,
  diskDevice,
  type HiveCatalog,
  type LedgerDevice,
  type LeaseRow
} from "../../../layers/hive-catalog/index.ts"
import { invariant } from "../../../machines/invariant.ts"
import { marginBytes as deviceMarginBytes } from "../../../machines/policy/memory/fit.ts"
import type * as Context from "effect/Context"

export interface Lease extends LeaseRow {
  /** Bytes of it that the device's own figures already show as taken: none before its owner is loaded. */
  readonly shown: number
}

/** What a device can give, in bytes: of the ledger, and as the device itself reports. */
export interface Supply {
  readonly device: LedgerDevice
  readonly totalBytes: number
  readonly freeBytes: number
}

/** What stays free for everything else on the machine. */
const marginBytes = ({ device, totalBytes }: Supply): number =>
  device === diskDevice ? 64e6 : deviceMarginBytes(device, totalBytes)

export class Ledger {
  private readonly leases = new Map<string, Lease>()
  private readonly catalog: Context.Tag.Service<HiveCatalog>["leases"]

  constructor(catalog: Context.Tag.Service<HiveCatalog>["leases"]) {
    this.catalog = catalog
  }

  list(): ReadonlyArray<Lease> {
    return [...this.leases.values()]
  }

  /** Bytes of one lease. */
  bytesOf(id: string): number | undefined {
    return this.leases.get(id)?.bytes
  }

  /** Bytes of a device that are booked. */
  leased(device: LedgerDevice): number {
    let sum = 0
    for (const lease of this.leases.values()) if (lease.device === device) sum += lease.bytes
    return sum
  }

  /** Bytes that could be booked now, or if the leases of `without` were back; never negative. */
  available(supply: Supply, without: ReadonlySet<string> = new Set()): number {
    let leased = 0
    let unseen = 0
    let back = 0
    for (const lease of this.leases.values()) {
      if (lease.device !== supply.device) continue
      if (without.has(lease.id)) {
        back += lease.shown
        continue
      }
      leased += lease.bytes
      unseen += lease.bytes - lease.shown
    }
    const margin = marginBytes(supply)
    const byLedger = supply.totalBytes - margin - leased
    const byDevice = supply.freeBytes + back - margin - unseen
    return Math.max(0, Math.floor(Math.min(byLedger, byDevice)))
  }

  /** Bytes that could be booked if the leases of `without` were back, and the device had nothing on it but the others. */
  conceivable(supply: Supply, without: ReadonlySet<string>): number {
    let leased = 0
    for (const lease of this.leases.values())
      if (lease.device === supply.device && !without.has(lease.id)) leased += lease.bytes
    return Math.max(0, Math.floor(supply.totalBytes - marginBytes(supply) - leased))
  }

  /**
   * Books what `choose` makes of the room that there is; undefined is a refusal, which books nothing. `choose` runs
   * within the booking and must not suspend, so it is a plain function.
   */
  book<A extends { readonly bytes: number }>(
    id: string,
    owner: string,
    supply: Supply,
    choose: (availableBytes: number) => A | undefined
  ): Effect.Effect<A | undefined, CatalogError> {
    return Effect.suspend(() => {
      const available = this.available(supply)
      const chosen = choose(available)
      if (chosen === undefined) return Effect.succeed(undefined)
      invariant(!this.leases.has(id), () => `lease ${id} is booked twice`)
      invariant(
        isAmount(chosen.bytes) && chosen.bytes <= available,
        () => `${chosen.bytes} of ${available} bytes booked`
      )
      const row: LeaseRow = { id, device: supply.device, owner, bytes: Math.ceil(chosen.bytes) }
      this.leases.set(id, { ...row, shown: 0 })
      return this.catalog.put(row).pipe(
        Effect.as(chosen),
        Effect.tapError(() => Effect.sync(() => this.leases.delete(id)))
      )
    })
  }

  /**
   * The memory is really taken now; `bytes` is what was measured, if it is more than was booked, and `shown` what the
   * device's figures show of it, if not all: mapped files count as free memory, and buffers take their pages late.
   */
  settle(id: string, bytes = 0, shown = Infinity): Effect.Effect<void, CatalogError> {
    return Effect.suspend(() => {
      const lease = this.leases.get(id)
      if (lease === undefined) return Effect.void
      invariant(isAmount(bytes), () => `lease ${id} was measured at ${bytes} bytes`)
      const held = Math.max(lease.bytes, Math.ceil(bytes))
      const next = { ...lease, bytes: held, shown: Math.min(held, shown) }
      invariant(isAmount(next.shown), () => `${next.shown} bytes of lease ${id} are shown`)
      this.leases.set(id, next)
      return next.bytes === lease.bytes ? Effect.void : this.catalog.put(rowOf(next))
    })
  }

  /** The owner starts anew: with other needs, and with nothing taken yet. Never more than it had. */
  renew(id: string, bytes: number): Effect.Effect<void, CatalogError> {
    return Effect.suspend(() => {
      const lease = this.leases.get(id)
      if (lease === undefined) return Effect.void
      invariant(isAmount(bytes), () => `lease ${id} is renewed with ${bytes} bytes`)
      const next = { ...lease, shown: 0, bytes: Math.min(lease.bytes, Math.ceil(bytes)) }
      this.leases.set(id, next)
      return next.bytes === lease.bytes ? Effect.void : this.catalog.put(rowOf(next))
    })
  }

  /** Its owner is gone. Memory that a device gives back later is missing from the device's own figures until then. */
  release(id: string): Effect.Effect<void, CatalogError> {
    return Effect.suspend(() => (this.leases.delete(id) ? this.catalog.remove(id) : Effect.void))
  }
}

/** of memory: more than all of it is nothing that anybody has */
const isAmount = (bytes: number): boolean => bytes >= 0 && bytes <= Number.MAX_SAFE_INTEGER

const rowOf = ({ id, device, owner, bytes }: Lease): LeaseRow => ({ id, device, owner, bytes })
