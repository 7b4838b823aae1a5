/** The devices that one kind of runtime serves, strongest first, and where on them how much room is. */
import type { DeviceFacts } from "./fleet-facts.ts"
import { MaxTree } from "./max-tree.ts"

/** MB on a device; of a degraded one, minus infinity. */
export interface Rooms {
  readonly free: number
  /** free, or held by idle workers that may be unloaded now */
  readonly spare: number
  /** free, or held by whoever is not pinned: what waiting can bring */
  readonly hope: number
}

export class DeviceIndex {
  private readonly devices: Array<DeviceFacts>
  private readonly trees: Readonly<Record<keyof Rooms, MaxTree>>

  constructor(devices: ReadonlyArray<DeviceFacts>, roomsOn: (device: DeviceFacts) => Rooms) {
    this.devices = [...devices]
    const rooms = devices.map(roomsOn)
    this.trees = {
      free: new MaxTree(rooms.map(({ free }) => free)),
      spare: new MaxTree(rooms.map(({ spare }) => spare)),
      hope: new MaxTree(rooms.map(({ hope }) => hope))
    }
  }

  /** Strength does not change with what is free, so the order stays. */
  set(at: number, device: DeviceFacts, { free, hope, spare }: Rooms): void {
    this.devices[at] = device
    this.trees.free.set(at, free)
    this.trees.spare.set(at, spare)
    this.trees.hope.set(at, hope)
  }

  roomsAt(at: number): Rooms {
    const { free, hope, spare } = this.trees
    return { free: free.at(at), spare: spare.at(at), hope: hope.at(at) }
  }

  /** The strongest `count` with at least so much room of a kind. */
  strongest(kind: keyof Rooms, needMb: number, count: number): Array<DeviceFacts> {
    const tree = this.trees[kind]
    const found: Array<DeviceFacts> = []
    for (let at = tree.firstFrom(0, needMb); at >= 0 && found.length < count; at = tree.firstFrom(at + 1, needMb)) {
      const device = this.devices[at]
      if (device !== undefined) found.push(device)
    }
    return found
  }
}
