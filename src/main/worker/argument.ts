/** The worker program's one argument: its plan as JSON, written by the hive's launcher. */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { WorkerPlan } from "../../layers/worker-launcher/index.ts"
import { Id } from "../../machines/vocabulary/common.ts"
import { Backend } from "../../machines/vocabulary/device.ts"
import { KvType } from "../../machines/vocabulary/worker.ts"

const Argument = Schema.parseJson(
  Schema.Struct({
    workerId: Id,
    instance: Id,
    backend: Backend,
    gpuUuid: Schema.optionalWith(Schema.String, { exact: true }),
    modelPath: Schema.NonEmptyString,
    modelRef: Schema.String,
    context: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { exact: true }),
    slots: Schema.Int.pipe(Schema.between(1, 256)),
    kvType: Schema.optionalWith(KvType, { exact: true }),
    portHint: Schema.Int.pipe(Schema.between(0, 65_535)),
    runtime: Schema.optionalWith(Schema.String, { exact: true }),
    /** address to listen on */
    host: Schema.NonEmptyString,
    /** descriptor of the control pipe; with one, stdin is the leash. Absent: started by hand, messages go to stdout */
    controlFd: Schema.optionalWith(Schema.Int, { exact: true })
  })
)

export interface WorkerArgument {
  readonly plan: WorkerPlan
  readonly host: string
  readonly controlFd: number | undefined
}

/** Left: what is wrong with it, in words. */
export const readArgument = (text: string | undefined): Either.Either<WorkerArgument, string> =>
  Either.mapBoth(Schema.decodeUnknownEither(Argument)(text), {
    onLeft: (error) => error.message,
    onRight: ({ controlFd, host, ...plan }) => ({ plan, host, controlFd })
  })
