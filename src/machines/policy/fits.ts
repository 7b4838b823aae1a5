/** What is offered, on every device of the cluster: does it fit, with how much context, and how fast will it be. */
import type { ModelFacts } from "../formats/gguf/gguf.ts"
import { workerKinds } from "../kinds/index.ts"
import { kindFor } from "../kinds/kind.ts"
import type { HiveView } from "../vocabulary/hive.ts"
import type { DeviceId, HiveId } from "../vocabulary/ids.ts"
import { type Fitting, fitting, roomsOf, type Wishes } from "./memory/devices-fit.ts"
import { expectedPace, type Paced } from "./pace.ts"

export interface Offered {
  readonly ref: string
  /** absent: no name tells it */
  readonly quantization?: string | undefined
  readonly file: string
  readonly files: number
  readonly bytes: number
}

export interface FitRow extends Offered, Fitting {
  readonly hive: HiveId
  readonly device: DeviceId
  /** of the device */
  readonly name: string
  /** expected; absent: nothing is known that would tell */
  readonly tokens_per_s?: number
}

/** `facts`: of one of the models, which speak for all but for their sizes. */
export const fitsOf = (
  { facts, models }: { readonly facts: ModelFacts; readonly models: ReadonlyArray<Offered> },
  hives: ReadonlyArray<Pick<HiveView, "devices" | "id">>,
  paces: ReadonlyArray<Paced>,
  wishes: Wishes
): ReadonlyArray<FitRow> =>
  models.flatMap((model) => {
    const kind = kindFor(workerKinds, model.file)
    const own = { ...facts, fileBytes: model.bytes, quantization: model.quantization ?? facts.quantization }
    return hives.flatMap(({ devices, id: hive }) =>
      (devices === undefined ? [] : roomsOf(devices)).map((room): FitRow => {
        const pace = expectedPace(paces, { hive, device: room.device }, model.bytes)
        return {
          ...model,
          hive,
          device: room.device,
          name: room.name,
          ...fitting(kind, own, room, wishes),
          ...(pace === undefined ? {} : { tokens_per_s: Number(pace.toPrecision(2)) })
        }
      })
    )
  })
