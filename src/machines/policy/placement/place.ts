/** A device of a hive. */
import type { HiveId, DeviceId } from "../../vocabulary/ids.ts"
export interface Place {
  readonly hive: HiveId
  /** "cpu", "gpu0" */
  readonly device: DeviceId
}

/** Its one name; what is looked up often carries it along. */
export const placeKey = (place: Place & { readonly key?: string }): string =>
  place.key ?? `${place.hive}/${place.device}`
