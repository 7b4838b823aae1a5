/** A device of a hive. */
export interface Place {
  readonly hive: string
  /** "cpu", "gpu0" */
  readonly device: string
}

export const placeKey = ({ device, hive }: Place): string => `${hive}/${device}`
