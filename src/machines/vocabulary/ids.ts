/**
 * Names of things, told apart by their types: a job's id is no worker's. They are made where they are drawn or where
 * they come in (a schema at an edge), and stay what they are from there on; on the wire each is its text.
 */
import * as Schema from "effect/Schema"

/** Ids become file names and path segments: nothing but these characters, so that no id can leave its folder. */
export const Id = Schema.String.pipe(Schema.pattern(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { message: () => "an id" }))

export const JobId = Id.pipe(Schema.brand("JobId"))
export type JobId = typeof JobId.Type

export const WorkerId = Id.pipe(Schema.brand("WorkerId"))
export type WorkerId = typeof WorkerId.Type

/** A machine's hive: the name that its queen knows it by. */
export const HiveId = Id.pipe(Schema.brand("HiveId"))
export type HiveId = typeof HiveId.Type
/** what a machine's own hive is called, unless it is told another name */
export const localHive = HiveId.make("localhost")

/** A device of a hive: `cpu`, `gpu0`, … Users may write it in any case; hive and queen know it in lower case. */
export const DeviceId = Schema.String.pipe(
  Schema.pattern(/^(cpu|gpu[0-9]{1,3})$/i, { message: () => "cpu, gpu0, gpu1, …" }),
  Schema.brand("DeviceId")
)
export type DeviceId = typeof DeviceId.Type
export const cpuDevice = DeviceId.make("cpu")
export const gpuDevice = (index: number): DeviceId => DeviceId.make(`gpu${index}`)
/** As it is known to hive and queen, however it was written. */
export const deviceNamed = (written: DeviceId): DeviceId => DeviceId.make(written.toLowerCase())

/** The canonical reference of a model (formats/model-ref.ts): what it is called between us, whatever users call it. */
export const ModelRef = Schema.String.pipe(Schema.brand("ModelRef"))
export type ModelRef = typeof ModelRef.Type
