/**
 * What workers told of their self-tests, by place and model: it outlives the worker, since it is asked for when that is
 * lost. The last word of a worker that serves counts, and one that has not found out yet says nothing.
 */
import type { Place } from "./placement/place.ts"
import type { HiveId, ModelRef } from "../vocabulary/ids.ts"

interface Told extends Place {
  readonly model: ModelRef
  readonly exact?: boolean | undefined
  readonly bits?: string | undefined
}

/** not a space or a slash: those are in names */
const between = "\n"
const keyOf = ({ device, hive }: Place, model: ModelRef): string => [hive, device, model].join(between)

export class ExactPlaces {
  /** of those that are exact: what they compute, as a hash */
  private readonly bits = new Map<string, string>()

  note(worker: Told): void {
    const key = keyOf(worker, worker.model)
    if (worker.exact === true && worker.bits !== undefined) this.bits.set(key, worker.bits)
    else this.bits.delete(key)
  }

  removeHive(hive: HiveId): void {
    for (const key of this.bits.keys()) if (key.startsWith(`${hive}${between}`)) this.bits.delete(key)
  }

  /** An answer that goes on at the same place is the undisturbed one. */
  isExact(place: Place, model: ModelRef): boolean {
    return this.bits.has(keyOf(place, model))
  }

  /** An answer that was begun at one and goes on at the other is the undisturbed one. */
  areAlike(from: Place, to: Place, model: ModelRef): boolean {
    const bits = this.bits.get(keyOf(from, model))
    return bits !== undefined && bits === this.bits.get(keyOf(to, model))
  }
}
